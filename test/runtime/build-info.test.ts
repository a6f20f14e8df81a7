/** The values that a packed binary reports are checked in test/e2e; here it runs from source. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { test } from 'node:test';
import { buildInfo } from '../../src/runtime/build-info.ts';

test('buildInfo() takes the version from package.json when run from source', () => {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(text) as { version: string };
  const { runtime, runtimeVersion, ...rest } = buildInfo();
  assert.equal(process.versions[runtime], runtimeVersion);
  assert.deepEqual(rest, {
    version,
    commit: 'source',
    target: `${process.platform}-${process.arch}`,
  });
});
