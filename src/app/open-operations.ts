/** Reaching the operations of a node: its daemon where one runs, else the node itself. */
import { ClusterError, codeOf } from '../base/errors.ts';
import type { OpenedOperations, OpenOptions } from '../cli/host.ts';
import type { Config } from '../config/config.ts';
import type { Logger } from '../ports.ts';
import { callControl } from '../runtime/control-client.ts';
import { isLocked } from '../runtime/instance-lock.ts';
import { fileExists } from '../runtime/system.ts';
import { openNode } from './open-node.ts';
import { remoteOperations } from './remote-operations.ts';

/** Opens the operations of a node; see `Host.openOperations`. */
export async function openOperations(
  config: Config,
  options: OpenOptions,
  log: Logger,
): Promise<OpenedOperations> {
  const isHeld = await fileExists(config.paths.lock) && isLocked(config.paths.lock);
  if (isHeld) return await askDaemon(config);
  if (options.needs === 'daemon') {
    throw new ClusterError('unreachable', `No daemon runs on "${config.node.state}"`, {
      remedy: 'Start it with "muster run"',
    });
  }
  const node = await openNode(config, log);
  return {
    operations: node.operations,
    isDaemon: false,
    close: () => {
      node.close();
      return Promise.resolve();
    },
  };
}

async function askDaemon(config: Config): Promise<OpenedOperations> {
  const socket = config.node.controlSocket;
  try {
    await callControl({ path: socket, route: '/v1/status' });
  } catch (error) {
    if (codeOf(error) !== 'unreachable') throw error;
    throw new ClusterError('locked', `Another muster is using "${config.node.state}"`, {
      cause: error,
      remedy: 'Wait until it has ended, and try again',
    });
  }
  return {
    operations: remoteOperations(socket),
    isDaemon: true,
    close: () => Promise.resolve(),
  };
}
