import assert from 'node:assert/strict';
import test from 'node:test';
import { masterTemplate, type SetRules, workerTemplate } from '../../src/config/template.ts';
import { configOf } from './sources.ts';

const master = { name: 'master-1', cluster: 'prod', root: '/var/ossec', listen: '[::]:1517' };
const worker = { name: 'w-1', cluster: 'prod', root: 'tree', master: ['10.0.0.1:1517', 'b:2'] };

test('masterTemplate() is the configuration of a master with what it was told', () => {
  const config = configOf(masterTemplate(master));
  assert.equal(config.node.role, 'master');
  assert.equal(config.node.name, 'master-1');
  assert.equal(config.node.cluster, 'prod');
  assert.equal(config.node.root, '/var/ossec');
  assert.equal(config.master.listen, '[::]:1517');
  assert.equal(config.sets.length, 7);
});

test('workerTemplate() is the configuration of a worker with what it was told', () => {
  const config = configOf(workerTemplate(worker));
  assert.equal(config.node.role, 'worker');
  assert.equal(config.node.root, '/srv/muster/tree');
  assert.deepEqual(config.worker.master, worker.master);
  assert.equal(config.sets.length, 7);
});

test('workerTemplate() writes down the sets of the master where they are not the default ones', () => {
  const rules = (lines: string): SetRules[] =>
    configOf(masterTemplate(master) + lines).sets.map(
      ({ name, path, include, exclude, excludeDefaults, recursive }) => (
        { name, path, include, exclude, excludeDefaults, recursive }
      ),
    );
  assert.doesNotMatch(workerTemplate({ ...worker, sets: rules('') }), /^\[\[sets\]\]/m);
  const sets = rules(`
[[sets]]
name = "shared"
path = "etc/shared"
exclude = ["private"]
[[sets]]
name = "own"
path = "."
include = ["*.xml"]
exclude_defaults = false
recursive = false
`);
  const config = configOf(workerTemplate({ ...worker, sets }));
  assert.deepEqual(
    config.sets.map(({ name, path, include, exclude, excludeDefaults, recursive }) => (
      { name, path, include, exclude, excludeDefaults, recursive }
    )),
    sets,
  );
  assert.deepEqual(config.sets.map(({ mode, prune }) => [mode, prune]), [[0o660, true], [
    0o640,
    false,
  ]]);
});

test('workerTemplate() writes down the hash of the master where it is not the default one', () => {
  assert.match(workerTemplate({ ...worker, algorithm: 'sha256' }), /^algorithm = "sha256"$/m);
  assert.doesNotMatch(workerTemplate({ ...worker, algorithm: 'md5' }), /algorithm/);
});

test('templates stay valid when each of their commented keys is switched on', () => {
  for (const text of [masterTemplate(master), workerTemplate(worker)]) {
    const isKey = /^#(?=\[\[sets|[a-z_]+ = )/gm;
    assert.match(text, isKey);
    const config = configOf(text.replace(isKey, ''));
    assert.deepEqual(config.sets.map(({ name }) => name), ['rules']);
  }
});

test('templates quote what they were told', () => {
  const root = '/a"\n[log]\nlevel = "debug"\n#';
  const config = configOf(masterTemplate({ ...master, root }));
  assert.equal(config.log.level, 'info');
});

test('templates are short, and no line is longer than a screen', () => {
  for (const text of [masterTemplate(master), workerTemplate(worker)]) {
    const lines = text.split('\n');
    assert.ok(lines.length <= 45, `${lines.length} lines`);
    assert.ok(lines.every((line) => line.length <= 100));
  }
});
