/**
 * Finds and reads the configuration of a node, through the one port it needs.
 */
import { displayText } from '../base/bytes.ts';
import { reasonFor } from '../base/errors.ts';
import type { ConfigFile } from './document.ts';
import type { FileValue } from './key.ts';
import { type ConfigCandidates, configCandidates, type ConfigChoice } from './location.ts';
import { directoryOf, resolvePath } from './location.ts';
import type { ParsedConfig } from './config.ts';
import { includePatterns, parseConfig, wazuhHomeOf } from './parse.ts';
import { ConfigError } from './problems.ts';
import { clusterJsonOf, type HomeValues, homeValues, ossecConfOf } from './wazuh-home.ts';

/** Reading the files of the configuration. */
export interface ConfigReader {
  /** The text of a file (UTF-8), or undefined where there is none. Throws where it cannot be read. */
  read(path: string): Promise<string | undefined>;
  /** Absolute paths of the files that match any of the patterns, which start from a directory. */
  expand(patterns: readonly string[], directory: string): Promise<readonly string[]>;
  /** Whether the system lists a user or group of this name. @default none */
  hasAccount?(kind: 'user' | 'group', name: string): boolean;
}

/** What decides the configuration of a command. */
export interface LoadOptions extends ConfigChoice {
  readonly flags?: Readonly<Record<string, FileValue | undefined>>;
  /** Name of this machine. */
  readonly hostname?: string;
}

/**
 * The configuration that a command is to use.
 * @throws ConfigError where there is none, it cannot be read, or it is not valid
 */
export async function loadConfig(
  reader: ConfigReader,
  options: LoadOptions,
): Promise<ParsedConfig> {
  const { env, workingDirectory, wazuhHome, flags = {}, hostname } = options;
  const homeAlone = wazuhHome === undefined ? undefined : resolvePath(workingDirectory, wazuhHome);
  const main = homeAlone === undefined
    ? await findConfig(reader, configCandidates(options))
    : { fileName: ossecConfOf(homeAlone), text: '' };
  const homePath = homeAlone ?? wazuhHomeOf(main, env, workingDirectory);
  const home = homePath === undefined
    ? undefined
    : await readHome(reader, homePath, { isAlone: homeAlone !== undefined });
  const patterns = includePatterns(main);
  const includes: ConfigFile[] = [];
  if (patterns.length > 0) {
    const found = await reader.expand(patterns, directoryOf(main.fileName));
    // Sorted, so that the order of sets does not depend on the file system.
    for (const fileName of [...new Set(found)].sort()) {
      const text = await readText(reader, fileName);
      if (text !== undefined) includes.push({ fileName, text });
    }
  }
  return parseConfig({
    ...main,
    includes,
    home,
    homeAlone,
    env,
    flags,
    workingDirectory,
    ...(hostname === undefined ? {} : { hostname }),
  });
}

// ---------------------------------------------------------------------------------------------

async function findConfig(reader: ConfigReader, candidates: ConfigCandidates): Promise<ConfigFile> {
  for (const fileName of candidates.files) {
    const text = await readText(reader, fileName);
    if (text !== undefined) return { fileName, text };
  }
  const { files, namedBy } = candidates;
  const [first = ''] = files;
  throw new ConfigError(first, [{
    where: first,
    message: namedBy === undefined
      ? `no configuration found, neither here nor at ${files.slice(1).join(', ')}: ` +
        'name one with --config or --dir, or make one with "muster init" or "muster join"'
      : `there is no such file, which ${namedBy} names`,
  }]);
}

async function readHome(
  reader: ConfigReader,
  home: string,
  options: { readonly isAlone: boolean },
): Promise<HomeValues> {
  const ossecConf = ossecConfOf(home);
  const text = await readText(reader, ossecConf);
  if (text === undefined) {
    throw new ConfigError(ossecConf, [{
      where: ossecConf,
      message: `there is no such file: "${displayText(home)}" is no Wazuh installation`,
    }]);
  }
  const clusterJson = clusterJsonOf(home);
  const isThere = (kind: 'user' | 'group') => reader.hasAccount?.(kind, 'wazuh') ?? false;
  return homeValues({
    home,
    ossecConf: { fileName: ossecConf, text },
    clusterJson: { fileName: clusterJson, text: await readText(reader, clusterJson) },
    owner: isThere('user') && isThere('group') ? 'wazuh' : undefined,
  }, options);
}

async function readText(reader: ConfigReader, fileName: string): Promise<string | undefined> {
  try {
    return await reader.read(fileName);
  } catch (error) {
    throw new ConfigError(fileName, [{
      where: fileName,
      message: reasonFor(displayText(fileName), error),
    }]);
  }
}
