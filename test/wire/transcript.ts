/**
 * Transcripts: what two nodes say to each other, as text that people can review.
 *
 * One line for each frame, in the order in which they were written, decoded from the bytes on the
 * wire: who, kind, message, number of the request, bytes of payload, and the payload.
 */
import { fromBytes, toHex } from '../../src/base/bytes.ts';
import { decodePayload } from '../../src/wire/codec.ts';
import { readCredit } from '../../src/wire/compose.ts';
import { messageById } from '../../src/wire/messages.ts';
import type { SeenFrame } from '../session/session-pair.ts';

/** Longest payload that is shown in full, characters. */
const shownMax = 1200;

/** The lines of some frames. */
export function transcriptOf(frames: readonly SeenFrame[]): string {
  return frames.map((seen) => `${lineOf(seen)}\n`).join('');
}

function lineOf({ from, frame }: SeenFrame): string {
  const name = frame.message === 0 ? '' : messageById(frame.message)?.name ?? `(${frame.message})`;
  const number = frame.stream === 0 ? '' : `#${frame.stream}`;
  const what = [name, number].filter((part) => part !== '').join(' ');
  const size = `${frame.payload.length} B`;
  return `${from}> ${frame.kind.padEnd(8)} ${what.padEnd(22)} ${size.padStart(8)}  ${shown(frame)}`
    .trimEnd();
}

function shown({ kind, payload }: SeenFrame['frame']): string {
  if (kind === 'cancel') return '';
  if (kind === 'credit') return `${readCredit(payload)}`;
  if (kind === 'data') return bytesText(payload);
  const text = JSON.stringify(plain(decodePayload(payload)));
  return text.length <= shownMax ? text : `${text.slice(0, shownMax)}…`;
}

/** Bytes and byte strings in hexadecimal, all else as it is. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return bytesText(value);
  // deno-lint-ignore no-control-regex
  if (typeof value === 'string') return /[^\x20-\x7e\n]/.test(value) ? `0x${toHex(value)}` : value;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, plain(field)]));
}

function bytesText(bytes: Uint8Array): string {
  const start = toHex(fromBytes(bytes, 0, Math.min(16, bytes.length)));
  return `<${start}${bytes.length > 16 ? '…' : ''}>`;
}
