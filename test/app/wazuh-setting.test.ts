import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterEach, test } from 'node:test';
import { readWazuhSetting } from '../../src/app/wazuh-setting.ts';
import { parseConfig } from '../../src/config/parse.ts';
import { defaultClusterJson } from '../../src/wazuh/cluster-json.ts';

const [fromFile, fromEnvironment, fromHome] = ['f', 'e', 'h'].map((letter) => letter.repeat(32));

afterEach(() => {
  delete process.env['MUSTER_WAZUH_KEY'];
});

/** A state directory and an installation, gone when the test is over. */
async function withDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'muster-setting-'));
  try {
    await work(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function configOf(directory: string, wazuh: string) {
  const text = '[node]\nname = "m"\nrole = "master"\ncluster = "c"\nroot = "/tree"\n[wazuh]\n' +
    wazuh;
  return parseConfig({ fileName: join(directory, 'muster.toml'), text }).config;
}

test('the key comes from the environment, its file, or the installation, in this order', async () => {
  await withDirectory(async (directory) => {
    const home = join(directory, 'ossec');
    mkdirSync(join(home, 'etc'), { recursive: true });
    writeFileSync(
      join(home, 'etc/ossec.conf'),
      `<ossec_config><cluster><node_type>master</node_type><key>${fromHome}</key>
       <nodes><node>10.0.0.1</node></nodes></cluster></ossec_config>`,
    );
    const config = configOf(directory, `listen = "0.0.0.0:1516"\nhome = "${home}"\n`);
    assert.equal((await readWazuhSetting(config)).key, fromHome);
    writeFileSync(config.wazuh.keyFile, `${fromFile}\n`);
    const { key, clusterJson } = await readWazuhSetting(config);
    assert.equal(key, fromFile);
    assert.equal(clusterJson, defaultClusterJson);
    process.env['MUSTER_WAZUH_KEY'] = fromEnvironment;
    assert.equal((await readWazuhSetting(config)).key, fromEnvironment);
  });
});

test('a key that is missing or cannot be one is refused, and is not repeated', async () => {
  await withDirectory(async (directory) => {
    const config = configOf(directory, 'listen = "0.0.0.0:1516"\n');
    await assert.rejects(readWazuhSetting(config), { code: 'configuration' });
    const secret = 'not a key, but a secret all the same';
    process.env['MUSTER_WAZUH_KEY'] = secret;
    await assert.rejects(
      readWazuhSetting(config),
      (error: Error) => /32 letters/.test(error.message) && !error.message.includes(secret),
    );
  });
});
