import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AgentViews } from '../../../src/agents/store/views.ts';
import { fromBytes, toBytes, toHex } from '../../../src/base/bytes.ts';
import { type Answer, answering, Connection } from '../../../src/wazuh/connection.ts';
import { WazuhFailure } from '../../../src/wazuh/failure.ts';
import { encodeMessage } from '../../../src/wazuh/frame.ts';
import { LocalSocket } from '../../../src/wazuh/local/local-socket.ts';
import { masterAnswers } from '../../../src/wazuh/local/master-answers.ts';
import { nativeTelling } from '../../../src/wazuh/master/telling.ts';
import { IncomingStrings } from '../../../src/wazuh/string-transfer.ts';
import { simHashing } from '../../sim/hashing.ts';
import { SeededRandom } from '../../sim/random.ts';
import { SimNode } from '../../sim/node.ts';
import { fileOf, MasterWorld } from '../master/master-world.ts';
import { PlayedWorker } from '../master/played-worker.ts';

/** A master with a worker, and its local socket, here on a port. */
async function openLocal() {
  const world = await MasterWorld.open();
  const ports = world.node.ports();
  const answerPorts = {
    view: () => Promise.resolve(world.view()),
    published: () => world.master.published.latest.value,
    views: new AgentViews(ports),
    tell: nativeTelling(ports.log),
    section: { node_name: 'master-node', node_type: 'master' },
  };
  const server = new LocalSocket(ports, (client) => masterAnswers(answerPorts, client));
  const listener = await world.settle(
    ports.plainNetwork.listen('master:1', (stream) => server.accept(stream)),
  );
  const program = new SimNode(world.world, world.network, { name: 'program' });
  const dial = () => {
    const { signal } = new AbortController();
    return world.settle(program.ports().plainNetwork.connect('master:1', { signal }));
  };
  const connect = async (answers: Iterable<readonly [string, Answer]> = []) => {
    const { clock, log, random, symmetricCrypto: primitives } = program.ports();
    const connection = new Connection({
      stream: await dial(),
      clock,
      log,
      random,
      primitives,
      keys: undefined,
      peerRole: 'local',
      answers: new Map(answers),
    });
    connection.open();
    return connection;
  };
  const finish = async () => {
    server.close();
    await world.settle(listener.close());
    await world.finish();
  };
  return { world, dial, connect, finish };
}

/** What an answer says, or the code of the failure that it tells. */
async function asked(
  { world, connect }: Awaited<ReturnType<typeof openLocal>>,
  command: string,
  payload = '',
) {
  const connection = await connect();
  try {
    const answer = await world.settle(connection.ask(command, toBytes(payload)));
    return JSON.parse(new TextDecoder().decode(answer)) as unknown;
  } catch (error) {
    if (error instanceof WazuhFailure) return error.failure.code;
    throw error;
  } finally {
    connection.close();
  }
}

test('programs on the machine are told of nodes, health, the ruleset and the section', async () => {
  const local = await openLocal();
  await local.world.publish({ 'etc/rules/a.xml': fileOf('a'), 'etc/client.keys': fileOf('k') });
  await PlayedWorker.join(local.world, 'w1');
  const nodes = await asked(local, 'get_nodes', '{"filter_type": "worker"}');
  assert.deepEqual(nodes, {
    items: [{ name: 'w1', type: 'worker', version: '4.14.7', ip: '127.0.0.1' }],
    totalItems: 1,
  });
  const health = await asked(local, 'get_health', 'null') as { nodes: object };
  assert.deepEqual(Object.keys(health.nodes), ['w1', 'master-node']);
  assert.deepEqual(await asked(local, 'get_hash'), {
    'etc/rules/a.xml': toHex(simHashing.digest('blake2b', toBytes('a'))),
  });
  assert.deepEqual(await asked(local, 'get_config'), {
    node_name: 'master-node',
    node_type: 'master',
  });
  await local.finish();
});

test('questions about nodes are answered as far as they make sense', async () => {
  const local = await openLocal();
  for (const name of ['w2', 'w1']) await PlayedWorker.join(local.world, name);
  const names = async (question: object) => {
    const answer = await asked(local, 'get_nodes', JSON.stringify(question));
    if (typeof answer === 'number') return answer;
    return (answer as { items: { name: string }[] }).items.map(({ name }) => name);
  };
  assert.deepEqual(await names({}), ['master-node', 'w2', 'w1']);
  assert.deepEqual(await names({ sort: { fields: ['name'], order: 'desc' } }), [
    'w2',
    'w1',
    'master-node',
  ]);
  assert.deepEqual(await names({ filter_node: 'w1' }), ['w1']);
  assert.deepEqual(await names({ filter_node: ['w1', 'nobody'] }), 1730);
  assert.deepEqual(await names({ search: { value: 'W', negation: false } }), ['w2', 'w1']);
  assert.deepEqual(await names({ search: { value: 'worker', negation: true } }), ['master-node']);
  assert.deepEqual(await names({ offset: 1, limit: 1 }), ['w2']);
  assert.equal(await names({ select: ['name', 'secret'] }), 1724);
  assert.equal(await names({ filter_type: 'other' }), 1728);
  assert.deepEqual(
    await asked(local, 'get_nodes', '{"select": ["type"], "distinct": true}'),
    { items: [{ type: 'master' }, { type: 'worker' }], totalItems: 2 },
  );
  await local.finish();
});

test('nothing is encrypted, and what is unknown is told byte for byte as C programs expect', async () => {
  const local = await openLocal();
  const stream = await local.dial();
  let heard = '';
  const reading = (async () => {
    for await (const chunk of stream.readable) heard += fromBytes(chunk);
  })();
  const [frame] = encodeMessage({ counter: 11, command: 'foo', body: new Uint8Array(0) });
  await local.world.settle(stream.write(frame!));
  await local.world.until(() => heard.length > 0, 1000);
  assert.equal(heard, "\0\0\0\x0b\0\0\0\x18err --------unknown command 'b'foo''");
  stream.close();
  await local.world.settle(reading);
  await local.finish();
});

test('the list of agents is given as a result, everything else as the documented failure', async () => {
  const local = await openLocal();
  local.world.register('agent1', 'agent2');
  const worker = await PlayedWorker.join(local.world, 'w1');
  await worker.tell(JSON.stringify({
    chunks: { syncreq_keepalive: [{ id: 1, version: 'Wazuh v4.14.7' }] },
  }));
  const results: string[] = [];
  const strings = new IncomingStrings(new SeededRandom('program'));
  const client = await local.connect([
    ...strings.answers(),
    ['dapi_res', (id) => {
      results.push(new TextDecoder().decode(strings.take(fromBytes(id))));
      return Promise.resolve(toBytes('Response received'));
    }],
    answering('echo', (bytes) => bytes),
  ]);
  const call = async (json: object) => {
    const before = results.length;
    const text = new TextEncoder().encode(JSON.stringify(json));
    await local.world.settle(client.ask('dapi', text));
    await local.world.until(() => results.length > before, 1000);
    return JSON.parse(results.at(-1)!) as unknown;
  };
  const f = {
    __callable__: {
      __name__: 'get_agents_overview',
      __module__: 'wazuh.core.agent',
      __qualname__: 'Agent.get_agents_overview',
      __type__: 'function',
    },
  };
  const f_kwargs = {
    filters: { status: 'all', node_name: 'all' },
    limit: null,
    select: ['id', 'ip', 'name', 'status', 'node_name', 'version'],
  };
  assert.deepEqual(await call({ f, f_kwargs, from_cluster: false }), {
    items: [
      {
        id: '000',
        name: 'master-node',
        ip: '127.0.0.1',
        status: 'active',
        node_name: 'master-node',
        version: 'Wazuh v4.14.7',
      },
      {
        id: '001',
        name: 'agent1',
        ip: 'any',
        status: 'active',
        node_name: 'w1',
        version: 'Wazuh v4.14.7',
      },
      { id: '002', name: 'agent2', ip: 'any', status: 'never_connected' },
    ],
    totalItems: 3,
  });
  const active = { ...f_kwargs, filters: { status: 'never_connected,disconnected' } };
  const shown = await call({ f, f_kwargs: active }) as { items: { id: string }[] };
  assert.deepEqual(shown.items.map(({ id }) => id), ['002']);
  for (
    const other of [{ f: 1 }, { f, f_kwargs: { q: 'id=1' } }, { f, f_kwargs: { select: ['x'] } }]
  ) {
    assert.match(JSON.stringify(await call(other)), /"code":3009/);
  }
  client.close();
  await local.finish();
});

test('nothing is changed for programs, and one that is silent is given up', async () => {
  const local = await openLocal();
  await PlayedWorker.join(local.world, 'w1');
  for (
    const [command, payload] of [['send_file', '/etc/x NODE'], ['dapi_fwd', 'NODE {}']] as const
  ) {
    assert.equal(await asked(local, command, payload.replace('NODE', 'w1')), 3009);
    assert.equal(await asked(local, command, payload.replace('NODE', 'nobody')), 3022);
  }
  for (const command of ['new_file', 'sendsync', 'sendasync', 'sendrreload']) {
    assert.equal(await asked(local, command, 'queue/cluster/x'), 3000, command);
  }
  const [silent, lively] = [await local.connect(), await local.connect()];
  for (let minute = 0; minute < 3; minute++) {
    await local.world.world.run({ forMs: 60_000 });
    await local.world.settle(lively.ask('echo-c', toBytes('keepalive')));
  }
  assert.equal(silent.signal.aborted, true);
  assert.equal(lively.signal.aborted, false);
  lively.close();
  await local.finish();
});
