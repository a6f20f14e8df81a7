/**
 * THE table of commands: names, arguments, options and help of each, declared once.
 *
 * The parser, the help texts and the completion scripts follow from it, and `commands/registry.ts`
 * has to name a handler for each. To add a command, add it here.
 */
import { connectionStatuses } from '../agents/agent.ts';
import { defaultPort } from '../config/default-port.ts';
import type { ArgumentSpec, CommandSpec, OptionSpec } from './command-spec.ts';

// --- options that several commands have --------------------------------------------------------

const config: OptionSpec = {
  name: 'config',
  value: 'FILE',
  doc: 'Configuration file; default: $MUSTER_CONFIG, ./muster.toml, /etc/muster/muster.toml',
  completes: 'file',
};
const dir: OptionSpec = {
  name: 'dir',
  value: 'DIR',
  doc: 'The same as --config DIR/muster.toml',
  completes: 'directory',
};
const wazuhHome: OptionSpec = {
  name: 'wazuh-home',
  value: 'DIR',
  doc: 'Be the node that the <cluster> section of DIR/etc/ossec.conf describes, without a ' +
    'muster.toml',
  completes: 'directory',
};
const newDir: OptionSpec = {
  name: 'dir',
  value: 'DIR',
  doc: 'Where to write muster.toml and all else; default: the working directory',
  completes: 'directory',
};
const json: OptionSpec = { name: 'json', doc: 'Print one JSON document instead of text' };
const quiet: OptionSpec = {
  name: 'quiet',
  doc: 'Print no messages on success, and one line otherwise',
};
const color: OptionSpec = {
  name: 'color',
  value: 'WHEN',
  doc: 'Colours: auto (on a terminal), always or never',
  choices: ['auto', 'always', 'never'],
};
const name: OptionSpec = {
  name: 'name',
  value: 'NODE',
  doc: 'Name of the node, unique in the cluster; default: the name of this machine',
};
const root: OptionSpec = {
  name: 'root',
  value: 'TREE',
  doc: 'The managed tree; default: /var/ossec',
  completes: 'directory',
};

/** The tree that `init` and `join` manage where none is named. */
export const defaultRoot = '/var/ossec';

const output = [json, quiet, color];
const node = [config, dir, wazuhHome, ...output];
/** Of commands that concern the certificates of the native protocol. */
const nativeNode = [config, dir, ...output];

const group: ArgumentSpec = { name: 'GROUP', doc: 'Name of the group' };
const someAgents: ArgumentSpec = {
  name: 'ID',
  doc: 'Numbers of agents',
  isOptional: true,
  isRepeatable: true,
};
const agentChoice: readonly OptionSpec[] = [
  { name: 'all-agents', doc: 'All agents' },
  { name: 'from-group', value: 'GROUP', doc: 'All agents that have this group' },
];

// --- the commands ------------------------------------------------------------------------------

/** All commands, in the order of the help text. */
export const commands = {
  init: {
    summary: 'Make a master: configuration, authority and certificate',
    description: [
      'Writes DIR/muster.toml, the authority of a new cluster and the certificate of its master. ' +
      'Never overwrites anything.',
    ],
    arguments: [],
    options: [
      newDir,
      name,
      { name: 'cluster', value: 'NAME', doc: 'Name of the cluster; default: muster' },
      {
        name: 'listen',
        value: 'HOST:PORT',
        doc: `Address on which workers are accepted; default: 0.0.0.0:${defaultPort}`,
      },
      root,
      {
        name: 'whole-tree',
        doc: 'Manage every file of the tree, as one set, in place of the default sets',
      },
      ...output,
    ],
    examples: [
      'muster init --dir /etc/muster --name master-1 --root /var/ossec',
      'muster init --dir ./master --root ./rules --whole-tree',
    ],
  },
  token: {
    summary: 'Print a token with which a node can join',
    description: [
      'On the master. The token is printed alone on standard output, as one line. It is a secret ' +
      'until it has been used.',
    ],
    arguments: [],
    options: [
      { name: 'ttl', value: 'TIME', doc: 'How long it is valid, such as 30m or 24h; default: 24h' },
      { name: 'uses', value: 'N', doc: 'How many nodes may join with it; default: 1' },
      { name: 'node', value: 'NODE', doc: 'The only name that may join with it; default: any' },
      {
        name: 'address',
        value: 'HOST:PORT',
        doc: 'Where the master is reached; default: where it listens. May be repeated',
        isRepeatable: true,
      },
      ...nativeNode,
    ],
    examples: ['muster token', 'muster token --ttl 30m --node worker-1 --address 10.0.0.1:1517'],
  },
  join: {
    summary: 'Make a worker: join the cluster that a token names',
    description: [
      'Connects to the master, proves that it is the one that the token means, gets a certificate ' +
      'and writes DIR/muster.toml. $MUSTER_TOKEN stands for a TOKEN that is left out, so that it ' +
      'need not show in the list of processes.',
    ],
    arguments: [{ name: 'TOKEN', doc: 'The line that "muster token" printed', isOptional: true }],
    options: [newDir, name, root, ...output],
    examples: ['muster join muster1.AJ4k... --name worker-1 --root /var/ossec'],
  },
  run: {
    summary: 'Run the daemon in the foreground',
    description: ['In the role that the configuration gives, until SIGINT or SIGTERM.'],
    arguments: [],
    options: [config, dir, wazuhHome, color],
    examples: ['muster run --config /etc/muster/muster.toml'],
  },
  sync: {
    summary: 'Do one round of synchronisation and exit',
    description: [
      'On a worker. Where a daemon runs on the same state directory, it does the round at once and ' +
      'its result is reported.',
    ],
    arguments: [],
    options: [
      { name: 'once', doc: 'One round; has to be said' },
      { name: 'dry-run', doc: 'Change nothing, show what would be changed' },
      {
        name: 'timeout',
        value: 'TIME',
        doc: 'Give up after so long, such as 5m; default: only the limits of the configuration',
      },
      ...node,
    ],
    synopsis: '--once',
    examples: ['muster sync --once --dry-run', 'muster sync --once --quiet --timeout 5m'],
  },
  check: {
    summary: 'Compare the files on the disk with the master, change nothing',
    description: [
      'Reads every managed file anew. On a master the tree is compared with the generation that it ' +
      'published last.',
    ],
    arguments: [],
    options: [
      { name: 'offline', doc: 'Compare with the generation applied last, without the master' },
      ...node,
    ],
    examples: ['muster check', 'muster check --offline --quiet'],
  },
  diff: {
    summary: 'Show what a round of synchronisation would change',
    description: ['"+" would be created, "~" replaced, "-" removed.'],
    arguments: [],
    options: node,
    examples: ['muster diff', 'muster diff --json'],
  },
  status: {
    summary: 'Show how the running daemon is doing',
    arguments: [],
    options: [
      {
        name: 'watch',
        doc: 'Refresh every second; with --json print one line for every change',
      },
      ...node,
    ],
    examples: ['muster status', 'muster status --watch --json'],
  },
  'agents list': {
    summary: 'List agents, with what they reported',
    description: [
      'On the master all of them, on a worker those that it knows. Without --limit all that match ' +
      'are listed.',
    ],
    arguments: [],
    options: [
      {
        name: 'status',
        value: 'STATUS',
        doc: `Only agents that are ${connectionStatuses.slice(0, -1).join(', ')} or ` +
          `${connectionStatuses.at(-1)}`,
        choices: connectionStatuses,
      },
      { name: 'node', value: 'NODE', doc: 'Only agents that report to this node' },
      { name: 'group', value: 'GROUP', doc: 'Only agents of this group' },
      { name: 'os', value: 'PLATFORM', doc: 'Only agents on this platform, such as ubuntu' },
      { name: 'limit', value: 'N', doc: 'At most N agents, those with the lowest numbers' },
      ...node,
    ],
    isDefault: true,
    examples: ['muster agents list --status disconnected', 'muster agents list --group web --json'],
  },
  'agents show': {
    summary: 'Show all that is known of one agent',
    arguments: [{ name: 'ID', doc: 'Number of the agent, such as 007 or 7' }],
    options: node,
    examples: ['muster agents show 007'],
  },
  'agents add': {
    summary: 'Make an agent exist that is not in the keys file',
    description: ['On the master. The agents of the keys file are there without it.'],
    arguments: [{
      name: 'ID',
      doc: 'Its number; the next free one if left out',
      isOptional: true,
    }],
    options: [
      { name: 'name', value: 'NAME', doc: 'Its name' },
      { name: 'ip', value: 'IP', doc: 'Its address or subnet; default: any' },
      ...node,
    ],
    synopsis: '--name NAME',
    examples: ['muster agents add --name web-7', 'muster agents add 007 --name db --ip 10.0.0.7'],
  },
  'agents remove': {
    summary: 'Remove agents that were added, on all nodes',
    description: [
      'On the master. What was reported of them goes too, and their groups. Agents of the keys file ' +
      'are removed by taking them from there.',
    ],
    arguments: [{ name: 'ID', doc: 'Numbers of agents', isRepeatable: true }],
    options: node,
    examples: ['muster agents remove 007 008'],
  },
  'agents report': {
    summary: 'Take in what agents report, from standard input',
    description: [
      'One JSON object a line (or an array of them): "id" and any of the columns that "agents show" ' +
      'names, such as name, version, os_name, labels, connection_status or last_keepalive. What is ' +
      'accepted is stored. Lines that cannot be read are refused with their numbers.',
      'Exits with 0 where all was accepted, 5 where some was, and 1 where nothing was.',
    ],
    arguments: [],
    options: node,
    examples: [
      'muster agents report < reports.ndjson',
      `echo '{"id":7,"os_name":"Debian"}' | muster agents report`,
    ],
  },
  'groups list': {
    summary: 'List the groups of agents',
    description: ['A group is a directory of the shared files, etc/shared unless configured.'],
    arguments: [],
    options: node,
    isDefault: true,
    examples: ['muster groups list'],
  },
  'groups show': {
    summary: 'Show a group and its files',
    arguments: [{ name: 'GROUP', doc: 'Name of the group' }],
    options: node,
    examples: ['muster groups show web'],
  },
  'groups create': {
    summary: 'Make a group: its directory with an empty agent.conf',
    description: ['On the master. It is published at once.'],
    arguments: [{ name: 'GROUP', doc: 'Name of the new group' }],
    options: node,
    examples: ['muster groups create web'],
  },
  'groups remove': {
    summary: 'Take a group from all its agents, and remove its directory',
    description: ['On the master.'],
    arguments: [{ name: 'GROUP', doc: 'Name of the group' }],
    options: [{ name: 'force', doc: 'Also where it holds files' }, ...node],
    examples: ['muster groups remove web --force'],
  },
  'groups assign': {
    summary: 'Give a group to agents, behind those that they have',
    description: ['On the master. Connected workers know it within a second.'],
    arguments: [group, someAgents],
    options: [...agentChoice, ...node],
    examples: ['muster groups assign web 007 008', 'muster groups assign web --from-group default'],
  },
  'groups unassign': {
    summary: 'Take a group from agents',
    description: ['On the master. An agent that is left without a group gets "default".'],
    arguments: [group, someAgents],
    options: [...agentChoice, ...node],
    examples: ['muster groups unassign web 007', 'muster groups unassign web --all-agents'],
  },
  approve: {
    summary: 'Let through what a guard has halted',
    arguments: [{ name: 'SET', doc: 'The halted set; all of them if left out', isOptional: true }],
    options: node,
    examples: ['muster approve shared'],
  },
  rollback: {
    summary: 'Put back earlier versions of files',
    description: ['What was put back stays so until "muster approve" ends it.'],
    arguments: [],
    options: [
      {
        name: 'generation',
        value: 'N',
        doc: 'Undo this generation and all that was applied since',
      },
      { name: 'version', value: 'ID', doc: 'Undo one change that "muster versions" lists' },
      ...node,
    ],
    examples: ['muster rollback --generation 812', 'muster rollback --version 4711'],
  },
  versions: {
    summary: 'List the changes of files that can be undone',
    description: [
      'Each with what was there before it. Undoing "created" removes the file; what was "given-up"',
      'is no longer kept.',
    ],
    arguments: [{ name: 'PATH', doc: 'One file; all of them if left out', isOptional: true }],
    options: node,
    examples: ['muster versions etc/rules/local_rules.xml'],
  },
  'cert show': {
    summary: 'Show the certificates of this node',
    arguments: [],
    options: nativeNode,
    examples: ['muster cert show'],
  },
  'nodes list': {
    summary: 'List the nodes that have joined',
    description: ['On the master, with the Wazuh workers that are connected.'],
    arguments: [],
    options: node,
    isDefault: true,
    examples: ['muster nodes'],
  },
  'nodes revoke': {
    summary: 'Expel a node: its certificate is no longer accepted',
    description: ['On the master. The node can join again with a new token.'],
    arguments: [{ name: 'NODE', doc: 'Name of the node' }],
    options: nativeNode,
    examples: ['muster nodes revoke worker-1'],
  },
  'config check': {
    summary: 'Check the configuration, and tell all that is wrong with it',
    arguments: [],
    options: node,
    examples: ['muster config check --config new.toml'],
  },
  'config show': {
    summary: 'Show every value in effect and where it comes from',
    arguments: [],
    options: node,
    examples: ['muster config show'],
  },
  'config schema': {
    summary: 'Print the JSON Schema of the configuration file',
    arguments: [],
    options: [json],
    examples: ['muster config schema > muster.schema.json'],
  },
  doctor: {
    summary: 'Look for what may keep this node from working',
    description: ['Exits with 1 where something fails.'],
    arguments: [],
    options: node,
    examples: ['muster doctor'],
  },
  completion: {
    summary: 'Print a script with which a shell completes command lines',
    arguments: [{ name: 'SHELL', doc: 'bash, zsh or fish', choices: ['bash', 'zsh', 'fish'] }],
    options: [],
    examples: [
      'source <(muster completion bash)',
      'muster completion fish > ~/.config/fish/completions/muster.fish',
    ],
  },
  version: {
    summary: 'Print the version',
    arguments: [],
    options: [json],
    examples: ['muster version --json'],
  },
} as const satisfies Readonly<Record<string, CommandSpec>>;

/** The name of a command; those of a group have two words. */
export type CommandName = keyof typeof commands;

/** All commands with their names, in the order of the help text. */
export const commandList: readonly (readonly [CommandName, CommandSpec])[] = Object.entries<
  CommandSpec
>(commands) as [CommandName, CommandSpec][];

/** The first words of all commands, each once, with the commands that begin with it. */
export const commandGroups: ReadonlyMap<string, readonly (readonly [CommandName, CommandSpec])[]> =
  groupCommands();

function groupCommands() {
  const groups = new Map<string, (readonly [CommandName, CommandSpec])[]>();
  for (const entry of commandList) {
    const [word = ''] = entry[0].split(' ');
    groups.set(word, [...groups.get(word) ?? [], entry]);
  }
  return groups;
}
