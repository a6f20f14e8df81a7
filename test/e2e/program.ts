/**
 * Starts the compiled binary as any user would: a process with arguments, an environment, a
 * terminal that is none. No process outlives the tests, however these end.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

/** The binary under test. */
export const binary = findBinary();

/** How a process ended. */
export interface Ending {
  /** 128 + N where signal N ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly durationMs: number;
}

/** How to start the binary. */
export interface StartOptions {
  /** @default the root directory, where no configuration lies */
  readonly cwd?: string;
  /** Added to an environment without any variable of muster's. @default none */
  readonly environment?: Readonly<Record<string, string>>;
  /** What it gets on standard input. @default nothing */
  readonly input?: string;
  /** Command before the binary, e.g. one that enters a network namespace. @default none */
  readonly prefix?: readonly string[];
}

/** Signals by number: the shell's way to tell them in an exit code. */
const signalNumbers: Readonly<Record<string, number>> = { SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

/** A one-shot command that takes longer than this hangs, ms. */
const commandLimitMs = 120_000;

const running = new Set<ChildProcess>();

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A running process. */
export class Program {
  readonly pid: number;
  /** Resolves when it has ended and all its output has arrived. */
  readonly ended: Promise<Ending>;
  #stdout = '';
  #stderr = '';
  readonly #child: ChildProcess;

  constructor(args: readonly string[], options: StartOptions = {}) {
    const [command = binary, ...rest] = [...options.prefix ?? [], binary, ...args];
    const startedMs = performance.now();
    const child = spawn(command, rest, {
      cwd: options.cwd ?? '/',
      env: { ...cleanEnvironment(), ...options.environment },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    // Whoever reads nothing may be gone already.
    child.stdin.on('error', () => {}).end(options.input);
    running.add(child);
    child.stdout.setEncoding('utf8').on('data', (text: string) => (this.#stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    this.#child = child;
    this.pid = child.pid ?? 0;
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        running.delete(child);
        resolve({
          code: code ?? 128 + (signalNumbers[signal ?? ''] ?? 0),
          stdout: this.#stdout,
          stderr: this.#stderr,
          durationMs: performance.now() - startedMs,
        });
      });
    });
    this.ended.catch(() => {});
  }

  /** What it has said on standard error so far. */
  get stderr(): string {
    return this.#stderr;
  }

  get isRunning(): boolean {
    return running.has(this.#child);
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }
}

/** Runs the binary to its end. */
export async function muster(args: readonly string[], options?: StartOptions): Promise<Ending> {
  const program = new Program(args, options);
  const timer = setTimeout(() => program.kill('SIGKILL'), commandLimitMs);
  try {
    return await program.ended;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Asks again and again until the answer is neither undefined, null nor false, and returns it.
 * @throws Error naming what was waited for, after `limitMs`
 */
export async function until<T>(
  what: string,
  ask: () => T | Promise<T>,
  limitMs = 30_000,
): Promise<NonNullable<Exclude<T, false>>> {
  const deadlineMs = performance.now() + limitMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== null && answer !== false) {
      return answer as NonNullable<Exclude<T, false>>;
    }
    if (performance.now() > deadlineMs) throw new Error(`Not within ${limitMs} ms: ${what}`);
    await pause(25);
  }
}

/** Lets time pass. Nothing may be concluded from it. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

// ---

function findBinary(): string {
  const byDefault = fileURLToPath(new URL('../../dist/muster', import.meta.url));
  const path = process.env['MUSTER_BINARY'] ?? byDefault;
  if (existsSync(path)) return path;
  throw new Error(`There is no binary "${path}": run "npm run build", or set MUSTER_BINARY`);
}

function cleanEnvironment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(([name]) => !name.startsWith('MUSTER_'));
  return { ...Object.fromEntries(entries), NO_COLOR: '1' };
}
