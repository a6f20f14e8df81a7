/** Agents over the control socket: as a command asks for them, and as curl does. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { controlRoutes } from '../../src/app/control-routes.ts';
import { remoteOperations } from '../../src/app/remote-operations.ts';
import type { AgentsDocument } from '../../src/node/agent-documents.ts';
import { agentPages } from '../../src/node/agent-pages.ts';
import type { OperationRequests, Operations } from '../../src/node/operations.ts';
import type { Logger } from '../../src/ports.ts';
import { serveControl } from '../../src/runtime/control-server.ts';
import { agent, changed, groups, removedGroup, shownAgent, shownGroup } from '../cli/samples.ts';

const directory = mkdtempSync(join(tmpdir(), 'muster-agents-'));
after(() => rmSync(directory, { recursive: true }));
let socketsCount = 0;

const log: Logger = { log: () => {}, child: () => log };

/** A daemon whose node answers these operations, for the time of `work`. */
async function withDaemon(
  operations: Partial<Operations>,
  work: (socket: string, remote: Operations) => Promise<void>,
): Promise<void> {
  const path = join(directory, `${socketsCount++}.sock`);
  const routes = controlRoutes(operations as Operations);
  const listener = await serveControl({ path, routes, log });
  try {
    await work(path, remoteOperations(path));
  } finally {
    await listener.close();
  }
}

const context = { signal: new AbortController().signal };

/** What a client gets that is not ours. */
async function call(socketPath: string, method: string, path: string, body?: string | Uint8Array) {
  const request = httpRequest({ socketPath, method, path, agent: false });
  const answered = once(request, 'response');
  request.end(body);
  const [response] = await answered;
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode as number, document: JSON.parse(text) };
}

/** A node with so many agents, that keeps what it was asked. */
function listing(count: number) {
  const asked: OperationRequests['agentsList'][] = [];
  const agentsList: Operations['agentsList'] = (request) => {
    asked.push(request);
    const { after = 0, limit = 1000 } = request;
    const length = Math.min(limit, 1000, Math.max(0, count - after));
    const agents = Array.from({ length }, (_, index) => ({
      ...agent,
      id: String(after + index + 1).padStart(3, '0'),
    }));
    return Promise.resolve({
      schema_version: 1,
      total: count,
      view: 'worker',
      confirmed: null,
      agents,
    });
  };
  return { agentsList, asked };
}

/** A node that keeps the reports that it gets, and refuses those of agent 666. */
function taking() {
  const batches: (readonly string[])[] = [];
  const agentsReport: Operations['agentsReport'] = ({ reports }) => {
    batches.push(reports);
    const refused = reports.flatMap((text, index) =>
      text.includes('666') ? [{ line: index + 1, problem: 'agent 666 was removed' }] : []
    );
    return Promise.resolve({
      schema_version: 1,
      accepted: reports.length - refused.length,
      refused_count: refused.length,
      refused,
    });
  };
  return { agentsReport, batches };
}

test('a filter arrives as it was given', async () => {
  const { agentsList, asked } = listing(2);
  await withDaemon({ agentsList }, async (socket, remote) => {
    const request = {
      status: 'active',
      node: 'worker-1',
      group: 'web.x',
      platform: 'a & b=ü',
      after: 7,
      limit: 20,
    } as const;
    await remote.agentsList(request, context);
    const query = 'status=active&node=worker-1&group=web.x&platform=a+%26+b%3D%C3%BC&after=007' +
      '&limit=20';
    await call(socket, 'GET', `/v1/agents?${query}`);
    assert.deepEqual(asked, [request, request]);
  });
});

test('what cannot be asked for is refused, and what was meant is named', async () => {
  const { agentsList, asked } = listing(0);
  await withDaemon({ agentsList }, async (socket) => {
    const cases = [
      ['statu=active', /There is no "statu" to be asked for, did you mean "status"\?/],
      ['status=Active', /"agentsList.status" is not one of never_connected, pending/],
      ['limit=0', /"agentsList.limit" is not a whole number from 1/],
      ['limit=1e3', /"agentsList.limit"/],
      ['after=x', /"agentsList.after" is not the number of an agent/],
      ['group=a%2Fb', /"agentsList.group" is not the name of a group/],
    ] as const;
    for (const [query, message] of cases) {
      const { status, document } = await call(socket, 'GET', `/v1/agents?${query}`);
      assert.equal(status, 400, query);
      assert.match(document.error.message, message);
    }
    assert.equal(asked.length, 0);
  });
});

test('a list of any length is one document', async () => {
  for (
    const [count, query, expected] of [
      [0, '', 0],
      [999, '', 999],
      [1000, '', 1000],
      [2500, '', 2500],
      [2500, '?limit=1000', 1000],
      [2500, '?limit=1700', 1700],
      [2500, '?limit=9999', 2500],
    ] as const
  ) {
    const { agentsList, asked } = listing(count);
    await withDaemon({ agentsList }, async (socket) => {
      const { status, document } = await call(socket, 'GET', `/v1/agents${query}`);
      assert.equal(status, 200);
      const { agents, ...head } = document as AgentsDocument;
      assert.deepEqual(head, { schema_version: 1, total: count, view: 'worker', confirmed: null });
      assert.equal(agents.length, expected);
      assert.deepEqual(
        agents.map(({ id }) => Number(id)),
        Array.from({ length: expected }, (_, index) => index + 1),
      );
      assert.ok(asked.every(({ limit }) => limit !== undefined && limit <= 1000));
    });
  }
});

test('a command gets a long list page by page', async () => {
  const { agentsList } = listing(2500);
  await withDaemon({ agentsList }, async (_, remote) => {
    const lengths: number[] = [];
    for await (const page of agentPages(remote, {}, context)) lengths.push(page.agents.length);
    assert.deepEqual(lengths, [1000, 1000, 500]);
  });
});

test('one agent is asked for by its number, however it is written', async () => {
  const asked: number[] = [];
  const agentsShow: Operations['agentsShow'] = ({ id }) => {
    asked.push(id);
    return Promise.resolve(shownAgent);
  };
  await withDaemon({ agentsShow }, async (socket, remote) => {
    assert.deepEqual(await remote.agentsShow({ id: 7 }, context), shownAgent);
    assert.deepEqual((await call(socket, 'GET', '/v1/agents/007')).document, shownAgent);
    assert.equal((await call(socket, 'GET', '/v1/agents/0')).status, 400);
    assert.equal((await call(socket, 'GET', '/v1/agents/seven')).status, 400);
    assert.deepEqual(asked, [7, 7]);
  });
});

test('reports of a command arrive whole', async () => {
  const { agentsReport, batches } = taking();
  await withDaemon({ agentsReport }, async (_, remote) => {
    const reports = ['{"id":1,\n "name":"ü\\n"}', 'nonsense', '{"id":666}'];
    const answer = await remote.agentsReport({ reports }, context);
    assert.deepEqual(answer, {
      schema_version: 1,
      accepted: 2,
      refused_count: 1,
      refused: [{ line: 3, problem: 'agent 666 was removed' }],
    });
    assert.deepEqual(batches, [['{"id":1,  "name":"ü\\n"}', 'nonsense', '{"id":666}']]);
  });
});

test('reports are taken in as lines, as an array and as one object', async () => {
  for (const body of ['{"id":1}\n\n{"id":666}\n', '[{"id":1},\n{"id":666}]', '{\n"id":666\n}']) {
    const { agentsReport, batches } = taking();
    await withDaemon({ agentsReport }, async (socket) => {
      const { status, document } = await call(socket, 'POST', '/v1/agents', body);
      assert.equal(status, 200);
      const ids = batches.flat().map((text) => (JSON.parse(text) as { id: number }).id);
      assert.equal(ids.at(-1), 666);
      assert.equal(document.accepted, ids.length - 1);
      const line = body.startsWith('{"') ? 3 : ids.length;
      assert.deepEqual(document.refused, [{ line, problem: 'agent 666 was removed' }]);
    });
  }
});

test('any number of reports is taken in, in batches, with the lines of those refused', async () => {
  const { agentsReport, batches } = taking();
  await withDaemon({ agentsReport }, async (socket) => {
    const lines = Array.from({ length: 20_000 }, (_, index) => `{"id":${(index % 2) * 666}}`);
    lines[5] = 'x'.repeat(200_000);
    const { document } = await call(socket, 'POST', '/v1/agents', lines.join('\n'));
    assert.deepEqual([document.accepted, document.refused_count], [10_000, 10_000]);
    assert.equal(document.refused.length, 100);
    assert.deepEqual(document.refused.slice(0, 3), [
      { line: 2, problem: 'agent 666 was removed' },
      { line: 4, problem: 'agent 666 was removed' },
      { line: 6, problem: 'It has more than 65536 bytes' },
    ]);
    assert.ok(batches.every((batch) => batch.length <= 500));
    assert.ok(batches.length < 200, `${batches.length} batches`);
    assert.equal(batches.flat().length, 19_999);
  });
});

test('hostile bytes harm nothing', async () => {
  const { agentsReport, batches } = taking();
  await withDaemon({ agentsReport }, async (socket) => {
    const bytes = new Uint8Array(100_000).map((_, index) => (index * 7919) % 256);
    const { status, document } = await call(socket, 'POST', '/v1/agents', bytes);
    assert.equal(status, 200);
    assert.ok(document.refused_count > 100);
    assert.equal(document.accepted, batches.flat().length);
    assert.deepEqual((await call(socket, 'POST', '/v1/agents')).document, {
      schema_version: 1,
      accepted: 0,
      refused_count: 0,
      refused: [],
    });
  });
});

test('a slow client has its reports taken in while it sends', async () => {
  const { agentsReport, batches } = taking();
  await withDaemon({ agentsReport }, async (socketPath) => {
    const request = httpRequest({ socketPath, method: 'POST', path: '/v1/agents', agent: false });
    const answered = once(request, 'response');
    for (const piece of ['{"id":1}\n{"i', 'd":2', '}\n{"id":3}\n', '{"id":4}']) {
      const expected = batches.flat().length + piece.split('\n').length - 1;
      request.write(piece);
      while (batches.flat().length < expected) {
        await new Promise((resolve) => void setTimeout(resolve, 1));
      }
    }
    assert.deepEqual(batches, [['{"id":1}'], ['{"id":2}', '{"id":3}']]);
    request.end();
    const [response] = await answered;
    response.resume();
    await once(response, 'end');
    assert.deepEqual(batches.at(-1), ['{"id":4}']);
  });
});

test('a failure in the middle of many reports is told', async () => {
  let batchesCount = 0;
  const agentsReport: Operations['agentsReport'] = async (request) => {
    batchesCount++;
    if (batchesCount === 3) throw new Error('The disk is gone');
    return await taking().agentsReport(request, context);
  };
  await withDaemon({ agentsReport }, async (socket) => {
    const body = '{"id":1}\n'.repeat(100_000);
    const { status, document } = await call(socket, 'POST', '/v1/agents', body);
    assert.equal(status, 500);
    assert.match(document.error.message, /The disk is gone/);
    assert.ok(batchesCount < 20, `${batchesCount} batches`);
  });
});

test('what changes agents and groups arrives as it was given, from commands and from curl', async () => {
  const asked: [string, unknown][] = [];
  const answering = <T>(name: string, answer: T) => (request: unknown) => {
    asked.push([name, request]);
    return Promise.resolve(answer);
  };
  const operations: Partial<Operations> = {
    agentsAdd: answering('agentsAdd', shownAgent),
    agentsRemove: answering('agentsRemove', changed),
    groupsList: answering('groupsList', groups),
    groupsShow: answering('groupsShow', shownGroup),
    groupsCreate: answering('groupsCreate', shownGroup),
    groupsRemove: answering('groupsRemove', removedGroup),
    groupsAssign: answering('groupsAssign', changed),
    groupsUnassign: answering('groupsUnassign', changed),
  };
  await withDaemon(operations, async (socket, remote) => {
    const same = async (
      name: keyof typeof operations,
      request: object,
      method: string,
      path: string,
      body?: object,
    ) => {
      asked.length = 0;
      const ask = remote[name] as (request: object, given: typeof context) => Promise<unknown>;
      const answer = await ask(request, context);
      const sent = body === undefined ? undefined : JSON.stringify(body);
      const { status, document } = await call(socket, method, path, sent);
      assert.equal(status, 200, path);
      assert.deepEqual(document, answer);
      assert.deepEqual(asked, [[name, request], [name, request]]);
    };
    const added = { id: 7, name: 'web 7', ip: '10.0.0.7' };
    await same('agentsAdd', added, 'POST', '/v1/agents/add', { ...added, id: '007' });
    await same('agentsRemove', { ids: [7] }, 'DELETE', '/v1/agents/007');
    await same('agentsRemove', { ids: [7, 8] }, 'POST', '/v1/agents/remove', { ids: ['007', 8] });
    await same('groupsList', {}, 'GET', '/v1/groups');
    await same('groupsShow', { name: 'a.b-c_d' }, 'GET', '/v1/groups/a.b-c_d');
    await same('groupsCreate', { name: 'web' }, 'POST', '/v1/groups', { name: 'web' });
    await same('groupsRemove', { name: 'web', force: false }, 'DELETE', '/v1/groups/web');
    await same('groupsRemove', { name: 'web', force: true }, 'DELETE', '/v1/groups/web?force=true');
    for (
      const [name, word] of [['groupsAssign', 'assign'], ['groupsUnassign', 'unassign']] as const
    ) {
      for (const chosen of [{ ids: [7] }, { all: true }, { from: 'default' }]) {
        await same(name, { name: 'web', ...chosen }, 'POST', `/v1/groups/web/${word}`, chosen);
      }
    }
    asked.length = 0;
    for (
      const [method, path, body] of [
        ['POST', '/v1/agents/add', {}],
        ['POST', '/v1/agents/remove', { ids: ['seven'] }],
        ['DELETE', '/v1/agents/seven', undefined],
        ['GET', '/v1/groups/a%2Fb', undefined],
        ['DELETE', '/v1/groups/web?force=yes', undefined],
        ['POST', '/v1/groups', { name: '..' }],
        ['POST', '/v1/groups/web/assign', {}],
        ['POST', '/v1/groups/web/assign', { ids: [7], all: true }],
        ['POST', '/v1/groups/web/assign', []],
      ] as const
    ) {
      const sent = body === undefined ? undefined : JSON.stringify(body);
      assert.equal((await call(socket, method, path, sent)).status, 400, `${method} ${path}`);
    }
    assert.deepEqual(asked, []);
  });
});
