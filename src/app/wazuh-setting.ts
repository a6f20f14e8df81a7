/**
 * What a node of a Wazuh cluster has beside its configuration: the cluster key, and what all nodes
 * have in common. The key is read where it is used and kept nowhere else.
 */
import { displayText, fromText, toBytes } from '../base/bytes.ts';
import { ClusterError, codeOf } from '../base/errors.ts';
import type { Config } from '../config/config.ts';
import { clusterJsonOf, ossecConfOf } from '../config/wazuh-home.ts';
import type { WazuhSetting } from '../node/wazuh-setting.ts';
import { readTextFile, systemFacts } from '../runtime/system.ts';
import { type ClusterJson, defaultClusterJson, readClusterJson } from '../wazuh/cluster-json.ts';
import { readClusterSection } from '../wazuh/cluster-section.ts';

/** The variable that holds the cluster key. */
const keyVariable = 'MUSTER_WAZUH_KEY';

/** Reads them. @throws ClusterError `configuration` or `permission` */
export async function readWazuhSetting(config: Config): Promise<WazuhSetting> {
  return { key: await readKey(config), clusterJson: await readCommon(config) };
}

// ---

async function readKey({ wazuh: { home, keyFile } }: Config): Promise<string> {
  const given = systemFacts().environment[keyVariable];
  if (given !== undefined && given !== '') return checkedKey(given, `$${keyVariable}`);
  const text = await textOf(keyFile);
  if (text !== undefined) return checkedKey(text.trim(), `"${displayText(keyFile)}"`);
  const section = home === undefined ? undefined : await textOf(ossecConfOf(home));
  const key = section === undefined ? undefined : readClusterSection(section).section?.key;
  if (key !== undefined) return key;
  throw new ClusterError('configuration', 'The cluster key is missing', {
    remedy: `Write its 32 characters to "${displayText(keyFile)}", readable by muster alone, or ` +
      `set $${keyVariable}`,
  });
}

function checkedKey(key: string, where: string): string {
  if (/^[A-Za-z0-9_]{32}$/.test(key)) return key;
  throw new ClusterError(
    'configuration',
    `The cluster key in ${where} cannot be one: it has 32 letters, digits and "_"`,
  );
}

async function readCommon({ wazuh: { home } }: Config): Promise<ClusterJson> {
  const text = home === undefined ? undefined : await textOf(clusterJsonOf(home));
  return text === undefined ? defaultClusterJson : readClusterJson(toBytes(fromText(text)));
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readTextFile(path);
  } catch (error) {
    if (codeOf(error) === 'notFound') return undefined;
    throw error;
  }
}
