/**
 * Standard input, standard output and standard error: data goes to the one, messages to the other.
 *
 * A reader that hangs up (`muster status | head -1`) is no error: what it does not want is dropped.
 * Writing never waits and never ends the process; `flushed` tells when a slow pipe has taken all.
 */
import process from 'node:process';
import { AtOnceWriter, mayBeTerminal } from './at-once-writer.ts';

/** One of the two standard streams. */
export interface StandardStream {
  /** Writes text; all of it arrives, if the program ends by itself. */
  write(text: string): void;
  /** Resolves when everything written has left, or is wanted by nobody. */
  flushed(): Promise<void>;
  readonly isTerminal: boolean;
  /** Size of the terminal as it is now; 80 and 24 where it is unknown. */
  readonly columns: number;
  readonly rows: number;
}

class ProcessStream implements StandardStream {
  readonly #name: 'stdout' | 'stderr';
  readonly #descriptor: number;
  readonly #atOnce: AtOnceWriter;
  #isWatched = false;
  #isBroken = false;
  /** Writes that have not left yet. */
  #pendingCount = 0;
  #waiting: (() => void)[] = [];

  constructor(name: 'stdout' | 'stderr', descriptor: number) {
    this.#name = name;
    this.#descriptor = descriptor;
    this.#atOnce = new AtOnceWriter(descriptor);
  }

  write(text: string): void {
    if (this.#isBroken) return;
    const rest = this.#isWatched ? text : this.#atOnce.write(text);
    if (rest.length > 0) this.#writeLater(rest);
  }

  flushed(): Promise<void> {
    // Every write is counted: bun calls back at once for an empty one, whatever waits before it.
    if (this.#isBroken || this.#pendingCount === 0) return Promise.resolve();
    return new Promise((resolve) => void this.#waiting.push(resolve));
  }

  get isTerminal(): boolean {
    return mayBeTerminal(this.#descriptor) && process[this.#name].isTTY === true;
  }

  get columns(): number {
    return this.isTerminal ? process[this.#name].columns || 80 : 80;
  }

  get rows(): number {
    return this.isTerminal ? process[this.#name].rows || 24 : 24;
  }

  /** By the runtime's stream, which takes 10 ms to load. */
  #writeLater(data: string | Uint8Array): void {
    const stream = process[this.#name];
    if (!this.#isWatched) {
      this.#isWatched = true;
      // Without a listener, a pipe that its reader has closed would end the process.
      stream.on('error', () => this.#break());
    }
    this.#pendingCount++;
    try {
      stream.write(data, () => this.#written());
    } catch {
      this.#break();
    }
  }

  #written(): void {
    this.#pendingCount--;
    if (this.#pendingCount === 0) this.#wake();
  }

  #break(): void {
    this.#isBroken = true;
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** Standard input: data. It is not read before somebody asks for it. */
export const standardInput = {
  chunks: (): AsyncIterable<Uint8Array> => process.stdin,
  get isTerminal(): boolean {
    return process.stdin.isTTY === true;
  },
};

/** Standard output: data. */
export const standardOutput: StandardStream = new ProcessStream('stdout', 1);

/** Standard error: messages. */
export const standardError: StandardStream = new ProcessStream('stderr', 2);

/** Whether text on a stream is to be coloured. */
export function isColorWanted(
  choice: 'auto' | 'always' | 'never',
  stream: Pick<StandardStream, 'isTerminal'>,
  environment: Readonly<Record<string, string | undefined>>,
): boolean {
  if (choice !== 'auto') return choice === 'always';
  const isRefused = (environment['NO_COLOR'] ?? '') !== '' || environment['TERM'] === 'dumb';
  return stream.isTerminal && !isRefused;
}
