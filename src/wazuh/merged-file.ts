/**
 * Merged files: several small files in one, each with a line before it. Pure.
 *
 *     size SP name SP `2023-11-14 22:13:20.250000+00:00` LF content
 *
 * No file set of 4.14 is merged; older ones were, and the format is still there.
 */
import { type ByteString, concatBytes, fromBytes, toBytes } from '../base/bytes.ts';
import { ClusterError } from '../base/errors.ts';
import { isoTime } from '../base/time-text.ts';

/** One file of a merged one. */
export interface MergedPart {
  /** A plain name: it names no directory. */
  readonly name: ByteString;
  /** As it was written. */
  readonly time: string;
  readonly content: Uint8Array;
}

const LF = 0x0a;
const linePattern =
  /^([0-9]{1,10}) (.{1,255}) ([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{6})?\+00:00)$/s;

/** Longest line before a content. */
const lineBytesMax = 512;

/** A modification time as merged files have it. */
export function mergedTime(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const micros = Math.floor((ms - seconds * 1000) * 1000);
  const fraction = micros === 0 ? '' : `.${String(micros).padStart(6, '0')}`;
  return `${isoTime(seconds * 1000).replace('T', ' ').replace('Z', '')}${fraction}+00:00`;
}

/** The merged file of some files. */
export function mergeParts(parts: readonly MergedPart[]): Uint8Array {
  return concatBytes(parts.flatMap(({ name, time, content }) => [
    toBytes(`${content.length} ${name} ${time}\n`),
    content,
  ]));
}

/**
 * The files of a merged one, as views of it. Those whose names are empty, hidden, or lead somewhere
 * else are left out.
 * @throws ClusterError('corrupt')
 */
export function* splitMerged(bytes: Uint8Array): Generator<MergedPart, void, undefined> {
  for (let at = 0; at < bytes.length;) {
    const lineLength = bytes.subarray(at, at + lineBytesMax).indexOf(LF);
    const line = lineLength < 0 ? '' : fromBytes(bytes, at, at + lineLength);
    const [, size, name = '', time = ''] = linePattern.exec(line) ?? [];
    const start = at + lineLength + 1;
    const end = start + Number(size);
    // Not a number where there was no such line: then this is false too.
    if (!(end <= bytes.length)) {
      throw new ClusterError('corrupt', 'A merged file is damaged');
    }
    const isPlain = !name.startsWith('.') && !name.includes('/') && !name.includes('\0');
    if (isPlain) yield { name, time, content: bytes.subarray(start, end) };
    at = end;
  }
}
