/**
 * Reading files for a scan: in batches, each outcome taken up as it comes.
 *
 * A file that cannot be read, or is being written to, keeps what was known of it and is marked to
 * be looked at again.
 */
import { throwIfAborted } from '../base/async.ts';
import { type BytePath, type ByteString, displayPath } from '../base/bytes.ts';
import type { Clock, HashAlgorithm, HashOutcome, Logger, TreeReader } from '../ports.ts';
import { parentOf } from './paths.ts';
import { type FileRecord, hasSameFacts, isRacy, makeRecord } from './scan-index.ts';
import type { ScanProblems } from './scan-problems.ts';
import type { KnownFile } from './scan-tables.ts';

/** What reading works with. */
export interface ReadingContext {
  readonly tree: TreeReader;
  readonly clock: Clock;
  readonly log: Logger;
  readonly problems: ScanProblems;
  readonly algorithm: HashAlgorithm;
  readonly racyWindowMs: number;
  readonly signal: AbortSignal;
  /** Whether every file is read, whatever is known of it; what is as known is not recorded anew. */
  readonly isCheck: boolean;
  /** Takes up what was found in place of what was known; undefined for a file that is gone. */
  readonly note: (path: BytePath, found: KnownFile | undefined) => void;
  /** Takes up that a file could not be read as it is: it is to be tried again soon. */
  readonly doubt: (path: BytePath, known: FileRecord | undefined) => void;
  /** Whether a file was last found to contain what has this hash. */
  readonly hasHash: (path: BytePath, hash: ByteString) => boolean;
  /** Called after each batch: a chance to store what was found so far. */
  readonly onBatch: () => Promise<void>;
}

/** Files and bytes of one call of `tree.hash`: enough to keep it busy, and a stop is soon heard. */
const batchCountMax = 512;
const batchBytesMax = 16 * 1024 * 1024;

/** What a new file counts in a batch, bytes: what it has is seen when it is read. */
const newBytes = 16 * 1024;

/** The files that wait to be read. */
export class ScanReading {
  hashedCount = 0;
  hashedBytes = 0;
  readonly #context: ReadingContext;
  #paths: BytePath[] = [];
  /** What is known of them. */
  #known: (FileRecord | undefined)[] = [];
  #bytesCount = 0;

  constructor(context: ReadingContext) {
    this.#context = context;
  }

  /** Whether what waits makes a batch. */
  get isFull(): boolean {
    return this.#paths.length >= batchCountMax || this.#bytesCount >= batchBytesMax;
  }

  /** Adds a file. To be followed by `readAll` where that makes a batch. */
  add(path: BytePath, known: FileRecord | undefined): void {
    this.#paths.push(path);
    this.#known.push(known);
    this.#bytesCount += known?.size ?? newBytes;
  }

  /** Reads what waits. */
  async readAll(): Promise<void> {
    const paths = this.#paths;
    const known = this.#known;
    this.#paths = [];
    this.#known = [];
    this.#bytesCount = 0;
    if (paths.length === 0) return;
    const { tree, clock, algorithm, signal, onBatch } = this.#context;
    throwIfAborted(signal);
    const fromMs = clock.nowMs();
    const outcomes = await tree.hash(paths, algorithm, signal);
    const toMs = clock.nowMs();
    for (const [at, path] of paths.entries()) {
      this.#take(path, known[at], outcomes[at]!, fromMs, toMs);
    }
    await onBatch();
    await clock.breathe();
  }

  #take(
    path: BytePath,
    known: FileRecord | undefined,
    outcome: HashOutcome,
    fromMs: number,
    toMs: number,
  ): void {
    const { note, doubt, hasHash, problems, racyWindowMs, isCheck } = this.#context;
    if (outcome.kind === 'hashed') {
      const { facts, hash } = outcome;
      this.hashedCount++;
      this.hashedBytes += facts.size;
      const isSettled = !isRacy(facts, fromMs, toMs, racyWindowMs);
      if (known !== undefined && hasSameFacts(known, facts)) {
        if (!hasHash(path, hash)) this.#tellTampering(path, known);
        else if (known.isSettled === isSettled && isCheck) return;
      }
      const record = makeRecord(facts, fromMs, isSettled);
      note(path, { entry: { path, size: record.size, mtimeMs: record.mtimeMs, hash }, record });
      return;
    }
    if (outcome.kind === 'vanished') {
      if (known !== undefined) note(path, undefined);
      return;
    }
    doubt(path, known);
    problems.add(
      parentOf(path),
      outcome.kind === 'unreadable'
        ? { path, kind: 'unreadable', reason: outcome.reason }
        : { path, kind: 'changed', reason: 'was changed while it was read' },
    );
  }

  #tellTampering(path: BytePath, { isSettled }: FileRecord): void {
    if (!isSettled) return;
    const text = `Content of "${
      displayPath(path)
    }" has changed although its size and times have not`;
    this.#context.log.log('warning', text);
  }
}
