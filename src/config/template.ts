/**
 * The configuration files that `muster init` and `muster join` write: short, each line of use, and
 * explained by the documentation of its key.
 */
import type { FileSet } from '../files/file-set.ts';
import type { HashAlgorithm } from '../ports.ts';
import { keyLine, renderSet } from './effective.ts';
import type { FileValue } from './key.ts';
import { eachKey, tables } from './keys.ts';
import { defaultSets, type FileSetInput, withoutDefaults } from './set-keys.ts';

/** Which files belong to a set: what a master tells a worker that joins. */
export type SetRules = Pick<
  FileSet,
  'name' | 'path' | 'include' | 'exclude' | 'excludeDefaults' | 'recursive'
>;

/** What a new master is told. */
export interface MasterFacts {
  readonly name: string;
  readonly cluster: string;
  /** The managed tree, absolute or relative to the file. */
  readonly root: string;
  /** `host:port` */
  readonly listen: string;
  /** Whether the whole tree is managed, as one set, in place of the default sets. @default false */
  readonly isWholeTree?: boolean;
}

/** What a new worker is told. */
export interface WorkerFacts {
  readonly name: string;
  readonly cluster: string;
  /** The managed tree, absolute or relative to the file. */
  readonly root: string;
  /** Addresses of the master, `host:port`. */
  readonly master: readonly string[];
  /** The hash of the master; written down where it is not the default one. */
  readonly algorithm?: HashAlgorithm;
  /**
   * The sets of the master; written down where they are not the default ones. A set that is named
   * like a default one looks like that one when its files are placed.
   * @default the default sets
   */
  readonly sets?: readonly SetRules[];
}

/** The configuration file of a new master. */
export function masterTemplate(facts: MasterFacts): string {
  return compose('master', 'init', [
    nodeSection(facts, 'master'),
    section('master', { listen: facts.listen }, {}),
    section('log', {}, { level: 'info' }),
    facts.isWholeTree === true ? wholeTreeSet() : defaultSetsNote(),
  ]);
}

/** The configuration file of a new worker. */
export function workerTemplate(facts: WorkerFacts): string {
  const { algorithm } = facts;
  const sets = facts.sets?.map(setInput) ?? defaultSets;
  return compose('worker', 'join', [
    nodeSection(facts, 'worker'),
    section('worker', { master: facts.master }, {}),
    ...(algorithm === undefined || algorithm === defaultAlgorithm
      ? []
      : [section('local_integrity', { algorithm }, {})]),
    section('hooks', {}, {
      validate: ['/usr/local/bin/check-tree'],
      reload: ['systemctl', 'reload', 'SERVICE'],
    }),
    section('log', {}, { level: 'info' }),
    areDefaultSets(sets) ? defaultSetsNote() : givenSets(sets),
  ]);
}

// ---------------------------------------------------------------------------------------------

const defaultAlgorithm = tables.local_integrity.keys.algorithm.default;

type Values = Readonly<Record<string, FileValue>>;

function compose(role: string, command: string, sections: readonly string[]): string {
  const head = [
    `# Configuration of a muster ${role}, written by "muster ${command}".`,
    '# All keys with the values in effect: muster config show',
    '# After a change: muster config check',
  ];
  return `${[head.join('\n'), ...sections].join('\n\n')}\n`;
}

function nodeSection(facts: MasterFacts | WorkerFacts, role: 'master' | 'worker'): string {
  const { name, cluster, root } = facts;
  return section('node', { name, role, cluster, root }, { admin: '127.0.0.1:9517' });
}

/** A table: keys that are set, and keys that are offered in comments. */
function section(table: string, set: Values, offered: Values): string {
  const lines = [...eachKey()].filter((entry) => entry.table === table).flatMap(({ name, key }) => {
    const value = set[name] ?? offered[name];
    if (value === undefined) return [];
    return [...comment(key.doc), (name in set ? '' : '#') + keyLine(name, value)];
  });
  return [`[${table}]`, ...lines].join('\n');
}

function wholeTreeSet(): string {
  const note = comment('One set for the whole tree. A file that it excludes is never written');
  const set = { name: 'tree', path: '.', mode: '0640', prune: true };
  return [note.join('\n'), renderSet(set)].join('\n\n');
}

function givenSets(sets: readonly FileSetInput[]): string {
  const note = comment(
    'The sets of the master. A file that none of these chooses is never written',
  );
  return [note.join('\n'), ...sets.map(renderSet)].join('\n\n');
}

function setInput(rules: SetRules): FileSetInput {
  const { name, include, exclude, recursive } = rules;
  return withoutDefaults({
    ...defaultSets.find((set) => set.name === name),
    name,
    path: rules.path === '' ? '.' : rules.path,
    include,
    exclude,
    exclude_defaults: rules.excludeDefaults,
    recursive,
  });
}

function areDefaultSets(sets: readonly FileSetInput[]): boolean {
  const canonical = (list: readonly FileSetInput[]): string =>
    list.map((set) => renderSet(withoutDefaults(set))).sort().join('\n');
  return canonical(sets) === canonical(defaultSets);
}

function defaultSetsNote(): string {
  const names = defaultSets.map(({ name, path }) => `${name} (${path})`).join(', ');
  const example = renderSet({ name: 'rules', path: 'etc/rules', include: ['*.xml'], mode: '0660' });
  return [
    ...comment(
      `Without any [[sets]] the managed files are: ${names}. The first one of your own ` +
        'replaces all of these, and the other nodes need it too. For example',
    ),
    ...example.split('\n').map((line) => `#${line}`),
  ].join('\n');
}

/** Text as comment lines of at most 90 characters. */
function comment(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < 90) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else {
      lines.push(`# ${word}`);
    }
  }
  return lines;
}
