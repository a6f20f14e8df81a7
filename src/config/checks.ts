/**
 * What no single key can tell: whether the values of a configuration fit together.
 */
import { displayPath, fromText } from '../base/bytes.ts';
import type { Config } from './config.ts';
import { relativeTo } from './location.ts';
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
export function* misfits(config: Config): Generator<Misfit> {
  yield* pairs(config);
  yield* socketPath(config.node.controlSocket);
  const choices = config.sets.map(choiceOf);
  yield* overlaps(choices);
  yield* ownFiles(config, choices);
}

// ---------------------------------------------------------------------------------------------

function* pairs(config: Config): Generator<Misfit> {
  const { node, worker, keepAlive, certificates } = config;
  if (node.role === 'worker' && worker.master.length === 0) {
    yield {
      key: 'worker.master',
      message: 'key "worker.master" is required on a worker: the address of the master, ' +
        'such as master = ["10.0.0.1:1517"]',
    };
  }
  if (worker.reconnectMinMs > worker.reconnectMaxMs) {
    yield {
      key: 'worker.reconnect_min',
      message:
        `key "worker.reconnect_min" (${formatDuration(worker.reconnectMinMs)}) must not be ` +
        `longer than "worker.reconnect_max" (${formatDuration(worker.reconnectMaxMs)})`,
    };
  }
  if (keepAlive.silenceMaxMs <= keepAlive.intervalMs) {
    yield {
      key: 'keep_alive.silence_max',
      message: `key "keep_alive.silence_max" (${formatDuration(keepAlive.silenceMaxMs)}) must be ` +
        `longer than "keep_alive.interval" (${formatDuration(keepAlive.intervalMs)}), or the ` +
        'master closes connections that are alive',
    };
  }
  if (certificates.renewBeforeMs >= certificates.nodeDays * dayMs) {
    yield {
      key: 'certificates.renew_before',
      message: `key "certificates.renew_before" (${formatDuration(certificates.renewBeforeMs)}) ` +
        `must be shorter than "certificates.node_days" (${certificates.nodeDays} days), or nodes ` +
        'renew without end',
    };
  }
}

function* socketPath(path: string): Generator<Misfit> {
  const bytes = fromText(path).length;
  if (bytes <= socketPathBytesMax) return;
  yield {
    key: 'node.control_socket',
    message: `the control socket "${path}" has ${bytes} bytes, and the system allows ` +
      `${socketPathBytesMax}: set control_socket under [node] to a shorter path, ` +
      'such as "/run/muster/control.sock"',
  };
}

function* overlaps(sets: readonly Choice[]): Generator<Misfit> {
  if (sets.length > setsMax) {
    yield {
      key: `sets[${setsMax}]`,
      message: `there are ${sets.length} sets, and nodes can tell each other of ${setsMax}`,
    };
    return;
  }
  for (const [index, choice] of sets.entries()) {
    const { set } = choice;
    const key = `sets[${index}]`;
    for (const pattern of vainPatterns(choice)) {
      yield {
        key: `${key}.include`,
        message: `set "${set.name}" includes "${pattern}" and leaves it out at the same time: ` +
          'correct its exclude patterns or recursive, or set exclude_defaults = false',
      };
    }
    for (const earlier of sets.slice(0, index)) {
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
function* ownFiles(config: Config, sets: readonly Choice[]): Generator<Misfit> {
  const { node, paths, log } = config;
  const own: [string, string][] = [
    [`${node.tls}/x`, node.tls],
    [paths.database, paths.database],
    [`${paths.staging}/x`, paths.staging],
    [`${paths.versions}/x`, paths.versions],
    [paths.lock, paths.lock],
    [node.controlSocket, node.controlSocket],
    [log.file, log.file],
    [config.file, config.file],
  ];
  for (const [index, { set, isChosen }] of sets.entries()) {
    const [hit] = own.filter(([witness]) => {
      const within = relativeTo(node.root, witness);
      return within !== undefined && isChosen(fromText(within));
    });
    if (hit === undefined) continue;
    yield {
      key: `sets[${index}].path`,
      message:
        `set "${set.name}" would copy "${hit[1]}", which belongs to muster itself: move it ` +
        'out of the managed tree or exclude it',
    };
  }
}
