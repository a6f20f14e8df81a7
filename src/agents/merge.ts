/**
 * What a report makes of what is known of its agent.
 */
import type { AgentFacts, AgentStatus, ConnectionStatus, TextColumn } from './agent.ts';
import { textColumnNames } from './agent.ts';
import { type PendingLevel, pendingLevels } from './store/facts.ts';

/** What came of a report. */
export interface Merged {
  readonly facts: AgentFacts;
  /** What of it the master has to be told. */
  readonly level: PendingLevel;
}

/** Clocks of programs on one machine may differ by the second that times are cut to. */
const futureSecondsMax = 1;

/**
 * What is known after a report; undefined where the report is older than what is known. A report
 * that names no connection status and brings a keep-alive comes from an active agent.
 */
export function mergeReport(
  given: Partial<AgentFacts>,
  known: AgentFacts | undefined,
  nowSeconds: number,
): Merged | undefined {
  if (isOlder(given, known, nowSeconds)) return undefined;
  const facts = { ...mergeTexts(given, known), ...mergeStatus(given, known, nowSeconds) };
  if (known === undefined || isDataChanged(facts, known)) {
    return { facts, level: pendingLevels.all };
  }
  return { facts, level: isStatusChanged(facts, known) ? pendingLevels.status : 0 };
}

// ---------------------------------------------------------------------------------------------

function isOlder(
  given: Partial<AgentFacts>,
  known: AgentFacts | undefined,
  nowSeconds: number,
): boolean {
  const heard = given.last_keepalive ?? null;
  const before = known?.last_keepalive ?? null;
  if (heard === null || before === null || heard >= before) return false;
  // A keep-alive from the future was reported before the clock was set back: it does not count.
  return before <= nowSeconds + futureSecondsMax;
}

function mergeTexts(given: Partial<AgentFacts>, known: AgentFacts | undefined) {
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

function mergeStatus(
  given: Partial<AgentFacts>,
  known: AgentFacts | undefined,
  nowSeconds: number,
): AgentStatus {
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

function statusOf(
  given: Partial<AgentFacts>,
  known: AgentFacts | undefined,
): ConnectionStatus {
  if (given.connection_status !== undefined) return given.connection_status;
  if (typeof given.last_keepalive === 'number') return 'active';
  return known?.connection_status ?? 'never_connected';
}

function isDataChanged(facts: AgentFacts, known: AgentFacts): boolean {
  return textColumnNames.some((name) => facts[name] !== known[name]) ||
    JSON.stringify(facts.labels) !== JSON.stringify(known.labels);
}

function isStatusChanged(facts: AgentFacts, known: AgentFacts): boolean {
  return facts.last_keepalive !== known.last_keepalive ||
    facts.connection_status !== known.connection_status ||
    facts.disconnection_time !== known.disconnection_time ||
    facts.status_code !== known.status_code;
}
