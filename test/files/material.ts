/**
 * Material for the tests of files: sets, entries and paths, made up or drawn by chance.
 */
import assert from 'node:assert/strict';
import { type BytePath, fromBytes } from '../../src/base/bytes.ts';
import { ProtocolError } from '../../src/base/errors.ts';
import type { Entry } from '../../src/files/entry.ts';
import type { FileSet } from '../../src/files/file-set.ts';
import type { SeededRandom } from '../sim/random.ts';

/** A set with the settings of everyday, but for those given. */
export function fileSet(settings: Partial<FileSet> = {}): FileSet {
  return {
    name: 'rules',
    path: 'etc/rules',
    include: ['**'],
    exclude: [],
    excludeDefaults: true,
    recursive: true,
    mode: 0o640,
    directoryMode: 0o770,
    owner: undefined,
    group: undefined,
    prune: false,
    pruneFiles: [],
    keyFile: false,
    deletionsShareMax: 0.5,
    deletionsMax: 1000,
    ...settings,
  };
}

/** An entry whose hash (16 bytes) says its content. */
export function entry(path: BytePath, content = 'a', settings: Partial<Entry> = {}): Entry {
  return {
    path,
    size: content.length,
    mtimeMs: 1_700_000_000_000.25,
    hash: content.padEnd(16, '.').slice(0, 16),
    ...settings,
  };
}

/** A path of few words, so that the same one comes again. */
export function wordPath(random: SeededRandom): BytePath {
  const depth = random.integer(1, 3);
  return Array.from({ length: depth }, () => random.pick(words)).join('/');
}

const words = ['a', 'b', 'ab', 'a b', 'lists', 'x.xml', '.hidden', 'caf\xc3\xa9', '\xff\n', 'z'];

/** An entry with chance for all but the path. */
export function randomEntry(random: SeededRandom, path: BytePath): Entry {
  return {
    path,
    size: random.pick([0, 1, 255, 65_536, 2 ** 32 + 5, 2 ** 42 + 7, random.next32()]),
    mtimeMs: random.pick([0, -1.5, 1.7e12 + random.float(), random.next32()]),
    hash: fromBytes(random.bytes(16)),
  };
}

/** Bytes with some of them changed, removed, doubled or cut off. */
export function mutated(random: SeededRandom, bytes: Uint8Array): Uint8Array {
  let list = [...bytes];
  for (let i = random.integer(1, 4); i > 0; i--) {
    const at = random.integer(0, list.length);
    const kind = random.integer(0, 3);
    if (kind === 0) list[at] = random.integer(0, 255);
    else if (kind === 1) list.splice(at, random.integer(1, 8));
    else if (kind === 2) list.splice(at, 0, ...list.slice(at, at + 9));
    else list = list.slice(0, at);
  }
  return Uint8Array.from(list);
}

/** The result, or undefined where a ProtocolError `malformed` is thrown; nothing else may be. */
export function unlessMalformed<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof ProtocolError && error.fault === 'malformed') return undefined;
    throw error;
  }
}

/** Asserts that a ProtocolError `malformed` is thrown whose message fits. */
export function assertMalformed(read: () => unknown, message: RegExp): void {
  assert.throws(
    read,
    (error) =>
      error instanceof ProtocolError && error.fault === 'malformed' && message.test(error.message),
  );
}
