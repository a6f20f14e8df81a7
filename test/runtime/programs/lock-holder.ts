/** Takes the lock of a state directory and keeps it: `lock-holder.ts LOCKFILE`. */
import process from 'node:process';
import { acquireLock } from '../../../src/runtime/instance-lock.ts';

const lock = acquireLock(process.argv[2]!);
process.stdout.write('held\n');
process.stdin.once('data', () => {
  lock.release();
  process.stdout.write('released\n');
});
