/** Agents and their groups: reported to a worker, known to the master, and the other way round. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { request } from 'node:http';
import { test } from 'node:test';
import type {
  AgentsChangeDocument,
  AgentsDocument,
  AgentShowDocument,
  GroupsDocument,
  ReportDocument,
} from '../../src/node/agent-documents.ts';
import { control } from './control.ts';
import { type Cluster, type TestNode, withCluster } from './cluster.ts';
import { muster, until } from './program.ts';
import { write } from './tree.ts';

/** Nothing waits for its interval. */
const settings = {
  'local_integrity.interval': '300ms',
  'integrity.interval': '300ms',
  'agents.info_interval': '300ms',
  'agents.groups_interval': '300ms',
};

/** Lines of a keys file. */
function keys(ids: Iterable<number>): string {
  return [...ids].map((id) => `${idText(id)} agent-${id} any ${'k'.repeat(64)}\n`).join('');
}

function idText(id: number): string {
  return String(id).padStart(3, '0');
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

/** A master whose keys file has these agents, and a worker of it; both run. */
async function startPair(cluster: Cluster, ids: Iterable<number>) {
  const master = await cluster.master({ settings });
  write(master.path('etc/client.keys'), keys(ids));
  write(master.path('etc/shared/default/agent.conf'), '<agent_config/>\n');
  await master.start();
  const worker = await cluster.worker(master, 'worker-1', { settings });
  await worker.start();
  await worker.inSync(1);
  return { master, worker };
}

/** Waits until a node lists agents as wanted. */
function listed(
  node: TestNode,
  isWanted: (document: AgentsDocument) => boolean,
  query = '',
): Promise<AgentsDocument> {
  return until(`the agents of ${node.name}`, async () => {
    const { body } = await control(node.controlSocket, `/v1/agents${query}`);
    return isWanted(body as AgentsDocument) && body as AgentsDocument;
  });
}

/** Posts reports as curl does, all at once. */
function post(node: TestNode, body: string): Promise<ReportDocument> {
  return new Promise((resolve, reject) => {
    const options = { socketPath: node.controlSocket, path: '/v1/agents', method: 'POST' };
    const call = request(options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      response.on('end', () => resolve(JSON.parse(text) as ReportDocument));
    });
    call.on('error', reject);
    call.end(body);
  });
}

const total = (count: number) => (document: AgentsDocument) => document.total === count;

test('what agents report to a worker is known to the master, of those that exist', async () => {
  await withCluster(async (cluster) => {
    const { master, worker } = await startPair(cluster, range(3));
    const reports = [
      '{"id":"001","os_platform":"ubuntu","connection_status":"active","labels":{"site":"Graz"}}',
      '{"id":2,"os_plattform":"ubuntu"}',
      '{"id":999,"connection_status":"active"}',
    ];
    const { stdout, stderr } = await muster(['agents', 'report', '--dir', worker.directory], {
      ...worker.startOptions(),
      input: reports.join('\n'),
    });
    assert.equal(stdout, '2 reports accepted, 1 refused\n');
    assert.match(stderr, /line 2: There is no key "os_plattform", did you mean "os_platform"\?/);

    const { agents } = await listed(master, total(1), '?status=active');
    assert.equal(agents[0]?.id, '001');
    assert.deepEqual(agents[0]?.labels, { site: 'Graz' });
    assert.equal(agents[0]?.node_name, 'worker-1');
    // On first contact the master gave it the default group, which the worker learns.
    const seen = await listed(worker, total(1), '?group=default');
    assert.equal(seen.agents[0]?.id, '001');
    assert.equal(seen.view, 'worker');
    assert.notEqual(seen.confirmed, null);

    const status = await worker.status(({ agents: { refused } }) => refused === 1);
    assert.equal(status.agents.total, 3);
    assert.equal(status.agents.unconfirmed, 0);
    assert.equal((await master.status()).agents.by_status.active, 1);
    const table = await master.expect(0, 'agents', 'list');
    assert.match(table.stdout, /^001 +agent-1 +any +active +worker-1 +ubuntu .*default$/m);
    await master.expect(1, 'agents', 'show', '999');
    const { agent } = await worker.json<AgentShowDocument>(0, 'agents', 'show', '1');
    assert.equal(agent.os_platform, 'ubuntu');
  });
});

test('agents are added and removed on the master, and so they are on its workers', async () => {
  await withCluster(async (cluster) => {
    const { master, worker } = await startPair(cluster, [1]);
    await master.expect(0, 'agents', 'add', '007', '--name', 'web-7');
    await worker.expect(1, 'agents', 'add', '--name', 'nobody');
    await listed(worker, total(2));
    await post(worker, '{"id":7,"connection_status":"active"}');
    await listed(master, total(1), '?status=active');

    const { refused } = await master.json<AgentsChangeDocument>(5, 'agents', 'remove', '7', '1');
    assert.deepEqual(refused, [{ id: '001', problem: 'remove it from etc/client.keys' }]);
    await listed(worker, total(1));
    assert.equal((await post(worker, '{"id":7,"connection_status":"active"}')).refused_count, 1);

    write(master.path('etc/client.keys'), keys([1]).replace('agent-1', '!agent-1'));
    await listed(master, total(0));
    await listed(worker, total(0));
    assert.deepEqual(master.complaints(), []);
  });
});

test('groups are made, given, taken and removed on the master, and seen on its workers', async () => {
  await withCluster(async (cluster) => {
    const { master, worker } = await startPair(cluster, range(10));
    await master.expect(1, 'groups', 'assign', 'web', '7');
    await master.expect(0, 'groups', 'create', 'web');
    await master.expect(0, 'groups', 'assign', 'web', '007', '8');
    await master.expect(5, 'groups', 'assign', 'web', '8', '9', '99');
    const inWeb = await listed(worker, total(3), '?group=web');
    assert.deepEqual(inWeb.agents.map(({ id }) => id), ['007', '008', '009']);
    const { groups } = await worker.json<GroupsDocument>(0, 'groups', 'list');
    assert.deepEqual(groups.map(({ name, agents }) => [name, agents]), [['default', 0], [
      'web',
      3,
    ]]);

    await master.expect(0, 'groups', 'unassign', 'web', '8');
    await listed(worker, total(2), '?group=web');
    write(master.path('etc/shared/web/notes.txt'), 'precious');
    await master.published();
    await master.expect(1, 'groups', 'remove', 'web');
    await master.expect(0, 'groups', 'remove', 'web', '--force');
    await listed(worker, total(0), '?group=web');
    await until(
      'the group is gone',
      async () => (await worker.json<GroupsDocument>(0, 'groups', 'list')).total === 1,
    );

    // A group that vanishes by hand is taken from its agents, who get the default one.
    await master.expect(0, 'groups', 'create', 'db');
    await master.expect(0, 'groups', 'assign', 'db', '--all-agents');
    await listed(worker, total(10), '?group=db');
    rmSync(master.path('etc/shared/db'), { recursive: true });
    await listed(worker, total(10), '?group=default');
    await listed(worker, total(0), '?group=db');
  });
});

test('many agents are reported at once, and listed as one document', async () => {
  await withCluster(async (cluster) => {
    const ids = range(5_000);
    const { master, worker } = await startPair(cluster, ids);
    const lines = ids.map((id) => `{"id":${id},"connection_status":"active","os_name":"Ü ${id}"}`);
    assert.deepEqual(await post(worker, lines.join('\n')), {
      schema_version: 1,
      accepted: 5_000,
      refused_count: 0,
      refused: [],
    });
    // Groups follow the reports, a moment later: only then nothing changes any more.
    const seen = await listed(master, total(5_000), '?status=active&group=default');
    assert.deepEqual(seen.agents.map(({ id }) => id), ids.map(idText));
    assert.equal(seen.agents.at(-1)?.os_name, 'Ü 5000');
    const printed = await master.json<AgentsDocument>(0, 'agents', 'list', '--status', 'active');
    assert.deepEqual(printed, seen);
    const { stdout } = await master.expect(0, 'agents', 'list', '--limit', '2000', '--quiet');
    assert.equal(stdout.split('\n').length, 2_002);
  });
});

test('what a worker has accepted outlives its death', async () => {
  await withCluster(async (cluster) => {
    const { master, worker } = await startPair(cluster, range(2_000));
    await master.stop();
    const lines = range(2_000).map((id) => `{"id":${id},"connection_status":"active"}`);
    assert.equal((await post(worker, lines.join('\n'))).accepted, 2_000);
    await worker.crash();
    await worker.start();
    const status = await worker.status();
    assert.equal(status.agents.unconfirmed, 2_000);
    assert.equal(status.agents.by_status.active, 2_000);
    await master.start();
    await listed(master, total(2_000), '?status=active&limit=1');
    await worker.status(({ agents: { unconfirmed } }) => unconfirmed === 0);
  });
});
