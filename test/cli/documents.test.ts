/** docs/json.md against what the commands print: every field is there, and none too many. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import { encodeToken } from '../../src/identity/token.ts';
import type { Operations } from '../../src/node/operations.ts';
import { FakeHost, finish } from './fake-host.ts';
import * as samples from './samples.ts';

const page = new URL('../../docs/json.md', import.meta.url);

/** Fields by the command that prints them, from the tables of the page. */
async function documentedFields(): Promise<Map<string, string[]>> {
  const fields = new Map<string, string[]>();
  let current: string[] = [];
  for (const line of (await readFile(page, 'utf8')).split('\n')) {
    const names = /^## (.*)/.exec(line)?.[1];
    if (names !== undefined) {
      current = [];
      for (const name of names.split(', ')) fields.set(name, current);
    }
    const field = /^\| `([^`]+)`/.exec(line)?.[1];
    if (field !== undefined) current.push(field);
  }
  return fields;
}

/** Those whose fields are named by the configuration, or by who reports. */
const opaque: ReadonlySet<string> = new Set([
  'values',
  'origins',
  'agents[].labels',
  'agent.labels',
]);

/** `peers[].halted[].set` of all that a value holds. */
function fieldsOf(value: unknown, path = ''): string[] {
  if (opaque.has(path)) return [path];
  if (Array.isArray(value)) return value.flatMap((item) => fieldsOf(item, `${path}[]`));
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([name, inner]) =>
    fieldsOf(inner, path === '' ? name : `${path}.${name}`)
  );
}

const operations: Partial<Operations> = {
  sync: () =>
    Promise.resolve({
      ...samples.synced,
      differences: samples.differences,
      problems: samples.problems,
      halted: samples.halted,
    }),
  check: () =>
    Promise.resolve({
      ...samples.drifted,
      problems: samples.problems,
      unmanaged: samples.unmanaged,
      halted: samples.halted,
    }),
  approve: () => Promise.resolve(samples.approved),
  rollback: () => Promise.resolve({ ...samples.rolledBack, problems: samples.problems }),
  versions: () => Promise.resolve(samples.kept),
  token: () => Promise.resolve(samples.issued),
  nodes: () => Promise.resolve(samples.nodes),
  revoke: () => Promise.resolve(samples.nodes),
  agentsList: () => Promise.resolve(samples.agents),
  agentsShow: () => Promise.resolve(samples.shownAgent),
  agentsReport: () => Promise.resolve(samples.reported),
  agentsAdd: () => Promise.resolve(samples.shownAgent),
  agentsRemove: () => Promise.resolve(samples.changed),
  groupsList: () => Promise.resolve(samples.groups),
  groupsShow: () => Promise.resolve(samples.shownGroup),
  groupsCreate: () => Promise.resolve(samples.shownGroup),
  groupsRemove: () => Promise.resolve(samples.removedGroup),
  groupsAssign: () => Promise.resolve(samples.changed),
  groupsUnassign: () => Promise.resolve(samples.changed),
};

const token = encodeToken({
  addresses: ['10.0.0.1:1517'],
  cluster: 'muster',
  authorityFingerprint: 'ab'.repeat(32),
  id: '00'.repeat(8),
  secret: new Uint8Array(32),
  expiresAtSeconds: 0,
  node: undefined,
});

async function printed(commandLine: string, changes: Partial<Operations> = {}) {
  const host = new FakeHost([...commandLine.split(' '), '--json'], {
    initMaster: () =>
      Promise.resolve({ configFile: '/x', authorityFingerprint: 'ab', isRootNew: false }),
    joinCluster: () =>
      Promise.resolve({
        configFile: '/x',
        master: 'm',
        address: 'a:1',
        certificateNotAfterMs: samples.nowMs,
        isRootNew: false,
      }),
    readCertificates: () =>
      Promise.resolve({ own: samples.certificate, authority: samples.authority }),
    doctorFacts: () =>
      Promise.resolve({
        places: [],
        isStagingBesideRoot: null,
        freeBytes: null,
        openFilesMax: null,
        inotify: null,
        certificate: null,
        isDaemonRunning: false,
        listen: null,
        masters: [],
        clockSkewMs: null,
        missing: [],
      }),
  });
  host.input = ['{"id":7}\n'.repeat(3)];
  host.operations = { ...operations, ...changes };
  const { stdout } = await finish(host);
  const document = JSON.parse(stdout) as { schema_version: unknown };
  assert.equal(document.schema_version, 1, commandLine);
  return new Set(fieldsOf(document));
}

const commandLines: Readonly<Record<string, string>> = {
  'sync': 'sync --once',
  'check': 'check',
  'diff': 'diff',
  'approve': 'approve',
  'rollback': 'rollback --version 1',
  'versions': 'versions',
  'agents list': 'agents list',
  'agents show': 'agents show 7',
  'agents add': 'agents add --name web-7',
  'agents remove': 'agents remove 7 8 9 10',
  'agents report': 'agents report',
  'groups list': 'groups list',
  'groups show': 'groups show web',
  'groups create': 'groups create web',
  'groups remove': 'groups remove web',
  'groups assign': 'groups assign web 7',
  'groups unassign': 'groups unassign web --all-agents',
  'token': 'token --address a:1',
  'nodes list': 'nodes list',
  'nodes revoke': 'nodes revoke worker-1',
  'init': 'init',
  'join': `join ${token}`,
  'cert show': 'cert show',
  'config check': 'config check',
  'config show': 'config show',
  'doctor': 'doctor',
  'version': 'version',
};

test('docs/json.md names exactly the fields of every document', async () => {
  const documented = await documentedFields();
  for (const [command, line] of Object.entries(commandLines)) {
    const fields = documented.get(command) ?? [];
    assert.deepEqual(new Set(fields), await printed(line), command);
  }
});

test('docs/json.md names exactly the fields of a status, those of either role', async () => {
  const worker = await printed('status', { status: () => Promise.resolve(samples.worker) });
  const master = await printed('status', { status: () => Promise.resolve(samples.master) });
  const fields = new Set([...worker, ...master]);
  assert.deepEqual(new Set((await documentedFields()).get('status')), fields);
});

test('docs/json.md names exactly the fields of an error', async () => {
  const host = new FakeHost(['check', '--json']);
  host.files = { '/home/me/muster.toml': '' };
  const fields = new Set(fieldsOf(JSON.parse((await finish(host)).stdout)));
  assert.deepEqual(new Set((await documentedFields()).get('error')), fields);
});

test('docs/json.md describes no command twice, and none that there is not', async () => {
  const known = new Set([...Object.keys(commandLines), 'status', 'error']);
  assert.deepEqual(new Set((await documentedFields()).keys()), known);
});
