/**
 * Taking the instance lock with a little patience: a one-shot command holds it for a moment, and
 * neither a daemon that starts in that moment nor the next command should fail for it.
 */
import { codeOf } from '../base/errors.ts';
import type { Config } from '../config/config.ts';
import { callControl } from '../runtime/control-client.ts';
import { systemClock } from '../runtime/clock.ts';
import { acquireLock, type InstanceLock } from '../runtime/instance-lock.ts';

/** How long a lock may be held by something that is no daemon before we give up, ms. */
const patienceMs = 5_000;

/** Pause between two attempts, ms. */
const pauseMs = 50;

/** Whether a daemon answers on the control socket of a node. */
export async function isDaemonThere(config: Config): Promise<boolean> {
  try {
    await callControl({ path: config.node.controlSocket, route: '/v1/status' });
    return true;
  } catch (error) {
    if (codeOf(error) === 'unreachable') return false;
    throw error;
  }
}

/**
 * Takes the lock of a node's state directory.
 * @throws ClusterError('locked') at once where a daemon holds it, else after some seconds
 */
export async function acquirePatiently(config: Config): Promise<InstanceLock> {
  const startedMs = systemClock.monotonicMs();
  for (;;) {
    try {
      return acquireLock(config.paths.lock);
    } catch (error) {
      const isLate = systemClock.monotonicMs() - startedMs > patienceMs;
      if (codeOf(error) !== 'locked' || isLate || await isDaemonThere(config)) throw error;
      await systemClock.sleep(pauseMs);
    }
  }
}
