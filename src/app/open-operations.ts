/** Reaching the operations of a node: its daemon where one runs, else the node itself. */
import { ClusterError, codeOf } from '../base/errors.ts';
import type { OpenedOperations, OpenOptions } from '../cli/host.ts';
import type { Config } from '../config/config.ts';
import type { Logger } from '../ports.ts';
import { isLocked } from '../runtime/instance-lock.ts';
import { fileExists } from '../runtime/system.ts';
import { type OpenNode, openNode } from './open-node.ts';
import { isDaemonThere } from './patient-lock.ts';
import { remoteOperations } from './remote-operations.ts';

/** Opens the operations of a node; see `Host.openOperations`. */
export async function openOperations(
  config: Config,
  options: OpenOptions,
  log: Logger,
): Promise<OpenedOperations> {
  if (await isHeld(config) && await isDaemonThere(config)) return daemonOf(config);
  if (options.needs === 'daemon') {
    throw new ClusterError('unreachable', `No daemon runs on "${config.node.state}"`, {
      remedy: 'Start it with "muster run"',
    });
  }
  let node: OpenNode;
  try {
    node = await openNode(config, log);
  } catch (error) {
    // A daemon that was only starting a moment ago.
    if (codeOf(error) === 'locked' && await isDaemonThere(config)) return daemonOf(config);
    throw error;
  }
  return {
    operations: node.operations,
    isDaemon: false,
    close: () => {
      node.close();
      return Promise.resolve();
    },
  };
}

/** Whether somebody has the node open; looking makes no file. */
async function isHeld(config: Config): Promise<boolean> {
  return await fileExists(config.paths.lock) && isLocked(config.paths.lock);
}

function daemonOf(config: Config): OpenedOperations {
  return {
    operations: remoteOperations(config.node.controlSocket),
    isDaemon: true,
    close: () => Promise.resolve(),
  };
}
