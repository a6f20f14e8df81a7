/**
 * The groups of a worker in a Wazuh cluster: what the master sends, kept in muster's own store.
 *
 * Groups of an agent are taken over only where this node has the directories of all of them: until
 * then the hash over all is another one than the master's, which sends them again.
 */
import { Assignments } from '../agents/store/assignments.ts';
import type { Registrations } from '../agents/store/registrations.ts';
import { isGroupName } from '../agents/agent.ts';
import { ClusterError } from '../base/errors.ts';
import { inTransaction, inTransactions, slices, transactionRowsMax } from '../base/transaction.ts';
import type { Config } from '../config/config.ts';
import type { Manifest } from '../files/manifest.ts';
import type { PlainPorts } from '../ports.ts';
import { type AgentGroups, globalGroupsHash, groupHash } from '../wazuh/agent-groups.ts';
import type { GroupsStore } from '../wazuh/worker/agent-groups.ts';
import { Groups, WorkerGroupView } from './groups.ts';

/** What the groups of a worker stand on. */
export interface WazuhGroupPorts extends PlainPorts {
  readonly registrations: Registrations;
  /** The table of a set as it is on this node's disk. */
  readonly actual: (set: string) => Manifest;
}

/** The groups of a worker in a Wazuh cluster. */
export class WazuhGroups extends WorkerGroupView implements GroupsStore {
  readonly #ports: WazuhGroupPorts;
  readonly #assignments: Assignments;
  #hash: { readonly value: string | undefined } | undefined;
  #confirmedMs: number | undefined;

  constructor(ports: WazuhGroupPorts, config: Config) {
    super(new Groups(ports, config, ports.actual));
    this.#ports = ports;
    this.#assignments = new Assignments(ports.database);
  }

  // --- what the master sends -----------------------------------------------------------------

  /** @throws ClusterError `notFound` for agents whose groups are not here; others are taken over */
  async apply(agents: readonly AgentGroups[]): Promise<void> {
    const { registrations } = this.#ports;
    await this.catalogue.refresh();
    const missing = new Set<string>();
    const taken = agents.filter(({ id, groups }) => {
      const absent = groups.filter((group) => !isGroupName(group) || !this.catalogue.has(group));
      for (const group of absent) missing.add(group);
      return id > 0 && absent.length === 0;
    });
    this.#hash = undefined;
    for (const slice of slices(taken, transactionRowsMax)) {
      const rows = slice.map(({ id, name, groups }) => {
        const isFromKeys = registrations.get(id)?.source === 'keys';
        return { id, name, groups: groups.join(','), isFromKeys };
      });
      inTransaction(this.#ports.database, () => this.#assignments.mirror(rows));
      await this.#ports.clock.breathe();
    }
    this.#confirmedMs = this.#ports.clock.nowMs();
    if (missing.size === 0) return;
    const named = [...missing].slice(0, 10).join(', ');
    throw new ClusterError('notFound', `This node has no group ${named}`);
  }

  async keepOnly(agents: ReadonlySet<number>): Promise<void> {
    const gone: number[] = [];
    for (let rows = this.#assignments.after(0); rows.length > 0;) {
      for (const { id } of rows) if (!agents.has(id)) gone.push(id);
      await this.#ports.clock.breathe();
      rows = this.#assignments.after(rows.at(-1)!.id);
    }
    this.#hash = undefined;
    await inTransactions(this.#ports, gone, (id) => this.#assignments.delete(id));
  }

  async globalHash(): Promise<string | undefined> {
    if (this.#hash !== undefined) return this.#hash.value;
    const { hashing, clock } = this.#ports;
    const known = new Map<string, string | undefined>();
    const hashes: (string | undefined)[] = [];
    for (let rows = this.#assignments.after(0); rows.length > 0;) {
      for (const { groups } of rows) {
        const text = groups ?? '';
        if (!known.has(text)) {
          known.set(text, groupHash(hashing, text === '' ? [] : text.split(',')));
        }
        hashes.push(known.get(text));
      }
      await clock.breathe();
      rows = this.#assignments.after(rows.at(-1)!.id);
    }
    const value = globalGroupsHash(hashing, hashes);
    this.#hash = { value };
    return value;
  }

  /** The agent exists no longer. Called within a transaction. */
  forget(id: number): void {
    this.#hash = undefined;
    this.#assignments.delete(id);
  }

  // --- for commands --------------------------------------------------------------------------

  override confirmedMs(): number | undefined {
    return this.#confirmedMs;
  }
}
