/**
 * The keys of a file set, declared once, and the sets of a node that declares none.
 *
 * A file set is a part of the managed tree: a directory, the files chosen within it, and what they
 * shall look like where they are put. Both ends decide by their own configuration: a worker never
 * writes a file that its own sets do not choose.
 */
import { account, count, list, mode, share, text, toggle } from './kinds.ts';
import { type Resolved, ValueProblem } from './key.ts';
import { tables } from './keys.ts';

/**
 * Excluded from every set that does not say `exclude_defaults = false`: leftovers of editors,
 * temporary and lock files, and the two files of a manager that belong to one node alone.
 */
export const alwaysExcluded = [
  '**/*~',
  '**/*.tmp',
  '**/*.lock',
  '**/*.swp',
  '**/ar.conf',
  '**/ossec.conf',
] as const;

const patterns = {
  kind: 'patterns',
  // No negation, no "/" at either end, no "." or ".." on the way: each would select nothing, or
  // what nobody expects.
  // deno-lint-ignore no-control-regex
  pattern: /^(?![!/])(?!(?:.*\/)?\.{1,2}(?:\/|$))(?!.*\/$)[^\u0000]+$/,
  expected: 'must be patterns relative to the path such as ["**"] or ["*.xml", "lists/**"], ' +
    'without "!", "." or ".." and without "/" at either end',
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
    // deno-lint-ignore no-control-regex
    pattern: /^[^\u0000]*$/,
    expected: 'must be a path relative to the root, without ".."',
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
      alwaysExcluded.map((pattern) => `\`${pattern.slice(3)}\``).join(', ')
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

/**
 * A file set, resolved. `exclude` is the whole list, with `alwaysExcluded` where that applies;
 * paths and patterns are Unicode text, to be turned into bytes where they meet file names.
 */
export interface FileSetConfig extends Resolved<typeof setKeys> {}

/** A file set as it stands in the file; keys left out have their defaults. */
export type FileSetInput =
  & { readonly name: string; readonly path: string }
  & Readonly<Partial<Record<keyof typeof setKeys, string | number | boolean | readonly string[]>>>;

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
  { name: 'shared', path: 'etc/shared', mode: '0660', prune: true },
  {
    name: 'multigroups',
    path: 'var/multigroups',
    include: ['**/merged.mg'],
    mode: '0660',
    prune: true,
  },
  { name: 'rules', path: 'etc/rules', mode: '0660' },
  { name: 'decoders', path: 'etc/decoders', mode: '0660' },
  { name: 'lists', path: 'etc/lists', mode: '0660' },
  { name: 'sca', path: 'ruleset/sca', mode: '0660' },
];

/** What a set excludes in all, in a canonical order: what always is, then what the set adds. */
export function wholeExclude(own: readonly string[], excludesDefaults: boolean): string[] {
  return [...new Set([...(excludesDefaults ? alwaysExcluded : []), ...own])];
}

/** What a set excludes beyond what always is: the inverse of `wholeExclude`. */
export function ownExclude(set: Pick<FileSetConfig, 'exclude' | 'excludeDefaults'>): string[] {
  if (!set.excludeDefaults) return [...set.exclude];
  const always: ReadonlySet<string> = new Set(alwaysExcluded);
  return set.exclude.filter((pattern) => !always.has(pattern));
}

/**
 * The selection rules of a set as canonical text: equal on two nodes exactly if both choose the
 * same files of the same tree. The order of patterns and how often one is given do not count.
 */
export function setFingerprintText(
  set: Pick<FileSetConfig, 'path' | 'include' | 'exclude' | 'recursive'>,
): string {
  const canonical = (list: readonly string[]): string[] => [...new Set(list)].sort();
  return JSON.stringify({
    path: set.path,
    include: canonical(set.include),
    exclude: canonical(set.exclude),
    recursive: set.recursive,
  });
}

// ---------------------------------------------------------------------------------------------

function treePath(path: string): string {
  if (path.startsWith('/')) {
    throw new ValueProblem('must be relative to the root, without a leading "/"');
  }
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw new ValueProblem('must not contain ".."');
  return parts.join('/');
}
