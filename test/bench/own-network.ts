/**
 * Runs this program again in a network of its own, where the machine allows that: then nobody
 * else's traffic is counted with that of the contestants.
 */
import { spawn } from 'node:child_process';
import process from 'node:process';
import { finish } from './processes.ts';

/** Set for the program that runs inside; no name of muster's, which would refuse it. */
const mark = 'BENCH_NETWORK';

/** Whether only the contestants use the loopback device. */
export function hasOwnNetwork(): boolean {
  return process.env[mark] !== undefined;
}

/**
 * Runs this program inside to its end and gives its exit code; undefined where it runs inside
 * already or cannot.
 */
export async function runInOwnNetwork(
  env: Readonly<Record<string, string>>,
): Promise<number | undefined> {
  if (hasOwnNetwork()) return undefined;
  // Who is not root must become it inside to switch the loopback device on.
  const enter = ['--net', ...process.getuid!() === 0 ? [] : ['--map-root-user']];
  const isAllowed = await finish({ program: 'unshare', args: [...enter, ...upLoopback, 'true'] })
    .then(() => true, () => false);
  if (!isAllowed) return undefined;
  // As package.json starts it: deno does not tell of the options that it was given.
  const self = [process.execPath, 'run', '-A', ...process.argv.slice(1)];
  const child = spawn('unshare', [...enter, ...upLoopback, ...self], {
    env: { ...process.env, ...env, [mark]: 'own' },
    stdio: 'inherit',
  });
  // The one inside hears it too, and ends in order.
  process.on('SIGINT', () => {});
  return await new Promise((resolve, reject) => {
    child.on('error', reject).on('exit', (code) => resolve(code ?? 1));
  });
}

// ---

const upLoopback = ['sh', '-c', 'ip link set lo up && exec "$@"', 'sh'];
