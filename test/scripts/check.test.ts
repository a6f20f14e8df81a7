/**
 * Each rule of scripts/check.ts against a small tree on disk that breaks it, and only it.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { checkTree, readTree } from '../../scripts/check.ts';
import { readSource } from '../../scripts/source.ts';

/** A tree without fault; each case below adds or replaces files. */
const SOUND: Readonly<Record<string, string>> = {
  'src/main.ts': `import './app/host.ts';\nimport './cli/run.ts';\nimport './runtime/clock.ts';\n`,
  'src/app/host.ts': `import '../cli/run.ts';\nimport '../runtime/clock.ts';\n` +
    `import '../wire/frame.ts';\nimport 'tinyglobby';\n`,
  'src/ports.ts': `export interface Clock { nowMs(): number }\nexport const PORTS = 1;\n`,
  'src/base/bytes.ts': `export const empty = new Uint8Array();\n`,
  'src/runtime/clock.ts': `import process from 'node:process';\n` +
    `export const clock = { nowMs: () => Date.now() + process.pid };\n`,
  'src/tasks/task.ts': `export interface Task { readonly process: Date }\n`,
  'src/tasks/integrity.ts': `import type { Task } from './task.ts';\nexport type T = Task;\n`,
  'src/wire/frame.ts': `import type { Clock } from '../ports.ts';\n` +
    `// Date.now() and setTimeout in a comment, TODO(#12)\n` +
    `export const text = (clock: Clock) => 'Date.now() ' + clock.nowMs();\n`,
  'src/cli/run.ts': `import '../wire/frame.ts';\nimport '../tasks/integrity.ts';\n` +
    `import '../base/bytes.ts';\nimport '../ports.ts';\n`,
};

function faults(files: Record<string, string>, architecture?: string): string[] {
  const directory = mkdtempSync(join(tmpdir(), 'muster-check-'));
  try {
    for (const [path, text] of Object.entries({ ...SOUND, ...files })) {
      mkdirSync(dirname(join(directory, path)), { recursive: true });
      writeFileSync(join(directory, path), text);
    }
    return checkTree(readTree(directory), architecture)
      .map(({ path, line, message }) => `${path}:${line} ${message}`);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Adds a file that src/cli/run.ts imports, so that it is not dead. */
function withFile(path: string, text: string): Record<string, string> {
  const run = `${SOUND['src/cli/run.ts']}import '../${path.slice('src/'.length)}';\n`;
  return { 'src/cli/run.ts': run, [path]: text };
}

test('checkTree() finds nothing in a sound tree', () => {
  assert.deepEqual(faults({}), []);
});

test('checkTree() reports an import against the arrows', () => {
  assert.deepEqual(faults({ 'src/base/bytes.ts': `import '../wire/frame.ts';\n` }), [
    'src/base/bytes.ts:1 base must not import wire ("src/wire/frame.ts")',
  ]);
});

test('checkTree() lets app and main import runtime, nobody else, and sees every kind of import', () => {
  const path = 'src/cli/clock.ts';
  const message = 'cli must not import runtime ("src/runtime/clock.ts")';
  for (
    const text of [
      `import { clock } from '../runtime/clock.ts';`,
      `export * from '../runtime/clock.ts';`,
      `export const load = () => import('../runtime/clock.ts');`,
      `export type C = typeof import('../runtime/clock.ts');`,
      `export const url = new URL('../runtime/clock.ts', import.meta.url);`,
    ]
  ) assert.deepEqual(faults(withFile(path, text)), [`${path}:1 ${message}`], text);
});

test('checkTree() reports a value imported where only types are allowed', () => {
  assert.deepEqual(
    faults({ 'src/wire/frame.ts': `import { type Clock, PORTS } from '../ports.ts';` }),
    [
      'src/wire/frame.ts:1 wire may import only types from ports ("src/ports.ts")',
    ],
  );
});

test('checkTree() reports a task that imports another task, also for its types', () => {
  const text = `import type { T } from './integrity.ts';\nexport type U = T;\n`;
  assert.deepEqual(faults(withFile('src/tasks/keep-alive.ts', text)), [
    'src/tasks/keep-alive.ts:1 imports task "src/tasks/integrity.ts": a task never imports a task',
  ]);
});

test('checkTree() takes a folder in src/tasks for one task', () => {
  const inner = `import type { Task } from '../task.ts';\nexport type R = Task;\n`;
  const files = {
    'src/tasks/transfer/rows.ts': inner,
    'src/tasks/transfer/send.ts': `import type { R } from './rows.ts';\nexport type S = R;\n`,
  };
  assert.deepEqual(faults({ ...withFile('src/tasks/transfer/send.ts', ''), ...files }), []);
  const text = `import type { S } from './transfer/send.ts';\nexport type U = S;\n`;
  assert.deepEqual(faults({ ...withFile('src/tasks/keep-alive.ts', text), ...files }), [
    'src/tasks/keep-alive.ts:1 imports task "src/tasks/transfer/send.ts": ' +
    'a task never imports a task',
  ]);
});

test('checkTree() reports that something below app imports it', () => {
  assert.deepEqual(faults(withFile('src/node/a.ts', `import '../app/host.ts';\n`)), [
    'src/node/a.ts:1 node must not import app ("src/app/host.ts")',
  ]);
});

test('checkTree() reports a folder that the arrow table does not know', () => {
  assert.deepEqual(faults(withFile('src/helpers/a.ts', `import '../base/bytes.ts';\n`)), [
    'src/cli/run.ts:5 cli must not import helpers ("src/helpers/a.ts")',
    'src/helpers/a.ts:1 is in folder "helpers", which the arrow table does not know',
  ]);
});

test('checkTree() reports an import of a missing file or from outside src', () => {
  assert.deepEqual(
    faults({ 'src/base/bytes.ts': `import './gone.ts';\nimport '../../test/a.ts';` }),
    [
      'src/base/bytes.ts:1 imports "src/base/gone.ts", which is no file',
      'src/base/bytes.ts:2 imports "test/a.ts", which is no file',
    ],
  );
  assert.deepEqual(
    faults({ 'src/base/bytes.ts': `import '../../test/a.ts';`, 'test/a.ts': '' }),
    ['src/base/bytes.ts:1 imports "test/a.ts" from outside src'],
  );
});

test('checkTree() reports node: imports, packages and computed imports in the wrong folder', () => {
  const text = `import 'node:fs';\nimport 'cac';\nimport 'left-pad';\nawait import(name);\n`;
  assert.deepEqual(faults({ 'src/base/bytes.ts': text }), [
    'src/base/bytes.ts:1 imports "node:fs" outside src/runtime',
    'src/base/bytes.ts:2 imports package "cac", which only runtime, cli may',
    'src/base/bytes.ts:3 imports package "left-pad", which no folder may',
    'src/base/bytes.ts:4 computes an import',
  ]);
});

test('checkTree() reports the msgpackr entry that loads a native add-on, also in runtime', () => {
  assert.deepEqual(faults({ 'src/runtime/clock.ts': `import 'msgpackr';\n` }), [
    'src/runtime/clock.ts:1 imports "msgpackr", which loads a native add-on',
  ]);
  assert.deepEqual(faults({ 'src/wire/frame.ts': `import 'msgpackr/pack';\n` }), []);
});

test('checkTree() reports every ambient effect outside src/runtime', () => {
  for (
    const text of [
      'Date.now()',
      'new Date(0)',
      'performance.now()',
      'setTimeout(f, 1)',
      'setInterval(f, 1)',
      'setImmediate(f)',
      'Math.random()',
      'AbortSignal.timeout(1)',
      'process.pid',
      'Deno.pid',
      'Bun.version',
      'Buffer.alloc(1)',
      'WebAssembly.validate(b)',
      'crypto.randomUUID()',
      'globalThis.x',
      '({ process })',
      'f`${Date.now()}`',
    ]
  ) {
    const found = faults({ 'src/base/bytes.ts': `export const x = ${text};\n` });
    assert.equal(found.length, 1, text);
    assert.match(found[0] ?? '', /^src\/base\/bytes\.ts:1 uses \S+ outside src\/runtime/);
  }
});

test('checkTree() leaves strings, comments, types, keys, members and instanceof alone', () => {
  const text = `/* Date.now() */ export const a = { process: 'Date', crypto() {} };\n` +
    `export const b = (d: Date) => a.process + \`setTimeout\` + /Math.random/.source + a['crypto'];\n` +
    `export class C { Buffer = 1; fetch(): boolean { return a instanceof Date; } }\n`;
  assert.deepEqual(faults({ 'src/base/bytes.ts': text }), []);
});

test('checkTree() reports a TODO without a number in src, test and scripts', () => {
  for (const path of ['src/base/bytes.ts', 'test/a.test.ts', 'scripts/a.ts']) {
    assert.deepEqual(faults({ [path]: `\n// TODO: later\n` }), [
      `${path}:2 has a TODO without an issue number`,
    ]);
    assert.deepEqual(
      faults({ [path]: `// TODO(#3) later, TODO #4\nexport const t = 'TODO';` }),
      [],
    );
  }
});

test('checkTree() reports a file that nothing loads', () => {
  assert.deepEqual(faults({ 'src/base/dead.ts': 'export const x = 1;\n' }), [
    'src/base/dead.ts:0 is dead: nothing leads from src/main.ts to it',
  ]);
  assert.deepEqual(faults({ 'src/runtime/worker-entry.ts': 'export const x = 1;\n' }), []);
});

test('checkTree() reports a folder that ARCHITECTURE.md does not name', () => {
  const text = 'app/ base/ cli/ runtime/ tasks/';
  assert.deepEqual(faults({}, text), ['src/wire:0 is not named in ARCHITECTURE.md']);
  assert.deepEqual(faults({}, `${text} wire/`), []);
});

test('checkTree() reports a file that ARCHITECTURE.md names and that does not exist', () => {
  const text = 'app/ base/ cli/ runtime/ tasks/ wire/\n' +
    'See `wire/frame.ts`, `src/main.ts`, `ports.ts` and `wire/gone.ts`.';
  assert.deepEqual(faults({}, text), [
    'ARCHITECTURE.md:2 names "wire/gone.ts", which is no file',
  ]);
});

test('checkTree() reports a file that it cannot parse', () => {
  assert.equal(faults({ 'test/a.test.ts': 'const = 1;\n' }).length, 1);
});

test('readSource() names functions by what they are assigned to and counts their lines', () => {
  const text = `class C {\n  m(): void {\n  }\n}\nconst f = () => {\n  return 1;\n};\n` +
    `function g() {}\nabstract class D { abstract h(): void }\n`;
  assert.deepEqual(readSource(text).functions, [
    { name: 'm', line: 2, linesCount: 2 },
    { name: 'f', line: 5, linesCount: 3 },
    { name: 'g', line: 8, linesCount: 1 },
  ]);
});
