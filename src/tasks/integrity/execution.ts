/**
 * Carrying plans out: fetch contents, put files in place, then remove.
 *
 * Contents are put in place part by part while others come in, and what was fetched before a cut is
 * put in place too: nothing is fetched twice. Where the operator has a validation command, nothing
 * is put in place before all of it is there and the command has let it pass.
 */
import type { BytePath } from '../../base/bytes.ts';
import type { Applier } from '../../files/apply.ts';
import type { LocalTree } from '../../files/local-tree.ts';
import type { Plan } from '../../files/plan.ts';
import type { Clock, Compression, Hashing, Logger, TreeReader } from '../../ports.ts';
import type { Session } from '../../session/session.ts';
import type { AnnouncedContents } from './announcement.ts';
import { bringInBlocks, isWorthBlocks } from './block-transfer.ts';
import { Intake, type WantedFile } from './intake.ts';
import { Placing } from './placing.ts';
import { batchesOf, fetchContents, smallFileBytesMax } from './transfer.ts';

/** A change, as hooks are told of it. */
export interface HookedChange {
  readonly generation: number;
  /** Names of the sets that change. */
  readonly sets: readonly string[];
  /** New contents with the paths they are for; only at validation. */
  readonly staged: readonly { readonly path: BytePath; readonly stagedName: string }[];
  readonly removed: readonly BytePath[];
}

/** The operator's commands around a change. */
export interface RoundHooks {
  readonly hasValidation: boolean;
  /** @throws ClusterError('hook') where the change must not be made */
  validate(change: HookedChange, signal: AbortSignal): Promise<void>;
  reload(change: HookedChange, signal: AbortSignal): Promise<void>;
}

/** How far a round has come. */
export interface RoundProgress {
  readonly phase: 'scanning' | 'comparing' | 'fetching' | 'removing';
  readonly filesDone: number;
  readonly filesTotal: number;
  readonly bytesDone: number;
  readonly bytesTotal: number;
}

/** Of a round that has only begun. */
export const nothingYet = { filesDone: 0, filesTotal: 0, bytesDone: 0, bytesTotal: 0 } as const;

/** What carrying out needs. */
export interface ExecutionPorts {
  readonly clock: Clock;
  readonly applier: Applier;
  readonly tree: LocalTree;
  readonly compression: Compression;
  readonly files: Pick<TreeReader, 'open'>;
  readonly hashing: Pick<Hashing, 'fingerprints'>;
  readonly hooks: RoundHooks;
  readonly log: Logger;
}

/** What is to be carried out, and how. */
export interface ExecutionOptions {
  readonly plans: readonly Plan[];
  readonly generation: number;
  /** Contents that are here already. */
  readonly contents?: AnnouncedContents | undefined;
  /** Contents asked for in one request, bytes. */
  readonly batchBytes: number;
  readonly signal: AbortSignal;
  readonly onProgress: ((progress: RoundProgress) => void) | undefined;
}

/**
 * Contents put in place together, bytes: while the disk writes one such part the next one is
 * staged. It grows, up to a limit, while the disk is busy with the one before, so that a slow one
 * is not waited for. A crash throws away two parts at most.
 */
const partBytesMin = 16 * 1024 * 1024;
const partBytesMax = 64 * 1024 * 1024;

/** A part is closed after so long, ms: a worker that is ended again and again gets ahead all the same. */
const partMs = 500;

/** Some plans being carried out, and what has become of them. */
export class PlanExecution {
  /** What is put in place and removed. */
  readonly placing: Placing;
  /** Bytes of contents that were received. */
  bytes = 0;
  readonly #ports: ExecutionPorts;
  readonly #options: ExecutionOptions;
  readonly #wanted: readonly WantedFile[];
  readonly #bytesTotal: number;
  #filesDone = 0;
  /** Bytes that were on this node already. */
  #copiedBytes = 0;
  /** Bytes staged that were not sealed. */
  #stagedBytes = 0;
  #partBegunMs: number;

  constructor(ports: ExecutionPorts, options: ExecutionOptions) {
    this.#ports = ports;
    this.#options = options;
    this.#partBegunMs = ports.clock.monotonicMs();
    this.placing = new Placing(ports, options.plans, options.generation);
    this.#wanted = wantedFiles(options.plans);
    this.#bytesTotal = this.#wanted.reduce((sum, item) => sum + item.entry.size, 0);
  }

  /** Does it all. @throws what ended it early; what was put in place until then stays */
  async run(session: Session): Promise<void> {
    const { applier, hooks } = this.#ports;
    const { plans, generation, signal } = this.#options;
    const change: HookedChange = {
      generation,
      sets: plans.map((plan) => plan.set.name),
      staged: [],
      removed: plans.flatMap((plan) => plan.remove.map((entry) => entry.path)),
    };
    try {
      await applier.requireSpace(this.#wanted.map((item) => item.entry));
      await this.#fetch(session);
      if (hooks.hasValidation) {
        await hooks.validate({ ...change, staged: applier.staged() }, signal);
        await this.placing.commit();
      }
    } catch (error) {
      await applier.discard();
      throw error;
    }
    this.#tell('removing');
    await this.placing.remove();
    await this.placing.finish();
  }

  /**
   * Fetches batch by batch. While one is put into staging the next one comes in, and the one after
   * that is asked for already, so that the master need not wait to pack it.
   */
  async #fetch(session: Session): Promise<void> {
    const batches = batchesOf(this.#wanted, this.#options.batchBytes);
    let staging = Promise.resolve();
    let coming: Promise<Intake> | undefined;
    let following: Promise<Intake> | undefined;
    try {
      for (const [at, batch] of batches.entries()) {
        // A large content goes into staging as it comes: nothing else may be going on there.
        if (isLarge(batch)) await staging;
        coming = following ?? this.#fetchBatch(session, batch);
        const after = batches[at + 1];
        const isAhead = after !== undefined && !isLarge(batch) && !isLarge(after);
        following = isAhead ? this.#fetchBatch(session, after) : undefined;
        // Failures are heard where they are awaited, even if something else fails before.
        following?.catch(() => {});
        const intake = await coming;
        await staging;
        staging = this.#stage(intake, batch);
        staging.catch(() => {});
      }
      await staging;
    } finally {
      await Promise.allSettled([staging, coming, following]);
      if (!this.#ports.hooks.hasValidation) await this.placing.commit();
    }
  }

  async #fetchBatch(session: Session, batch: readonly WantedFile[]): Promise<Intake> {
    const { applier, compression } = this.#ports;
    const intake = new Intake(applier, (bytes) => {
      this.bytes += bytes;
      this.#tell('fetching');
    });
    try {
      const wanted: WantedFile[] = [];
      for (const item of batch) {
        const offset = await this.#prepare(session, intake, item);
        if (offset !== undefined) wanted.push({ ...item, offset });
      }
      if (wanted.length === 0) return intake;
      const { contents, signal } = this.#options;
      if (contents?.has(wanted) === true) await contents.handTo(wanted, intake);
      else await fetchContents({ compression }, session, wanted, intake, signal);
    } finally {
      await intake.close();
      this.placing.failures.push(...intake.failures.splice(0));
    }
    return intake;
  }

  /** Where the transfer of a content has to start; undefined where there is nothing to transfer. */
  async #prepare(
    session: Session,
    intake: Intake,
    item: WantedFile,
  ): Promise<number | undefined> {
    const offset = await intake.prepare(item);
    const { set, entry, incoming: { previous } } = item;
    if (offset === undefined || previous === undefined) return offset;
    const renewed = { set, entry, previous };
    if (!isWorthBlocks(renewed, offset)) return offset;
    return await intake.assemble(item, (file) => {
      const onBytes = (fetched: number, copied: number): void => {
        this.bytes += fetched;
        this.#copiedBytes += copied;
        this.#tell('fetching');
      };
      return bringInBlocks(this.#ports, session, renewed, file, onBytes, this.#options.signal);
    });
  }

  async #stage(intake: Intake, batch: readonly WantedFile[]): Promise<void> {
    await intake.stage();
    this.placing.failures.push(...intake.failures.splice(0));
    this.#filesDone += batch.length;
    this.#tell('fetching');
    this.#stagedBytes += batch.reduce((sum, item) => sum + item.entry.size, 0);
    if (this.#ports.hooks.hasValidation || !this.#isPartDue()) return;
    this.#stagedBytes = 0;
    await this.placing.commitPart();
    this.#partBegunMs = this.#ports.clock.monotonicMs();
  }

  #isPartDue(): boolean {
    const { applier, clock } = this.#ports;
    if (applier.isFlushing) return this.#stagedBytes >= partBytesMax;
    return this.#stagedBytes >= partBytesMin || clock.monotonicMs() - this.#partBegunMs >= partMs;
  }

  #tell(phase: RoundProgress['phase']): void {
    this.#options.onProgress?.({
      phase,
      filesDone: this.#filesDone,
      filesTotal: this.#wanted.length,
      bytesDone: this.bytes + this.#copiedBytes,
      bytesTotal: this.#bytesTotal,
    });
  }
}

// ---------------------------------------------------------------------------------------------

/** Whether a batch is one content that is streamed. */
function isLarge(batch: readonly WantedFile[]): boolean {
  return batch[0]!.entry.size > smallFileBytesMax;
}

function wantedFiles(plans: readonly Plan[]): WantedFile[] {
  return plans.flatMap(({ set, create, replace }) => [
    ...create.map((entry) => ({ set: set.name, entry, offset: 0, incoming: { set, entry } })),
    ...replace.map(({ entry, previous }) => ({
      set: set.name,
      entry,
      offset: 0,
      incoming: { set, entry, previous },
    })),
  ]);
}
