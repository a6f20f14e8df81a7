/**
 * Runs this program again with a loopback device and a disk of its own, as far as the machine
 * allows that (the disk takes root).
 *
 * Nobody else's traffic is counted then, and nobody else's deletions are paid for: an ext4 without
 * a journal avoids inodes for up to five minutes after their files were deleted, and creating files
 * becomes several times as slow. The disk is a new ext4 in a sparse file that has no name any more,
 * mounted where only this program sees it, so that all of it is gone when the last process ends,
 * however that ends.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { finish } from './processes.ts';

/** What a program can have for itself. */
type Own = 'network' | 'network and disk';

/** Tells the program inside what it has; no name of muster's, which would refuse it. */
const mark = 'BENCH_OWN';

/** Size of the disk; only what is written takes space. */
const diskSize = '64G';

/** Whether only this program uses the loopback device. */
export function hasOwnNetwork(): boolean {
  return process.env[mark] !== undefined;
}

/** Whether only this program uses the disk of the directory for temporary files. */
export function hasOwnDisk(): boolean {
  return process.env[mark] === 'network and disk' satisfies Own;
}

/**
 * Runs this program inside to its end and gives its exit code; undefined where it runs inside
 * already or cannot.
 */
export async function runInOwnSurroundings(
  env: Readonly<Record<string, string>>,
): Promise<number | undefined> {
  if (hasOwnNetwork()) return undefined;
  const directory = mkdtempSync(join(tmpdir(), 'muster-bench-'));
  mkdirSync(join(directory, 'disk'));
  try {
    const enter = await possibleEntrance(directory);
    return enter === undefined ? undefined : await runAgain(enter, env);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

// ---

const upLoopback = 'ip link set lo up';

const mountDisk = [
  'image="$1/image" disk="$1/disk"',
  `truncate --size=${diskSize} "$image"`,
  'mkfs.ext4 -q "$image"',
  // Past the cache of the disk below, as a disk would be written to.
  'loop=$(losetup --find --show --direct-io=on "$image")',
  'rm "$image"',
  '{ mount "$loop" "$disk" || failed=yes; }',
  // Only when it is not mounted any more.
  'losetup --detach "$loop"',
  '[ -z "$failed" ]',
  'export TMPDIR="$disk"',
];

/** The command before another one that gives it the most that it can have. */
async function possibleEntrance(directory: string): Promise<string[] | undefined> {
  const isRoot = process.getuid!() === 0;
  const script = (own: Own, steps: readonly string[]) => {
    const line = [...steps, `export ${mark}="${own}"`, 'shift', 'exec "$@"'].join(' && ');
    return ['sh', '-c', line, 'sh', directory];
  };
  const entrances = [
    ['--net', '--mount', ...script('network and disk', [upLoopback, ...mountDisk])],
    // Who is not root is allowed to switch the device on inside.
    [
      '--net',
      ...isRoot ? [] : ['--map-current-user', '--keep-caps'],
      ...script('network', [upLoopback]),
    ],
  ];
  for (const enter of isRoot ? entrances : entrances.slice(1)) {
    const isPossible = await finish({ program: 'unshare', args: [...enter, 'true'] })
      .then(() => true, () => false);
    if (isPossible) return enter;
  }
  return undefined;
}

async function runAgain(
  enter: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<number> {
  // As package.json starts it: deno does not tell of the options that it was given.
  const self = [process.execPath, 'run', '-A', ...process.argv.slice(1)];
  // Both hear it, and the one inside ends in order.
  process.on('SIGINT', () => {});
  const child = spawn('unshare', [...enter, ...self], {
    env: { ...process.env, ...env },
    stdio: 'inherit',
  });
  return await new Promise((resolve, reject) => {
    child.on('error', reject).on('exit', (code) => resolve(code ?? 1));
  });
}
