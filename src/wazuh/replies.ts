/**
 * Replies of the Wazuh protocol: their names, the texts that nodes expect, and what came back.
 *
 * A reply is a frame with the counter of its request. Nodes of Wazuh hand errors on as values, and
 * most of their callers never look: here an error reply is a `WazuhFailure`.
 */
import { type ByteString, displayText } from '../base/bytes.ts';
import { ClusterError, ProtocolError } from '../base/errors.ts';
import {
  type Failure,
  internalFailure,
  readErrorReply,
  WazuhFailure,
  writeFailure,
} from './failure.ts';
import { quotedBytes } from './layouts.ts';

/** A reply, ready for a frame. */
export interface Reply {
  readonly command: ByteString;
  readonly payload: Uint8Array;
}

const encoder = new TextEncoder();

/** Names of good replies to the commands that have one of their own. */
const okNames: Readonly<Record<string, string>> = {
  'echo-c': 'ok-m ',
  'echo-m': 'ok-c',
  // With the space real nodes send: it is nothing but one more space on the wire.
  'new_file': 'ok ',
};

/** Texts of good replies, where nodes always send the same. */
export const replyTexts = {
  new_file: 'Ready to receive new file',
  file_upd: 'File updated',
  file_end: 'File received correctly',
  str_upd: 'String updated',
  cancel_task: 'Request received correctly',
  archive: 'File correctly received',
  failure: 'Error received',
  result: 'Thanks',
  dapi: 'Added request to API requests queue',
  dapi_res: 'Response forwarded to worker',
  dapi_err: 'DAPI error forwarded to worker',
  sendsync: 'Added request to SendSync requests queue',
  sendsyn_res: 'Response forwarded to worker',
  sendsyn_err: 'SendSync error forwarded to worker',
} as const;

/** The text of the reply to a hello that was accepted. */
export function welcomeText(node: string): string {
  return `Client ${node} added`;
}

/** A good reply to a command. */
export function okReply(command: string, payload: Uint8Array): Reply {
  return { command: okNames[command] ?? 'ok', payload };
}

/** A reply that tells a failure. */
export function failureReply(failure: Failure): Reply {
  return textReply('err', writeFailure(failure));
}

/** The replies that tell a failure in plain text. */
export const plainReplies = {
  unknownCommand: (command: ByteString): Reply =>
    textReply('err', `unknown command '${quotedBytes(command)}'`),
  /** To `new_file` for a path that is not below queue/cluster. */
  writePath: (): Reply => textReply('err', 'Write path not allowed'),
  /** To `file_end`. */
  checksum: (): Reply =>
    textReply('err', "File wasn't correctly received. Checksums aren't equal."),
  /** To `new_str`; real nodes do not take this for an error, and go on without an id. */
  stringSize: (): Reply => textReply('error', 'Requested size exceeds maximum allowed limit'),
} as const;

/** To be thrown where a request is refused with one of the plain replies. */
export class PlainRefusal extends ClusterError {
  readonly reply: Reply;

  constructor(reply: Reply) {
    super('refused', new TextDecoder().decode(reply.payload));
    this.name = 'PlainRefusal';
    this.reply = reply;
  }
}

/** The reply for anything that was thrown; of a defect of ours nothing is told. */
export function replyOfError(error: unknown): Reply {
  if (error instanceof PlainRefusal) return error.reply;
  if (error instanceof WazuhFailure) return failureReply(error.failure);
  const text = error instanceof ClusterError ? error.message : 'Unexpected failure';
  return failureReply(internalFailure(text).failure);
}

/** Whether a frame is named as replies are; it is one if it also has the counter of a request. */
export function isReplyName(command: ByteString): boolean {
  return ['ok', 'ok-m', 'ok-c', 'err', 'error'].includes(command);
}

/**
 * What a good reply carries.
 * @throws WazuhFailure where the reply tells a failure; ProtocolError for what is no reply at all
 */
export function takeReply({ command, payload }: Reply): Uint8Array {
  switch (command) {
    case 'ok':
    case 'ok-m':
    case 'ok-c':
      return payload;
    case 'err':
    case 'error':
      throw new WazuhFailure(readErrorReply(payload));
    default:
      throw new ProtocolError('unexpected', `A reply is named "${displayText(command)}"`);
  }
}

function textReply(command: string, text: string): Reply {
  return { command, payload: encoder.encode(text) };
}
