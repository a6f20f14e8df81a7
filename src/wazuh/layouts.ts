/**
 * Layouts: how the arguments of commands lie in a payload. Pure.
 *
 * Several arguments are separated by one space each, so that none but the last may hold one. What
 * does not fit a layout is a `ProtocolError('malformed')`.
 */
import { type BytePath, type ByteString, fromBytes, toBytes } from '../base/bytes.ts';
import { ProtocolError } from '../base/errors.ts';
import type { Reader } from '../base/readers.ts';
import { type Failure, internalFailure, readFailure, writeFailure } from './failure.ts';
import { type Json, parseJson, spacedJson } from './json.ts';

/** How a value lies in a payload. */
export interface Layout<T> {
  /** @throws ProtocolError `malformed` */
  readonly read: (payload: Uint8Array) => T;
  readonly write: (value: T) => Uint8Array;
}

/** The value that a layout is for. */
export type LayoutType<L> = L extends Layout<infer T> ? T : never;

const SPACE = 0x20;
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Longest word of a payload: names, ids of tasks and strings, paths below queue/cluster. */
const wordBytesMax = 4096;

function fail(expected: string): never {
  throw new ProtocolError('malformed', `A payload is not ${expected}`);
}

/** No arguments; what comes nevertheless is ignored, as real nodes do. */
export const nothing: Layout<void> = { read: () => {}, write: () => new Uint8Array(0) };

/** Bytes as they are. */
export const raw: Layout<Uint8Array> = { read: (payload) => payload, write: (value) => value };

/** A text. */
export const text: Layout<string> = {
  read: (payload) => {
    try {
      return decoder.decode(payload);
    } catch {
      return fail('UTF-8 text');
    }
  },
  write: (value) => encoder.encode(value),
};

/** One word of bytes. */
export const word: Layout<ByteString> = { read: readWord, write: writeWord };

/** A whole number of at most 15 digits. */
export const decimal: Layout<number> = {
  read: (payload) => {
    const digits = fromBytes(payload.subarray(0, 16));
    return /^[0-9]{1,15}$/.test(digits) ? Number(digits) : fail('a whole number');
  },
  write: (value) => toBytes(String(value)),
};

/** `True`; anything else is a refusal. */
export const permission: Layout<boolean> = {
  read: (payload) => payload.length === 4 && fromBytes(payload) === 'True',
  write: (value) => toBytes(value ? 'True' : 'False'),
};

/** A JSON document, read by a reader. */
export function json<T extends Json>(reader: Reader<T>, what: string): Layout<T> {
  return {
    read: (payload) => reader(parseJson(payload, what), what),
    write: (value) => encoder.encode(spacedJson(value)),
  };
}

/** Who wants to join. */
export interface Hello {
  readonly node: string;
  readonly cluster: string;
  /** `worker`; real masters note it and do not check it. */
  readonly nodeType: string;
  readonly version: string;
}

/** Four words: node, cluster, type, version. Another number is a failure with the usual text. */
export const hello: Layout<Hello> = {
  read: (payload) => {
    const words = text.read(payload).split(' ');
    const [node, cluster, nodeType, version] = words;
    if (
      node === undefined || cluster === undefined || nodeType === undefined ||
      version === undefined || words.length > 4
    ) {
      throw internalFailure(
        words.length > 4
          ? 'too many values to unpack (expected 4)'
          : `not enough values to unpack (expected 4, got ${words.length})`,
      );
    }
    return { node, cluster, nodeType, version };
  },
  write: ({ node, cluster, nodeType, version }) => {
    for (const part of [node, cluster, nodeType, version]) writeWord(part);
    return encoder.encode([node, cluster, nodeType, version].join(' '));
  },
};

/** A piece of a file: the path that it was opened with, and bytes. */
export const filePiece: Layout<{ readonly path: BytePath; readonly bytes: Uint8Array }> = {
  read: (payload) => {
    const { head, tail } = cut(payload);
    return { path: head, bytes: tail };
  },
  write: ({ path, bytes }) => spaced(path, bytes),
};

/** The end of a file: the path that it was opened with, and the SHA-256 of all its bytes. */
export const fileEnd: Layout<{ readonly path: BytePath; readonly hash: ByteString }> = {
  read: (payload) => {
    const { head, tail } = cut(payload);
    return tail.length === 32 ? { path: head, hash: fromBytes(tail) } : fail('a path and a hash');
  },
  write: ({ path, hash }) => spaced(path, toBytes(hash)),
};

/** A piece of a string: its id, and bytes. */
export const stringPiece: Layout<{ readonly id: ByteString; readonly bytes: Uint8Array }> = {
  read: (payload) => {
    const { head, tail } = cut(payload);
    return { id: head, bytes: tail };
  },
  write: ({ id, bytes }) => spaced(id, bytes),
};

/** A task, and the path of the archive that is complete. */
export const taskArchive: Layout<{ readonly task: ByteString; readonly path: BytePath }> = {
  read: (payload) => {
    const { head, tail } = cut(payload);
    return { task: head, path: fromBytes(tail.subarray(0, wordBytesMax)) };
  },
  write: ({ task, path }) => spaced(task, toBytes(path)),
};

/** A task, if there is one yet, and what failed in it. */
export const taskFailure: Layout<
  { readonly task: ByteString | undefined; readonly failure: Failure }
> = {
  read: (payload) => {
    const { head, tail } = cut(payload);
    return { task: head === 'None' ? undefined : head, failure: readFailure(tail) };
  },
  write: ({ task, failure }) => spaced(task ?? 'None', encoder.encode(writeFailure(failure))),
};

/** Whom something is for (a client of the local socket, or a call), and the id of a string. */
export const routedString: Layout<{ readonly client: ByteString; readonly id: ByteString }> = {
  read: (payload) => {
    const { head, tail } = cut(payload);
    return { client: head, id: readWord(tail) };
  },
  write: ({ client, id }) => spaced(client, writeWord(id)),
};

/** Whom something is for, and bytes: JSON or a text. */
export const routedBytes: Layout<{ readonly client: ByteString; readonly bytes: Uint8Array }> = {
  read: (payload) => {
    const { head, tail } = cut(payload);
    return { client: head, bytes: tail };
  },
  write: ({ client, bytes }) => spaced(client, bytes),
};

/** A text as Python shows bytes, `b'…'`: some answers quote what they are about in this way. */
export function quotedBytes(bytes: ByteString): string {
  const quote = bytes.includes("'") && !bytes.includes('"') ? '"' : "'";
  let shown = '';
  for (const character of bytes) {
    const code = character.charCodeAt(0);
    if (character === '\\' || character === quote) shown += `\\${character}`;
    else if (code >= 0x20 && code < 0x7f) shown += character;
    else shown += shortEscapes[character] ?? `\\x${code.toString(16).padStart(2, '0')}`;
  }
  return `b${quote}${shown}${quote}`;
}

// ---

const shortEscapes: Readonly<Record<string, string>> = { '\t': '\\t', '\n': '\\n', '\r': '\\r' };

function readWord(payload: Uint8Array): ByteString {
  const isWord = payload.length <= wordBytesMax && !payload.includes(SPACE);
  return isWord ? fromBytes(payload) : fail(`one word of at most ${wordBytesMax} bytes`);
}

function writeWord(value: ByteString): Uint8Array {
  if (value.includes(' ')) throw new Error(`Cannot send "${value}": it contains a space`);
  return toBytes(value);
}

/** The first word, and all behind the space after it. */
function cut(payload: Uint8Array): { readonly head: ByteString; readonly tail: Uint8Array } {
  const at = payload.subarray(0, wordBytesMax + 1).indexOf(SPACE);
  if (at < 0) fail('several arguments');
  return { head: fromBytes(payload, 0, at), tail: payload.subarray(at + 1) };
}

function spaced(head: ByteString, tail: Uint8Array): Uint8Array {
  const start = writeWord(head);
  const whole = new Uint8Array(start.length + 1 + tail.length);
  whole.set(start);
  whole[start.length] = SPACE;
  whole.set(tail, start.length + 1);
  return whole;
}
