/**
 * Which of two records of one agent is the newer one, wherever they come from.
 *
 * A node numbers its records of an agent by time: the agent's last keep-alive or, where a report has
 * none, the time of the report; in any case more than the record before. Two records from the
 * database of one node are compared by these numbers alone, which no change of a clock disturbs.
 * Records of different nodes are compared by the time of the master: each node's time is corrected
 * by how far its clock was measured to be off, and never lies in the future, so that a wrong clock
 * cannot keep an agent with its old node.
 */

/** What orders a record among those of its agent. */
export interface RecordOrder {
  readonly node: string;
  /** Names the database that gave the number: a new one counts anew. */
  readonly epoch: string;
  /** The node's number of the record, ms since 1970 by its own clock. */
  readonly nodeOrderMs: number;
  /** The same by the clock of the master. */
  readonly orderMs: number;
}

/** Whether a record is to replace the known one. */
export function isNewer(record: RecordOrder, known: RecordOrder): boolean {
  if (record.node === known.node && record.epoch === known.epoch) {
    return record.nodeOrderMs > known.nodeOrderMs;
  }
  if (record.orderMs !== known.orderMs) return record.orderMs > known.orderMs;
  // The same for every order of arrival.
  return record.epoch > known.epoch;
}

/**
 * The number of a node's next record of an agent.
 * @param lastKeepalive Unix seconds, of the report; null where it has none
 * @param previousMs the number of the record before; undefined where there is none
 */
export function nextOrderMs(
  lastKeepalive: number | null,
  previousMs: number | undefined,
  nowMs: number,
): number {
  const heardMs = lastKeepalive === null ? nowMs : Math.min(lastKeepalive * 1000, nowMs);
  return previousMs === undefined ? heardMs : Math.max(heardMs, previousMs + 1);
}

/** A node's time in the time of the master, `nowMs`; `skewMs` is how far the node is ahead. */
export function masterTimeMs(nodeMs: number, skewMs: number, nowMs: number): number {
  return Math.min(nodeMs - skewMs, nowMs);
}

/** Clocks this close count as equal for times that people see, ms. */
const skewNoticedMs = 2_000;

/** Unix seconds of a node in those of the master, for people. */
export function masterSeconds(nodeSeconds: number, skewMs: number): number {
  if (Math.abs(skewMs) < skewNoticedMs) return nodeSeconds;
  return Math.max(0, Math.round(nodeSeconds - skewMs / 1000));
}
