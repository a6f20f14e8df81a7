import assert from 'node:assert/strict';
import test from 'node:test';
import type { CheckDocument } from '../../../src/node/documents.ts';
import type { Operations } from '../../../src/node/operations.ts';
import { FakeHost, finish, run } from '../fake-host.ts';
import { checked, drifted, halted, problems, unmanaged } from '../samples.ts';

function answering(document: CheckDocument): Partial<Operations> {
  return { check: () => Promise.resolve(document) };
}

const listing = `~ etc/rules/local_rules.xml (482 B)
+ etc/rules/new.xml (1.2 KiB)
- etc/shared/old/agent.conf
`;

test('check says what it compared with, and that all is in step', async () => {
  const table: [CheckDocument['compared_with'], string][] = [
    ['master', 'the master at generation 812'],
    ['last applied generation', 'the last applied generation, 812'],
    ['last published generation', 'the last published generation, 812'],
  ];
  for (const [other, text] of table) {
    assert.deepEqual(await run('check', answering({ ...checked, compared_with: other })), {
      exitCode: 0,
      stdout: `In sync with ${text}: 1,240 files checked\n`,
      stderr: '',
    });
  }
});

test('check --offline asks for the comparison without the master', async () => {
  const requests: unknown[] = [];
  const check: Operations['check'] = (request) => {
    requests.push(request);
    return Promise.resolve(checked);
  };
  await run('check', { check });
  await run('check --offline', { check });
  assert.deepEqual(requests, [{ offline: false }, { offline: true }]);
});

test('check lists what differs, and exits with 4', async () => {
  assert.deepEqual(await run('check', answering(drifted)), {
    exitCode: 4,
    stdout:
      `Differs from the master at generation 812: 3 differences, 1,240 files checked\n${listing}`,
    stderr: '',
  });
});

test('check that could not read everything does not call it in sync, and exits with 5', async () => {
  const partly = { ...checked, in_sync: false, problems };
  const { exitCode, stdout, stderr } = await run('check', answering(partly));
  assert.equal(exitCode, 5);
  assert.equal(
    stdout,
    'Partly compared with the master at generation 812: 1,240 files checked\n',
  );
  assert.match(stderr, /^muster: 2 paths could not be handled:\n {2}etc\/rules\/locked.xml: /);
});

test('check names what is not managed, which is no difference', async () => {
  const beside = { ...checked, unmanaged };
  assert.deepEqual(await run('check', answering(beside)), {
    exitCode: 0,
    stdout: 'In sync with the master at generation 812: 1,240 files checked\n',
    stderr: 'muster: 1 path is not managed:\n' +
      '  etc/rules/link.xml: symbolic links are not followed\n',
  });
  const quiet = await run('check --quiet', answering(beside));
  assert.deepEqual(quiet, { exitCode: 0, stdout: '', stderr: '' });
});

test('check of a halted set exits with 6', async () => {
  const { exitCode, stderr } = await run('check', answering({ ...drifted, halted, problems }));
  assert.equal(exitCode, 6);
  assert.match(
    stderr,
    /Set "shared" is halted: it would lose 700 of 1239 files\n {2}To let it through: muster approve shared\n$/,
  );
});

test('check --quiet prints nothing where all is in step and one line otherwise', async () => {
  assert.deepEqual(await run('check --quiet', answering(checked)), {
    exitCode: 0,
    stdout: '',
    stderr: '',
  });
  assert.deepEqual(await run('check --quiet', answering(drifted)), {
    exitCode: 4,
    stdout: '',
    stderr: 'muster: check: 3 differences from the master at generation 812\n',
  });
});

test('diff prints the listing alone to standard output', async () => {
  assert.deepEqual(await run('diff', answering(drifted)), {
    exitCode: 4,
    stdout: listing,
    stderr: 'Differs from the master at generation 812: 3 differences, 1,240 files checked\n',
  });
  const same = await run('diff', answering(checked));
  assert.deepEqual([same.exitCode, same.stdout], [0, '']);
});

test('diff --json prints the document', async () => {
  const { exitCode, stdout } = await run('diff --json', answering(drifted));
  assert.equal(exitCode, 4);
  assert.deepEqual(JSON.parse(stdout), drifted);
});

test('diff lists everything to a file, and no more than can be read to a terminal', async () => {
  const many: CheckDocument = {
    ...drifted,
    differences: Array.from({ length: 1300 }, (_, index) => ({
      set: 'shared',
      path: `etc/shared/file-${String(index).padStart(4, '0')}`,
      action: 'create',
      size: 1,
    })),
  };
  const all = await run('diff', answering(many));
  assert.equal(all.stdout.split('\n').length, 1301);
  const host = new FakeHost(['diff', '--color', 'never']).onTerminal();
  host.operations = answering(many);
  const lines = (await finish(host)).stdout.split('\n');
  assert.deepEqual(lines.slice(49), ['+ etc/shared/file-0049 (1 B)', '… and 1,250 more', '']);
});

test('diff cannot be made to act on a terminal by the name of a file', async () => {
  const nasty: CheckDocument = {
    ...drifted,
    differences: [{ set: 'x', path: 'a\x1b]0;b\x07\nc', action: 'create', size: 1 }],
  };
  const { stdout } = await run('diff', answering(nasty));
  assert.equal(stdout, '+ a\\x1b]0;b\\x07\\nc (1 B)\n');
});
