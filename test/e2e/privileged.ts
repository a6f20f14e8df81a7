/** What only root may do: file systems of a chosen size, networks that can be cut. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

/** Why file systems cannot be mounted here; false where they can. */
export const cannotMount: string | false = (() => {
  if (process.getuid?.() !== 0) return 'mounting a small file system takes root';
  const directory = mkdtempSync(join(tmpdir(), 'muster-e2e-'));
  const isMounted = succeeds('mount', '-t', 'tmpfs', '-o', 'size=1m', 'none', directory);
  if (isMounted) succeeds('umount', directory);
  rmSync(directory, { recursive: true });
  return isMounted ? false : 'this machine does not let tests mount file systems';
})();

/** Why networks cannot be made here; false where they can. */
export const cannotNetwork: string | false = (() => {
  if (process.getuid?.() !== 0) return 'a network namespace takes root';
  const name = `muster-probe-${process.pid}`;
  const isMade = succeeds('ip', 'netns', 'add', name);
  if (isMade) succeeds('ip', 'netns', 'del', name);
  return isMade ? false : 'this machine does not let tests make network namespaces';
})();

/** A small file system in memory. */
export interface SmallDisk {
  readonly path: string;
  /** Mounts it anew, e.g. with `size=200m`; what is on it stays. */
  resize(options: string): void;
}

/** Lets `work` use a small file system. */
export async function withSmallDisk(
  options: string,
  work: (disk: SmallDisk) => Promise<void>,
): Promise<void> {
  const path = mkdtempSync(join(tmpdir(), 'muster-e2e-'));
  run('mount', '-t', 'tmpfs', '-o', options, 'none', path);
  try {
    await work({ path, resize: (more) => run('mount', '-o', `remount,${more}`, path) });
  } finally {
    // Whatever still uses it keeps it until it is done with it.
    run('umount', '-l', path);
    rmSync(path, { recursive: true });
  }
}

/** Two machines of their own, as far as the network is concerned, and a switch between them. */
export interface TwoMachines {
  readonly left: NetworkEnd;
  readonly right: NetworkEnd;
  /** Pulls the cables out of the switch, or puts them back in; the machines do not notice. */
  readonly plug: (isIn: boolean) => void;
}

/** One of the machines. */
export interface NetworkEnd {
  readonly address: string;
  /** What a command has to begin with in order to run there. */
  readonly prefix: readonly string[];
}

/** Lets `work` use two machines. */
export async function withTwoMachines(
  work: (machines: TwoMachines) => Promise<void>,
): Promise<void> {
  const space = (what: string) => `muster-${what}-${process.pid}`;
  const hub = space('switch');
  const left = { address: '10.199.0.1', prefix: ['ip', 'netns', 'exec', space('left')] };
  const right = { address: '10.199.0.2', prefix: ['ip', 'netns', 'exec', space('right')] };
  const machines = [[space('left'), 'left', left], [space('right'), 'right', right]] as const;
  const plug = (isIn: boolean): void => {
    for (const [, port] of machines) {
      run('ip', '-n', hub, 'link', 'set', port, ...(isIn ? ['master', 'switch'] : ['nomaster']));
    }
  };
  try {
    run('ip', 'netns', 'add', hub);
    run('ip', '-n', hub, 'link', 'add', 'switch', 'type', 'bridge');
    run('ip', '-n', hub, 'link', 'set', 'switch', 'up');
    for (const [name, port, { address }] of machines) {
      run('ip', 'netns', 'add', name);
      const peer = ['peer', 'name', 'cable', 'netns', name];
      run('ip', '-n', hub, 'link', 'add', port, 'type', 'veth', ...peer);
      run('ip', '-n', hub, 'link', 'set', port, 'up');
      run('ip', '-n', name, 'address', 'add', `${address}/24`, 'dev', 'cable');
      run('ip', '-n', name, 'link', 'set', 'cable', 'up');
      run('ip', '-n', name, 'link', 'set', 'lo', 'up');
    }
    plug(true);
    await work({ left, right, plug });
  } finally {
    for (const name of [space('left'), space('right'), hub]) succeeds('ip', 'netns', 'del', name);
  }
}

// ---

function run(...[command = '', ...args]: readonly string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

function succeeds(...[command = '', ...args]: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}
