/**
 * The one shape of every recurring activity.
 *
 * A task owns one round; the scheduler owns when rounds happen, their deadline, what follows a
 * failure, and the two log lines. Nothing in a task knows a timer or loops for ever.
 */
import type { LogFacts, Logger, LogLevel } from '../ports.ts';

/** The recurring activities, by the names that people know from the log. */
export type TaskName =
  | 'keep-alive'
  | 'local-integrity'
  | 'integrity'
  | 'agent-info'
  | 'local-agent-groups'
  | 'agent-groups-send'
  | 'certificates';

/** When a task runs. */
export interface Schedule {
  /** Pause between the end of a round and the start of the next, ms. */
  readonly intervalMs: number;
  /** Longest time a round may take, ms. */
  readonly deadlineMs: number;
  /**
   * Whether the first round waits a random part of the interval, so that many nodes started
   * together do not work in step. @default false
   */
  readonly isStaggered?: boolean;
}

/** The context of one round. */
export interface Turn {
  /** Aborted when the deadline passes or the task is stopped. */
  readonly signal: AbortSignal;
  /** Logger with the node's and the task's tag. */
  readonly log: Logger;
  /** Whether somebody has asked for the round: what can be put off is. @default false */
  readonly isUrgent?: boolean;
  /** There is something to do: `Starting.` is logged, which rounds without work do at debug level. */
  starting(): void;
}

/** What a round did. */
export interface RoundReport {
  /**
   * What the log says after "Finished in 0.012s."; undefined where there was nothing to do, which
   * is logged at debug level.
   */
  readonly summary: string | undefined;
  readonly facts?: LogFacts;
  /** Level of the closing line where it is not `info`. */
  readonly level?: LogLevel;
  /** Start the next round at once: there is more to do. */
  readonly isMore?: boolean;
  /** The pause before the next round where it is not the interval, ms. */
  readonly pauseMs?: number;
}

/** A recurring activity. */
export interface Task {
  readonly name: TaskName;
  /** The tag in the log, e.g. `Integrity check`. */
  readonly title: string;
  readonly schedule: Schedule;
  /** One execution. Throws where it failed; the scheduler logs, backs off and tries again. */
  round(turn: Turn): Promise<RoundReport>;
}

/** The line that closes a round in the log. */
export function closingLine(
  report: RoundReport,
  durationMs: number,
): { readonly level: LogLevel; readonly text: string; readonly facts: LogFacts } {
  const { summary, facts } = report;
  const time = (durationMs / 1000).toFixed(3);
  return {
    level: report.level ?? (summary === undefined ? 'debug' : 'info'),
    text: `Finished in ${time}s.${summary === undefined ? '' : ` ${summary}`}`,
    facts: { ...facts, durationMs },
  };
}
