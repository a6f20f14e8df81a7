/**
 * The Processes port: commands of the operator's, run without a shell.
 *
 * A command gets a process group of its own, so that at a deadline it goes with all it has started.
 * What it prints is kept up to a limit and read beyond it, so that it never waits for us. Of our
 * environment it sees what programs need to run, and nothing that is meant for muster.
 */
import { spawn } from 'node:child_process';
import { Buffer } from 'node:buffer';
import type { ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import process from 'node:process';
import type { Readable } from 'node:stream';
import { abortReason, deferred, throwIfAborted } from '../base/async.ts';
import { ClusterError, invariant } from '../base/errors.ts';
import type { Clock, Processes } from '../ports.ts';
import { failureReason, systemCode } from './file-errors.ts';

/** Output kept, bytes: a page of complaints of a checking program. */
const OUTPUT_BYTES_MAX = 64 * 1024;

/** Time to clean up between SIGTERM and SIGKILL, ms. */
const KILL_MS = 2000;

/** How long output is waited for that a background child may still hold open, ms. */
const OUTPUT_MS = 500;

/** What commands may know of our environment. */
const INHERITED = /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_.*|TZ|TMPDIR|SYSTEMROOT)$/;

/** Makes the port. */
export function createProcesses(clock: Pick<Clock, 'sleep'>): Processes {
  return {
    run: async (command, { environment, input, timeoutMs, signal }) => {
      throwIfAborted(signal);
      const [program, ...args] = command;
      invariant(program !== undefined, 'a command has a program');
      const child = spawn(program, args, {
        stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
        detached: true,
        env: { ...inherited(), ...environment },
      });
      const output = new Captured();
      output.take(child.stdout!);
      output.take(child.stderr!);
      // A command need not read what it is given.
      child.stdin?.on('error', () => {});
      child.stdin?.end(input);
      const guard = watchOver(child, program, clock, timeoutMs, signal);
      try {
        const exitCode = await exitOf(child, program, clock);
        guard.check();
        return { exitCode, output: output.text() };
      } finally {
        guard.release();
      }
    },
  };
}

// --- internals -------------------------------------------------------------------------------

function inherited(): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => INHERITED.test(name)));
}

/** The beginning of what a command prints. */
class Captured {
  readonly #chunks: Buffer[] = [];
  #bytesCount = 0;

  take(stream: Readable): void {
    stream.on('error', () => {});
    stream.on('data', (chunk: Buffer) => {
      const room = OUTPUT_BYTES_MAX - this.#bytesCount;
      this.#bytesCount += chunk.length;
      if (room > 0) this.#chunks.push(chunk.subarray(0, room));
    });
  }

  text(): string {
    const text = Buffer.concat(this.#chunks).toString();
    const bytesMissing = this.#bytesCount - OUTPUT_BYTES_MAX;
    return bytesMissing > 0 ? `${text}\n[${bytesMissing} more bytes]\n` : text;
  }
}

/** The exit code, when the process has ended and its output is complete. */
async function exitOf(
  child: ChildProcess,
  program: string,
  clock: Pick<Clock, 'sleep'>,
): Promise<number> {
  const exited = deferred<number>();
  const closed = deferred<void>();
  child.on('error', (error) => exited.reject(startError(program, error)));
  child.on('exit', (code, signal) => {
    exited.resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
  });
  child.on('close', () => closed.resolve());
  const exitCode = await exited.promise;
  const timer = new AbortController();
  const waited = clock.sleep(OUTPUT_MS, timer.signal).catch(() => {});
  await Promise.race([closed.promise, waited]);
  timer.abort();
  child.stdout?.destroy();
  child.stderr?.destroy();
  return exitCode;
}

/** Ends the process group at the deadline or when stopped. */
function watchOver(
  child: ChildProcess,
  program: string,
  clock: Pick<Clock, 'sleep'>,
  timeoutMs: number,
  signal: AbortSignal,
): { check(): void; release(): void } {
  const over = new AbortController();
  let reason: Error | undefined;
  const end = (why: Error): void => {
    if (reason !== undefined) return;
    reason = why;
    killGroup(child, 'SIGTERM');
    clock.sleep(KILL_MS, over.signal).then(() => killGroup(child, 'SIGKILL'), () => {});
  };
  const stop = (): void => end(abortReason(signal));
  signal.addEventListener('abort', stop, { once: true });
  clock.sleep(timeoutMs, over.signal).then(() => {
    end(new ClusterError('timeout', `Command "${program}" took longer than ${timeoutMs} ms`));
  }, () => {});
  return {
    check: () => {
      if (reason !== undefined) throw reason;
    },
    release: () => {
      over.abort();
      signal.removeEventListener('abort', stop);
      // What the command left running in its group must not outlive its deadline.
      if (reason !== undefined) killGroup(child, 'SIGKILL');
    },
  };
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // There is no such group any more, or no groups on this system.
    child.kill(signal);
  }
}

function startError(program: string, error: Error): ClusterError {
  const code = systemCode(error);
  if (code === 'ENOENT') {
    return new ClusterError('notFound', `Cannot run "${program}": there is no such program`, {
      source: error,
      remedy: 'Write its full path in the configuration',
    });
  }
  const isRefused = code === 'EACCES' || code === 'EPERM';
  return new ClusterError(
    isRefused ? 'permission' : 'failed',
    `Cannot run "${program}": ${isRefused ? 'permission denied' : failureReason(error)}`,
    { source: error },
  );
}
