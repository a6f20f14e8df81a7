/** Logging. */

/** How important a log line is. */
export type LogLevel = 'debug' | 'info' | 'warning' | 'error';

/** Values that belong to a log line, for JSON output; the text is complete without them. */
export type LogFacts = Readonly<Record<string, string | number | boolean | undefined>>;

/** Where a part of the program logs to. */
export interface Logger {
  log(level: LogLevel, text: string, facts?: LogFacts): void;
  /** A logger whose lines carry one more `[tag]`. */
  child(tag: string): Logger;
}
