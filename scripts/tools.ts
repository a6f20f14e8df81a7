/**
 * Where the tools are and how to run them.
 *
 * Owns the repository's paths, the lookup of bun, deno and the other programs inside
 * `node_modules`, and the one way scripts start a child process: bounded in time, with its output
 * collected in order. Works after `npm ci --ignore-scripts`: nothing here relies on what an
 * install script would have put in place. Must not know what any tool is used for.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

/** Absolute path of the repository. */
export const root: string = dirname(dirname(fileURLToPath(import.meta.url)));

/** Directory of everything that is built. */
export const dist: string = join(root, 'dist');

/** What to run, and for how long at most. */
export interface CommandOptions {
  /** Directory to run in. @default the repository */
  readonly cwd?: string;
  /** Variables set in addition to this process's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** After this time the command and all it started are killed. Milliseconds. @default 600000 */
  readonly limitMs?: number;
}

/** How a command ended. */
export interface CommandResult {
  /** Exit code; `null` when a signal ended it. */
  readonly code: number | null;
  /** True when it was killed because `limitMs` passed. */
  readonly isLate: boolean;
  /** stdout and stderr, in the order in which they arrived. */
  readonly output: string;
}

/** Runs a command to its end. Rejects only when it cannot be started. */
export function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const isWindows = process.platform === 'win32';
  const child = spawn(command, args, {
    cwd: options.cwd ?? root,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own, so that a late command takes its children with it.
    detached: !isWindows,
    // npm's launchers are .cmd files there, which only a shell runs.
    shell: isWindows && command.endsWith('.cmd'),
  });
  const chunks: Uint8Array[] = [];
  child.stdout.on('data', (chunk: Uint8Array) => chunks.push(chunk));
  child.stderr.on('data', (chunk: Uint8Array) => chunks.push(chunk));
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    if (isWindows || child.pid === undefined) child.kill('SIGKILL');
    else process.kill(-child.pid, 'SIGKILL');
  }, options.limitMs ?? 600_000);
  return new Promise((resolve, reject) => {
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(new Error(`Cannot run "${command}": ${error.message}`, { cause: error }));
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      // Decoded once at the end: a chunk may stop inside a character.
      const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
      let offset = 0;
      for (const chunk of chunks) {
        bytes.set(chunk, offset);
        offset += chunk.length;
      }
      resolve({ code, isLate, output: new TextDecoder().decode(bytes) });
    });
  });
}

/** Path of a program that npm linked into `node_modules/.bin`. */
export function toolPath(name: string): string {
  const suffix = process.platform === 'win32' ? '.cmd' : '';
  return join(root, 'node_modules', '.bin', name + suffix);
}

/** Path of deno: the one that runs this script, else the installed one. */
export function denoPath(): string {
  return process.versions['deno'] === undefined ? toolPath('deno') : process.execPath;
}

/**
 * Path of bun inside its platform package. `node_modules/.bin/bun` is a stub that only bun's
 * install script replaces, so it is never used.
 */
export function bunPath(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const arch = process.arch === 'arm64' ? 'aarch64' : process.arch;
  const names = [`bun-${platform}-${arch}`];
  if (platform === 'linux') {
    // An npm that knows no "libc" field installs both packages, so the order matters.
    if (isMusl()) names.unshift(`bun-linux-${arch}-musl`);
    else names.push(`bun-linux-${arch}-musl`);
  }
  const file = platform === 'windows' ? 'bun.exe' : 'bun';
  const paths = names.map((name) => join(root, 'node_modules', '@oven', name, 'bin', file));
  const found = paths.find((path) => existsSync(path));
  if (found === undefined) {
    throw new Error(`Cannot find bun at "${paths.join('" or "')}": run "npm ci" first`);
  }
  return found;
}

/** True on a Linux whose C library is musl. */
export function isMusl(): boolean {
  const arch = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  return process.platform === 'linux' && existsSync(`/lib/ld-musl-${arch}.so.1`) &&
    !existsSync('/lib64/ld-linux-x86-64.so.2') && !existsSync('/lib/ld-linux-aarch64.so.1');
}
