/**
 * Calls of the API (DAPI) and messages for daemons: muster executes none of the functions of the
 * original's framework. Whoever wants one is told so at once, and does not wait in vain.
 */
import type { ByteString } from '../base/bytes.ts';
import { ProtocolError } from '../base/errors.ts';
import { record, text } from '../base/readers.ts';
import { type Answer, answering, type Connection } from './connection.ts';
import { clusterFailure, type Failure, failureText, writeFailure } from './failure.ts';
import { parseJson } from './json.ts';
import { replyTexts } from './replies.ts';
import { sendString } from './string-transfer.ts';

/** Why a call is not executed. */
export const callRefusal: Failure = clusterFailure(
  3009,
  'muster does not execute calls of the API',
).failure;

/** Why a message for a daemon is not passed on. */
export const daemonRefusal: Failure = clusterFailure(
  3009,
  'muster passes on no messages for daemons',
).failure;

const encoder = new TextEncoder();

/** Tells a worker what came of a call: its result as JSON text. */
export async function sendCallResult(
  connection: Connection,
  client: ByteString,
  json: string,
): Promise<void> {
  const id = await sendString(connection, encoder.encode(json), connection.signal);
  await connection.request('dapi_res', { client, id });
}

/** The name of the function that is called, for the log. */
export function functionIn(call: Uint8Array): string {
  try {
    return callShape(parseJson(call, 'A call'), 'call').f.__callable__.__name__;
  } catch (error) {
    if (error instanceof ProtocolError) return 'an unknown function';
    throw error;
  }
}

/**
 * The answer to a node that wants a function of the API called.
 * @param onCall called with each
 */
export function callAnswer(
  onCall: (name: string, client: string) => void,
): readonly [string, Answer] {
  return answering('dapi', ({ client, bytes }, connection) => {
    onCall(functionIn(bytes), client);
    inBackground(sendCallResult(connection, client, writeFailure(callRefusal)));
    return replyTexts.dapi;
  });
}

/** A master's answers to workers that want something done by others, beside calls. */
export function relayAnswers(): readonly (readonly [string, Answer])[] {
  return [
    answering('sendsync', ({ client }, connection) => {
      const bytes = encoder.encode(failureText(daemonRefusal));
      inBackground(connection.request('sendsyn_err', { client, bytes }));
      return replyTexts.sendsync;
    }),
    // Nothing was ever asked of a worker, so nobody waits for a result.
    answering('dapi_res', ({ client }) => unknownClient(client)),
    answering('dapi_err', ({ client }) => unknownClient(client)),
  ];
}

// ---

const callShape = record({ f: record({ __callable__: record({ __name__: text(256) }) }) });

function unknownClient(client: ByteString): never {
  throw clusterFailure(3032, client);
}

/** What is told besides. Where it cannot be, the connection is lost, and says so itself. */
function inBackground(work: Promise<unknown>): void {
  work.catch(() => {});
}
