/**
 * Runs commands as whole processes and reads what they took from Linux: time, CPU, memory, bytes
 * over the loopback device.
 *
 * CPU time of a command is that of all it started and waited for, so only one command is measured
 * at a time. Peak memory is `VmHWM`, read every few milliseconds until the end: the kernel keeps
 * the peak, so only a rise in the last moment is missed. (`ru_maxrss` would count what this
 * program itself had when it forked.)
 */
import { spawn } from 'node:child_process';
import { accessSync, constants, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { setInterval } from 'node:timers';
import { setTimeout as sleep } from 'node:timers/promises';

/** What one run took; what does not apply is left out. */
export interface Run {
  /** From the start of the process to its end, ms. */
  readonly wallMs: number;
  /** CPU time of the command and all it started, ms. */
  readonly cpuMs?: number | undefined;
  /** Peak resident memory of its largest process, bytes; undefined where it was gone too soon. */
  readonly rssBytes?: number | undefined;
  /** CPU time that its server took meanwhile, ms. */
  readonly serverCpuMs?: number | undefined;
  /** Peak resident memory of its server's largest process meanwhile, bytes. */
  readonly serverRssBytes?: number | undefined;
  /** What the loopback device carried meanwhile, headers and acknowledgements included, bytes. */
  readonly wireBytes?: number | undefined;
  /** The longest time for which anything held the event loop of a daemon, ms. */
  readonly holdMs?: number | undefined;
}

/** A command to be measured. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  /** Variables set in addition to this process's own. @default none */
  readonly env?: Readonly<Record<string, string>>;
  /** Process id of the daemon that serves it and whose share is measured too. @default none */
  readonly server?: number | undefined;
}

/** What a daemon took from one moment to another. */
export interface DaemonUsage {
  readonly cpuMs: number;
  /** Peak of its largest process. */
  readonly rssBytes: number | undefined;
}

/** One unit of CPU time in /proc, ms: USER_HZ is 100 wherever Linux runs. */
export const tickMs = 10;

/** Pause between two looks at the memory, ms: short enough for the last peak, and cheap. */
const sampleMs = 10;

/** What empties the page cache and all else that Linux remembers of files. */
const dropCaches = '/proc/sys/vm/drop_caches';

/** Makes everything written so far durable, so that no writing back disturbs what follows. */
export async function flushDisks(): Promise<void> {
  await finish({ program: 'sync', args: [] });
}

/** Why the system's memory of files cannot be emptied here; undefined where it can. */
export const cannotForget = canWrite(dropCaches) ? undefined : 'not root';

/** Empties the system's memory of files, so that the next one to read them waits for the disk. */
export async function forgetFiles(): Promise<void> {
  await flushDisks();
  writeFileSync(dropCaches, '3');
}

/** Measures a command, which must succeed. The disks are flushed before. */
export async function measure(command: Command): Promise<Run> {
  await flushDisks();
  const memory = new MemoryWatch();
  const server = command.server === undefined ? undefined : new DaemonWatch(command.server);
  const startCpuMs = cpuTimes('self').children;
  const startBytes = loopbackBytes();
  try {
    const wallMs = await finish(command, (pid) => memory.watch(pid));
    const cpuMs = cpuTimes('self').children - startCpuMs;
    const wireBytes = server === undefined ? undefined : loopbackBytes() - startBytes;
    const { cpuMs: serverCpuMs, rssBytes: serverRssBytes } = await server?.end() ?? {};
    return { wallMs, cpuMs, rssBytes: memory.peak(), serverCpuMs, serverRssBytes, wireBytes };
  } finally {
    memory.stop();
    server?.stop();
  }
}

/** Watches a running daemon from now on. */
export class DaemonWatch {
  readonly #pid: number;
  readonly #memory = new MemoryWatch();
  readonly #startCpuMs: number;

  constructor(pid: number) {
    this.#pid = pid;
    // Sets the peak that the kernel keeps back to what the process has now.
    writeFileSync(`/proc/${pid}/clear_refs`, '5');
    this.#startCpuMs = cpuOf(pid);
    this.#memory.watch(pid);
  }

  /** What it took; waits for the children that it has started. */
  async end(): Promise<DaemonUsage> {
    while (childrenOf(this.#pid).length > 0) await sleep(1);
    this.stop();
    return { cpuMs: cpuOf(this.#pid) - this.#startCpuMs, rssBytes: this.#memory.peak() };
  }

  /** Looks no further. */
  stop(): void {
    this.#memory.stop();
  }
}

/** CPU time of a process and of its children that have ended, ms. */
export function cpuOf(pid: number): number {
  const { own, children } = cpuTimes(pid);
  return own + children;
}

/** Resident memory of a process now, bytes. */
export function residentBytes(pid: number): number | undefined {
  return statusBytes(pid, 'VmRSS');
}

/** Peak resident memory of a process so far, bytes. */
export function peakBytes(pid: number): number | undefined {
  return statusBytes(pid, 'VmHWM');
}

/** Runs a command to its end and gives the time that took, ms. */
export async function finish(command: Command, started?: (pid: number) => void): Promise<number> {
  const startMs = performance.now();
  const child = spawn(command.program, command.args, {
    cwd: '/',
    env: { ...process.env, NO_COLOR: '1', ...command.env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text));
  const ended = new Promise<{ wallMs: number; code: number | null }>((resolve, reject) => {
    let wallMs = 0;
    let endCode: number | null = null;
    child.on('error', reject);
    child.on('exit', (code) => {
      wallMs = performance.now() - startMs;
      endCode = code;
    });
    child.on('close', () => resolve({ wallMs, code: endCode }));
  });
  if (child.pid !== undefined) started?.(child.pid);
  const { wallMs, code } = await ended;
  if (code === 0) return wallMs;
  const line = [command.program, ...command.args].join(' ');
  throw new Error(`Cannot measure "${line}", it ended with ${code}: ${complaint.trim()}`);
}

// ---

/** Follows the peak memory of a process and its children. */
class MemoryWatch {
  readonly #peaks = new Map<number, number>();
  #timer: NodeJS.Timeout | undefined;
  #pid = 0;

  watch(pid: number): void {
    this.#pid = pid;
    this.#timer = setInterval(() => this.#look(), sampleMs);
    // What fails is not watched to its end.
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** The peak of the largest process so far, bytes. */
  peak(): number | undefined {
    this.#look();
    return this.#peaks.size === 0 ? undefined : Math.max(...this.#peaks.values());
  }

  #look(): void {
    for (const pid of [this.#pid, ...childrenOf(this.#pid)]) {
      const bytes = isOurs(pid) ? undefined : peakBytes(pid);
      // The last one counts: a peak only grows, except when the process becomes another program.
      if (bytes !== undefined) this.#peaks.set(pid, bytes);
    }
  }
}

/** Whether a process is still our image and has yet to become the program it was started for. */
function isOurs(pid: number): boolean {
  try {
    return readlinkSync(`/proc/${pid}/exe`) === process.execPath;
  } catch {
    return true;
  }
}

/** Children that the first thread of a process has, and theirs. */
function childrenOf(pid: number): number[] {
  const text = readProc(`${pid}/task/${pid}/children`) ?? '';
  const children = text.split(' ').filter(Boolean).map(Number);
  return children.flatMap((child) => [child, ...childrenOf(child)]);
}

function cpuTimes(pid: number | 'self'): { readonly own: number; readonly children: number } {
  const text = readProc(`${pid}/stat`);
  if (text === undefined) throw new Error(`Cannot measure process ${pid}: it has ended`);
  // The name before it may hold anything; after it, utime, stime, cutime and cstime are 11 to 14.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ').map(Number);
  const [user = 0, system = 0, childrenUser = 0, childrenSystem = 0] = fields.slice(11, 15);
  return { own: (user + system) * tickMs, children: (childrenUser + childrenSystem) * tickMs };
}

function statusBytes(pid: number, name: string): number | undefined {
  const found = new RegExp(`^${name}:\\s*(\\d+) kB$`, 'm').exec(readProc(`${pid}/status`) ?? '');
  return found === null ? undefined : Number(found[1]) * 1024;
}

function loopbackBytes(): number {
  const found = /^\s*lo:\s*(\d+)/m.exec(readProc('net/dev') ?? '');
  return Number(found?.[1] ?? 0);
}

/** A file of /proc; undefined where its process has ended. */
function readProc(path: string): string | undefined {
  try {
    return readFileSync(`/proc/${path}`, 'utf8');
  } catch {
    return undefined;
  }
}

function canWrite(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
