/**
 * Structural check: `npm run check`.
 *
 * Verifies what neither the compiler nor the linter knows: which folder may import which, that
 * ambient effects (time, randomness, disk, network) stay in src/runtime, that no file is dead, and
 * that ARCHITECTURE.md names every folder and only files that exist. Prints the longest files and
 * functions without judging them. To allow a new arrow or package, change one line of a table below.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, posix, relative, sep } from 'node:path';
import process from 'node:process';
import { readSource, type SourceFacts } from './source.ts';
import { root } from './tools.ts';

const CORE = ['base', 'ports', 'wire', 'session', 'files', 'agents', 'identity'];

/** All but the folders that put the program together. */
const PARTS = [...CORE, 'wazuh', 'tasks', 'config', 'node', 'cli', 'runtime'];

/**
 * Who may import whom inside src; `type x` allows only types of x. A folder's own files are always
 * allowed. A file directly in src counts as a folder of its name: `ports` is src/ports.ts.
 */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  ports: ['base'],
  wire: ['base', 'type ports'],
  session: ['base', 'ports', 'wire'],
  files: ['base', 'ports'],
  agents: ['base', 'ports'],
  identity: ['base', 'ports'],
  wazuh: ['base', 'ports', 'files', 'agents', 'tasks'],
  config: ['base', 'ports', 'files', 'agents', 'identity', 'wazuh'],
  tasks: CORE,
  node: [...CORE, 'wazuh', 'tasks', 'config'],
  cli: [...CORE, 'wazuh', 'tasks', 'config', 'node'],
  runtime: ['base', 'ports', 'identity'],
  app: PARTS,
  main: [...PARTS, 'app'],
};

/**
 * The files of src/tasks that the tasks share; of the others a task imports its own only. A folder
 * in src/tasks is one task.
 */
const TASK_SHARED = ['src/tasks/task.ts', 'src/tasks/scheduler.ts'];

/** Which folders may import which package (or one entry of it only), besides src/runtime, which may import any. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  '@peculiar/x509': [],
  '@valibot/to-json-schema': ['config', 'cli'],
  'cac': ['cli'],
  'consola': ['cli'],
  'hash-wasm': [],
  // Not `msgpackr`: that entry loads a native add-on.
  'msgpackr/pack': ['wire'],
  'msgpackr/unpack': ['wire'],
  'picomatch': ['files', 'config'],
  'reflect-metadata': [],
  'smol-toml': ['config'],
  'tinyglobby': ['app'],
  'valibot': ['config'],
};

/** Ambient effects, and what to use instead outside src/runtime. */
const EFFECTS: Readonly<Record<string, string>> = {
  'Date': 'the Clock port',
  'performance': 'the Clock port',
  'setTimeout': 'the Clock port',
  'setInterval': 'the Clock port',
  'setImmediate': 'the Clock port',
  'AbortSignal.timeout': 'the Clock port',
  'Math.random': 'the Random port',
  'crypto': 'the Random or Hash port',
  'WebAssembly': 'the Hash port',
  'fetch': 'the Network port',
  'console': 'the Logger port',
  'Buffer': 'Uint8Array',
  'process': 'a port',
  'globalThis': 'a port',
  'Deno': 'a port',
  'Bun': 'a port',
};

/** Files that are loaded by no import: where the program and its threads start. */
const ROOTS = ['src/main.ts', 'src/runtime/worker-entry.ts'];

/** One breach of a rule. */
export interface Violation {
  /** Path relative to the tree, '/'-separated. */
  readonly path: string;
  /** Line in that file; 0 when it concerns the file as a whole. */
  readonly line: number;
  readonly message: string;
}

/** The facts of every TypeScript file under src, test and scripts of a tree, by relative path. */
export type Tree = ReadonlyMap<string, SourceFacts>;

/** Reads the tree below a directory. */
export function readTree(directory: string): Tree {
  const tree = new Map<string, SourceFacts>();
  for (const top of ['src', 'test', 'scripts']) {
    if (!existsSync(join(directory, top))) continue;
    const entries = readdirSync(join(directory, top), { recursive: true, withFileTypes: true });
    for (const entry of entries) {
      if (!entry.isFile() || !entry.name.endsWith('.ts')) continue;
      const file = join(entry.parentPath, entry.name);
      const path = relative(directory, file).split(sep).join('/');
      tree.set(path, readSource(readFileSync(file, 'utf8')));
    }
  }
  return new Map([...tree].sort(([left], [right]) => left < right ? -1 : 1));
}

/** Returns every breach of every rule in a tree. `architecture` is the text of ARCHITECTURE.md. */
export function checkTree(tree: Tree, architecture?: string): Violation[] {
  const violations: Violation[] = [];
  for (const [path, facts] of tree) {
    violations.push(...checkComments(path, facts));
    if (facts.error !== undefined) violations.push({ path, line: 0, message: facts.error });
    if (!path.startsWith('src/')) continue;
    violations.push(...checkImports(path, facts, tree), ...checkEffects(path, facts));
  }
  violations.push(...checkReachable(tree));
  if (architecture !== undefined) violations.push(...checkArchitecture(tree, architecture));
  return violations;
}

// ---

/** `src/wire/frame.ts` is in folder "wire", `src/ports.ts` in "ports". */
function folderOf(path: string): string {
  const [, second = '', third] = path.split('/');
  return third === undefined ? second.replace(/\.ts$/, '') : second;
}

/** `src/tasks/integrity.ts` and all of `src/tasks/integrity/` are task "integrity". */
function taskOf(path: string): string | undefined {
  return path.split('/')[2]?.replace(/\.ts$/, '');
}

/** The file that a relative import means, or `undefined` for a package. */
function importedPath(from: string, specifier: string): string | undefined {
  return specifier.startsWith('.') ? posix.join(posix.dirname(from), specifier) : undefined;
}

function checkImports(path: string, facts: SourceFacts, tree: Tree): Violation[] {
  const folder = folderOf(path);
  const violations: Violation[] = [];
  for (const { specifier, isTypeOnly, line } of facts.imports) {
    if (specifier === undefined) {
      if (folder !== 'runtime') violations.push({ path, line, message: 'computes an import' });
      continue;
    }
    const target = importedPath(path, specifier);
    const message = target === undefined
      ? packageFault(folder, specifier)
      : arrowFault(path, target, isTypeOnly, tree);
    if (message !== undefined) violations.push({ path, line, message });
  }
  return violations;
}

function packageFault(folder: string, specifier: string): string | undefined {
  if (specifier === 'msgpackr') return 'imports "msgpackr", which loads a native add-on';
  if (folder === 'runtime') return undefined;
  if (specifier.startsWith('node:')) return `imports "${specifier}" outside src/runtime`;
  const packageName = specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1).join('/');
  const folders = PACKAGES[specifier] ?? PACKAGES[packageName];
  if (folders === undefined) return `imports package "${specifier}", which no folder may`;
  if (folders.includes(folder)) return undefined;
  const allowed = ['runtime', ...folders].join(', ');
  return `imports package "${specifier}", which only ${allowed} may`;
}

function arrowFault(from: string, to: string, isTypeOnly: boolean, tree: Tree) {
  if (!tree.has(to)) return to === 'package.json' ? undefined : `imports "${to}", which is no file`;
  if (!to.startsWith('src/')) return `imports "${to}" from outside src`;
  const [folder, target] = [folderOf(from), folderOf(to)];
  const allowed = ARROWS[folder];
  if (allowed === undefined) return `is in folder "${folder}", which the arrow table does not know`;
  if (folder === target) {
    const isOtherTask = folder === 'tasks' && !TASK_SHARED.includes(to) &&
      taskOf(from) !== taskOf(to);
    return isOtherTask ? `imports task "${to}": a task never imports a task` : undefined;
  }
  if (allowed.includes(target)) return undefined;
  if (!allowed.includes(`type ${target}`)) return `${folder} must not import ${target} ("${to}")`;
  return isTypeOnly ? undefined : `${folder} may import only types from ${target} ("${to}")`;
}

function checkEffects(path: string, facts: SourceFacts): Violation[] {
  if (folderOf(path) === 'runtime') return [];
  return facts.names.flatMap(({ name, line }) => {
    if (!Object.hasOwn(EFFECTS, name)) return [];
    return [{ path, line, message: `uses ${name} outside src/runtime: take ${EFFECTS[name]}` }];
  });
}

function checkComments(path: string, facts: SourceFacts): Violation[] {
  return facts.comments
    .filter(({ text }) => /\b(TODO|FIXME)\b(?!\s*\(?#\d)/.test(text))
    .map(({ line }) => ({ path, line, message: 'has a TODO without an issue number' }));
}

/** Every file of src must be loaded, directly or not, by a root; types count as loading. */
function checkReachable(tree: Tree): Violation[] {
  // Nothing to reach from yet.
  if (!tree.has('src/main.ts')) return [];
  const reached = new Set<string>();
  const pending = [...ROOTS];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const facts = tree.get(path);
    if (facts === undefined || reached.has(path)) continue;
    reached.add(path);
    for (const { specifier } of facts.imports) {
      const target = specifier === undefined ? undefined : importedPath(path, specifier);
      if (target !== undefined) pending.push(target);
    }
  }
  return [...tree.keys()]
    .filter((path) => path.startsWith('src/') && !path.endsWith('.d.ts') && !reached.has(path))
    .map((path) => ({ path, line: 0, message: 'is dead: nothing leads from src/main.ts to it' }));
}

/** Every folder of src is named, and every file that is named exists, in src unless it says so. */
function checkArchitecture(tree: Tree, architecture: string): Violation[] {
  const folders = new Set([...tree.keys()].map((path) => posix.dirname(path)));
  const unnamed = [...folders]
    .filter((folder) => folder.startsWith('src/'))
    .filter((folder) => !architecture.includes(`${posix.basename(folder)}/`))
    .map((folder) => ({ path: folder, line: 0, message: 'is not named in ARCHITECTURE.md' }));
  const missing = architecture.split('\n').flatMap((text, index) =>
    [...text.matchAll(/`([\w-]+(?:\/[\w-]+)*\.ts)`/g)]
      .flatMap(([, name = '']) => tree.has(name) || tree.has(`src/${name}`) ? [] : [name])
      .map((name) => ({
        path: 'ARCHITECTURE.md',
        line: index + 1,
        message: `names "${name}", which is no file`,
      }))
  );
  return [...unnamed, ...missing];
}

function printLongest(tree: Tree): void {
  const sources = [...tree].filter(([path]) => path.startsWith('src/'));
  const files = sources.map(([path, { linesCount }]) => ({ label: path, linesCount }));
  const functions = sources.flatMap(([path, facts]) =>
    facts.functions.map(({ name, line, linesCount }) => ({
      label: `${path}:${line} ${name}`,
      linesCount,
    }))
  );
  for (const [title, items] of [['files', files], ['functions', functions]] as const) {
    console.log(`Longest ${title} of src, in lines:`);
    const longest = items.sort((left, right) => right.linesCount - left.linesCount).slice(0, 10);
    for (const { label, linesCount } of longest) {
      console.log(`${String(linesCount).padStart(5)}  ${label}`);
    }
  }
}

function main(): void {
  const architecture = join(root, 'ARCHITECTURE.md');
  const tree = readTree(root);
  printLongest(tree);
  const text = existsSync(architecture) ? readFileSync(architecture, 'utf8') : undefined;
  const violations = checkTree(tree, text);
  for (const { path, line, message } of violations) {
    console.log(line === 0 ? `${path} ${message}` : `${path}:${line} ${message}`);
  }
  console.log(`${tree.size} files checked, ${violations.length} violations`);
  if (violations.length > 0) process.exitCode = 1;
}

if (import.meta.main) main();
