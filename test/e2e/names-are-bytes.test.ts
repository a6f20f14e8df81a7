/** File names as disks allow them, links and special files: mirrored or refused, never mangled. */
import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { CheckDocument, SyncDocument } from '../../src/node/documents.ts';
import { type TestNode, withCluster } from './cluster.ts';
import { assertMirror, filesBelow, write } from './tree.ts';

/** Names of files, each character a byte. */
const names: Readonly<Record<string, string>> = {
  latin1: 'caf\xe9.xml',
  invalidUtf8: 'x\xff\xfe\xc0\x80.xml',
  utf8: Buffer.from('правила.xml').toString('latin1'),
  replacement: Buffer.from('\ufffd.xml').toString('latin1'),
  longest: 'n'.repeat(255),
  longestInUtf8: Buffer.from('é'.repeat(127)).toString('latin1') + 'x',
  newline: 'first\nsecond.xml',
  carriageReturn: 'over\rwritten.xml',
  escape: '\x1b[31mred\x1b[0m.xml',
  bell: 'ding\x07.xml',
  delete: 'del\x7f.xml',
  c1: Buffer.from('\u009b31m.xml').toString('latin1'),
  bidirectional: Buffer.from('abc\u202etxt.xml').toString('latin1'),
  blanks: ' leading and trailing ',
  backslash: 'back\\slash.xml',
  glob: '*?[a]{b,c}!.xml',
  dots: '...',
  dash: '-rf',
};

/** What must not be in a line for people: all that a terminal would obey. */
const rawControls = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/;

function writeBytes(root: string, path: string, content: string): void {
  const full = Buffer.concat([Buffer.from(`${root}/`), Buffer.from(path, 'latin1')]);
  fs.mkdirSync(full.subarray(0, full.lastIndexOf(0x2f)), { recursive: true });
  fs.writeFileSync(full, content);
}

/** A path of almost 4,000 bytes, the most that a system call takes being 4,096. */
function deepPath(root: string): string {
  const level = 'd'.repeat(200);
  const count = Math.floor((4000 - root.length) / (level.length + 1)) - 1;
  return `etc/rules/${`${level}/`.repeat(count)}end.xml`;
}

function assertClean(text: string): void {
  const line = text.split('\n').find((each) => rawControls.test(each));
  assert.equal(line, undefined, `raw control characters in ${JSON.stringify(line)}`);
}

test('names of any bytes are mirrored, and shown without control characters', async () => {
  await withCluster(async (cluster) => {
    const master = await cluster.master();
    for (const [what, name] of Object.entries(names)) {
      writeBytes(master.root, `etc/rules/${name}`, what);
      writeBytes(master.root, `etc/shared/${name}/${name}`, what);
    }
    writeBytes(master.root, deepPath(master.root), 'deep');
    await master.start();
    const worker = await cluster.worker(master, 'worker-1', {
      root: join(cluster.directory, 'master-X-tree'),
    });
    const { stdout } = await worker.expect(4, 'sync', '--once', '--dry-run');
    assertClean(stdout);
    assert.ok(stdout.includes('caf\\xe9.xml') && stdout.includes('first\\nsecond.xml'), stdout);
    const synced = await worker.json<SyncDocument>(0, 'sync', '--once');
    assert.deepEqual(synced.problems, []);
    assertMirror(master.root, worker.root);
    await worker.expect(0, 'check');
    await worker.expect(0, 'check', '--offline');

    for (const name of Object.values(names)) {
      writeBytes(worker.root, `etc/rules/${name}`, 'tampered');
    }
    for (const words of [['check'], ['diff'], ['check', '--offline'], ['check', '--json']]) {
      const ending = await worker.expect(4, ...words);
      assertClean(ending.stdout);
      assertClean(ending.stderr);
    }
    await worker.expect(0, 'sync', '--once');
    assertMirror(master.root, worker.root);
    await assertFollowed(master, worker);
    for (const node of [master, worker]) assertClean(node.log());
  });
});

/** Changes and deletions of such names arrive at a running worker, too. */
async function assertFollowed(master: TestNode, worker: TestNode): Promise<void> {
  await worker.start();
  await worker.inSync(await master.published());
  const [first = '', second = '', ...more] = Object.values(names);
  for (const name of more) writeBytes(master.root, `etc/rules/${name}`, 'changed');
  for (const name of [first, second]) {
    fs.rmSync(
      Buffer.concat([Buffer.from(`${master.root}/etc/rules/`), Buffer.from(name, 'latin1')]),
    );
  }
  await worker.inSync(await master.published());
  assertMirror(master.root, worker.root);
  await worker.stop();
}

test('links and special files are left out and reported, and nothing behind them is read', async () => {
  await withCluster(async (cluster) => {
    const master = await cluster.master();
    const outside = join(cluster.directory, 'outside');
    write(join(outside, 'secret.xml'), 'secret');
    write(master.path('etc/rules/real.xml'), 'real');
    fs.symlinkSync(join(outside, 'secret.xml'), master.path('etc/rules/link.xml'));
    fs.symlinkSync(outside, master.path('etc/rules/directory'));
    fs.symlinkSync('nowhere', master.path('etc/rules/dangling\x1b[2J.xml'));
    fs.symlinkSync(outside, master.path('etc/lists'));
    execFileSync('mkfifo', [master.path('etc/rules/pipe.xml')]);
    write(master.path('etc/rules/.muster-tmp-mine'), 'a name that muster uses itself');
    await master.start();
    const worker = await cluster.worker(master, 'worker-1');
    const synced = await worker.json<SyncDocument>(0, 'sync', '--once');
    assert.equal(synced.created, 1);
    assert.deepEqual([...filesBelow(worker.root).keys()], ['etc/rules/real.xml']);
    for (
      const [path, reason] of [
        ['etc/rules/link.xml', 'symbolic links are not followed'],
        ['etc/rules/directory', 'symbolic links are not followed'],
        ['etc/rules/dangling\\x1b[2J.xml', 'symbolic links are not followed'],
        ['etc/rules/pipe.xml', 'it is neither a file nor a directory'],
        ['etc/lists', 'a symbolic link stands where a directory should be'],
      ]
    ) {
      await master.says(`WARNING: [Master] [Local integrity] Not managed: "${path}": ${reason}`);
    }
    assertClean(master.log());
    const found = await master.json<CheckDocument>(5, 'check');
    assert.deepEqual(found.problems.map(({ path }) => path), ['etc/lists']);
    assert.equal(found.unmanaged.length, 4);
    fs.rmSync(master.path('etc/lists'));
    await master.expect(0, 'check');
  });
});

test('a worker does not follow links in its own tree, and says what stands in the way', async () => {
  await withCluster(async (cluster) => {
    const master = await cluster.master();
    write(master.path('etc/rules/group/a.xml'), 'a');
    write(master.path('etc/rules/b.xml'), 'b');
    write(master.path('etc/rules/c.xml'), 'c');
    write(master.path('etc/rules/d.xml'), 'd');
    write(master.path('etc/rules/e.xml'), 'e');
    await master.start();
    const worker = await cluster.worker(master, 'worker-1');
    const outside = join(cluster.directory, 'outside');
    fs.mkdirSync(outside);
    // What no set chooses is nothing of muster's; where nothing is, nothing stands in the way.
    write(worker.path('etc/rules/c.xml/own.tmp'), 'own');
    fs.mkdirSync(worker.path('etc/rules/e.xml/empty'), { recursive: true });
    fs.symlinkSync(outside, worker.path('etc/rules/group'));
    fs.symlinkSync(join(outside, 'b.xml'), worker.path('etc/rules/b.xml'));
    const synced = await worker.json<SyncDocument>(5, 'sync', '--once');
    assert.equal(synced.created, 2);
    assert.deepEqual(synced.problems.map(({ path }) => path).sort(), [
      'etc/rules/b.xml',
      'etc/rules/c.xml',
      'etc/rules/group/a.xml',
    ]);
    const reasons = synced.problems.map(({ reason }) => reason).join('\n');
    assert.match(reasons, /a symbolic link/);
    assert.match(reasons, /a directory/);
    assert.deepEqual(fs.readdirSync(outside), []);
    assert.equal(fs.readFileSync(worker.path('etc/rules/c.xml/own.tmp'), 'utf8'), 'own');
    assert.equal(fs.readFileSync(worker.path('etc/rules/d.xml'), 'utf8'), 'd');
    assert.equal(fs.readFileSync(worker.path('etc/rules/e.xml'), 'utf8'), 'e');
    for (const name of ['b.xml', 'c.xml', 'group']) {
      fs.rmSync(worker.path(`etc/rules/${name}`), { recursive: true });
    }
    await worker.expect(0, 'sync', '--once');
    assertMirror(master.root, worker.root);
  });
});
