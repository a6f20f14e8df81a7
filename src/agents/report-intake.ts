/**
 * Taking in the reports of agents at the node that they report to.
 *
 * What is taken in is committed and on the disk before the reporter is answered. A worker takes
 * reports of agents that it has not heard of, for the keys file may be on its way; the master, which
 * knows all, does not. Nobody takes one of an agent that was removed.
 */
import { inTransaction, slices, transactionRowsMax } from '../base/transaction.ts';
import type { Clock, Database } from '../ports.ts';
import { type AgentId, agentIdText } from './agent.ts';
import { mergeReport } from './merge.ts';
import { nextOrderMs } from './record-order.ts';
import type { AgentReport } from './report.ts';
import { type FactsRow, type FactsStore, pendingLevels } from './store/facts.ts';
import type { Registrations } from './store/registrations.ts';

/** Whose reports are taken in. */
export interface IntakeOptions {
  readonly node: string;
  /** Names the database of this node, see record-order.ts. */
  readonly epoch: string;
  readonly role: 'master' | 'worker';
}

/** What became of some reports. */
export interface Intake {
  /** Why a report was refused, in the order of the reports; undefined where it was taken. */
  readonly problems: readonly (string | undefined)[];
  /** Agents of which nothing had been reported before. */
  readonly firstContacts: readonly AgentId[];
}

/** Takes in reports. */
export class ReportIntake {
  readonly #clock: Clock;
  readonly #database: Database;
  readonly #facts: FactsStore;
  readonly #registrations: Registrations;
  readonly #options: IntakeOptions;

  constructor(
    ports: { readonly clock: Clock; readonly database: Database },
    stores: { readonly facts: FactsStore; readonly registrations: Registrations },
    options: IntakeOptions,
  ) {
    this.#clock = ports.clock;
    this.#database = ports.database;
    this.#facts = stores.facts;
    this.#registrations = stores.registrations;
    this.#options = options;
  }

  /** Takes in reports; when this resolves, they are on the disk. */
  async take(reports: readonly AgentReport[]): Promise<Intake> {
    const problems: (string | undefined)[] = [];
    const firstContacts: AgentId[] = [];
    for (const slice of slices(reports, transactionRowsMax)) {
      inTransaction(this.#database, () => {
        for (const report of slice) problems.push(this.#takeOne(report, firstContacts));
      });
      await this.#clock.breathe();
    }
    await this.#database.flush();
    return { problems, firstContacts };
  }

  #takeOne({ id, facts: given }: AgentReport, firstContacts: AgentId[]): string | undefined {
    const existence = this.#registrations.existence(id);
    if (existence === 'removed') return `agent ${agentIdText(id)} was removed`;
    const isMaster = this.#options.role === 'master';
    if (isMaster && existence === 'unknown') return `agent ${agentIdText(id)} is not known`;
    const known = this.#facts.get(id);
    const nowMs = this.#clock.nowMs();
    const merged = mergeReport(given, known?.facts, Math.floor(nowMs / 1000));
    if (merged === undefined || (known !== undefined && merged.level === 0)) return undefined;
    const { facts, level } = merged;
    const order = this.#orderOf(known, given.last_keepalive ?? null, nowMs);
    // The master has nobody to tell.
    const pending = isMaster ? pendingLevels.nothing : strongerOf(level, known);
    if (known === undefined) firstContacts.push(id);
    if (level === pendingLevels.status) this.#facts.saveStatus(id, facts, order, pending);
    else this.#facts.save({ id, facts, order, pending, isRefused: known?.isRefused ?? false });
    return undefined;
  }

  #orderOf(known: FactsRow | undefined, lastKeepalive: number | null, nowMs: number) {
    const { node, epoch } = this.#options;
    const isOurs = known?.order.node === node && known.order.epoch === epoch;
    const previousMs = isOurs ? known.order.nodeOrderMs : known?.order.orderMs;
    const nodeOrderMs = nextOrderMs(lastKeepalive, previousMs, nowMs);
    return { node, epoch, nodeOrderMs, orderMs: nodeOrderMs };
  }
}

function strongerOf(level: FactsRow['pending'], known: FactsRow | undefined): FactsRow['pending'] {
  return known !== undefined && known.pending > level ? known.pending : level;
}
