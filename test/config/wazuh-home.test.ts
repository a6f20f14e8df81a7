import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConfigReader, loadConfig, type LoadOptions } from '../../src/config/load.ts';
import { ConfigError } from '../../src/config/problems.ts';

const clusterSection = `<ossec_config>
  <cluster>
    <name>soc</name>
    <node_name>worker-01</node_name>
    <node_type>worker</node_type>
    <key>9d273b53510fef702b54a92e9cffc82e</key>
    <port>1600</port>
    <nodes>
      <node>10.0.0.7</node>
    </nodes>
    <disabled>no</disabled>
  </cluster>
</ossec_config>
`;

const clusterJson = JSON.stringify({
  files: {
    'etc/': {
      permissions: '0o640',
      files: ['client.keys'],
      recursive: false,
      remove_subdirs_if_empty: false,
      extra_valid: false,
    },
    'etc/shared/': {
      permissions: '0o660',
      files: ['all'],
      recursive: true,
      remove_subdirs_if_empty: true,
      extra_valid: false,
    },
    'var/my things/': { permissions: '0o600', files: ['a.x', 'b.x'], recursive: true },
    excluded_files: ['ar.conf'],
    excluded_extensions: ['~', '.tmp'],
  },
  intervals: {
    worker: {
      sync_integrity: 12,
      keep_alive: 30,
      connection_retry: 5,
      max_failed_keepalive_attempts: 3,
    },
  },
});

function load(files: Record<string, string>, options: Partial<LoadOptions>, hasAccount = false) {
  const reader: ConfigReader = {
    read: (path) => Promise.resolve(files[path]),
    expand: () => Promise.resolve([]),
    hasAccount: () => hasAccount,
  };
  return loadConfig(reader, { env: {}, workingDirectory: '/work', ...options });
}

async function problemsOf(loading: Promise<unknown>): Promise<string[]> {
  try {
    await loading;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ where, message }) => `${where}: ${message}`);
  }
  return [];
}

const home = '/var/ossec';
const ossecConf = `${home}/etc/ossec.conf`;
const commonFile = `${home}/framework/wazuh/core/cluster/cluster.json`;

test('an installation alone describes a worker of its cluster', async () => {
  const env = { STATE_DIRECTORY: '/var/lib/m' };
  const { config, origins } = await load({ [ossecConf]: clusterSection }, { wazuhHome: home, env });
  assert.equal(config.node.name, 'worker-01');
  assert.equal(config.node.role, 'worker');
  assert.equal(config.node.protocol, 'wazuh');
  assert.equal(config.node.root, home);
  assert.equal(config.node.state, '/var/lib/m');
  assert.equal(config.node.controlSocket, '/var/lib/m/control.sock');
  assert.equal(config.log.file, '/var/ossec/logs/cluster.log');
  assert.equal(config.log.phrases, 'wazuh');
  assert.deepEqual(config.wazuh, {
    master: ['10.0.0.7:1600'],
    listen: undefined,
    cluster: 'soc',
    keyFile: '/var/lib/m/wazuh.key',
    version: '4.14.7',
    home,
  });
  assert.deepEqual(
    config.sets.map(({ name, path, mode, prune, pruneFiles }) => [
      [name, path, mode, prune].join(),
      ...pruneFiles,
    ]),
    [
      [`agent-keys,etc,${0o640},false`],
      [`shared,etc/shared,${0o660},true`, 'ar.conf', 'ossec.conf'],
      [`multigroups,var/multigroups,${0o660},true`, 'ar.conf', 'ossec.conf'],
      [`rules,etc/rules,${0o660},false`],
      [`decoders,etc/decoders,${0o660},false`],
      [`lists,etc/lists,${0o660},false`],
    ],
  );
  assert.equal(config.sets[0]!.keyFile, true);
  assert.equal(config.integrity.intervalMs, 9000);
  assert.equal(config.worker.reconnectMaxMs, 10_000);
  assert.deepEqual(config.keepAlive, { intervalMs: 60_000, missesMax: 2, silenceMaxMs: 120_000 });
  assert.equal(origins.get('node.name')?.detail, ossecConf);
});

test('what all nodes have in common is read where it is there', async () => {
  const files = { [ossecConf]: clusterSection, [commonFile]: clusterJson };
  const { config } = await load(files, { wazuhHome: '../var/ossec' }, true);
  assert.equal(config.node.state, '/var/lib/muster');
  assert.deepEqual(config.sets.map(({ name }) => name), ['agent-keys', 'shared', 'var-my-things']);
  assert.deepEqual(config.sets[2]!.include, ['**/a.x', '**/b.x']);
  assert.deepEqual(config.sets[2]!.exclude, ['**/*~', '**/*.tmp', '**/ar.conf']);
  assert.equal(config.sets[0]!.owner, 'wazuh');
  assert.equal(config.sets[0]!.group, 'wazuh');
  assert.equal(config.integrity.intervalMs, 12_000);
  assert.equal(config.keepAlive.intervalMs, 30_000);
  assert.equal(config.keepAlive.missesMax, 3);
  assert.equal(config.worker.reconnectMaxMs, 5_000);
});

test('an installation alone makes a master of Wazuh workers alone, beside a file one of both', async () => {
  const text = clusterSection.replace('worker</node_type>', 'master</node_type>');
  const alone = await load({ [ossecConf]: text }, { wazuhHome: home });
  const toml = `[wazuh]\nhome = "${home}"\n`;
  const beside = await load({ [ossecConf]: text, '/work/muster.toml': toml }, {});
  for (const [{ config }, protocol] of [[alone, 'wazuh'], [beside, 'native']] as const) {
    assert.equal(config.node.role, 'master');
    assert.equal(config.node.protocol, protocol);
    assert.equal(config.wazuh.listen, '0.0.0.0:1600');
    assert.equal(config.log.phrases, 'wazuh');
  }
});

test('a file that names an installation counts over it', async () => {
  const file = '/work/muster.toml';
  const toml = `[wazuh]
home = "/var/ossec"
master = ["other:1700"]
[integrity]
interval = "3s"
`;
  const { config } = await load({ [file]: toml, [ossecConf]: clusterSection }, {});
  assert.equal(config.node.name, 'worker-01');
  assert.deepEqual(config.wazuh.master, ['other:1700']);
  assert.equal(config.wazuh.cluster, 'soc');
  assert.equal(config.integrity.intervalMs, 3000);
  assert.equal(config.node.state, '/work');
});

test('all that is wrong with a section is told at once, in the words of real nodes', async () => {
  const text = clusterSection
    .replace('<key>9d', '<key>')
    .replace('1600', '99')
    .replace('10.0.0.7', 'localhost')
    .replace('worker-01', 'w.1');
  assert.deepEqual(await problemsOf(load({ [ossecConf]: text }, { wazuhHome: home })), [
    `${ossecConf}:6: Error 3004 - Error in cluster configuration: Key must be 32 characters long ` +
    'and only have alphanumeric characters',
    `${ossecConf}:7: Error 3004 - Error in cluster configuration: Port must be higher than 1024 ` +
    'and lower than 65535.',
    `${ossecConf}:8: Error 3004 - Error in cluster configuration: Invalid elements in node ` +
    'fields: localhost.',
    `${ossecConf}:4: Error 3060 - Invalid node name format: w.1`,
  ]);
});

test('a cluster that is disabled, and an installation that is none, are told of', async () => {
  const disabled = clusterSection.replace('<disabled>no', '<disabled>yes');
  assert.match(
    (await problemsOf(load({ [ossecConf]: disabled }, { wazuhHome: home })))[0]!,
    /disabled/,
  );
  assert.match(
    (await problemsOf(load({}, { wazuhHome: home })))[0]!,
    /no such file.*no Wazuh install/,
  );
  const bad = { [ossecConf]: clusterSection, [commonFile]: '{"files": 1}' };
  assert.match((await problemsOf(load(bad, { wazuhHome: home })))[0]!, /cluster\.json/);
});

const worker = `[node]
name = "w1"
role = "worker"
root = "/tree"
protocol = "wazuh"
[wazuh]
master = "10.0.0.1"
`;

test('a worker of a Wazuh cluster names its master, with the usual port', async () => {
  const { config } = await load({ '/work/muster.toml': worker }, {});
  assert.deepEqual(config.wazuh.master, ['10.0.0.1:1516']);
  assert.equal(config.wazuh.keyFile, '/work/wazuh.key');
  assert.equal(config.log.phrases, 'wazuh');
});

test('what does not fit the protocol is refused', async () => {
  const refused = async (text: string) => await problemsOf(load({ '/work/muster.toml': text }, {}));
  assert.match((await refused(worker.replace('master = "10.0.0.1"', '')))[0]!, /wazuh\.master/);
  assert.match((await refused(worker.replace('"w1"', '"w.1"')))[0]!, /3060/);
  assert.match((await refused(worker.replace('"worker"', '"master"')))[0]!, /wazuh\.listen/);
  assert.match((await refused(`${worker}listen = "0.0.0.0:1516"\n`))[0]!, /is for the master/);
  assert.match((await refused(`${worker}cluster = "a b"\n`))[0]!, /without spaces/);
});

test('the key has a variable of its own, which is no key of the file', async () => {
  const env = { MUSTER_WAZUH_KEY: 'x'.repeat(32) };
  const { config } = await load({ '/work/muster.toml': worker }, { env });
  assert.equal(JSON.stringify(config).includes('xxxx'), false);
});
