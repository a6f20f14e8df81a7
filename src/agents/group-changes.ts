/**
 * Who belongs to which group, decided on the master: by rules when an agent first reports, by the
 * operator after that, and by what is left when a group is gone.
 *
 * Long lists of agents are changed in many short transactions: a stop in the middle leaves a part
 * of them changed, and the same command again changes the rest.
 */
import { throwIfAborted } from '../base/async.ts';
import { ClusterError } from '../base/errors.ts';
import { inTransaction, slices, transactionRowsMax } from '../base/transaction.ts';
import type { Clock, Database, Logger } from '../ports.ts';
import { type AgentId, defaultGroup, groupsMax } from './agent.ts';
import { runsOf } from './assignment-parts.ts';
import { type Assignment, groupList } from './assignment-rows.ts';
import type { GroupRules } from './group-rules.ts';
import type { GroupCatalogue } from './groups.ts';
import type { Assignments } from './store/assignments.ts';
import type { RuleSubjects } from './store/rule-subjects.ts';

/** Agents that are to get a group, or to lose it: some, all, or all of a group. */
export type ChangedAgents =
  | { readonly ids: readonly AgentId[] }
  | { readonly all: true }
  | { readonly group: string };

/** What became of a change. */
export interface ChangeOutcome {
  readonly changed: number;
  /** Agents for which it was so already. */
  readonly unchanged: number;
  readonly refused: readonly { readonly id: AgentId; readonly problem: string }[];
}

/** What changing groups needs. */
export interface ChangePorts {
  readonly clock: Pick<Clock, 'breathe'>;
  readonly log: Logger;
  readonly database: Database;
  readonly assignments: Assignments;
  readonly subjects: RuleSubjects;
  /** Called when something is to be published. */
  readonly onChange: () => void;
}

/** Changes assignments on the master. */
export class GroupChanges {
  readonly #ports: ChangePorts;
  readonly #rules: GroupRules;
  readonly #catalogue: GroupCatalogue;
  /** Agents that have reported for the first time. */
  readonly #due = new Set<AgentId>();
  /** Groups whose absence was logged. */
  readonly #missed = new Set<string>();

  constructor(ports: ChangePorts, rules: GroupRules, catalogue: GroupCatalogue) {
    this.#ports = ports;
    this.#rules = rules;
    this.#catalogue = catalogue;
  }

  /** Agents that `calculateDue` would give their groups. */
  get dueCount(): number {
    return this.#due.size;
  }

  /** Agents have reported for the first time: `calculateDue` will give them their groups. */
  firstContact(ids: readonly AgentId[]): void {
    for (const id of ids) this.#due.add(id);
    this.#ports.onChange();
  }

  /** Gives agents that have reported for the first time their groups, unless they have had some. */
  async calculateDue(): Promise<void> {
    for (const ids of slices([...this.#due], transactionRowsMax)) {
      await this.#calculateSome(ids);
      for (const id of ids) this.#due.delete(id);
    }
  }

  /** Gives groups to all agents that have reported and could not be given any so far. */
  async calculateWaiting(): Promise<void> {
    const { assignments } = this.#ports;
    for (let ids = assignments.uncalculatedAfter(0); ids.length > 0;) {
      await this.#calculateSome(ids);
      ids = assignments.uncalculatedAfter(ids.at(-1)!);
    }
  }

  /**
   * Puts a group behind those that agents have.
   * @throws ClusterError `notFound`
   */
  assign(group: string, agents: ChangedAgents, signal: AbortSignal): Promise<ChangeOutcome> {
    this.#mustExist(group);
    if ('group' in agents) this.#mustExist(agents.group);
    return this.#change(agents, signal, (groups) => {
      if (groups.includes(group)) return groups;
      if (!this.#catalogue.has(group)) return `group "${group}" was removed meanwhile`;
      if (groups.length >= groupsMax) return `it has ${groupsMax} groups, the most there can be`;
      return [...groups, group];
    });
  }

  /**
   * Takes a group from agents. One that has no other gets `default`.
   * @throws ClusterError `notFound`
   */
  unassign(group: string, agents: ChangedAgents, signal: AbortSignal): Promise<ChangeOutcome> {
    this.#mustExist(group);
    return this.#change(agents, signal, (groups) => this.#without(groups, [group]));
  }

  /**
   * Takes groups that are gone from all agents that have them.
   * @returns how many agents that were
   */
  async dropGroups(gone: readonly string[], signal: AbortSignal): Promise<number> {
    let changed = 0;
    for (const group of gone) {
      const outcome = await this.#change(
        { group },
        signal,
        (groups) => this.#without(groups, gone),
      );
      changed += outcome.changed;
    }
    return changed;
  }

  /** All groups that agents have and that are not in the catalogue. */
  async vanishedGroups(): Promise<string[]> {
    const { assignments, clock } = this.#ports;
    const seen = new Set<string>();
    for (let rows = assignments.after(0); rows.length > 0;) {
      for (const { groups } of rows) seen.add(groups ?? '');
      await clock.breathe();
      rows = assignments.after(rows.at(-1)!.id);
    }
    const names = new Set([...seen].flatMap(groupList));
    return [...names].filter((name) => !this.#catalogue.has(name));
  }

  // ---

  #mustExist(group: string): void {
    if (this.#catalogue.has(group)) return;
    throw new ClusterError('notFound', `There is no group "${group}"`, {
      remedy: `See "muster groups list", or run "muster groups create ${group}"`,
    });
  }

  async #calculateSome(ids: readonly AgentId[]): Promise<void> {
    const { assignments, database, clock } = this.#ports;
    inTransaction(database, () => {
      const given = ids.map((id) => [id, this.#calculate(id).join(',')] as const);
      for (const run of runsOf(given)) {
        if (run.text !== '') assignments.setFirstGroups(run, run.text);
      }
    });
    await clock.breathe();
  }

  #calculate(id: AgentId): readonly string[] {
    const { subjects, log } = this.#ports;
    const subject = this.#rules.isEmpty ? nobody : subjects.get(id);
    const { groups, missing } = this.#rules.groupsOf(subject, (name) => this.#catalogue.has(name));
    for (const name of missing) {
      if (this.#missed.has(name)) continue;
      this.#missed.add(name);
      log.log('warning', missingText(name));
    }
    return groups;
  }

  /** What is left of groups without some of them. */
  #without(groups: readonly string[], gone: readonly string[]): readonly string[] {
    const left = groups.filter((group) => !gone.includes(group));
    if (left.length === groups.length || left.length > 0) return left;
    return this.#catalogue.has(defaultGroup) ? [defaultGroup] : [];
  }

  async #change(
    agents: ChangedAgents,
    signal: AbortSignal,
    decide: (groups: readonly string[]) => readonly string[] | string,
  ): Promise<ChangeOutcome> {
    const { assignments, database, clock, onChange } = this.#ports;
    let changed = 0;
    let unchanged = 0;
    const refused: { id: AgentId; problem: string }[] = [];
    for (const page of this.#pages(agents)) {
      throwIfAborted(signal);
      // Many agents have the same groups: each text is decided about once.
      const decisions = new Map<string, string | readonly string[]>();
      const given: (readonly [AgentId, string])[] = [];
      for (const { id, row } of page) {
        const before = row?.groups ?? null;
        if (before === null) {
          refused.push({ id, problem: 'there is no such agent' });
          continue;
        }
        const after = decisions.get(before) ?? decide(groupList(before));
        decisions.set(before, after);
        if (typeof after === 'string') refused.push({ id, problem: after });
        else if (after.join(',') === before) unchanged += 1;
        else given.push([id, after.join(',')]);
      }
      inTransaction(database, () => {
        for (const run of runsOf(given)) assignments.setGroups(run, run.text);
      });
      changed += given.length;
      await clock.breathe();
    }
    if (changed > 0) onChange();
    return { changed, unchanged, refused };
  }

  /** The agents, a page at a time, each read when its turn comes. */
  *#pages(agents: ChangedAgents): Generator<{ id: AgentId; row: Assignment | undefined }[]> {
    const { assignments } = this.#ports;
    if ('ids' in agents) {
      for (const ids of slices(new Set(agents.ids), transactionRowsMax)) {
        yield ids.map((id) => ({ id, row: assignments.get(id) }));
      }
      return;
    }
    const group = 'group' in agents ? agents.group : undefined;
    for (let rows = assignments.after(0, group); rows.length > 0;) {
      const last = rows.at(-1)!.id;
      yield rows.map((row) => ({ id: row.id, row }));
      rows = assignments.after(last, group);
    }
  }
}

// ---------------------------------------------------------------------------------------------

/** An agent of which nothing is known: enough where there are no rules. */
const nobody = { name: '', ip: null, osPlatform: null, labels: [] };

function missingText(group: string): string {
  return group === defaultGroup
    ? 'New agents get no group, since there is no group "default". ' +
      'To make it, run: muster groups create default'
    : `A group rule names the group "${group}", which does not exist. ` +
      `To make it, run: muster groups create ${group}`;
}
