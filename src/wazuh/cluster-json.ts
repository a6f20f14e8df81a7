/**
 * `cluster.json`: the file sets, intervals and limits that the nodes of a Wazuh cluster have in
 * common. It comes with their program and says the same on all of them. Pure.
 */
import {
  dictionary,
  flag,
  list,
  number,
  optional,
  type Reader,
  record,
  text,
} from '../base/readers.ts';
import { ProtocolError } from '../base/errors.ts';
import { parseJson } from './json.ts';

/** A file set as that file describes it. */
export interface WazuhFileSet {
  /** The directory, with a slash at its end; also what rows of file tables name. */
  readonly key: string;
  /** Names of files, or `all` alone. */
  readonly files: readonly string[];
  readonly isRecursive: boolean;
  /** Permission bits. */
  readonly mode: number;
  readonly removesEmptyDirectories: boolean;
  /** Whether workers send such files to the master; none of 4.14 is. */
  readonly isExtraValid: boolean;
}

/** What the file says. */
export interface ClusterJson {
  readonly sets: readonly WazuhFileSet[];
  /** Names of files that are never taken. */
  readonly excludedFiles: readonly string[];
  /** Ends of such names. */
  readonly excludedEndings: readonly string[];
  /** Seconds, counts and bytes, by the names that they have there: `worker.sync_integrity`. */
  readonly settings: ReadonlyMap<string, number>;
}

const sharedMode = 0o660;

function set(
  key: string,
  file: string,
  permissions: number,
  removesEmptyDirectories: boolean,
): WazuhFileSet {
  const isRecursive = key !== 'etc/';
  const [files, isExtraValid] = [[file], false];
  return { key, files, isRecursive, mode: permissions, removesEmptyDirectories, isExtraValid };
}

/** What the file of 4.14 says. */
export const defaultClusterJson: ClusterJson = {
  sets: [
    set('etc/', 'client.keys', 0o640, false),
    set('etc/shared/', 'all', sharedMode, true),
    set('var/multigroups/', 'merged.mg', sharedMode, true),
    set('etc/rules/', 'all', sharedMode, false),
    set('etc/decoders/', 'all', sharedMode, false),
    set('etc/lists/', 'all', sharedMode, false),
  ],
  excludedFiles: ['ar.conf', 'ossec.conf'],
  excludedEndings: ['~', '.tmp', '.lock', '.swp'],
  settings: new Map(Object.entries({
    'worker.sync_integrity': 9,
    'worker.sync_agent_info': 10,
    'worker.timeout_agent_groups': 40,
    'worker.keep_alive': 60,
    'worker.connection_retry': 10,
    'worker.max_failed_keepalive_attempts': 2,
    'worker.agent_groups_mismatch_limit': 5,
    'master.sync_agent_groups': 10,
    'master.recalculate_integrity': 8,
    'master.timeout_agent_info': 40,
    'master.agent_group_start_delay': 30,
    'master.check_worker_lastkeepalive': 60,
    'master.max_allowed_time_without_keepalive': 120,
    'master.max_locked_integrity_time': 1000,
    'communication.timeout_cluster_request': 20,
    'communication.timeout_dapi_request': 200,
    'communication.timeout_receiving_file': 120,
    'communication.max_zip_size': 1_073_741_824,
    'communication.min_zip_size': 31_457_280,
    'communication.compress_level': 1,
    'communication.zip_limit_tolerance': 0.2,
  })),
};

/** The contents of a `cluster.json`. @throws ProtocolError `malformed`, with what is wrong */
export function readClusterJson(bytes: Uint8Array): ClusterJson {
  const { files, intervals } = document(parseJson(bytes, 'cluster.json'), 'cluster.json');
  const sets: WazuhFileSet[] = [];
  let excludedFiles: readonly string[] = [];
  let excludedEndings: readonly string[] = [];
  for (const [key, value] of files) {
    const where = `cluster.json.files["${key}"]`;
    if (key === 'excluded_files') excludedFiles = names(value, where);
    else if (key === 'excluded_extensions') excludedEndings = names(value, where);
    else sets.push(setOf(key, value, where));
  }
  const settings = new Map(defaultClusterJson.settings);
  for (const [group, values] of intervals ?? []) {
    for (const [name, value] of values) settings.set(`${group}.${name}`, value);
  }
  return { sets, excludedFiles, excludedEndings, settings };
}

// ---

const names = list(text(255), 1000);

const mode: Reader<number> = (value, where) => {
  if (typeof value === 'string' && /^(?:0o?)?[0-7]{1,4}$/.test(value)) {
    return Number.parseInt(value.replace('o', ''), 8);
  }
  throw new ProtocolError('malformed', `"${where}" is not permissions in octal digits`);
};

const setShape = record({
  permissions: mode,
  files: names,
  recursive: flag,
  remove_subdirs_if_empty: optional(flag),
  extra_valid: optional(flag),
});

const anything: Reader<unknown> = (value) => value;

const document = record({
  files: dictionary(anything, 1000),
  intervals: optional(dictionary(dictionary(number, 1000), 100)),
});

function setOf(key: string, value: unknown, where: string): WazuhFileSet {
  const read = setShape(value, where);
  return {
    key,
    files: read.files,
    isRecursive: read.recursive,
    mode: read.permissions,
    removesEmptyDirectories: read.remove_subdirs_if_empty ?? false,
    isExtraValid: read.extra_valid ?? false,
  };
}
