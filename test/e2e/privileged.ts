/** What only root may do: file systems of a chosen size, networks that can be cut. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
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

/** Lets `work` use a small file system in memory at a directory. */
export async function withSmallDisk(
  directory: string,
  options: string,
  work: (disk: { resize(options: string): void }) => Promise<void>,
): Promise<void> {
  mkdirSync(directory, { recursive: true });
  run('mount', '-t', 'tmpfs', '-o', options, 'none', directory);
  try {
    await work({ resize: (more) => run('mount', '-o', `remount,${more}`, directory) });
  } finally {
    // What still uses it keeps it until it is done with it.
    run('umount', '-l', directory);
  }
}

/** Two networks, each with one machine, and a cable between them. */
export interface Cable {
  readonly left: NetworkEnd;
  readonly right: NetworkEnd;
  /** Pulls the cable out or puts it in; neither end is told anything. */
  plug(isIn: boolean): void;
}

/** A machine of its own as far as the network is concerned. */
export interface NetworkEnd {
  readonly address: string;
  /** What a command has to begin with in order to run there. */
  readonly prefix: readonly string[];
}

/** Lets `work` use two networks with a cable between them. */
export async function withCable(work: (cable: Cable) => Promise<void>): Promise<void> {
  const [left, right] = ['l', 'r'].map((side) => `muster-${side}-${process.pid}`);
  const [leftPort, rightPort] = ['l', 'r'].map((side) => `mus${side}${process.pid % 100_000}`);
  const end = (name: string, address: string): NetworkEnd => ({
    address,
    prefix: ['ip', 'netns', 'exec', name],
  });
  const cable = { left: end(left!, '10.199.0.1'), right: end(right!, '10.199.0.2') };
  try {
    for (const name of [left!, right!]) run('ip', 'netns', 'add', name);
    run('ip', 'link', 'add', leftPort!, 'type', 'veth', 'peer', 'name', rightPort!);
    for (
      const [name, port, { address }] of [
        [left!, leftPort!, cable.left],
        [right!, rightPort!, cable.right],
      ] as const
    ) {
      run('ip', 'link', 'set', port, 'netns', name);
      run('ip', '-n', name, 'address', 'add', `${address}/24`, 'dev', port);
      run('ip', '-n', name, 'link', 'set', port, 'up');
      run('ip', '-n', name, 'link', 'set', 'lo', 'up');
    }
    await work({
      ...cable,
      // Packets vanish in both directions, as behind a switch that has lost its power.
      plug: (isIn) => {
        const words = isIn ? ['del', 'dev', leftPort!, 'root'] : [
          ...['replace', 'dev', leftPort!, 'root', 'netem', 'loss', '100%'],
        ];
        run(...cable.left.prefix, 'tc', 'qdisc', ...words);
      },
    });
  } finally {
    for (const name of [left!, right!]) succeeds('ip', 'netns', 'del', name);
  }
}

// ---

function run(...[command = '', ...args]: readonly string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

function succeeds(...[command = '', ...args]: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}
