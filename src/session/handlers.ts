/**
 * The types of the functions that answer a peer. Inferred from the message table: a node that
 * forgets a message of the other role does not compile.
 */
import type {
  EventName,
  MessageName,
  PayloadOf,
  ReplyOf,
  RequestName,
  Sender,
  SentBy,
} from '../wire/messages.ts';
import type { Session } from './session.ts';

/** What a handler knows besides the payload. */
export interface RequestContext {
  /** Name of the node that asks. */
  readonly peer: string;
  readonly session: Session;
  /** Aborted when the peer gives the request up or the session ends. */
  readonly signal: AbortSignal;
  /** Sends bulk data before the reply; waits for the receiver's credit. */
  readonly send: (bytes: Uint8Array) => Promise<void>;
}

/** The function that answers one message. */
export type Handler<N extends MessageName> = N extends RequestName
  ? (payload: PayloadOf<N>, context: RequestContext) => ReplyOf<N> | Promise<ReplyOf<N>>
  : N extends EventName ? (payload: PayloadOf<N>, context: RequestContext) => void
  : never;

/** Answers to some messages, as a session wants them. */
export type Handlers = { readonly [N in MessageName]?: Handler<N> };

/** Answers to every message that peers of a role send. */
export type HandlersFor<Role extends Sender> = { readonly [N in SentBy<Role>]: Handler<N> };
