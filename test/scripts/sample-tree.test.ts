import assert from 'node:assert/strict';
import test from 'node:test';
import { sampleFiles } from '../../scripts/sample-tree.ts';
import { fromText } from '../../src/base/bytes.ts';
import { parseConfig } from '../../src/config/parse.ts';
import { SetTable } from '../../src/files/file-set.ts';
import { createHashing } from '../../src/runtime/hashing.ts';

test('sampleFiles() gives the same files for the same seed, and others for another', () => {
  const first = [...sampleFiles(7)];
  assert.deepEqual([...sampleFiles(7)], first);
  assert.notDeepEqual([...sampleFiles(8)], first);
});

test('sampleFiles() gives about 350 different paths', () => {
  const paths = [...sampleFiles()].map(({ path }) => path);
  assert.equal(new Set(paths).size, paths.length);
  assert.ok(paths.length > 300 && paths.length < 400, String(paths.length));
});

test('sampleFiles() has files of every default set, and marks those that no set has', async () => {
  const text = '[node]\nname = "a"\nrole = "master"\nroot = "/tree"\n';
  const { config } = parseConfig({ fileName: '/a/muster.toml', text });
  const table = new SetTable(config.sets, await createHashing(), 'md5');
  const found = new Set<string>();
  for (const { path, isManaged } of sampleFiles()) {
    const set = table.setOf(fromText(path));
    assert.equal(set !== undefined, isManaged, path);
    if (set !== undefined) found.add(set.name);
  }
  assert.deepEqual([...found].sort(), table.sets.map(({ name }) => name).sort());
});
