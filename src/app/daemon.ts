/**
 * `muster run`: the daemon. Opens the node, its control socket and, where wanted, its admin
 * address; stops in order when asked to.
 */
import { describeError } from '../base/errors.ts';
import type { Config } from '../config/config.ts';
import type { Operations } from '../node/operations.ts';
import type { Listener } from '../ports.ts';
import { systemClock } from '../runtime/clock.ts';
import { serveAdmin, serveControl } from '../runtime/control-server.ts';
import type { Log } from '../runtime/log.ts';
import { onSignal } from '../runtime/system.ts';
import { adminRoutes } from './admin-routes.ts';
import { controlRoutes } from './control-routes.ts';
import { openNode } from './open-node.ts';

/** After being asked to stop, what still runs is left behind after this long, ms. */
const stopMs = 4_500;

/** Runs the node of a configuration until the signal is aborted. */
export async function runDaemon(config: Config, log: Log, signal: AbortSignal): Promise<void> {
  const { logger } = log;
  const removeHangup = onSignal('SIGHUP', () => log.reopen());
  const node = await openNode(config, logger);
  const listeners: Listener[] = [];
  try {
    listeners.push(...await serve(config, node.operations, log));
    const work = node.run(signal);
    const stopped = new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
    }).then(() => systemClock.sleep(stopMs));
    await Promise.race([work, stopped]);
    logger.log('info', 'Stopped.');
  } catch (error) {
    logger.log('error', describeError(error));
    throw error;
  } finally {
    for (const listener of listeners) await listener.close();
    node.close();
    removeHangup();
    log.close();
  }
}

async function serve(config: Config, operations: Operations, log: Log): Promise<Listener[]> {
  const { logger } = log;
  const listeners = [
    await serveControl({
      path: config.node.controlSocket,
      routes: controlRoutes(operations),
      log: logger,
    }),
  ];
  const { admin } = config.node;
  if (admin !== undefined) {
    const listener = await serveAdmin({
      address: admin,
      routes: adminRoutes(operations),
      log: logger,
    });
    logger.log('info', `Metrics and health on ${listener.address}.`);
    listeners.push(listener);
  }
  return listeners;
}
