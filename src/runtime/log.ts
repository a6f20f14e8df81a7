/**
 * The log: cluster.log and the terminal, one line for each thing said.
 *
 * An error or warning that is said again and again is written once and then counted, until its
 * author says something else or a minute is over: what goes wrong every ten seconds for a night is
 * no reason to fill a disk. Logging never throws and never ends the process.
 */
import { createConsola } from 'consola/core';
import type { Clock, LogFacts, Logger, LogLevel } from '../ports.ts';
import { describeError } from '../base/errors.ts';
import { LogFile } from './log-file.ts';
import { colouredLine, jsonLine, textLine } from './log-format.ts';
import type { LogFormat, LogRecord } from './log-format.ts';
import { standardError } from './standard-streams.ts';

/** How long a repeated line is counted before it is written again, ms: the order of a round. */
const REPEAT_MS = 60_000;

/** Authors whose last complaint is remembered; more than there are tasks times workers. */
const AUTHORS_MAX = 10_000;

const ranks: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warning: 2, error: 3 };
const consolaTypes = { debug: 'debug', info: 'info', warning: 'warn', error: 'error' } as const;

/** Where and how to log. */
export interface LogOptions {
  /** Path of the log file; undefined logs to the terminal only. */
  readonly file: string | undefined;
  /** Lines below this level are not written. */
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Whether lines go to standard error, too. */
  readonly terminal: boolean;
  /** Whether those are coloured; text format only. */
  readonly color: boolean;
  readonly clock: Pick<Clock, 'nowMs' | 'sleep'>;
}

/** The log of a process. */
export interface Log {
  readonly logger: Logger;
  /** Opens the file anew, after it was rotated. */
  reopen(): void;
  /** Says what was only counted so far, and closes the file. */
  close(): void;
}

/**
 * Opens the log.
 * @throws ClusterError('permission') where the file cannot be opened
 */
export function createLog(options: LogOptions): Log {
  return new SystemLog(options);
}

// --- internals -------------------------------------------------------------------------------

/** What an author complained about last. */
interface Complaint {
  readonly level: LogLevel;
  readonly tags: readonly string[];
  readonly text: string;
  repeatsCount: number;
  readonly timer: AbortController;
}

class SystemLog implements Log {
  readonly logger: Logger;
  readonly #options: LogOptions;
  readonly #file: LogFile | undefined;
  readonly #terminal: ((record: LogRecord) => void) | undefined;
  readonly #complaints = new Map<string, Complaint>();
  /** Lines that could not be written since the last one that could. */
  #lostCount = 0;
  #lossReason = '';
  #isClosed = false;

  constructor(options: LogOptions) {
    this.#options = options;
    this.#file = options.file === undefined ? undefined : new LogFile(options.file);
    this.#terminal = options.terminal ? terminalWriter(options) : undefined;
    this.logger = this.#loggerOf([]);
  }

  reopen(): void {
    try {
      this.#file?.reopen();
    } catch (error) {
      this.#say({ level: 'error', tags: [], text: describeError(error), facts: undefined });
    }
  }

  close(): void {
    if (this.#isClosed) return;
    for (const author of this.#complaints.keys()) this.#settle(author);
    this.#isClosed = true;
    this.#file?.close();
  }

  #loggerOf(tags: readonly string[]): Logger {
    const author = tags.join('\0');
    return {
      log: (level, text, facts) => this.#log(author, { level, tags, text, facts }),
      child: (tag) => this.#loggerOf([...tags, tag]),
    };
  }

  #log(author: string, said: Omit<LogRecord, 'timeMs'>): void {
    if (this.#isClosed || ranks[said.level] < ranks[this.#options.level]) return;
    const last = this.#complaints.get(author);
    if (last !== undefined && last.level === said.level && last.text === said.text) {
      last.repeatsCount++;
      return;
    }
    this.#settle(author);
    this.#say(said);
    if (ranks[said.level] >= ranks.warning) this.#remember(author, said);
  }

  #remember(author: string, { level, tags, text }: Omit<LogRecord, 'timeMs'>): void {
    const [oldest] = this.#complaints.keys();
    if (this.#complaints.size >= AUTHORS_MAX && oldest !== undefined) this.#settle(oldest);
    const timer = new AbortController();
    this.#complaints.set(author, { level, tags, text, repeatsCount: 0, timer });
    this.#options.clock.sleep(REPEAT_MS, timer.signal)
      .then(() => this.#settle(author), () => {});
  }

  /** Says how often the last complaint of an author was repeated, and forgets it. */
  #settle(author: string): void {
    const complaint = this.#complaints.get(author);
    if (complaint === undefined) return;
    this.#complaints.delete(author);
    complaint.timer.abort();
    const { level, tags, repeatsCount } = complaint;
    if (repeatsCount === 0) return;
    const text = `repeated ${repeatsCount} ${repeatsCount === 1 ? 'time' : 'times'}: ` +
      complaint.text;
    this.#say({ level, tags, text, facts: { repeatsCount } });
  }

  #say(said: Omit<LogRecord, 'timeMs'>): void {
    const record = { timeMs: this.#options.clock.nowMs(), ...said };
    this.#terminal?.(record);
    if (this.#file === undefined) return;
    if (this.#lostCount > 0 && !this.#tellLoss(this.#file)) return;
    const error = this.#file.append(this.#line(record));
    if (error !== undefined) this.#lose(error);
  }

  /** Writes how many lines are missing; counts one more where that cannot be written either. */
  #tellLoss(file: LogFile): boolean {
    const text = `${this.#lostCount} lines could not be written here: ${this.#lossReason}`;
    const facts: LogFacts = { linesLost: this.#lostCount };
    const timeMs = this.#options.clock.nowMs();
    const error = file.append(this.#line({ timeMs, level: 'warning', tags: [], text, facts }));
    if (error === undefined) this.#lostCount = 0;
    else this.#lose(error);
    return error === undefined;
  }

  #lose(error: Error): void {
    this.#lostCount++;
    this.#lossReason = error.message;
  }

  #line(record: LogRecord): string {
    return this.#options.format === 'json' ? jsonLine(record) : textLine(record);
  }
}

/** Writes records to standard error by way of consola. */
function terminalWriter({ format, color }: LogOptions): (record: LogRecord) => void {
  const line = format === 'json' ? jsonLine : color ? colouredLine : textLine;
  const terminal = createConsola({
    level: Number.POSITIVE_INFINITY,
    // Repetitions are counted above, and never swallowed.
    throttle: 0,
    reporters: [{
      log: ({ args }) => standardError.write(`${line((args as [LogRecord])[0])}\n`),
    }],
  });
  return (record) => terminal[consolaTypes[record.level]].raw(record);
}
