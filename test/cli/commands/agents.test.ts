/** `agents list`, `show` and `report`: what there is of agents, and what they report. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { ClusterError } from '../../../src/base/errors.ts';
import type { OperationRequests, Operations } from '../../../src/node/operations.ts';
import { FakeHost, finish, run } from '../fake-host.ts';
import { agent, agents, shownAgent } from '../samples.ts';

// --- list --------------------------------------------------------------------------------------

const listed: Partial<Operations> = { agentsList: () => Promise.resolve(agents) };

test('agents list shows a line for each agent', async () => {
  assert.deepEqual(await run('agents list', listed), {
    exitCode: 0,
    stdout:
      `ID    NAME                              IP        STATUS           NODE      OS                  HEARD     GROUPS
007   web-7                             10.0.0.7  active           worker-1  Ubuntu 22.04.3 LTS  12 s ago  default,web
1234  database-with-a-long-name.example  -         never_connected  -         -                   never
`.replaceAll('NAME    ', 'NAME     ').replaceAll('web-7    ', 'web-7     '),
    stderr: '',
  });
  assert.deepEqual(await run('agents', listed), await run('agents list', listed));
});

test('agents list fits its terminal', async () => {
  for (const columns of [80, 100, 140]) {
    const host = new FakeHost(['agents', 'list', '--color', 'never']).onTerminal(columns);
    host.operations = listed;
    const { stdout } = await finish(host);
    assert.equal(stdout.split('\n').length, 4);
    for (const line of stdout.split('\n')) assert.ok(line.length <= columns, line);
  }
});

test('agents list --json is one document', async () => {
  const { stdout, stderr } = await run('agents list --json', listed);
  assert.deepEqual(JSON.parse(stdout), agents);
  assert.equal(stdout, `${JSON.stringify(agents, null, 2)}\n`);
  assert.equal(stderr, '');
});

test('agents list --json is the same document for no agent and for many pages', async () => {
  for (const count of [0, 1, 1000, 2345]) {
    const all = Array.from({ length: count }, (_, index) => ({ ...agent, id: String(index + 1) }));
    const host = new FakeHost(['agents', 'list', '--json']);
    host.operations = {
      agentsList: ({ after = 0, limit = 1000 }) =>
        Promise.resolve({ ...agents, total: count, agents: all.slice(after, after + limit) }),
    };
    const { stdout } = await finish(host);
    const expected = { ...agents, total: count, agents: all };
    assert.equal(stdout, `${JSON.stringify(expected, null, 2)}\n`);
  }
});

test('agents list asks for what its options say', async () => {
  const asked: OperationRequests['agentsList'][] = [];
  const operations: Partial<Operations> = {
    agentsList: (request) => {
      asked.push(request);
      return Promise.resolve({ ...agents, total: 30 });
    },
  };
  const options = '--status disconnected --node w --group web --os Ubuntu --limit 2';
  const { stderr } = await run(`agents list ${options}`, operations);
  assert.deepEqual(asked, [
    { status: 'disconnected', node: 'w', group: 'web', platform: 'Ubuntu', limit: 2 },
  ]);
  assert.equal(stderr, '2 of 30 agents\n');
});

test('agents list refuses what it cannot ask for', async () => {
  for (
    const [options, message] of [
      ['--status activ', /--status cannot be "activ", did you mean "active"\?/],
      ['--limit 0', /Option "--limit" cannot be "0"/],
      ['--group a/b', /A group cannot have the name "a\/b"/],
    ] as const
  ) {
    const { exitCode, stderr } = await run(`agents list ${options}`);
    assert.equal(exitCode, 2);
    assert.match(stderr, message);
  }
});

test('agents list says that there is none, and whose view it is', async () => {
  const empty = { ...agents, total: 0, agents: [] };
  const none = await run('agents list', { agentsList: () => Promise.resolve(empty) });
  assert.deepEqual(none, { exitCode: 0, stdout: '', stderr: 'There is no such agent\n' });
  const seen = (confirmed: string | null) => ({
    agentsList: () => Promise.resolve({ ...agents, view: 'worker' as const, confirmed }),
  });
  const before = await run('agents list', seen(null));
  assert.equal(
    before.stderr,
    'This is the view of a worker; the master has not confirmed its groups yet\n',
  );
  const later = await run('agents list', seen('2026-11-23T09:27:01Z'));
  assert.equal(
    later.stderr,
    'This is the view of a worker; the master confirmed its groups 4.0 s ago\n',
  );
  assert.equal((await run('agents list --quiet', seen(null))).stderr, '');
});

test('agents list lets nothing through that acts on a terminal', async () => {
  const hostile = { ...agent, name: 'a\x1b[2J', os_name: 'b\u009b', node_name: 'c\u202e' };
  const { stdout } = await run('agents list', {
    agentsList: () => Promise.resolve({ ...agents, agents: [hostile] }),
  });
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(stdout, /[\x1b\u009b\u202e]/);
});

// --- show --------------------------------------------------------------------------------------

test('agents show tells what is known', async () => {
  const asked: number[] = [];
  const operations: Partial<Operations> = {
    agentsShow: ({ id }) => {
      asked.push(id);
      return Promise.resolve(shownAgent);
    },
  };
  const { exitCode, stdout, stderr } = await run('agents show 7', operations);
  assert.equal(exitCode, 0);
  assert.match(stdout, /^id                   007$/m);
  assert.match(stdout, /^last_keepalive       2026-11-23T09:26:53Z \(12 s ago\)$/m);
  assert.match(stdout, /^disconnection_time   -$/m);
  assert.match(stdout, /^groups               default,web$/m);
  assert.match(stdout, /^labels.site          Graz$/m);
  assert.doesNotMatch(stdout, /os_build/);
  assert.match(stderr, /view of a worker/);
  await run('agents show 007', operations);
  assert.deepEqual(asked, [7, 7]);
  assert.deepEqual(JSON.parse((await run('agents show 7 --json', operations)).stdout), shownAgent);
});

test('agents show fails where there is no such agent', async () => {
  const agentsShow = () => Promise.reject(new ClusterError('notFound', 'There is no agent 008'));
  const { exitCode, stderr } = await run('agents show 8', { agentsShow });
  assert.deepEqual([exitCode, stderr], [1, 'muster: There is no agent 008\n']);
  for (const id of ['0', 'x', '-7', '99999999999']) {
    const ending = await run(`agents show -- ${id}`);
    assert.equal(ending.exitCode, 2);
    assert.match(ending.stderr, /An agent cannot have the number/);
  }
});

// --- report ------------------------------------------------------------------------------------

/** A node that refuses whatever says so. */
const agentsReport: Operations['agentsReport'] = ({ reports }) => {
  const refused = reports.flatMap((text, index) =>
    text.includes('bad') ? [{ line: index + 1, problem: 'bad' }] : []
  );
  return Promise.resolve({
    schema_version: 1,
    accepted: reports.length - refused.length,
    refused_count: refused.length,
    refused,
  });
};

function reporting(input: readonly string[], ...options: string[]): FakeHost {
  const host = new FakeHost(['agents', 'report', ...options]);
  host.operations = { agentsReport };
  host.input = input;
  return host;
}

test('agents report says what became of the reports', async () => {
  assert.deepEqual(await finish(reporting(['good\ngo', 'od\n'])), {
    exitCode: 0,
    stdout: '2 reports accepted\n',
    stderr: '',
  });
  assert.deepEqual(await finish(reporting(['good\nbad\n', '\nbad'])), {
    exitCode: 5,
    stdout: '1 report accepted, 2 refused\n',
    stderr: 'muster: line 2: bad\nmuster: line 4: bad\n',
  });
  assert.deepEqual(await finish(reporting(['bad\n'])), {
    exitCode: 1,
    stdout: '0 reports accepted, 1 refused\n',
    stderr: 'muster: line 1: bad\n',
  });
  assert.deepEqual(await finish(reporting([])), {
    exitCode: 0,
    stdout: '',
    stderr: 'There was no report on standard input\n',
  });
});

test('agents report hands over many reports in batches', async () => {
  const host = reporting([]);
  host.input = ['good\nbad\n'.repeat(50_000)];
  const lengths: number[] = [];
  host.operations = {
    agentsReport: (request, context) => {
      lengths.push(request.reports.length);
      return agentsReport(request, context);
    },
  };
  const { exitCode, stdout, stderr } = await finish(host);
  assert.deepEqual([exitCode, stdout], [5, '50,000 reports accepted, 50,000 refused\n']);
  assert.equal(stderr.split('\n').length, 102);
  assert.match(stderr, /^muster: line 200: bad\n… and 49,900 more\n$/m);
  assert.equal(lengths.length, 13);
  assert.ok(lengths.every((length) => length <= 8_000));
});

test('agents report --json and --quiet are for programs', async () => {
  const { stdout } = await finish(reporting(['good\nbad'], '--json'));
  assert.deepEqual(JSON.parse(stdout), {
    schema_version: 1,
    accepted: 1,
    refused_count: 1,
    refused: [{ line: 2, problem: 'bad' }],
  });
  assert.deepEqual(await finish(reporting(['good\nbad'], '--quiet')), {
    exitCode: 5,
    stdout: '',
    stderr: 'muster: agents report: 1 report accepted, 1 refused, first line 2: bad\n',
  });
  assert.deepEqual(await finish(reporting(['good'], '--quiet')), {
    exitCode: 0,
    stdout: '',
    stderr: '',
  });
});

test('agents report shows on a terminal how far it is, and clears that', async () => {
  const host = reporting(['good\n'], '--color', 'never').onTerminal();
  const { stdout, stderr } = await finish(host);
  assert.equal(stdout, '1 report accepted\n');
  assert.equal(stderr, '\r1 report accepted\x1b[K\r\x1b[K');
});

test('agents report ends when it is stopped, whether or not anything comes', async () => {
  const host = reporting([]);
  let isAsked = false;
  const never = {
    isTerminal: false,
    async *chunks(): AsyncGenerator<Uint8Array> {
      isAsked = true;
      host.signal('SIGINT');
      await new Promise(() => {});
      yield new Uint8Array();
    },
  };
  Object.defineProperty(host, 'stdin', { value: never });
  const { exitCode } = await finish(host);
  assert.deepEqual([exitCode, isAsked], [130, true]);
});
