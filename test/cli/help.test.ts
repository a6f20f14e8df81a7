import assert from 'node:assert/strict';
import test from 'node:test';
import { commandList } from '../../src/cli/command-table.ts';
import { helpText } from '../../src/cli/help.ts';
import { run } from './fake-host.ts';

test('helpText() lists every command and every exit code', () => {
  assert.equal(
    helpText(undefined),
    `muster keeps the nodes of a cluster in step with their master.

Usage: muster COMMAND [OPTION]...

Commands:
  init             Make a master: configuration, authority and certificate
  token            Print a token with which a node can join
  join             Make a worker: join the cluster that a token names
  run              Run the daemon in the foreground
  sync             Do one round of synchronisation and exit
  check            Compare the files on the disk with the master, change nothing
  diff             Show what a round of synchronisation would change
  status           Show how the running daemon is doing
  agents list      List agents, with what they reported
  agents show      Show all that is known of one agent
  agents add       Make an agent exist that is not in the keys file
  agents remove    Remove agents that were added, on all nodes
  agents report    Take in what agents report, from standard input
  groups list      List the groups of agents
  groups show      Show a group and its files
  groups create    Make a group: its directory with an empty agent.conf
  groups remove    Take a group from all its agents, and remove its directory
  groups assign    Give a group to agents, behind those that they have
  groups unassign  Take a group from agents
  approve          Let through what a guard has halted
  rollback         Put back earlier versions of files
  versions         List the changes of files that can be undone
  cert show        Show the certificates of this node
  nodes list       List the nodes that have joined
  nodes revoke     Expel a node: its certificate is no longer accepted
  config check     Check the configuration, and tell all that is wrong with it
  config show      Show every value in effect and where it comes from
  config schema    Print the JSON Schema of the configuration file
  doctor           Look for what may keep this node from working
  completion       Print a script with which a shell completes command lines
  version          Print the version

Options:
  -h, --help  Explain this
  --version   Print the version

Exit codes:
  0      done, or in sync
  1      failure
  2      wrong usage
  3      configuration not valid
  4      differences found
  5      partly done
  6      halted by a guard
  7      peer unreachable or too late
  8      authentication or TLS failed
  9      peer not compatible
  10     another instance is running
  128+N  stopped by signal N

"muster COMMAND --help" explains a command.
`,
  );
});

test('helpText() of a command has its usage, arguments, options and an example', () => {
  assert.equal(
    helpText('nodes revoke'),
    `Usage: muster nodes revoke NODE [OPTION]...

Expel a node: its certificate is no longer accepted.

On the master. The node can join again with a new token.

Arguments:
  NODE  Name of the node

Options:
  --config FILE  Configuration file; default: $MUSTER_CONFIG, ./muster.toml,
                 /etc/muster/muster.toml
  --dir DIR      The same as --config DIR/muster.toml
  --json         Print one JSON document instead of text
  --quiet        Print no messages on success, and one line otherwise
  --color WHEN   Colours: auto (on a terminal), always or never
  -h, --help     Explain this

Example:
  muster nodes revoke worker-1
`,
  );
});

test('helpText() of every command fits 80 columns and has examples', () => {
  for (const [name, { examples }] of commandList) {
    const text = helpText(name);
    for (const line of text.split('\n')) assert.ok(line.length <= 80, line);
    assert.ok(examples.length > 0, name);
    for (const example of examples) {
      assert.ok(example.includes(`muster ${name}`) || name === 'nodes list', example);
    }
  }
});

test('--help prints to standard output and exits with 0', async () => {
  const { exitCode, stdout, stderr } = await run('config --help');
  assert.equal(exitCode, 0);
  assert.match(stdout, /^Usage: muster config COMMAND/);
  assert.equal(stderr, '');
});
