/**
 * THE table of configuration keys: name, kind, default and documentation of each, declared once.
 *
 * `Config` is inferred from it: tables and keys in camel case, the unit at the end of the name
 * (`[keep_alive] interval = "60s"` is `config.keepAlive.intervalMs === 60_000`). To add a key, add
 * it here: file, environment, options, JSON Schema, reference page and effective configuration
 * follow. Keys of file sets are in `set-keys.ts`, those of group rules in `group-rule-keys.ts`.
 */
import { addresses, choice, count, duration, list, listenAddress } from './kinds.ts';
import { optionalAddress, optionalPath, path, share, size, text, toggle } from './kinds.ts';
import { treePath } from './tree-path.ts';
import { defaultPort } from './default-port.ts';
import type { Camel, Key, Resolved } from './key.ts';

/** The port of Wazuh clusters. */
export const wazuhPort = 1516;

const namePattern = /^(?!\.{1,2}$)[A-Za-z0-9_.-]{1,64}$/;
// What a certificate can carry: see `nameProblem` in src/identity.
const nameExpected = 'must be 1 to 64 letters, digits, ".", "_" or "-"';
const command = {
  kind: 'command and arguments',
  // deno-lint-ignore no-control-regex
  pattern: /^[^\u0000]+$/,
  expected:
    'must be a list of texts: the command and its arguments, such as ["/usr/bin/cmd", "-t"]',
} as const;
const placeInTree = {
  pattern: /./,
  expected: 'must be a path below the root, relative to it',
  expand: treePath,
} as const;

/** A table of the file. */
export interface Table {
  /** For people: what the table is about. */
  readonly doc: string;
  readonly keys: Readonly<Record<string, Key>>;
}

/** All tables with their keys, in the order in which they are shown. */
export const tables = {
  node: {
    doc: 'Who this node is and where its files are',
    keys: {
      name: text({
        doc: 'Name of the node, unique in the cluster. "auto" stands for the host name, and so ' +
          'does $HOSTNAME within a name',
        required: 'worker-1',
        pattern: namePattern,
        expected: nameExpected,
        expand: (name, { hostname }) =>
          hostname === undefined
            ? name
            : name === 'auto'
            ? hostname
            : name.replaceAll('$HOSTNAME', hostname),
      }),
      role: choice(['master', 'worker'], {
        doc: 'A cluster has one master; its files are what the workers get',
        required: 'worker',
      }),
      protocol: choice(['native', 'wazuh'], {
        doc: 'How a node talks to others: "wazuh" makes it a worker of a Wazuh 4.14 cluster, or ' +
          'a master of such workers alone, without certificates; see `[wazuh]`',
        default: 'native',
      }),
      cluster: text({
        doc: 'Name of the cluster, the same on all its nodes',
        default: 'muster',
        pattern: namePattern,
        expected: nameExpected,
      }),
      root: path({
        doc:
          'The managed tree. Nothing outside of it is ever written, and of it only the file sets',
        required: '/var/ossec',
      }),
      state: path({
        doc: 'Directory of the database, of staged files and of kept versions',
        derived: 'the directory of the configuration file',
      }),
      tls: path({ doc: 'Directory of certificates and keys', derived: '`STATE/tls`' }),
      control_socket: path({
        doc: 'Unix socket by which commands reach the daemon; at most 107 bytes long',
        derived: '`STATE/control.sock`',
      }),
      admin: optionalAddress({
        doc: 'Address for metrics and health over HTTP, read only and without authentication; ' +
          '"" is none',
        default: '',
      }),
    },
  },
  master: {
    doc: 'What the master grants; without effect on a worker',
    keys: {
      listen: listenAddress({
        doc: 'Address on which workers are accepted',
        default: `0.0.0.0:${defaultPort}`,
      }),
      sessions_max: count({
        doc: 'Workers connected at the same time',
        default: 1000,
        minimum: 1,
        maximum: 100_000,
      }),
      handshakes_max: count({
        doc: 'Connections that have not yet proved who they are, at the same time',
        default: 256,
        minimum: 1,
        maximum: 65_536,
      }),
      handshakes_per_address_max: count({
        doc: 'The same, from one address',
        default: 16,
        minimum: 1,
        maximum: 65_536,
      }),
      handshake_timeout: duration({
        doc: 'How long a connection may take to prove who it is',
        default: '10s',
        minimum: '100ms',
        maximum: '10m',
      }),
    },
  },
  worker: {
    doc: 'How a worker reaches its master; without effect on the master',
    keys: {
      master: addresses({
        doc: 'Addresses of the master, tried in order; required on a worker. ' +
          `Port ${defaultPort} where none is given`,
        default: [],
        portDefault: defaultPort,
      }),
      reconnect_min: duration({
        doc: 'Pause before the first attempt to connect again; it doubles with each failure',
        default: '500ms',
        minimum: '10ms',
        maximum: '1d',
      }),
      reconnect_max: duration({
        doc: 'The longest pause between two attempts to connect',
        default: '30s',
        minimum: '10ms',
        maximum: '1d',
      }),
      connect_timeout: duration({
        doc: 'How long one attempt to connect may take',
        default: '10s',
        minimum: '100ms',
        maximum: '10m',
      }),
    },
  },
  keep_alive: {
    doc: 'How both ends notice that the connection is dead',
    keys: {
      interval: duration({
        doc: 'How often the worker asks whether the master is there',
        default: '60s',
        minimum: '50ms',
      }),
      misses_max: count({
        doc: 'Questions without an answer after which the worker connects anew',
        default: 2,
        minimum: 1,
        maximum: 1000,
      }),
      silence_max: duration({
        doc: 'How long the master hears nothing from a worker before it closes the connection; ' +
          'from a Wazuh worker no keep-alive, for 120 s at least',
        default: '120s',
        minimum: '50ms',
      }),
    },
  },
  local_integrity: {
    doc: 'How a node learns what is in its own tree',
    keys: {
      interval: duration({
        doc:
          'How often the master looks for changes that nobody told of; at the whole tree, where ' +
          'not all of it is watched',
        default: '8s',
        minimum: '50ms',
      }),
      watch: toggle({
        doc: 'Watch the tree, and look at once where the system reports a change',
        default: true,
      }),
      sweep_every: duration({
        doc:
          'While all of the tree is watched: how often every file is looked at nevertheless, a ' +
          'part in each interval, since reports can be lost',
        default: '4m',
        minimum: '50ms',
      }),
      rehash_every: duration({
        doc: 'How often every file is read again, even if its size and time have not changed',
        default: '24h',
        minimum: '1s',
        maximum: '365d',
      }),
      algorithm: choice(['md5', 'sha256', 'blake2b'], {
        doc: 'Hash of file contents; the one of the master counts',
        default: 'md5',
      }),
      racy_window: duration({
        doc: 'A file changed so recently is read again in the next round: its time alone does ' +
          'not tell',
        default: '2s',
        minimum: '0s',
        maximum: '10m',
      }),
    },
  },
  integrity: {
    doc: 'How a worker gets in step with the master',
    keys: {
      interval: duration({
        doc: 'How often the worker compares, if the master announced nothing meanwhile',
        default: '9s',
        minimum: '50ms',
      }),
      timeout: duration({
        doc: 'How long one round may take',
        default: '10m',
        minimum: '1s',
      }),
      compress: toggle({ doc: 'Compress contents on the way', default: true }),
      batch: size({
        doc: 'Contents asked for in one request',
        default: '8MiB',
        minimum: '64KiB',
        maximum: '1GiB',
      }),
    },
  },
  apply: {
    doc: 'How received files are put in place',
    keys: {
      keep_versions: count({
        doc: 'Earlier versions kept of each replaced or deleted file, for `muster rollback`',
        default: 3,
        minimum: 0,
        maximum: 1000,
      }),
      preserve_mtime: toggle({
        doc: 'Give files the modification time that they have on the master when their content ' +
          'is transferred. A time that changes alone, as by `touch`, is not',
        default: true,
      }),
      flush: toggle({
        doc: 'Wait until the disk has the files before the round counts as done. Without it a ' +
          'power cut can undo a finished round',
        default: true,
      }),
      space_reserve: size({
        doc: 'Bytes of the file system that stay free; a round that needs them fails',
        default: '64MiB',
      }),
    },
  },
  guard: {
    doc: 'When a set is halted instead of changed, until `muster approve`',
    keys: {
      deletions_share_max: share({
        doc: 'The largest share of the files of a set that one round may delete',
        default: 0.5,
      }),
      deletions_max: count({
        doc: 'The largest number of files of a set that one round may delete',
        default: 1000,
        minimum: 0,
        maximum: 1_000_000_000,
      }),
      emptied: toggle({ doc: 'Halt a set that would lose all its files', default: true }),
      shrink_share_max: share({
        doc:
          'The largest share of its size that a key file may lose, at once or within ten minutes',
        default: 0.5,
      }),
      trust_master_approval: toggle({
        doc: 'An approval given on the master counts on this worker',
        default: true,
      }),
    },
  },
  hooks: {
    doc: 'Commands that a worker runs around a change, once for each generation',
    keys: {
      validate: list({
        doc: 'Checks the new files before they are put in place; its failure keeps them out',
        default: [],
        ...command,
      }),
      reload: list({
        doc: 'Makes other programs read the new files after they were put in place',
        default: [],
        ...command,
      }),
      timeout: duration({
        doc: 'How long one command may take before it is stopped',
        default: '60s',
        minimum: '100ms',
      }),
    },
  },
  agents: {
    doc: 'Agents and their groups',
    keys: {
      keys_file: text({
        doc: 'The file of the agents that exist, relative to the root: lines `id name ip key`',
        default: 'etc/client.keys',
        ...placeInTree,
      }),
      groups_directory: text({
        doc: 'The directory of the groups, relative to the root: a group is a directory in it ' +
          'that holds files',
        default: 'etc/shared',
        ...placeInTree,
      }),
      info_interval: duration({
        doc: 'How often a worker brings to the master what its agents reported; where much is ' +
          'waiting it does so sooner',
        default: '10s',
        minimum: '50ms',
      }),
      silence_max: duration({
        doc: 'How long the master hears nothing of an agent before that counts as disconnected',
        default: '10m',
        minimum: '1s',
      }),
      groups_interval: duration({
        doc: 'How often the master looks for assignments to publish, and offers them to each ' +
          'worker, if nothing happened meanwhile',
        default: '10s',
        minimum: '50ms',
      }),
      group_match: choice(['first', 'all'], {
        doc: 'Whether a new agent gets the groups of the first group rule that fits, or of all',
        default: 'first',
      }),
    },
  },
  certificates: {
    doc: 'Certificates of the nodes, which the authority on the master signs',
    keys: {
      node_days: count({
        doc: 'Days for which the certificate of a node is valid',
        default: 90,
        minimum: 1,
        maximum: 3650,
      }),
      renew_before: duration({
        doc: 'A node renews its certificate when so much time is left',
        default: '30d',
        minimum: '1h',
        maximum: '3650d',
      }),
    },
  },
  wazuh: {
    doc:
      'The Wazuh 4.14 cluster that the node is in: as a worker with `node.protocol = "wazuh"`, ' +
      'as a master that also accepts Wazuh workers with `listen`',
    keys: {
      master: addresses({
        doc: 'Addresses of the Wazuh master, tried in order; required on a worker of one. ' +
          `Port ${wazuhPort} where none is given`,
        default: [],
        portDefault: wazuhPort,
      }),
      listen: optionalAddress({
        doc: `Address on which a master accepts Wazuh workers, usually "0.0.0.0:${wazuhPort}"; ` +
          '"" is none',
        default: '',
      }),
      cluster: text({
        doc: 'Name of the Wazuh cluster',
        default: 'wazuh',
        // deno-lint-ignore no-control-regex
        pattern: /^[^\s\u0000-\u001f\u007f]{1,128}$/,
        expected: 'must be 1 to 128 characters without spaces',
      }),
      key_file: path({
        doc: 'File that holds the 32 characters of the cluster key; `$MUSTER_WAZUH_KEY` counts ' +
          'over it. The key itself is never shown',
        derived: '`STATE/wazuh.key`',
      }),
      version: text({
        doc: 'The version of Wazuh to announce, or to ask of workers: it has to be exactly the ' +
          'one of the other nodes',
        default: '4.14.7',
        pattern: /^\d{1,3}\.\d{1,3}\.\d{1,3}$/,
        expected: 'must be a version such as "4.14.7"',
      }),
      home: optionalPath({
        doc:
          'The directory of a Wazuh installation, usually "/var/ossec": the `<cluster>` section ' +
          'of its `etc/ossec.conf` (the key too) and the file sets of its `cluster.json` count ' +
          'where this file says nothing; "" is none',
        default: '',
      }),
    },
  },
  log: {
    doc: 'What is logged, and where to',
    keys: {
      file: path({ doc: 'The log file', derived: '`STATE/logs/cluster.log`' }),
      level: choice(['debug', 'info', 'warning', 'error'], {
        doc: 'The least important lines that are logged',
        default: 'info',
      }),
      format: choice(['text', 'json'], { doc: 'The form of a line', default: 'text' }),
      phrases: choice(['native', 'wazuh'], {
        doc: 'Whether tasks of the Wazuh protocol are told of in words of muster or in those of ' +
          '`cluster.log`, which other programs read; on a master its own rounds too',
        derived: 'as `node.protocol`; "wazuh" with an installation',
      }),
    },
  },
} as const satisfies Readonly<Record<string, Table>>;

/** The resolved values of all tables. */
export type ResolvedTables = {
  readonly [Name in keyof typeof tables as Camel<Name>]: Resolved<
    (typeof tables)[Name]['keys']
  >;
};

/** Every key with its table, in the order in which they are shown. */
export function* eachKey(): Generator<{ table: string; name: string; dotted: string; key: Key }> {
  for (const [table, { keys }] of Object.entries<Table>(tables)) {
    for (const [name, key] of Object.entries(keys)) {
      yield { table, name, dotted: `${table}.${name}`, key };
    }
  }
}
