import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { systemClock } from '../../../src/runtime/clock.ts';
import { connectLocal, getLocal } from '../../../src/runtime/local-sockets.ts';
import type { AgentGroups } from '../../../src/wazuh/agent-groups.ts';
import { WdbAgents } from '../../../src/wazuh/worker/wdb-agents.ts';
import { WdbClient } from '../../../src/wazuh/worker/wdb-client.ts';
import { WdbGroups } from '../../../src/wazuh/worker/wdb-groups.ts';

const directory = mkdtempSync(join(tmpdir(), 'muster-wdb-'));
const closing: (() => void)[] = [];
after(() => {
  for (const close of closing) close();
  rmSync(directory, { recursive: true });
});

/** A database that answers each request by a function; undefined hangs up. */
async function database(name: string, answer: (request: string) => string | undefined) {
  const path = join(directory, name);
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let held = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      held = Buffer.concat([held, chunk]);
      while (held.length >= 4 && held.length >= 4 + held.readUInt32LE(0)) {
        const end = 4 + held.readUInt32LE(0);
        const request = held.subarray(4, end).toString();
        held = held.subarray(end);
        requests.push(request);
        const text = answer(request);
        if (text === undefined) {
          socket.destroy();
          continue;
        }
        const length = Buffer.alloc(4);
        length.writeUInt32LE(Buffer.byteLength(text));
        // The length alone first: an answer comes in any pieces.
        socket.write(length);
        socket.write(text);
      }
    });
  });
  await new Promise<void>((resolve) => void server.listen(path, resolve));
  const client = new WdbClient({
    clock: systemClock,
    connect: (signal) => connectLocal(path, systemClock, signal),
  });
  closing.push(() => {
    client.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { client, requests, sockets };
}

test('requests are answered one after the other, over one connection', async () => {
  const { client, requests, sockets } = await database(
    'a',
    (request) => request === 'bad' ? 'err it is bad' : `ok [${request}]`,
  );
  assert.deepEqual(
    await Promise.all([client.ask('1'), client.ask('2')]),
    [{ status: 'ok', payload: '[1]' }, { status: 'ok', payload: '[2]' }],
  );
  await assert.rejects(client.ask('bad'), /Error 2003 - Error in wazuhdb request: it is bad/);
  assert.deepEqual(requests, ['1', '2', 'bad']);
  assert.equal(sockets.size, 1);
});

test('after a lost connection the next request makes another one', async () => {
  let isFirst = true;
  const { client, sockets } = await database('b', () => {
    if (!isFirst) return 'ok';
    isFirst = false;
    return undefined;
  });
  await assert.rejects(client.ask('x'), { code: 'unreachable' });
  assert.deepEqual(await client.ask('x'), { status: 'ok', payload: '' });
  assert.equal(sockets.size, 2);
});

test('a database that is not there is named', async () => {
  const path = join(directory, 'nobody');
  await assert.rejects(
    connectLocal(path, systemClock, new AbortController().signal),
    { code: 'unreachable', message: /nobody/ },
  );
});

test('groups go into the database in requests that it takes, and the hash comes out of it', async () => {
  const { client, requests } = await database('c', (request) => {
    if (request.includes('get_global_hash')) return 'ok [{"data":[],"hash":"f4c1"}]';
    if (request.includes('"id":9999')) {
      return 'err Cannot execute Global database query; FOREIGN KEY constraint failed';
    }
    return request.includes('"bad"') ? 'err An error occurred during the set of the groups' : 'ok';
  });
  const groups = new WdbGroups((request) => client.ask(request));
  const agent = (id: number, ...names: string[]): AgentGroups => ({
    id,
    name: `agent-${id}`,
    groups: names,
  });
  await groups.apply([agent(1, 'default', 'web')]);
  assert.deepEqual(requests, [
    'global set-agent-groups {"mode":"override","sync_status":"synced",' +
    '"data":[{"id":1,"name":"agent-1","groups":["default","web"]}]}',
  ]);
  assert.equal(await groups.globalHash(), 'f4c1');
  await groups.keepOnly();
  assert.equal(requests.at(-1), 'global recalculate-agent-group-hashes');
  await groups.apply([]);
  assert.equal(requests.length, 3);

  const many = Array.from({ length: 3000 }, (_, i) => agent(i + 1, 'default'));
  await groups.apply(many);
  const sent = requests.slice(3);
  assert.ok(sent.length > 1 && sent.every((request) => request.length <= 65_536));
  const ids = sent.flatMap((request) =>
    [...request.matchAll(/"id":(\d+)/g)].map(([, id]) => Number(id))
  );
  assert.deepEqual(ids, many.map(({ id }) => id));

  await groups.apply([agent(9999, 'default')]);
  await assert.rejects(groups.apply([agent(3, 'bad')]), /An error occurred during the set/);
});

test('what the database told is told again until it is settled, over a restart too', async () => {
  const path = join(directory, 'http');
  const answers = [
    '{"syncreq":[{"id":1,"name":"web","labels":[{"key":"k","value":"v"}]}],' +
    '"syncreq_keepalive":[{"id":2,"version":"Wazuh v4.14.7"}]}',
    '{"syncreq_status":[{"id":2,"version":"Wazuh v4.14.7","connection_status":"disconnected"}]}',
  ];
  const routes: string[] = [];
  const server = createHttpServer((request, response) => {
    routes.push(`${request.method} ${request.url}`);
    response.end(answers.shift() ?? '{}');
  });
  await new Promise<void>((resolve) => void server.listen(path, resolve));
  closing.push(() => server.close());
  let kept = '';
  const store = { get: () => kept, set: (text: string) => void (kept = text) };
  const question = {
    socketPath: path,
    route: '/v1/agents/sync',
    timeoutMs: 5000,
    bytesMax: 1_000_000,
  };
  const news = () => new WdbAgents(systemClock, () => getLocal(systemClock, question), store);
  const first = await news().next();
  assert.deepEqual(first?.info.syncreq_keepalive, [{ id: 2, version: 'Wazuh v4.14.7' }]);
  const again = news();
  const second = await again.next();
  assert.equal(second?.info.syncreq[0]?.name, 'web');
  assert.deepEqual(second?.info.syncreq_keepalive, []);
  assert.equal(second?.info.syncreq_status[0]?.connection_status, 'disconnected');
  await second?.settle();
  assert.equal(await again.next(), undefined);
  assert.deepEqual(routes, Array.from({ length: 3 }, () => 'GET /v1/agents/sync'));
});

test('an answer that tells a failure, or is too long, is none', async () => {
  const path = join(directory, 'bad-http');
  const server = createHttpServer((request, response) => {
    response.statusCode = request.url === '/long' ? 200 : 500;
    response.end('x'.repeat(2000));
  });
  await new Promise<void>((resolve) => void server.listen(path, resolve));
  closing.push(() => server.close());
  const ask = (route: string) =>
    getLocal(systemClock, { socketPath: path, route, timeoutMs: 5000, bytesMax: 1000 });
  await assert.rejects(ask('/long'), /more than 1000 bytes/);
  await assert.rejects(
    getLocal(systemClock, { socketPath: path, route: '/bad', timeoutMs: 5000, bytesMax: 5000 }),
    /answers 500 to \/bad: xxx/,
  );
});
