/**
 * Assignments that have come from the master, still with the bytes that they came in.
 *
 * A run are all rows of a leaf in a part, where they follow one another in the order of their
 * numbers and none is of a removed agent. Where a run is all that the leaf holds, its bytes are those
 * that the digest of the leaf is computed from, and the table needs not be read for it.
 */
import { bitOf, leafOf } from './assignment-digests.ts';
import { type Assignment, AssignmentReader } from './assignment-rows.ts';

/** Rows of one leaf. */
export interface Run {
  readonly leaf: number;
  /** The agents, one bit for each. */
  readonly mask: number;
  readonly bytes: Uint8Array;
}

/** The rows of a part. */
export interface IncomingRows {
  readonly rows: readonly Assignment[];
  readonly runs: readonly Run[];
}

/**
 * Reads packed rows.
 * @throws ProtocolError `malformed`
 */
export function readIncoming(bytes: Uint8Array): IncomingRows {
  const reader = new AssignmentReader(bytes);
  const rows: Assignment[] = [];
  const spans = new Map<number, Span | undefined>();
  for (let start = 0, last = -1;;) {
    const row = reader.next();
    if (row === undefined) break;
    rows.push(row);
    const leaf = leafOf(row.id);
    const end = reader.position;
    const isNew = !spans.has(leaf);
    const span = spans.get(leaf);
    if (row.groups === null || !isNew && (span?.end !== start || row.id <= last)) {
      spans.set(leaf, undefined);
    } else if (span === undefined) {
      spans.set(leaf, { start, end, mask: bitOf(row.id) });
    } else {
      span.end = end;
      span.mask |= bitOf(row.id);
    }
    start = end;
    last = row.id;
  }
  const runs: Run[] = [];
  for (const [leaf, span] of spans) {
    if (span === undefined) continue;
    runs.push({ leaf, mask: span.mask, bytes: bytes.subarray(span.start, span.end) });
  }
  return { rows, runs };
}

/** The bytes of the rows of a leaf so far; undefined where they make no run. */
interface Span {
  readonly start: number;
  end: number;
  mask: number;
}
