/**
 * Assignments on their way to a worker, in parts that fit into a message.
 *
 * A part holds packed rows (see `assignment-rows.ts`), of which the last one of an agent counts,
 * and packed ranges of numbers, u32 first and u32 last each: of these the rows are all there are,
 * and every other agent between them is gone. The ranges of a part are in order, and come first.
 */
import { ByteReader, ByteWriter } from '../base/cursor.ts';
import { ProtocolError } from '../base/errors.ts';
import type { AgentId } from './agent.ts';
import { type Assignment, assignmentBytesMax, packAssignment } from './assignment-rows.ts';

/** The most bytes of rows in a part. */
export const partRowBytesMax = 240 * 1024;

/** The most bytes of ranges in a part. */
export const partRangeBytesMax = 8 * 1024;

/** The most rows of a part: what a worker stores in one go, some 10 ms of work. */
const partRowsMax = 4_000;

const rangeBytes = 8;

/** Numbers of agents, both ends included. */
export interface AgentRange {
  readonly first: AgentId;
  readonly last: AgentId;
}

/** Numbers that follow one another without a gap, and for all of which the same is said. */
export interface AgentRun extends AgentRange {
  readonly text: string;
}

/** Runs of agents, in the order in which they are given: one statement does for each. */
export function* runsOf(given: Iterable<readonly [AgentId, string]>): Generator<AgentRun> {
  let run: AgentRun | undefined;
  for (const [id, text] of given) {
    if (run !== undefined && run.last + 1 === id && run.text === text) {
      run = { ...run, last: id };
      continue;
    }
    if (run !== undefined) yield run;
    run = { first: id, last: id, text };
  }
  if (run !== undefined) yield run;
}

/** One part. */
export interface AssignmentsPart {
  readonly rows: Uint8Array;
  readonly ranges: Uint8Array;
}

/** Packs rows into parts. */
export class PartPacker {
  readonly #parts: AssignmentsPart[] = [];
  readonly #rows = new ByteWriter(64 * 1024);
  readonly #ranges = new ByteWriter();
  #partRowsCount = 0;
  #rowsCount = 0;

  /** Rows in all parts. */
  get rowsCount(): number {
    return this.#rowsCount;
  }

  add(row: Assignment): void {
    if (this.#isFull) this.#cut();
    packAssignment(this.#rows, row);
    this.#partRowsCount += 1;
    this.#rowsCount += 1;
  }

  /** All that there is between two numbers: the range may be cut into several. */
  addRange({ first, last }: AgentRange, rows: Iterable<Assignment>): void {
    if (this.#isFull) this.#cut();
    let start = first;
    for (const row of rows) {
      if (this.#isFull) {
        // Nothing to say of what lies before the row where the range has only begun.
        if (row.id > start) this.#range(start, row.id - 1);
        start = row.id;
        this.#cut();
      }
      this.add(row);
    }
    this.#range(start, last);
  }

  /** The parts, the last one too. */
  finish(): readonly AssignmentsPart[] {
    if (this.#rows.length + this.#ranges.length > 0) this.#cut();
    return this.#parts;
  }

  get #isFull(): boolean {
    return this.#partRowsCount >= partRowsMax ||
      this.#rows.length + assignmentBytesMax > partRowBytesMax ||
      this.#ranges.length + 2 * rangeBytes > partRangeBytesMax;
  }

  #range(first: AgentId, last: AgentId): void {
    this.#ranges.u32(first);
    this.#ranges.u32(last);
  }

  #cut(): void {
    this.#parts.push({ rows: this.#rows.finish(), ranges: this.#ranges.finish() });
    this.#rows.reset();
    this.#ranges.reset();
    this.#partRowsCount = 0;
  }
}

/**
 * Reads the ranges of a part.
 * @throws ProtocolError `malformed`
 */
export function readRanges(bytes: Uint8Array): AgentRange[] {
  const reader = new ByteReader(bytes);
  const ranges: AgentRange[] = [];
  let before = -1;
  while (reader.remaining > 0) {
    const range = { first: reader.u32(), last: reader.u32() };
    if (range.first <= before || range.last < range.first) {
      throw new ProtocolError('malformed', 'Ranges of agents are out of order');
    }
    ranges.push(range);
    before = range.last;
  }
  return ranges;
}
