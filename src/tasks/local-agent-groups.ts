/**
 * local-agent-groups: publishes the assignments of agents to groups, once for all workers.
 *
 * Started by the master at intervals (10 s unless configured), at once after a change of an
 * assignment and after a publication of files; it runs also when nobody is connected, so that a
 * worker that comes needs no extra wait. A round looks which agents and which groups there are by the
 * published files, takes groups that are gone from their agents, gives groups to agents that could
 * not be given any before, and publishes what is pending as the next snapshot. What a round that
 * fails has not done the next one does.
 */
import { Mutex } from '../base/async.ts';
import { displayText } from '../base/bytes.ts';
import { agentsText } from '../agents/agent.ts';
import type { GroupChanges } from '../agents/group-changes.ts';
import type { GroupPublication } from '../agents/group-publication.ts';
import type { NamesChange } from '../files/directory-names.ts';
import type { Generation } from '../files/generation.ts';
import type { Clock, Logger } from '../ports.ts';
import type { RoundReport, Task, Turn } from './task.ts';

/** Pause between two looks for removals that nobody needs any more, ms. */
const pruneEveryMs = 60 * 60 * 1000;

/** So many agents that have reported for the first time are not all of them: more are on their way. */
const manyDue = 500;

/** For so long those that come are published together: each snapshot costs every worker a round, ms. */
const gatherMs = 400;

/** Settings of local-agent-groups. */
export interface LocalAgentGroupsOptions {
  /** Pause between rounds, ms. @default 10,000 */
  readonly intervalMs: number;
}

/** What a round needs. */
export interface LocalAgentGroupsPorts {
  readonly clock: Clock;
  readonly publication: GroupPublication;
  readonly changes: GroupChanges;
  /** The agents of the published keys file exist, and no others that were from it. */
  readonly followKeys: (published: Generation) => Promise<void>;
  /** The groups, as directories of the published files; `refresh` goes on to the latest ones. */
  readonly groups: { refresh(): Promise<NamesChange> };
  /** What was published of the files; undefined before the first scan. */
  readonly published: () => Generation | undefined;
}

/** The master's task. */
export class LocalAgentGroups implements Task {
  readonly name = 'local-agent-groups';
  readonly title = 'Local agent-groups';
  readonly schedule;
  readonly #ports: LocalAgentGroupsPorts;
  readonly #mutex = new Mutex();
  #isLoaded = false;
  #isCatalogued = false;
  /** Groups that are to be taken from their agents. */
  readonly #gone = new Set<string>();
  /** Groups have come that agents may wait for. */
  #haveAppeared = false;
  #prunedMs = -Infinity;

  constructor(ports: LocalAgentGroupsPorts, options: LocalAgentGroupsOptions) {
    this.#ports = ports;
    this.schedule = { intervalMs: options.intervalMs, deadlineMs: 10 * 60 * 1000 };
  }

  async round(turn: Turn): Promise<RoundReport> {
    const { changes } = this.#ports;
    if (changes.dueCount >= manyDue) await this.#ports.clock.sleep(gatherMs, turn.signal);
    await this.refresh(turn.log, turn.signal);
    const { publication, clock } = this.#ports;
    const isNew = await publication.publish();
    if (clock.monotonicMs() - this.#prunedMs >= pruneEveryMs) {
      this.#prunedMs = clock.monotonicMs();
      await publication.prune();
    }
    if (!isNew) return { summary: undefined };
    const snapshot = publication.latest.value!.number;
    return { summary: `Published assignments as snapshot ${snapshot}.`, facts: { snapshot } };
  }

  /** Takes up what was published before, and brings agents and groups in step with the files. */
  refresh(log: Logger, signal: AbortSignal): Promise<void> {
    return this.#mutex.run(async () => {
      if (!this.#isLoaded) await this.#ports.publication.load();
      this.#isLoaded = true;
      await this.#catalogue(log, signal);
    });
  }

  async #catalogue(log: Logger, signal: AbortSignal): Promise<void> {
    const { changes, groups, published, followKeys } = this.#ports;
    const generation = published();
    // As long as nothing is known of the files, nothing is gone.
    if (generation === undefined) return;
    await followKeys(generation);
    const { appeared, vanished } = await groups.refresh();
    const isFirst = !this.#isCatalogued;
    for (const name of isFirst ? await changes.vanishedGroups() : vanished) this.#gone.add(name);
    for (const name of appeared) this.#gone.delete(name);
    this.#haveAppeared ||= appeared.length > 0;
    this.#isCatalogued = true;
    await this.#dropGone(log, signal);
    if (this.#haveAppeared) await changes.calculateWaiting();
    this.#haveAppeared = false;
    await changes.calculateDue();
  }

  async #dropGone(log: Logger, signal: AbortSignal): Promise<void> {
    if (this.#gone.size === 0) return;
    const gone = [...this.#gone];
    const count = await this.#ports.changes.dropGroups(gone, signal);
    this.#gone.clear();
    if (count === 0) return;
    const names = gone.map((name) => `"${displayText(name)}"`).join(', ');
    log.log(
      'warning',
      `Groups without a directory were taken from ${agentsText(count)}: ${names}.`,
    );
  }
}
