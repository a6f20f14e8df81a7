/**
 * Composing: from what a session has to say to the bytes of a frame. Pure.
 *
 * What we send is held against the table exactly as the peer will hold it: a defect of ours fails
 * here, where it can be found, and never ends a session.
 */
import { displayText } from '../base/bytes.ts';
import { describeError, type ErrorCode, ProtocolError, readErrorCode } from '../base/errors.ts';
import { type Reader, record, text } from '../base/readers.ts';
import { decodePayload, encodePayload } from './codec.ts';
import { encodeFrame, payloadBytesMax } from './frame.ts';
import {
  type EventName,
  messages,
  type PayloadOf,
  type ReplyOf,
  type RequestName,
} from './messages.ts';

/** Longest message of a failure, characters: a sentence with two long paths. */
const failureTextMax = 2048;

/** @throws Error where the table does not allow the payload */
export function requestFrame<N extends RequestName>(
  name: N,
  stream: number,
  payload: PayloadOf<N>,
): Uint8Array {
  const { id, request, bytesMax } = messages[name];
  return encodeFrame('request', id, stream, checkedPayload(name, payload, request, bytesMax));
}

/** @throws Error where the table does not allow the reply */
export function replyFrame<N extends RequestName>(
  name: N,
  stream: number,
  reply: ReplyOf<N>,
): Uint8Array {
  const entry = messages[name];
  return encodeFrame(
    'reply',
    entry.id,
    stream,
    checkedPayload(name, reply, entry.reply, payloadBytesMax),
  );
}

/** @throws Error where the table does not allow the payload */
export function eventFrame<N extends EventName>(name: N, payload: PayloadOf<N>): Uint8Array {
  const { id, event, bytesMax } = messages[name];
  return encodeFrame('event', id, 0, checkedPayload(name, payload, event, bytesMax));
}

/** A failure in place of a reply; a message that is too long is cut. */
export function failureFrame(stream: number, code: ErrorCode, message: string): Uint8Array {
  const payload = encodePayload({ code, message: displayText(message).slice(0, failureTextMax) });
  return encodeFrame('failure', 0, stream, payload);
}

const failureReader = record({ code: text(64), message: text(failureTextMax) });

/** What a failure frame carries; a code that is not known here reads as `failed`. */
export function readFailure(payload: Uint8Array): { code: ErrorCode; message: string } {
  const { code, message } = failureReader(decodePayload(payload), 'failure');
  return { code: readErrorCode(code), message: displayText(message) };
}

/** Grants the sender of bulk data more credit. */
export function creditFrame(stream: number, bytes: number): Uint8Array {
  const payload = new Uint8Array(4);
  new DataView(payload.buffer).setUint32(0, bytes);
  return encodeFrame('credit', 0, stream, payload);
}

/** Bytes of credit that a frame grants. */
export function readCredit(payload: Uint8Array): number {
  if (payload.length !== 4) throw new ProtocolError('malformed', 'Credit is not 4 bytes');
  return new DataView(payload.buffer, payload.byteOffset).getUint32(0);
}

function checkedPayload(
  name: string,
  value: unknown,
  read: Reader<unknown>,
  bytesMax: number,
): Uint8Array {
  try {
    read(value, name);
  } catch (error) {
    throw new Error(`Cannot send ${name}: ${describeError(error)}`, { cause: error });
  }
  const payload = encodePayload(value);
  if (payload.length <= bytesMax) return payload;
  throw new Error(`Cannot send ${name}: it has ${payload.length} bytes, the limit is ${bytesMax}`);
}
