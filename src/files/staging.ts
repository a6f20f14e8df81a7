/**
 * What is in staging: the batch of checked contents, and the unfinished downloads.
 *
 * Also the place where it is decided whether a path may be changed, and whether there is room.
 * Unfinished downloads have names made from their hashes and outlive a restart; all else in staging
 * belongs to the batch or to the journal, or is cleaned away.
 */
import { type BytePath, displayPath, displayText, fromBytes, toHex } from '../base/bytes.ts';
import { ClusterError, codeOf } from '../base/errors.ts';
import type { Clock, Files, Random } from '../ports.ts';
import type { Entry } from './entry.ts';
import type { FileSet, SetTable } from './file-set.ts';
import type { Journal } from './journal.ts';
import { NewDirectories } from './new-directories.ts';
import { pathProblem } from './paths.ts';

/** A file that is to be brought in. */
export interface Incoming {
  readonly set: FileSet;
  /** As it should be. */
  readonly entry: Entry;
  /** As it was when the plan was made; undefined where nothing was there. */
  readonly previous?: Entry | undefined;
}

/** A file with a checked content in staging. */
export interface Staged extends Incoming {
  readonly stagedName: string;
}

/** A file that was not brought in, placed or removed, and why. */
export interface ApplyFailure {
  readonly path: BytePath;
  readonly error: Error;
}

/** What came of an attempt. Only errors count as such: anything else thrown goes on. */
export function failureOf(path: BytePath, error: unknown): ApplyFailure {
  if (!(error instanceof Error)) throw error;
  return { path, error };
}

/** What staging needs from outside. */
export interface StagingPorts {
  readonly files: Files;
  readonly clock: Clock;
  readonly random: Random;
  readonly journal: Journal;
}

/** Names of unfinished downloads start with this. */
const partialPrefix = 'part-';

/** An unfinished download that was begun so long ago is dropped, ms: a week. */
const partialAgeMaxMs = 7 * 24 * 60 * 60 * 1000;

/** The contents in staging. */
export class Staging {
  readonly #ports: StagingPorts;
  readonly #sets: SetTable;
  readonly #spaceReserveBytes: number;
  /** Tells the names of this run from those of earlier ones. */
  readonly #runName: string;
  #namesCount = 0;
  /** Names of downloads that are going on. */
  readonly #open = new Set<string>();
  readonly #batch = new Map<BytePath, Staged>();
  /** What was in the batch and is on its way to its paths. */
  #sealed: readonly Staged[] = [];
  readonly #newDirectories: NewDirectories;

  /** @param options.spaceReserveBytes bytes of the file system that stay free */
  constructor(
    ports: StagingPorts,
    sets: SetTable,
    options: { readonly spaceReserveBytes: number },
  ) {
    this.#ports = ports;
    this.#sets = sets;
    this.#spaceReserveBytes = options.spaceReserveBytes;
    this.#runName = toHex(fromBytes(ports.random.bytes(6)));
    this.#newDirectories = new NewDirectories(ports.files, () => this.freshName());
  }

  // --- what may come in ----------------------------------------------------------------------

  /** The set that decides about a path here. @throws ClusterError `refused` */
  admit(path: BytePath, setName: string): FileSet {
    const problem = pathProblem(path);
    const set = problem === undefined ? this.#sets.setOf(path) : undefined;
    if (set !== undefined && set.name === setName) return set;
    const reason = problem === undefined
      ? `it does not belong to set "${displayText(setName)}" on this node`
      : `the path ${problem}`;
    throw new ClusterError('refused', `Cannot change "${displayPath(path)}": ${reason}`);
  }

  /** As `admit`, for a file that is to join the batch, and `others` that are: once each. */
  admitNew({ entry, set }: Incoming, others?: ReadonlyMap<BytePath, Incoming>): FileSet {
    const ours = this.admit(entry.path, set.name);
    if (!this.#batch.has(entry.path) && others?.has(entry.path) !== true) return ours;
    throw new ClusterError('refused', `Cannot stage "${displayPath(entry.path)}" twice in a batch`);
  }

  /** @throws ClusterError `noSpace` where these bytes would use up the reserve */
  async requireSpace(bytes: number, what: string): Promise<void> {
    const reserveBytes = this.#spaceReserveBytes;
    const freeBytes = await this.#ports.files.freeBytes();
    if (bytes + reserveBytes <= freeBytes) return;
    throw new ClusterError(
      'noSpace',
      `Cannot stage ${what}: ${bytes} bytes and a reserve of ${reserveBytes} are needed, ` +
        `${freeBytes} bytes are free`,
      { remedy: 'Free some space in the file system of the state directory' },
    );
  }

  // --- names and the batch -------------------------------------------------------------------

  /** A name that nothing else has, in staging and among the versions. */
  freshName(): string {
    return `${this.#runName}-${++this.#namesCount}`;
  }

  /**
   * Names for files that are to join the batch, in order. Files of a directory that is not there
   * yet share a directory of staging, so that they are placed together.
   */
  async namesFor(items: readonly Incoming[]): Promise<string[]> {
    const created = items.filter(({ previous }) => previous === undefined);
    await this.#newDirectories.look(created.map(({ entry }) => entry.path));
    return items.map(({ entry, previous }) => {
      const together = previous === undefined
        ? this.#newDirectories.stagedName(entry.path)
        : undefined;
      return together ?? this.freshName();
    });
  }

  /** The name of a download; made from the hash, so that a later attempt finds it. */
  openPartial(entry: Entry): string {
    const base = partialPrefix + toHex(entry.hash);
    const inUse = this.#namesInUse();
    let name = base;
    for (let n = 2; inUse.has(name); n++) name = `${base}-${n}`;
    this.#open.add(name);
    return name;
  }

  /** The name of a content that is not to be kept over a restart. */
  openFresh(): string {
    const name = this.freshName();
    this.#open.add(name);
    return name;
  }

  /** Notes that a download is about to have a file in staging, worth keeping over a restart. */
  notePartial(name: string): void {
    this.#ports.journal.addPartial(name);
  }

  /** A download has ended, whole or not. */
  closePartial(name: string): void {
    this.#open.delete(name);
  }

  /** Puts a checked content into the batch. */
  put(staged: Staged): void {
    this.#batch.set(staged.entry.path, staged);
  }

  /** What is in the batch now. */
  batch(): readonly Staged[] {
    return [...this.#batch.values()];
  }

  /** Takes the batch for placing: from now on another one is gathered. */
  seal(): readonly Staged[] {
    this.#sealed = [...this.#batch.values()];
    this.#batch.clear();
    this.#newDirectories.clear();
    return this.#sealed;
  }

  /** What was sealed has been placed or dropped. */
  unseal(): void {
    this.#sealed = [];
  }

  // --- clearing ------------------------------------------------------------------------------

  /** Drops the batch, sealed or not. Unfinished downloads stay. */
  async discard(): Promise<void> {
    const dropped = [...this.#sealed, ...this.seal()];
    this.unseal();
    await this.discardNames(dropped.map((item) => item.stagedName));
  }

  /** Drops what is in the batch and not wanted. */
  async retain(isWanted: (path: BytePath) => boolean): Promise<void> {
    const dropped = this.batch().filter(({ entry }) => !isWanted(entry.path));
    for (const { entry } of dropped) this.#batch.delete(entry.path);
    await this.discardNames(dropped.map(({ stagedName }) => stagedName));
  }

  async discardNames(names: readonly string[]): Promise<void> {
    if (names.length === 0) return;
    await this.#ports.files.discardStaged(names);
    this.forgetPartials(names);
  }

  /** Drops these after an error; where the disk is full, the batch too: others need the room. */
  async discardAfter(error: unknown, names: readonly string[]): Promise<void> {
    await this.discardNames(names);
    if (codeOf(error) === 'noSpace') await this.discard();
  }

  /** These staged files are no longer there. */
  forgetPartials(names: readonly string[]): void {
    for (const name of names) {
      if (name.startsWith(partialPrefix)) this.#ports.journal.deletePartial(name);
    }
  }

  /** Drops unfinished downloads that were begun long ago. */
  async dropOldPartials(): Promise<void> {
    const { journal, clock } = this.#ports;
    const oldestMs = clock.nowMs() - partialAgeMaxMs;
    const inUse = this.#namesInUse();
    const old = [...journal.partials()]
      .filter(([name, sinceMs]) => sinceMs < oldestMs && !inUse.has(name));
    await this.discardNames(old.map(([name]) => name));
  }

  /** Drops all that belongs neither to the batch nor to a download. Gives the number of files. */
  async clean(): Promise<number> {
    await this.dropOldPartials();
    const { files, journal } = this.#ports;
    const staged = await files.staged();
    const inUse = this.#namesInUse();
    for (const name of journal.partials().keys()) {
      if (staged.has(name)) inUse.add(name);
      else if (!inUse.has(name)) journal.deletePartial(name);
    }
    const unwanted = [...staged.keys()].filter((name) => !inUse.has(name));
    await this.discardNames(unwanted);
    return unwanted.length;
  }

  /** Names of the batch and of downloads that are going on. */
  #namesInUse(): Set<string> {
    const staged = [...this.#sealed, ...this.#batch.values()];
    return new Set([...this.#open, ...staged.map((item) => item.stagedName)]);
  }
}
