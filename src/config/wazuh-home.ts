/**
 * What a Wazuh installation says about its node, as values of our own keys: the `<cluster>` section
 * of `etc/ossec.conf`, and the file sets and intervals of `cluster.json`.
 *
 * The cluster key is not among them: it is read where it is used, and shown nowhere.
 */
import { ClusterError } from '../base/errors.ts';
import { fromText, toBytes } from '../base/bytes.ts';
import { formatAddress } from '../base/address.ts';
import {
  type ClusterJson,
  defaultClusterJson,
  readClusterJson,
  type WazuhFileSet,
} from '../wazuh/cluster-json.ts';
import { type ClusterSection, readClusterSection } from '../wazuh/cluster-section.ts';
import type { Given, GivenTable } from './document.ts';
import { resolvePath } from './location.ts';
import type { Problem } from './problems.ts';
import { defaultSets, type FileSetInput } from './set-keys.ts';
import { formatDuration, formatMode } from './units.ts';

/** A file that was looked for. */
interface Looked<Text> {
  /** Absolute path. */
  readonly fileName: string;
  readonly text: Text;
}

/** What was found in an installation. */
export interface HomeFiles {
  /** Absolute path. */
  readonly home: string;
  readonly ossecConf: Looked<string>;
  readonly clusterJson: Looked<string | undefined>;
  /** User and group that files shall belong to; undefined leaves them with who runs muster. */
  readonly owner: string | undefined;
}

/** What an installation says, as if it stood in a file. */
export interface HomeValues {
  /** By dotted key. */
  readonly values: ReadonlyMap<string, Given>;
  readonly sets: readonly GivenTable[];
  readonly problems: readonly Problem[];
}

/** Where an installation describes its node. */
export function ossecConfOf(home: string): string {
  return resolvePath(home, 'etc/ossec.conf');
}

/** Where an installation describes what all nodes of its cluster have in common. */
export function clusterJsonOf(home: string): string {
  return resolvePath(home, 'framework/wazuh/core/cluster/cluster.json');
}

/**
 * The values that an installation gives; what is wrong with it is told, all of it.
 * @param isAlone nothing else describes the node
 */
export function homeValues(
  files: HomeFiles,
  { isAlone }: { readonly isAlone: boolean },
): HomeValues {
  const { home, ossecConf } = files;
  const problems: Problem[] = [];
  const clusterJson = readCommon(files, problems);
  const { section, problems: found } = readClusterSection(ossecConf.text);
  for (const { line, text } of found) {
    problems.push({
      where: line === 0 ? ossecConf.fileName : `${ossecConf.fileName}:${line}`,
      message: text,
    });
  }
  if (section?.isDisabled === true) {
    problems.push({
      where: ossecConf.fileName,
      message: 'the cluster is disabled there: set <disabled>no</disabled> in a <cluster> section',
    });
  }
  // With a configuration of its own a master may have workers of its own protocol.
  const isNative = !isAlone && section?.nodeType === 'master';
  const protocol = isNative ? 'native' : 'wazuh';
  const values = {
    ...nodeValues(home, section),
    'node.protocol': protocol,
    ...intervals(clusterJson),
  };
  return {
    values: givenOf(values, ossecConf.fileName),
    sets: clusterJson.sets.map((set) => ({
      where: files.clusterJson.fileName,
      values: givenOf(setInput(set, clusterJson, files.owner), files.clusterJson.fileName),
    })),
    problems,
  };
}

// ---------------------------------------------------------------------------------------------

type Values = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

function readCommon(
  { clusterJson: { fileName, text } }: HomeFiles,
  problems: Problem[],
): ClusterJson {
  if (text === undefined) return defaultClusterJson;
  try {
    return readClusterJson(toBytes(fromText(text)));
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    problems.push({ where: fileName, message: error.message });
    return defaultClusterJson;
  }
}

/** Where the section is refused only what needs nothing of it: its problems are told already. */
function nodeValues(home: string, section: ClusterSection | undefined): Values {
  const isWorker = section?.nodeType !== 'master';
  const { masterAddress = 'master', port = 1516, bindAddress = '' } = section ?? {};
  return {
    'node.name': section?.nodeName ?? 'node01',
    'node.role': isWorker ? 'worker' : 'master',
    'node.root': home,
    'wazuh.home': home,
    'wazuh.cluster': section?.name,
    'wazuh.master': isWorker ? [formatAddress({ host: masterAddress, port })] : undefined,
    'wazuh.listen': isWorker ? undefined : formatAddress({ host: bindAddress, port }),
    // Those who read the log of the installation know its phrases.
    'log.phrases': 'wazuh',
  };
}

/** Intervals of tasks that we have too, by our keys. */
const intervalKeys: Readonly<Record<string, string>> = {
  'worker.sync_integrity': 'integrity.interval',
  'worker.sync_agent_info': 'agents.info_interval',
  'worker.keep_alive': 'keep_alive.interval',
  'worker.connection_retry': 'worker.reconnect_max',
  'master.recalculate_integrity': 'local_integrity.interval',
  'master.sync_agent_groups': 'agents.groups_interval',
  'master.max_allowed_time_without_keepalive': 'keep_alive.silence_max',
};

function intervals({ settings }: ClusterJson): Values {
  const found = Object.fromEntries(
    Object.entries(intervalKeys).flatMap(([name, key]) => {
      const seconds = settings.get(name);
      return seconds === undefined ? [] : [[key, formatDuration(seconds * 1000)]];
    }),
  );
  return {
    ...found,
    'keep_alive.misses_max': settings.get('worker.max_failed_keepalive_attempts'),
  };
}

function setInput(
  set: WazuhFileSet,
  { excludedFiles, excludedEndings }: ClusterJson,
  owner: string | undefined,
): FileSetInput {
  const path = set.key.replace(/\/+$/, '') || '.';
  const depth = set.isRecursive ? '**/' : '';
  const isAll = set.files.length === 1 && set.files[0] === 'all';
  return {
    name: nameOf(path),
    path,
    include: isAll ? ['**'] : set.files.map((file) => depth + literal(file)),
    exclude: [
      ...excludedEndings.map((ending) => `**/*${literal(ending)}`),
      ...excludedFiles.map((file) => `**/${literal(file)}`),
    ],
    exclude_defaults: false,
    recursive: set.isRecursive,
    mode: formatMode(set.mode),
    prune: set.removesEmptyDirectories,
    prune_files: set.removesEmptyDirectories ? excludedFiles : [],
    key_file: set.files.includes('client.keys'),
    ...(owner === undefined ? {} : { owner, group: owner }),
  };
}

/** The name that the set has where it is declared by nobody, else one made of its path. */
function nameOf(path: string): string {
  const known = defaultSets.find((set) => set.path === path)?.name;
  return known ?? path.toLowerCase().replace(/[^a-z0-9]+/g, '-').slice(0, 64);
}

/** A name as a pattern that fits it alone. */
function literal(name: string): string {
  return name.replace(/[*?[\]{}()!+@\\]/g, '\\$&');
}

function givenOf(values: Values, where: string): Map<string, Given> {
  return new Map(
    Object.entries(values).flatMap(([key, raw]) =>
      raw === undefined ? [] : [[key, { raw, where }]]
    ),
  );
}
