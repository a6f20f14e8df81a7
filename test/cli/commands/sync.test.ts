import assert from 'node:assert/strict';
import test from 'node:test';
import { ClusterError } from '../../../src/base/errors.ts';
import type { SyncDocument } from '../../../src/node/documents.ts';
import type { Operations } from '../../../src/node/operations.ts';
import { FakeHost, finish, run } from '../fake-host.ts';
import { differences, halted, problems, synced } from '../samples.ts';

function answering(document: SyncDocument): Partial<Operations> {
  return { sync: () => Promise.resolve(document) };
}

const nothing: SyncDocument = { ...synced, created: 0, replaced: 0, bytes: 0, duration_ms: 12 };
const dry: SyncDocument = { ...nothing, dry_run: true, in_sync: false, differences };

test('sync --once says in one line what was done', async () => {
  assert.deepEqual(await run('sync --once', answering(synced)), {
    exitCode: 0,
    stdout: 'In sync at generation 812: 3 created, 1 replaced, 0 removed, 1.2 MiB (840 ms)\n',
    stderr: '',
  });
  const idle = await run('sync --once', answering(nothing));
  assert.equal(idle.stdout, 'In sync at generation 812: nothing to do (12 ms)\n');
});

test('sync without --once explains what is missing', async () => {
  assert.deepEqual(await run('sync'), {
    exitCode: 2,
    stdout: '',
    stderr: `muster: "muster sync" does one round and exits, which has to be said: --once
  Run "muster sync --once", or "muster run" for the daemon that keeps the node in step
`,
  });
});

test('sync --dry-run lists what would change, and exits with 4', async () => {
  let request: unknown;
  const { exitCode, stdout } = await run('sync --once --dry-run', {
    sync: (asked) => {
      request = asked;
      return Promise.resolve(dry);
    },
  });
  assert.deepEqual(request, { dryRun: true });
  assert.equal(exitCode, 4);
  assert.equal(
    stdout,
    `~ etc/rules/local_rules.xml (482 B)
+ etc/rules/new.xml (1.2 KiB)
- etc/shared/old/agent.conf
Dry run against generation 812: would be 1 created, 1 replaced, 1 removed, 1.7 KiB (12 ms)
`,
  );
  const idle = await run('sync --once --dry-run', answering({ ...nothing, dry_run: true }));
  assert.equal(idle.exitCode, 0);
  assert.equal(idle.stdout, 'Dry run against generation 812: nothing to do (12 ms)\n');
});

test('sync that could not do everything says what, and exits with 5', async () => {
  const partly = { ...synced, in_sync: false, problems };
  assert.deepEqual(await run('sync --once', answering(partly)), {
    exitCode: 5,
    stdout: 'Partly done at generation 812: 3 created, 1 replaced, 0 removed (840 ms)\n',
    stderr: `muster: 2 paths could not be handled:
  etc/rules/locked.xml: permission denied
  etc/rules/gone\\x1b.xml: vanished
`,
  });
  const late = await run('sync --once', answering({ ...synced, in_sync: false }));
  assert.equal(late.exitCode, 5);
});

test('sync that a guard has halted says how to go on, and exits with 6', async () => {
  const stopped = { ...synced, in_sync: false, problems, halted };
  const { exitCode, stdout, stderr } = await run(
    'sync --once --config muster.toml',
    answering(stopped),
  );
  assert.equal(exitCode, 6);
  assert.equal(
    stdout,
    'Halted at generation 812: 3 created, 1 replaced, 0 removed (840 ms)\n',
  );
  assert.equal(
    stderr.split('\n').slice(3).join('\n'),
    `muster: Set "shared" is halted: it would lose 700 of 1239 files
  See what would change: muster diff --config muster.toml
  To let it through: muster approve shared --config muster.toml
`,
  );
});

test('sync --quiet prints nothing on success and one line otherwise', async () => {
  assert.deepEqual(await run('sync --once --quiet', answering(synced)), {
    exitCode: 0,
    stdout: '',
    stderr: '',
  });
  const table: [SyncDocument, number, string][] = [
    [
      { ...synced, in_sync: false, problems },
      5,
      'sync: could not handle etc/rules/locked.xml: permission denied (and 1 more path)',
    ],
    [
      { ...synced, in_sync: false, problems, halted },
      6,
      'sync: set "shared" is halted: it would lose 700 of 1239 files',
    ],
    [{ ...synced, in_sync: false }, 5, 'sync: not in sync with generation 812 yet'],
    [dry, 4, 'sync: 3 files would change'],
  ];
  for (const [document, exitCode, line] of table) {
    assert.deepEqual(await run('sync --once --quiet', answering(document)), {
      exitCode,
      stdout: '',
      stderr: `muster: ${line}\n`,
    });
  }
});

test('sync --json prints the document, whatever the exit code', async () => {
  const document = { ...synced, in_sync: false, problems, halted };
  const { exitCode, stdout, stderr } = await run('sync --once --json', answering(document));
  assert.equal(exitCode, 6);
  assert.deepEqual(JSON.parse(stdout), document);
  assert.equal(stderr, '');
});

test('sync closes the node, also when it fails', async () => {
  for (const sync of [async () => synced, () => Promise.reject(new Error('no'))]) {
    const host = new FakeHost(['sync', '--once']);
    host.operations = { sync };
    await finish(host);
    assert.deepEqual(host.opened, ['any']);
    assert.equal(host.closedCount, 1);
  }
});

test('sync shows progress on a terminal, and leaves nothing of it', async () => {
  const host = new FakeHost(['sync', '--once']).onTerminal();
  host.operations = {
    sync: (_, { onProgress }) => {
      onProgress?.({
        phase: 'fetching',
        filesDone: 1,
        filesTotal: 4,
        bytesDone: 0,
        bytesTotal: 1024,
      });
      return Promise.resolve(synced);
    },
  };
  const { stdout, stderr } = await finish(host);
  assert.equal(stderr, '\rFetching  1 of 4 files  0 B of 1.0 KiB\x1b[K\r\x1b[K');
  assert.match(stdout, /^\x1b\[32mIn sync\x1b\[0m at generation 812/);
});

test('sync --timeout gives up after that time, with exit code 7', async () => {
  let aborted: AbortSignal | undefined;
  const { exitCode, stderr } = await run('sync --once --timeout 5m', {
    sync: (_, { signal }) => {
      aborted = signal;
      return new Promise(() => {});
    },
  });
  assert.equal(exitCode, 7);
  assert.equal(stderr, 'muster: The round took longer than 300000 ms\n');
  assert.equal(aborted?.aborted, true);
});

test('sync refuses a time that is none', async () => {
  for (const time of ['5', 'soon', '-5m', '0s', '1.5h']) {
    const { exitCode, stderr } = await run(`sync --once --timeout=${time}`);
    assert.equal(exitCode, 2);
    assert.match(stderr, /^muster: Option "--timeout" cannot be/);
  }
});

test('sync on a master is refused in the words of the node', async () => {
  const refusal = new ClusterError('refused', '"muster sync" is for a worker');
  const { exitCode, stderr } = await run('sync --once', { sync: () => Promise.reject(refusal) });
  assert.deepEqual([exitCode, stderr], [1, 'muster: "muster sync" is for a worker\n']);
});

test('sync where another instance holds the lock exits with 10', async () => {
  const host = new FakeHost(['sync', '--once', '--quiet']);
  host.onOpen = () => {
    throw new ClusterError('locked', 'Another muster is using "/home/me"');
  };
  const { exitCode, stderr } = await finish(host);
  assert.deepEqual([exitCode, stderr], [10, 'muster: Another muster is using "/home/me"\n']);
});
