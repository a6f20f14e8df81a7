/**
 * Where the configuration file is looked for, and where everything else lies by default.
 *
 * Two layouts: the system's, when the file is /etc/muster/muster.toml (the directories of the
 * Filesystem Hierarchy Standard, or those that systemd names in the environment), and a directory
 * of one's own, which holds the file and everything else. Pure: paths are POSIX, nothing is read.
 */

/** The environment of the process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The name of the configuration file. */
export const configFileName = 'muster.toml';

/** The configuration file of the system. */
export const systemConfigFile = `/etc/muster/${configFileName}`;

/** What decides where the configuration file is. */
export interface ConfigChoice {
  /** `--config FILE` */
  readonly config?: string | undefined;
  /** `--dir DIR` */
  readonly dir?: string | undefined;
  /** `--wazuh-home DIR` */
  readonly wazuhHome?: string | undefined;
  readonly env: Environment;
  readonly workingDirectory: string;
}

/** Files to try, in order. */
export interface ConfigCandidates {
  /** Absolute paths. */
  readonly files: readonly string[];
  /** What named the file; undefined where it is looked for in the usual places. */
  readonly namedBy: '--config' | '--dir' | 'MUSTER_CONFIG' | undefined;
}

/** The configuration files to try: one where it is named, else the usual places. */
export function configCandidates(choice: ConfigChoice): ConfigCandidates {
  const { config, dir, env, workingDirectory } = choice;
  const at = (path: string): string => resolvePath(workingDirectory, path);
  if (config !== undefined) return { files: [at(config)], namedBy: '--config' };
  if (dir !== undefined) {
    return { files: [resolvePath(at(dir), configFileName)], namedBy: '--dir' };
  }
  const named = env['MUSTER_CONFIG'];
  if (named !== undefined && named !== '') return { files: [at(named)], namedBy: 'MUSTER_CONFIG' };
  return { files: [at(configFileName), systemConfigFile], namedBy: undefined };
}

/** Default places of everything that is not the managed tree. */
export interface Layout {
  /** Database, staging, kept versions, lock. */
  readonly state: string;
  /** Certificates and keys. */
  readonly tls: string;
  readonly logFile: string;
  readonly controlSocket: string;
}

/**
 * The layout of a node that is configured by a Wazuh installation alone: one directory for
 * everything, so that whoever runs a command finds the daemon by it; but the log is where those look
 * for it who read that of the installation.
 */
export function homeLayout(home: string, env: Environment, state?: string): Layout {
  const directory = state ?? fromSystemd(env['STATE_DIRECTORY']) ?? '/var/lib/muster';
  const logs = fromSystemd(env['LOGS_DIRECTORY']) ?? resolvePath(home, 'logs');
  return { ...ownLayout(directory), logFile: `${logs}/cluster.log` };
}

/** The layout that belongs to a configuration file; `state` is the directory given, if one is. */
export function layoutOf(configFile: string, env: Environment, state?: string): Layout {
  if (configFile === systemConfigFile) {
    const directory = state ?? fromSystemd(env['STATE_DIRECTORY']) ?? '/var/lib/muster';
    return {
      state: directory,
      tls: `${directory}/tls`,
      logFile: `${fromSystemd(env['LOGS_DIRECTORY']) ?? '/var/log/muster'}/cluster.log`,
      controlSocket: `${fromSystemd(env['RUNTIME_DIRECTORY']) ?? '/run/muster'}/control.sock`,
    };
  }
  return ownLayout(state ?? directoryOf(configFile));
}

function ownLayout(directory: string): Layout {
  return {
    state: directory,
    tls: resolvePath(directory, 'tls'),
    logFile: resolvePath(directory, 'logs/cluster.log'),
    controlSocket: resolvePath(directory, 'control.sock'),
  };
}

/** What lies in the state directory. */
export interface StatePaths {
  readonly database: string;
  readonly staging: string;
  readonly versions: string;
  readonly lock: string;
}

/** The files and directories of a state directory. */
export function statePaths(state: string): StatePaths {
  return {
    database: resolvePath(state, 'muster.db'),
    staging: resolvePath(state, 'staging'),
    versions: resolvePath(state, 'versions'),
    lock: resolvePath(state, 'lock'),
  };
}

/** An absolute, normalised path: without ".", "..", doubled or trailing slashes. */
export function resolvePath(directory: string, path: string): string {
  const parts: string[] = [];
  for (const part of (path.startsWith('/') ? path : `${directory}/${path}`).split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

/** The directory that holds a file, of an absolute path. */
export function directoryOf(file: string): string {
  return resolvePath('/', `${file}/..`);
}

/** The path relative to a directory, "" for the directory itself; undefined outside of it. */
export function relativeTo(directory: string, path: string): string | undefined {
  if (path === directory) return '';
  const prefix = directory === '/' ? '/' : `${directory}/`;
  return path.startsWith(prefix) ? path.slice(prefix.length) : undefined;
}

// ---------------------------------------------------------------------------------------------

// systemd separates several directories by colons; the first is the one meant.
function fromSystemd(value: string | undefined): string | undefined {
  const [first] = (value ?? '').split(':');
  return first === undefined || first === '' ? undefined : resolvePath('/', first);
}
