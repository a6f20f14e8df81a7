/**
 * What no single key can tell: whether the values of a configuration fit together.
 *
 * Also one of which parts were refused is looked at, so that all problems are reported at once; a
 * check that needs a refused value says nothing.
 */
import { displayPath, fromText } from '../base/bytes.ts';
import type { ReadConfig } from './config.ts';
import { relativeTo, statePaths } from './location.ts';
import { type Choice, choiceOf, commonPath, vainPatterns } from './selection.ts';
import { formatDuration } from './units.ts';

/** A problem of the configuration as a whole, at the key that is best looked at. */
export interface Misfit {
  /** `keep_alive.silence_max`, `sets[1]` */
  readonly key: string;
  readonly message: string;
}

/**
 * The longest path of a Unix socket: the system's address structure has 108 bytes, the last a zero.
 */
export const socketPathBytesMax = 107;

/** The most sets that a message between nodes can name. */
export const setsMax = 256;

const dayMs = 86_400_000;

/** Everything in a configuration that does not fit together. */
export function* misfits(config: ReadConfig): Generator<Misfit> {
  yield* pairs(config);
  yield* wazuh(config);
  yield* socketPath(config.node.controlSocket);
  const choices: readonly Indexed[] = config.sets.flatMap((set, index) =>
    set === undefined ? [] : [{ index, ...choiceOf(set) }]
  );
  yield* overlaps(config.sets.length, choices);
  yield* ownFiles(config, choices);
}

// ---------------------------------------------------------------------------------------------

/** What a set chooses, and where among the sets of the configuration it stands. */
type Indexed = Choice & { readonly index: number };

function* pairs(config: ReadConfig): Generator<Misfit> {
  const { node, worker, keepAlive, certificates } = config;
  if (node.role === 'worker' && node.protocol === 'native' && worker.master?.length === 0) {
    yield {
      key: 'worker.master',
      message: 'key "worker.master" is required on a worker: the address of the master, ' +
        'such as master = ["10.0.0.1:1517"]',
    };
  }
  const { reconnectMinMs = 0, reconnectMaxMs = Infinity } = worker;
  if (reconnectMinMs > reconnectMaxMs) {
    yield {
      key: 'worker.reconnect_min',
      message: `key "worker.reconnect_min" (${formatDuration(reconnectMinMs)}) must not be ` +
        `longer than "worker.reconnect_max" (${formatDuration(reconnectMaxMs)})`,
    };
  }
  const { silenceMaxMs = Infinity, intervalMs = 0 } = keepAlive;
  if (silenceMaxMs <= intervalMs) {
    yield {
      key: 'keep_alive.silence_max',
      message: `key "keep_alive.silence_max" (${formatDuration(silenceMaxMs)}) must be ` +
        `longer than "keep_alive.interval" (${formatDuration(intervalMs)}), or the ` +
        'master closes connections that are alive',
    };
  }
  const { renewBeforeMs = 0, nodeDays = Infinity } = certificates;
  if (renewBeforeMs >= nodeDays * dayMs) {
    yield {
      key: 'certificates.renew_before',
      message: `key "certificates.renew_before" (${formatDuration(renewBeforeMs)}) ` +
        `must be shorter than "certificates.node_days" (${nodeDays} days), or nodes ` +
        'renew without end',
    };
  }
}

/** What the protocol of Wazuh asks for. */
function* wazuh(config: ReadConfig): Generator<Misfit> {
  const { node, wazuh: { master, listen } } = config;
  if (node.protocol === 'wazuh' && node.role === 'master' && listen === undefined) {
    yield {
      key: 'wazuh.listen',
      message: 'key "wazuh.listen" is required on a master of Wazuh workers alone: the address ' +
        'on which it accepts them, such as listen = "0.0.0.0:1516"',
    };
  }
  if (node.role === 'worker' && listen !== undefined) {
    yield {
      key: 'wazuh.listen',
      message: 'key "wazuh.listen" is for the master: a worker accepts nobody',
    };
  }
  if (node.protocol !== 'wazuh' || node.role !== 'worker') return;
  if (master?.length === 0) {
    yield {
      key: 'wazuh.master',
      message: 'key "wazuh.master" is required on a worker of a Wazuh cluster: the address of ' +
        'the master, such as master = ["10.0.0.1:1516"]',
    };
  }
  if (node.name !== undefined && !/^[A-Za-z0-9_-]+$/.test(node.name)) {
    yield {
      key: 'node.name',
      message:
        `key "node.name" cannot be "${node.name}" in a Wazuh cluster: Error 3060 - Invalid ` +
        `node name format: ${node.name}`,
    };
  }
}

function* socketPath(path: string | undefined): Generator<Misfit> {
  if (path === undefined) return;
  const bytes = fromText(path).length;
  if (bytes <= socketPathBytesMax) return;
  yield {
    key: 'node.control_socket',
    message: `the control socket "${path}" has ${bytes} bytes, and the system allows ` +
      `${socketPathBytesMax}: set control_socket under [node] to a shorter path, ` +
      'such as "/run/muster/control.sock"',
  };
}

function* overlaps(count: number, sets: readonly Indexed[]): Generator<Misfit> {
  if (count > setsMax) {
    yield {
      key: `sets[${setsMax}]`,
      message: `there are ${count} sets, and nodes can tell each other of ${setsMax}`,
    };
    return;
  }
  for (const [place, choice] of sets.entries()) {
    const { set } = choice;
    const key = `sets[${choice.index}]`;
    for (const pattern of vainPatterns(choice)) {
      yield {
        key: `${key}.include`,
        message: `set "${set.name}" includes "${pattern}" and leaves it out at the same time: ` +
          'correct its exclude patterns or recursive, or set exclude_defaults = false',
      };
    }
    for (const earlier of sets.slice(0, place)) {
      if (earlier.set.name === set.name) {
        yield { key: `${key}.name`, message: `set "${set.name}" is declared twice: rename one` };
        continue;
      }
      const path = commonPath(earlier, choice);
      if (path === undefined) continue;
      yield {
        key: `${key}.path`,
        message:
          `sets "${earlier.set.name}" and "${set.name}" overlap: a file "${
            displayPath(path)
          }" would ` +
          'belong to both; exclude it from one of them',
      };
    }
  }
}

/** Keys, database and sockets must never travel, however the tree is chosen. */
function* ownFiles(config: ReadConfig, sets: readonly Indexed[]): Generator<Misfit> {
  const { node: { root, state, tls, controlSocket }, log } = config;
  if (root === undefined) return;
  const paths = state === undefined ? undefined : statePaths(state);
  const own: readonly (readonly [string | undefined, 'file' | 'directory'])[] = [
    [tls, 'directory'],
    [paths?.database, 'file'],
    [paths?.staging, 'directory'],
    [paths?.versions, 'directory'],
    [paths?.lock, 'file'],
    [controlSocket, 'file'],
    [log.file, 'file'],
    [config.file, 'file'],
  ];
  for (const { index, set, isChosen } of sets) {
    const [hit] = own.find(([path, kind]) => {
      if (path === undefined) return false;
      const within = relativeTo(root, kind === 'directory' ? `${path}/x` : path);
      return within !== undefined && isChosen(fromText(within));
    }) ?? [];
    if (hit === undefined) continue;
    yield {
      key: `sets[${index}].path`,
      message: `set "${set.name}" would copy "${hit}", which belongs to muster itself: move it ` +
        'out of the managed tree or exclude it',
    };
  }
}
