import assert from 'node:assert/strict';
import test from 'node:test';
import * as v from 'valibot';
import { effectiveDocument, renderEffective } from '../../src/config/effective.ts';
import { keyLine, renderSet } from '../../src/config/effective.ts';
import type { FileValue, Key } from '../../src/config/key.ts';
import { eachKey } from '../../src/config/keys.ts';
import { parseConfig } from '../../src/config/parse.ts';
import { ConfigError } from '../../src/config/problems.ts';
import { setKeys } from '../../src/config/set-keys.ts';
import { configOf, fileName, masterText, seeded, workerText } from './sources.ts';

test('renderEffective() names the origin of each value behind it', () => {
  const { config, origins } = parseConfig({
    fileName,
    text: workerText,
    env: { MUSTER_LOG__LEVEL: 'debug' },
    flags: { 'integrity.timeout': '5m' },
  });
  const lines = renderEffective(config, origins).split('\n');
  const line = (start: string): string =>
    lines.find((candidate) => candidate.startsWith(start)) ?? '';
  assert.match(line('name = "worker-1"'), new RegExp(`# ${fileName}:2$`));
  assert.match(line('level = "debug"'), /# MUSTER_LOG__LEVEL$/);
  assert.match(line('timeout = "5m"'), /# option integrity\.timeout$/);
  assert.match(line('misses_max = 2'), /# default$/);
});

test('renderEffective() gives a file that gives the same configuration', () => {
  const random = seeded(4);
  let readCount = 0;
  for (let i = 0; i < 300; i++) {
    const text = randomText(random);
    const parsed = tryParse(text);
    if (parsed === undefined) continue;
    readCount += 1;
    const shown = renderEffective(parsed.config, parsed.origins);
    assert.deepEqual(configOf(shown), parsed.config, text);
  }
  assert.ok(readCount > 100, `only ${readCount} of the random files were valid`);
});

test('renderEffective() keeps a node without sets one without sets', () => {
  const { config, origins } = parseConfig({ fileName, text: `sets = []\n${masterText}` });
  assert.deepEqual(configOf(renderEffective(config, origins)).sets, []);
});

test('renderEffective() writes the root itself as "."', () => {
  const text = `${masterText}[[sets]]\nname = "a"\npath = ""\n`;
  const { config, origins } = parseConfig({ fileName, text });
  assert.match(renderEffective(config, origins), /^path = "\." /m);
});

test('effectiveDocument() has values in the notation of the file, and their origins', () => {
  const { config, origins } = parseConfig({ fileName, text: workerText });
  const document = effectiveDocument(config, origins);
  assert.equal(document.schema_version, 1);
  assert.equal(document.file, fileName);
  assert.deepEqual(document.values['keep_alive'], {
    interval: '1m',
    misses_max: 2,
    silence_max: '2m',
  });
  assert.equal((document.values['sets'] as { mode: string }[])[0]?.mode, '0640');
  assert.deepEqual(document.origins['node.name'], { source: 'file', detail: `${fileName}:2` });
  assert.deepEqual(JSON.parse(JSON.stringify(document)), document);
});

test('renderSet() gives a table that is read as what it was made from', () => {
  const random = seeded(9);
  let readCount = 0;
  for (let i = 0; i < 100; i++) {
    const set = randomSet(random, 'x');
    const parsed = tryParse(`${masterText}${renderSet(set)}\n`);
    if (parsed === undefined) continue;
    readCount += 1;
    const { values } = effectiveDocument(parsed.config, parsed.origins);
    const [shown] = values['sets'] as Record<string, unknown>[];
    for (const [name, value] of Object.entries(set)) {
      const key: Key = setKeys[name as keyof typeof setKeys];
      const context = { directory: '/', hostname: undefined };
      assert.deepEqual(shown?.[name], key.format(key.parse(value, context)), name);
    }
  }
  assert.ok(readCount > 50, `only ${readCount} of the random sets were valid`);
});

test('keyLine() writes texts that cannot break out of their line', () => {
  for (const text of ['a"b', 'a\nb = 1', '\\', '\u007f', "'''", 'ü\u{1f600}', '# no comment']) {
    assert.equal(keyLine('x', text).split('\n').length, 1);
    const { config } = parseConfig({
      fileName,
      text: `${masterText}[hooks]\n${keyLine('reload', [text])}`,
    });
    assert.deepEqual(config.hooks.reload, [text]);
  }
});

// ---------------------------------------------------------------------------------------------

function tryParse(text: string): ReturnType<typeof parseConfig> | undefined {
  try {
    return parseConfig({ fileName, text });
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}

const texts = [
  'a',
  'worker-1',
  '/srv/x',
  'sub/dir',
  'h:1',
  '[::1]:17',
  '',
  'info',
  'json',
  'md5',
  'ü',
  'a b',
  'master',
  '0660',
  '0770',
];

/** A value that the key accepts, or undefined where the dice gave none. */
function randomValue(random: () => number, key: Key): FileValue | undefined {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const number = Math.floor(random() * 100);
  const candidates: FileValue[] = [
    number,
    number / 100,
    random() < 0.5,
    `${number}${pick(['ms', 's', 'm', 'h', 'd'])}`,
    `${number}${pick(['B', 'KiB', 'MiB', 'GiB'])}`,
    pick(texts),
    [pick(texts), pick(texts)],
    [],
  ];
  const accepted = candidates.filter((value) => {
    try {
      return v.is(key.schema, value) &&
        key.parse(value, { directory: '/d', hostname: 'h' }) !== null;
    } catch {
      return false;
    }
  });
  return accepted.length === 0 ? undefined : pick(accepted);
}

function randomSet(random: () => number, path: string): { name: string; path: string } {
  const values = Object.entries<Key>(setKeys)
    .filter(([name]) => name !== 'name' && name !== 'path')
    .map(([name, key]) => [name, randomValue(random, key)] as const)
    .filter(([, value]) => value !== undefined && random() < 0.5);
  return { name: `set-${path}`, path, ...Object.fromEntries(values) };
}

function randomText(random: () => number): string {
  const lines: string[] = [];
  let last = '';
  for (const { table, name, key } of eachKey()) {
    const isNeeded = key.required !== undefined || name === 'master';
    const value = isNeeded || random() < 0.3 ? randomValue(random, key) ?? key.required : undefined;
    if (table !== last) lines.push(`[${table}]`);
    last = table;
    if (value !== undefined) lines.push(keyLine(name, value));
  }
  const count = Math.floor(random() * 3);
  for (let i = 0; i < count; i++) lines.push(renderSet(randomSet(random, `tree-${i}`)));
  return lines.join('\n');
}
