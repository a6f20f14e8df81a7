/**
 * Taking in the reports of agents at the node that they report to.
 *
 * What is taken in is committed and on the disk before the reporter is answered. A worker takes
 * reports of agents that it has not heard of, for the keys file may be on its way; the master, which
 * knows all, does not. Nobody takes one of an agent that was removed.
 */
import { inTransaction, slices, transactionRowsMax } from '../base/transaction.ts';
import type { Clock, Database } from '../ports.ts';
import { type AgentFacts, type AgentId, agentIdText } from './agent.ts';
import { packData, type PackedData, unpackData } from './data-codec.ts';
import { hasData, isSameStatus, mergeData, mergeStatus } from './merge.ts';
import { nextOrderMs } from './record-order.ts';
import type { AgentReport } from './report.ts';
import { FactsBatch } from './store/facts-batch.ts';
import {
  type FactsStore,
  type Look,
  type PendingLevel,
  pendingLevels,
  type StatusRow,
} from './store/facts.ts';

/** Whose reports are taken in. */
export interface IntakeOptions {
  readonly node: string;
  /** Names the database of this node, see record-order.ts. */
  readonly epoch: string;
  readonly role: 'master' | 'worker';
}

/** What became of some reports. */
export interface Intake {
  /** Reports that were not taken, by their places, and why. */
  readonly refused: readonly { readonly index: number; readonly problem: string }[];
  /** Agents of which nothing had been reported before. */
  readonly firstContacts: readonly AgentId[];
}

/** Takes in reports. */
export class ReportIntake {
  readonly #clock: Clock;
  readonly #database: Database;
  readonly #facts: FactsStore;
  readonly #options: IntakeOptions;

  constructor(
    ports: { readonly clock: Clock; readonly database: Database },
    facts: FactsStore,
    options: IntakeOptions,
  ) {
    this.#clock = ports.clock;
    this.#database = ports.database;
    this.#facts = facts;
    this.#options = options;
  }

  /** Takes in reports; when this resolves, they are on the disk. */
  async take(reports: readonly AgentReport[]): Promise<Intake> {
    const refused: { index: number; problem: string }[] = [];
    const firstContacts: AgentId[] = [];
    for (const slice of slices(reports.entries(), transactionRowsMax)) {
      inTransaction(this.#database, () => {
        const looks = this.#facts.lookAll(slice.map(([, { id }]) => id));
        const batch = new FactsBatch(this.#facts);
        for (const [index, report] of slice) {
          const problem = this.#takeOne(report, { looks, batch, firstContacts });
          if (problem !== undefined) refused.push({ index, problem });
        }
        batch.finish();
      });
      await this.#clock.breathe();
    }
    await this.#database.flush();
    return { refused, firstContacts };
  }

  /** Takes one report, and notes in `looks` what it has made of its agent; gives what is wrong. */
  #takeOne(
    { id, facts: given }: AgentReport,
    { looks, batch, firstContacts }: Slice,
  ): string | undefined {
    const { existence, known } = looks.get(id)!;
    if (existence === 'removed') return `agent ${agentIdText(id)} was removed`;
    const isMaster = this.#options.role === 'master';
    if (isMaster && existence === 'unknown') return `agent ${agentIdText(id)} is not known`;
    const nowMs = this.#clock.nowMs();
    const status = mergeStatus(given, known?.status, Math.floor(nowMs / 1000));
    if (status === undefined) return undefined;
    const data = newData(id, given, known, batch);
    if (data === undefined && known !== undefined && isSameStatus(status, known.status)) {
      return undefined;
    }
    const order = this.#orderOf(known, given.last_keepalive ?? null, nowMs);
    const level = data === undefined ? pendingLevels.status : pendingLevels.all;
    // The master has nobody to tell.
    const pending = isMaster ? pendingLevels.nothing : strongerOf(level, known);
    const row = { id, status, order, pending, refusal: known?.refusal ?? 0 };
    if (data !== undefined) batch.save({ ...row, data });
    else if (known !== undefined) batch.saveStatus(row, known);
    looks.set(id, { existence, known: row });
    if (known === undefined) firstContacts.push(id);
    return undefined;
  }

  #orderOf(known: StatusRow | undefined, lastKeepalive: number | null, nowMs: number) {
    const { node, epoch } = this.#options;
    const isOurs = known?.order.node === node && known.order.epoch === epoch;
    const previousMs = isOurs ? known.order.nodeOrderMs : known?.order.orderMs;
    const nodeOrderMs = nextOrderMs(lastKeepalive, previousMs, nowMs);
    return { node, epoch, nodeOrderMs, orderMs: nodeOrderMs };
  }
}

/** What one transaction works with. */
interface Slice {
  readonly looks: Map<AgentId, Look>;
  readonly batch: FactsBatch;
  readonly firstContacts: AgentId[];
}

/** The data after a report; undefined where they are as before. */
function newData(
  id: AgentId,
  given: Partial<AgentFacts>,
  known: StatusRow | undefined,
  batch: FactsBatch,
): PackedData | undefined {
  if (known === undefined) return packData(given);
  if (!hasData(given)) return undefined;
  const before = batch.packedData(id);
  if (before === undefined) return packData(given);
  const data = packData(mergeData(given, unpackData(before)));
  return data === before ? undefined : data;
}

function strongerOf(level: PendingLevel, known: StatusRow | undefined): PendingLevel {
  return known !== undefined && known.pending > level ? known.pending : level;
}
