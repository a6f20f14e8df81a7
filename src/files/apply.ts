/**
 * Applying a plan to the managed tree: atomic for every file, safe against crashes, reversible.
 *
 * One round goes: `stageSmall` and `stage` bring contents in, each checked against its hash;
 * `commitBatch` moves what was brought in to its paths, keeping what it replaces (`seal` and
 * `commitSealed` do it while more comes in); `remove` takes files away; `finish` waits until the disk has it all. What a crash leaves half done is finished or
 * given up by `recover` at the next start. Which paths may be changed at all is for the sets of this
 * node to say, whatever the plan says.
 *
 * One round at a time. A round that fails calls `discard`.
 */
import type { BytePath } from '../base/bytes.ts';
import { invariant } from '../base/errors.ts';
import type { Clock, Database, Files, HashAlgorithm, Hashing, Logger, Random } from '../ports.ts';
import type { Entry } from './entry.ts';
import type { FileSet, SetTable } from './file-set.ts';
import type { IncomingFile } from './incoming-file.ts';
import type { IncomingStream } from './incoming-stream.ts';
import { type IncomingContent, Intake, type UnknownContent } from './intake.ts';
import { Journal, journalMigrations, packedJournalMigrations } from './journal.ts';
import { JournalledChanges } from './journalled-changes.ts';
import { type CommitReport, PlacingFiles } from './placing-files.ts';
import { recoverTree, type RecoveryReport } from './recovery.ts';
import { type Leaving, type RemovalReport, RemovingFiles } from './removing-files.ts';
import { type ApplyFailure, type Incoming, type Staged, Staging } from './staging.ts';
import type { KeptVersion, VersionStore } from './version-store.ts';

export type { IncomingFile } from './incoming-file.ts';
export type { IncomingStream } from './incoming-stream.ts';
export type { IncomingContent, UnknownContent } from './intake.ts';
export type { RecoveryReport } from './recovery.ts';
export type { ApplyFailure, Incoming } from './staging.ts';
export type { CommitReport } from './placing-files.ts';
export type { Leaving, RemovalReport } from './removing-files.ts';

/** Tables of applying; see base/migrations.ts. */
export const applyMigrations: readonly string[] = journalMigrations;

/** What came later. */
export const laterApplyMigrations: readonly string[] = packedJournalMigrations;

/** What applying needs from outside. */
export interface ApplyPorts {
  readonly files: Files;
  readonly clock: Clock;
  readonly log: Logger;
  readonly hashing: Hashing;
  readonly random: Random;
  readonly database: Database;
}

/** How to apply. How many versions are kept is for the version store to say. */
export interface ApplyOptions {
  /** The cluster's content hash. */
  readonly algorithm: HashAlgorithm;
  /** Whether files get the modification time that they have on the master. @default true */
  readonly preserveMtime: boolean;
  /** Whether to wait until the disk has the files. @default true */
  readonly flush: boolean;
  /** Bytes of the file system that stay free. @default 64 MiB */
  readonly spaceReserveBytes: number;
}

/** Applies plans to the managed tree. */
export class Applier {
  readonly #ports: ApplyPorts;
  readonly #sets: SetTable;
  readonly #versions: VersionStore;
  readonly #algorithm: HashAlgorithm;
  readonly #journal: Journal;
  readonly #staging: Staging;
  readonly #intake: Intake;
  readonly #changes: JournalledChanges;
  readonly #placing: PlacingFiles;
  readonly #removing: RemovingFiles;
  /** What was sealed and not placed, with the flush of its contents that goes on meanwhile. */
  #sealed: Sealed | undefined;
  /** Whether an error came in the middle of changes, so that journal and staging tell of them. */
  #isTorn = false;

  constructor(ports: ApplyPorts, sets: SetTable, versions: VersionStore, options: ApplyOptions) {
    this.#ports = ports;
    this.#sets = sets;
    this.#versions = versions;
    this.#algorithm = options.algorithm;
    const journal = new Journal(ports);
    const staging = new Staging({ ...ports, journal }, sets, options);
    this.#journal = journal;
    this.#staging = staging;
    this.#intake = new Intake({ ...ports, staging }, options);
    const changing = { ...ports, journal, staging, versions };
    this.#changes = new JournalledChanges(changing, options);
    this.#placing = new PlacingFiles(changing, this.#changes, sets, options);
    this.#removing = new RemovingFiles(changing, this.#changes, sets);
  }

  /** Finishes or gives up what was under way at a crash. At start, before anything else. */
  async recover(): Promise<RecoveryReport> {
    const report = await recoverTree(
      {
        ...this.#ports,
        journal: this.#journal,
        staging: this.#staging,
        versions: this.#versions,
        changes: this.#changes,
        placing: this.#placing,
      },
      this.#sets,
      this.#algorithm,
    );
    this.#isTorn = false;
    return report;
  }

  /**
   * Makes sure that there is room for these files. Staging does so too, batch by batch; this is
   * for a whole plan, before anything is fetched.
   * @throws ClusterError `noSpace` saying how much is needed and free
   */
  async requireSpace(entries: Iterable<Entry>): Promise<void> {
    let bytes = 0;
    let count = 0;
    for (const entry of entries) {
      bytes += entry.size;
      count++;
    }
    await this.#staging.requireSpace(bytes, count === 1 ? '1 file' : `${count} files`);
  }

  /**
   * Brings whole contents into the batch. A file that does not have its hash (`corrupt`) or may not
   * be written here (`refused`) is left out and returned.
   * @throws ClusterError `noSpace` or `io`, with the batch dropped where the disk ran full
   */
  stageSmall(items: readonly IncomingContent[]): Promise<ApplyFailure[]> {
    return this.#intake.addSmall(items);
  }

  /**
   * Brings in whole contents of which nobody has told the hash: their entries were just made from
   * them. Whether they are what they should be is for the caller to see before they are committed.
   */
  stageHashed(items: readonly IncomingContent[]): Promise<ApplyFailure[]> {
    return this.#intake.addHashed(items);
  }

  /** The same for a large content. @throws ClusterError `refused`, `noSpace` or `io` */
  stageUnknown(item: UnknownContent): Promise<IncomingStream> {
    return this.#intake.openUnknown(item);
  }

  /** Drops what is in the batch and not wanted. */
  retain(isWanted: (path: BytePath) => boolean): Promise<void> {
    return this.#staging.retain(isWanted);
  }

  /**
   * Starts to bring in a large file, or goes on where a former attempt ended: at its `offset`.
   * @throws ClusterError `refused`, `noSpace` or `io`
   */
  stage(item: Incoming): Promise<IncomingFile> {
    return this.#intake.open(item);
  }

  /**
   * Brings in a content from a path of the tree that already has it.
   * @throws ClusterError `corrupt` where it has not, `notFound`, `refused`, `noSpace` or `io`
   */
  stageCopy(source: BytePath, item: Incoming): Promise<void> {
    return this.#intake.addCopy(source, item);
  }

  /**
   * Brings kept versions into the batch, to be put back; those that cannot be are returned.
   * @param presentAt what the node knows to be at a path now
   */
  stageVersions(
    versions: readonly KeptVersion[],
    presentAt: (path: BytePath) => Entry | undefined,
  ): Promise<ApplyFailure[]> {
    return this.#intake.addVersions(versions, presentAt);
  }

  /** The paths that are in the batch, each with the name of its new content in staging. */
  staged(): { readonly path: BytePath; readonly stagedName: string }[] {
    return this.#staging.batch().map(({ entry, stagedName }) => ({ path: entry.path, stagedName }));
  }

  /**
   * Ends the batch and begins to make its contents durable; `commitSealed` moves them. Meanwhile
   * another batch can be brought in.
   */
  seal(): void {
    invariant(this.#sealed === undefined, 'what was sealed is committed before more is');
    const batch = this.#staging.seal();
    if (batch.length === 0) return;
    const sealed: Sealed = { batch, flushed: this.#placing.flushContents(batch), isFlushed: false };
    const end = (): void => {
      sealed.isFlushed = true;
    };
    // A failure is the commit's to report.
    sealed.flushed.then(end, end);
    this.#sealed = sealed;
  }

  /** Whether something was sealed of which the disk has not everything yet. */
  get isFlushing(): boolean {
    return this.#sealed?.isFlushed === false;
  }

  /** Moves what was sealed to its paths. After that it is not in staging, whatever happens. */
  async commitSealed(generation: number): Promise<CommitReport> {
    const sealed = this.#sealed;
    if (sealed === undefined) return nothingCommitted;
    const { batch, flushed } = sealed;
    try {
      return await this.#tearing(() => this.#placing.place(batch, generation, flushed));
    } finally {
      this.#sealed = undefined;
      this.#staging.unseal();
    }
  }

  /** Moves what is in the batch to its paths, after what was sealed before. */
  async commitBatch(generation: number): Promise<CommitReport> {
    const earlier = await this.commitSealed(generation);
    this.seal();
    const later = await this.commitSealed(generation);
    return {
      placed: [...earlier.placed, ...later.placed],
      createdCount: earlier.createdCount + later.createdCount,
      replacedCount: earlier.replacedCount + later.replacedCount,
      failures: [...earlier.failures, ...later.failures],
    };
  }

  /** Removes files of one set, and directories emptied by that where the set wants it. */
  remove(
    set: FileSet,
    leaving: readonly Leaving[],
    generation: number,
  ): Promise<RemovalReport> {
    return this.#tearing(() => this.#removing.remove(set, leaving, generation));
  }

  /** Waits until the disk has all changes for good. The end of a round. */
  async finish(): Promise<void> {
    await this.#changes.flush();
    await this.#staging.dropOldPartials();
  }

  /** After a round that failed: drops the batch, and finishes or gives up what was under way. */
  async discard(): Promise<void> {
    await this.#sealed?.flushed.catch(() => {});
    this.#sealed = undefined;
    await this.#staging.discard();
    if (this.#isTorn) await this.recover();
  }

  async #tearing<T>(work: () => Promise<T>): Promise<T> {
    this.#isTorn = true;
    const result = await work();
    this.#isTorn = false;
    return result;
  }
}

// ---

interface Sealed {
  readonly batch: readonly Staged[];
  readonly flushed: Promise<void>;
  /** Whether the flush has ended, well or not. */
  isFlushed: boolean;
}

const nothingCommitted: CommitReport = {
  placed: [],
  createdCount: 0,
  replacedCount: 0,
  failures: [],
};
