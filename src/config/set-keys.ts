/**
 * The keys of a file set, declared once, and the sets of a node that declares none.
 *
 * A file set is a part of the managed tree: a directory, the files chosen within it, and what they
 * shall look like where they are put. Both ends decide by their own configuration: a worker never
 * writes a file that its own sets do not choose.
 */
import { defaultExclude } from '../files/file-set.ts';
import { patternProblem } from '../files/patterns.ts';
import { account, count, list, mode, share, text, toggle } from './kinds.ts';
import type { Key } from './key.ts';
import { tables } from './keys.ts';
import { treePath } from './tree-path.ts';

const patterns = {
  kind: 'patterns',
  // 256 patterns of 1024 characters: what the master can tell a worker that joins.
  itemsMax: 256,
  // deno-lint-ignore no-control-regex
  pattern: /^[^\u0000]{1,1024}$/,
  expected: 'must be a list of patterns such as ["**"] or ["*.xml", "lists/**"]',
  problemOf: patternProblem,
} as const;

/** The keys of a `[[sets]]` table, in the order in which they are shown. */
export const setKeys = {
  name: text({
    doc: 'Name of the set, in messages and commands; the same on all nodes',
    required: 'rules',
    pattern: /^[a-z0-9-]{1,64}$/,
    expected: 'must be 1 to 64 lower-case letters, digits or "-"',
  }),
  path: text({
    doc: 'Directory of the set relative to the root; "." is the root itself',
    required: 'etc/rules',
    pattern: /^/,
    expected: 'must be a path relative to the root',
    expand: treePath,
  }),
  include: list({
    doc: 'Files chosen: patterns relative to the path. `*`, `?`, `[abc]` and `{a,b}` stay within ' +
      'a name, `**` crosses directories',
    default: ['**'],
    itemsMin: 1,
    ...patterns,
  }),
  exclude: list({
    doc: 'Files left out although they are chosen; a pattern that fits a directory leaves out ' +
      'all below it',
    default: [],
    ...patterns,
  }),
  exclude_defaults: toggle({
    doc: `Leave out ${
      defaultExclude.map((pattern) => `\`${pattern.slice(3)}\``).join(', ')
    } as well`,
    default: true,
  }),
  recursive: toggle({ doc: 'Choose files in directories below the path too', default: true }),
  mode: mode({
    doc: 'Permission bits of the files on a worker',
    default: '0640',
    minimum: '0400',
    maximum: '0777',
  }),
  directory_mode: mode({
    doc: 'Permission bits of directories that have to be created',
    default: '0770',
    minimum: '0700',
    maximum: '3777',
  }),
  owner: account({ doc: 'Owner of the files; "" is the user that runs muster', default: '' }),
  group: account({ doc: 'Group of the files; "" is the group that runs muster', default: '' }),
  prune: toggle({ doc: 'Remove directories that a change has emptied', default: false }),
  prune_files: list({
    doc: 'Names of files of no set that do not keep such a directory: they are removed with it, ' +
      'and not kept',
    default: [],
    kind: 'list of names',
    pattern: /^(?!\.{1,2}$)[^/\u0000]{1,255}$/,
    expected: 'must be a list of names such as ["ar.conf"], without "/"',
  }),
  key_file: toggle({
    doc: 'Halt the set when a file of it shrinks beyond `guard.shrink_share_max`',
    default: false,
  }),
  deletions_share_max: share({
    doc: tables.guard.keys.deletions_share_max.doc,
    derived: '`guard.deletions_share_max`',
  }),
  deletions_max: count({
    doc: tables.guard.keys.deletions_max.doc,
    derived: '`guard.deletions_max`',
    minimum: 0,
    maximum: 1_000_000_000,
  }),
} as const;

/** A file set as it stands in the file; keys left out have their defaults. */
export type FileSetInput =
  & { readonly name: string; readonly path: string }
  & Readonly<Partial<Record<keyof typeof setKeys, string | number | boolean | readonly string[]>>>;

/** What a Wazuh manager writes into directories of groups for itself. */
const ownFiles = ['ar.conf', 'ossec.conf'];

/** The sets of a node that declares none: those of the original, and its SCA policies. */
export const defaultSets: readonly FileSetInput[] = [
  {
    name: 'agent-keys',
    path: 'etc',
    include: ['client.keys'],
    recursive: false,
    mode: '0640',
    key_file: true,
  },
  { name: 'shared', path: 'etc/shared', mode: '0660', prune: true, prune_files: ownFiles },
  {
    name: 'multigroups',
    path: 'var/multigroups',
    include: ['**/merged.mg'],
    mode: '0660',
    prune: true,
    prune_files: ownFiles,
  },
  { name: 'rules', path: 'etc/rules', mode: '0660' },
  { name: 'decoders', path: 'etc/decoders', mode: '0660' },
  { name: 'lists', path: 'etc/lists', mode: '0660' },
  { name: 'sca', path: 'ruleset/sca', mode: '0660' },
];

/** A set without the keys that say no more than their defaults. */
export function withoutDefaults(set: FileSetInput): FileSetInput {
  const keys: Readonly<Record<string, Key>> = setKeys;
  const values = Object.entries(set).filter(([name, value]) =>
    JSON.stringify(value) !== JSON.stringify(keys[name]?.default)
  );
  return { name: set.name, path: set.path, ...Object.fromEntries(values) };
}
