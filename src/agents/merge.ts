/**
 * What a report makes of what is known of its agent. Status and data are merged apart, since most
 * reports are of the status alone, and the data then need not be read.
 */
import type { AgentData, AgentFacts, AgentStatus, ConnectionStatus, TextColumn } from './agent.ts';
import { textColumnNames } from './agent.ts';

/** Clocks of programs on one machine may differ by the second that times are cut to. */
const futureSecondsMax = 1;

/** Whether a report says anything but the status. */
export function hasData(given: Partial<AgentFacts>): boolean {
  if (given.labels !== undefined) return true;
  for (const name of textColumnNames) if (given[name] !== undefined) return true;
  return false;
}

/** The data after a report. */
export function mergeData(given: Partial<AgentFacts>, known: AgentData | undefined): AgentData {
  const texts: Partial<Record<TextColumn, string | null>> = {};
  for (const name of textColumnNames) {
    const text = given[name];
    texts[name] = text === undefined ? known?.[name] ?? null : text;
  }
  return {
    ...texts as Record<TextColumn, string | null>,
    labels: given.labels ?? known?.labels ?? [],
  };
}

/**
 * The status after a report; undefined where the report is older than what is known. A report that
 * names no connection status and brings a keep-alive comes from an active agent.
 */
export function mergeStatus(
  given: Partial<AgentStatus>,
  known: AgentStatus | undefined,
  nowSeconds: number,
): AgentStatus | undefined {
  if (isOlder(given, known, nowSeconds)) return undefined;
  const status = statusOf(given, known);
  return {
    last_keepalive: given.last_keepalive ?? known?.last_keepalive ?? null,
    connection_status: status,
    disconnection_time: status === 'disconnected'
      ? given.disconnection_time ?? (known?.disconnection_time || nowSeconds)
      : given.disconnection_time ?? 0,
    status_code: given.status_code ?? known?.status_code ?? 0,
  };
}

export function isSameStatus(left: AgentStatus, right: AgentStatus): boolean {
  return left.last_keepalive === right.last_keepalive &&
    left.connection_status === right.connection_status &&
    left.disconnection_time === right.disconnection_time &&
    left.status_code === right.status_code;
}

// ---------------------------------------------------------------------------------------------

function isOlder(
  given: Partial<AgentStatus>,
  known: AgentStatus | undefined,
  nowSeconds: number,
): boolean {
  const heard = given.last_keepalive ?? null;
  const before = known?.last_keepalive ?? null;
  if (heard === null || before === null || heard >= before) return false;
  // A keep-alive from the future was reported before the clock was set back: it does not count.
  return before <= nowSeconds + futureSecondsMax;
}

function statusOf(
  given: Partial<AgentStatus>,
  known: AgentStatus | undefined,
): ConnectionStatus {
  if (given.connection_status !== undefined) return given.connection_status;
  if (typeof given.last_keepalive === 'number') return 'active';
  return known?.connection_status ?? 'never_connected';
}
