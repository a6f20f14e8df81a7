/**
 * Some nodes on this machine, in one temporary directory, run by the compiled binary.
 *
 * Knows how to run a command of the binary to its end, how to start and stop a daemon, and how to
 * wait for what it says in its log. Whatever happens, `close` leaves no process behind. Knows
 * nothing of what the nodes are used for.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CommandResult, runCommand } from './tools.ts';

/** Longest time that anything here may take before it counts as failed, ms. */
const limitMs = 30_000;

/** Pause between two looks at what is waited for, ms. */
const lookMs = 2;

/** Variables of everything that runs here. */
const plain = { NO_COLOR: '1' };

/** A running daemon. */
interface Daemon {
  readonly child: ChildProcess;
  /** Settles with the exit code when it has ended; 128 + N where signal N ended it. */
  readonly ended: Promise<number>;
}

/** Nodes in a temporary directory; node NAME has its files in `NAME/`. */
export class Playground {
  readonly directory: string;
  readonly #binary: string;
  readonly #daemons = new Map<string, Daemon>();
  readonly #commands = new Set<Promise<CommandResult>>();

  private constructor(directory: string, binary: string) {
    this.directory = directory;
    this.#binary = binary;
  }

  /** Makes the directory. */
  static async open(binary: string): Promise<Playground> {
    return new Playground(await mkdtemp(join(tmpdir(), 'muster-quickstart-')), binary);
  }

  /** Absolute path of something in the directory. */
  path(...parts: readonly string[]): string {
    return join(this.directory, ...parts);
  }

  /** Runs a command of the binary, in the directory, to its end. */
  async run(args: readonly string[]): Promise<CommandResult> {
    const options = { cwd: this.directory, env: plain, limitMs };
    const running = runCommand(this.#binary, args, options);
    this.#commands.add(running);
    const result = await running.finally(() => this.#commands.delete(running));
    if (result.isLate) throw new Error(`"muster ${args.join(' ')}" took longer than ${limitMs} ms`);
    return result;
  }

  /** Starts the daemon of a node. What it prints goes to `NAME/daemon.out`. */
  async start(name: string): Promise<void> {
    await mkdir(this.path(name), { recursive: true });
    const out = openSync(this.path(name, 'daemon.out'), 'a');
    const child = spawn(this.#binary, ['run', '--dir', name], {
      cwd: this.directory,
      env: { ...process.env, ...plain },
      stdio: ['ignore', out, out],
      // Not in our group, so that Ctrl-C reaches only us: we stop it in order.
      detached: true,
    });
    const ended = new Promise<number>((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', (code, signal) => {
        resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
      });
    });
    this.#daemons.set(name, { child, ended });
  }

  /** Asks a daemon to stop, waits until it has, and gives its exit code. */
  async stop(name: string): Promise<number> {
    const daemon = this.#daemons.get(name);
    if (daemon === undefined) throw new Error(`${name} is not running`);
    this.#daemons.delete(name);
    const timer = setTimeout(() => daemon.child.kill('SIGKILL'), limitMs);
    daemon.child.kill('SIGTERM');
    const code = await daemon.ended;
    clearTimeout(timer);
    return code;
  }

  /** Process id of a daemon. */
  pidOf(name: string): number | undefined {
    return this.#daemons.get(name)?.child.pid;
  }

  /** Waits for a line in the log of a node, beyond its first `from` characters. */
  async logLine(name: string, pattern: RegExp, from = 0): Promise<string> {
    return await this.until(
      `"${pattern.source}" in the log of ${name}`,
      () => this.log(name).slice(from).split('\n').find((line) => pattern.test(line)),
    );
  }

  /** The whole log of a node; empty where there is none yet. */
  log(name: string): string {
    try {
      return readFileSync(this.path(name, 'logs', 'cluster.log'), 'utf8');
    } catch {
      return '';
    }
  }

  /** Looks again and again until there is something to be seen. */
  async until<T>(what: string, look: () => T | undefined | Promise<T | undefined>): Promise<T> {
    const endMs = performance.now() + limitMs;
    for (;;) {
      const seen = await look();
      if (seen !== undefined) return seen;
      if (performance.now() > endMs) throw new Error(`Waited ${limitMs} ms in vain for ${what}`);
      await sleep(lookMs);
    }
  }

  /** Ends what still runs, daemons at once, and removes the directory unless it is to be kept. */
  async close(options: { readonly isKept: boolean }): Promise<void> {
    const daemons = [...this.#daemons.values()];
    this.#daemons.clear();
    for (const { child } of daemons) child.kill('SIGKILL');
    await Promise.allSettled([...daemons.map(({ ended }) => ended), ...this.#commands]);
    if (!options.isKept) await rm(this.directory, { recursive: true, force: true });
  }
}

/** A port of this machine that nothing listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  if (address === null || typeof address === 'string') throw new Error('There is no free port');
  return address.port;
}
