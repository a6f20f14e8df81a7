/**
 * The Logger port of a simulated node.
 *
 * Every line is kept for the test to look at, and is part of the trace: two runs that log anything
 * different are different runs.
 */
import type { LogFacts, Logger, LogLevel } from '../../src/ports.ts';
import type { Life } from './life.ts';

/** A line that was logged. */
export interface LogRecord {
  /** Virtual time. */
  readonly atMs: number;
  readonly level: LogLevel;
  readonly tags: readonly string[];
  readonly text: string;
  readonly facts: LogFacts;
}

/** A logger that appends to a list. */
export class RecordingLogger implements Logger {
  readonly #life: Life;
  readonly #records: LogRecord[];
  readonly #tags: readonly string[];

  constructor(life: Life, records: LogRecord[], tags: readonly string[] = []) {
    this.#life = life;
    this.#records = records;
    this.#tags = tags;
  }

  log(level: LogLevel, text: string, facts: LogFacts = {}): void {
    if (!this.#life.isAlive) return;
    const { world, owner } = this.#life;
    this.#records.push({ atMs: world.nowMs, level, tags: this.#tags, text, facts });
    const tags = this.#tags.map((tag) => `[${tag}]`).join(' ');
    world.trace(`log ${owner} ${level} ${tags} ${text} ${JSON.stringify(facts)}`);
  }

  child(tag: string): Logger {
    return new RecordingLogger(this.#life, this.#records, [...this.#tags, tag]);
  }
}
