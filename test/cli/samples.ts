/** Documents of a small cluster, with every field; and the moment at which they were made. */
import type {
  AgentDocument,
  AgentsChangeDocument,
  AgentsDocument,
  AgentShowDocument,
  GroupRemovalDocument,
  GroupsDocument,
  GroupShowDocument,
  ReportDocument,
} from '../../src/node/agent-documents.ts';
import type { CertificateFacts } from '../../src/identity/checks.ts';
import type {
  ApproveDocument,
  CheckDocument,
  NodesDocument,
  PeerDocument,
  RollbackDocument,
  StatusDocument,
  SyncDocument,
  TaskDocument,
  TokenDocument,
  VersionsDocument,
} from '../../src/node/documents.ts';

/** 2026-11-23T09:27:05Z */
export const nowMs = 1_795_426_025_000;

const tasks: readonly TaskDocument[] = [
  {
    name: 'keep-alive',
    worker: null,
    running: false,
    rounds: 190,
    failures: 1,
    failures_in_a_row: 0,
    duration_total_ms: 2_600,
    last_success: '2026-11-23T09:26:53Z',
    last_duration_ms: 2,
    last_summary: null,
    last_error: null,
  },
  {
    name: 'integrity',
    worker: null,
    running: true,
    rounds: 1270,
    failures: 5,
    failures_in_a_row: 3,
    duration_total_ms: 41_000,
    last_success: '2026-11-23T09:15:05Z',
    last_duration_ms: 8_240,
    last_summary: '2 created, 1 replaced.',
    last_error: 'Cannot write "etc/rules/local_rules.xml": no space left on the device, 0 B free',
  },
];

export const worker: StatusDocument = {
  schema_version: 1,
  node: 'worker-1',
  cluster: 'muster',
  role: 'worker',
  version: '0.1.0',
  pid: 4711,
  started: '2026-11-20T05:20:05Z',
  generation: 812,
  files: 1240,
  bytes: 13_002_342,
  sets: [
    { name: 'agent-keys', path: 'etc', files: 1, bytes: 1229, halted: null },
    {
      name: 'shared',
      path: 'etc/shared',
      files: 1239,
      bytes: 13_001_113,
      halted: 'it would lose 700 of 1239 files',
    },
  ],
  halted: [{
    set: 'shared',
    reason: 'it would lose 700 of 1239 files',
    since: '2026-11-23T09:22:05Z',
  }],
  agents: {
    total: 1204,
    by_status: { never_connected: 3, pending: 1, active: 1180, disconnected: 20 },
    by_node: [{ node: 'worker-1', never_connected: 0, pending: 1, active: 1180, disconnected: 20 }],
    unconfirmed: 17,
    refused: 2,
    groups: 3,
    confirmed: '2026-11-23T09:27:01Z',
  },
  tasks,
  certificate_expires: '2027-01-24T09:27:05Z',
  longest_loop_hold_ms: 12,
  connections: 2,
  guard_halts: 1,
  master: {
    node: 'master-1',
    address: '10.0.0.1:1517',
    version: '0.1.0',
    connected_since: '2026-11-23T06:15:05Z',
    round_trip_ms: 1,
    clock_skew_ms: 12,
  },
  last_error: null,
  in_sync: false,
  drift: 700,
  peers: [],
};

const peer: PeerDocument = {
  node: 'worker-1',
  protocol: 'native',
  address: '10.0.0.12:48122',
  version: '0.1.0',
  connected_since: '2026-11-23T06:15:05Z',
  last_heard_ms_ago: 12_000,
  clock_skew_ms: 12,
  generation: 812,
  in_sync: true,
  halted: [],
  bytes_received: 71_000,
  bytes_sent: 13_100_000,
};

export const master: StatusDocument = {
  ...worker,
  node: 'master-1',
  role: 'master',
  sets: worker.sets.map((set) => ({ ...set, halted: null })),
  halted: [],
  agents: { ...worker.agents, unconfirmed: 0, refused: 0, confirmed: null },
  tasks: [{ ...tasks[0]!, name: 'local-integrity', last_summary: 'Nothing has changed.' }],
  master: null,
  in_sync: null,
  drift: null,
  peers: [
    peer,
    {
      ...peer,
      node: 'worker-2',
      address: '10.0.0.13:50234',
      generation: 811,
      in_sync: false,
      clock_skew_ms: -95_000,
      halted: [{ set: 'shared', reason: 'it would lose 700 of 1239 files' }],
    },
    { ...peer, node: 'worker-3', address: '[fd00::14]:41220', generation: null, in_sync: null },
  ],
};

export const synced: SyncDocument = {
  schema_version: 1,
  node: 'worker-1',
  generation: 812,
  in_sync: true,
  dry_run: false,
  created: 3,
  replaced: 1,
  removed: 0,
  bytes: 1_258_291,
  duration_ms: 840,
  differences: [],
  problems: [],
  halted: [],
};

export const differences: CheckDocument['differences'] = [
  { set: 'rules', path: 'etc/rules/new.xml', action: 'create', size: 1229 },
  { set: 'rules', path: 'etc/rules/local_rules.xml', action: 'replace', size: 482 },
  { set: 'shared', path: 'etc/shared/old/agent.conf', action: 'remove', size: null },
];

export const checked: CheckDocument = {
  schema_version: 1,
  node: 'worker-1',
  compared_with: 'master',
  generation: 812,
  in_sync: true,
  files: 1240,
  differences: [],
  problems: [],
  unmanaged: [],
  halted: [],
};

export const drifted: CheckDocument = { ...checked, in_sync: false, differences };

export const halted = [{ set: 'shared', reason: 'it would lose 700 of 1239 files' }];

export const problems = [
  { path: 'etc/rules/locked.xml', reason: 'permission denied' },
  { path: 'etc/rules/gone\\x1b.xml', reason: 'vanished' },
];

export const unmanaged = [
  { path: 'etc/rules/link.xml', reason: 'symbolic links are not followed' },
];

export const approved: ApproveDocument = { schema_version: 1, approved: worker.halted };

export const nodes: NodesDocument = {
  schema_version: 1,
  nodes: [
    {
      name: 'master-1',
      role: 'master',
      protocol: 'native',
      connected: false,
      joined: '2026-10-01T08:00:00Z',
      certificate_expires: '2026-12-30T08:00:00Z',
      revoked: null,
    },
    {
      name: 'worker-1',
      role: 'worker',
      protocol: 'native',
      connected: true,
      joined: '2026-10-01T08:20:00Z',
      certificate_expires: '2027-01-24T09:27:05Z',
      revoked: null,
    },
    {
      name: 'worker-2',
      role: 'worker',
      protocol: 'native',
      connected: false,
      joined: '2026-10-02T08:20:00Z',
      certificate_expires: '2026-11-23T08:27:05Z',
      revoked: null,
    },
    {
      name: 'worker-3',
      role: 'worker',
      protocol: 'native',
      connected: false,
      joined: '2026-10-02T08:20:00Z',
      certificate_expires: '2027-01-24T09:27:05Z',
      revoked: '2026-11-01T10:00:00Z',
    },
  ],
};

export const issued: TokenDocument = {
  schema_version: 1,
  token: 'muster1.ADEADBEEF',
  expires: '2026-11-24T09:27:05Z',
  uses: 1,
  node: null,
};

export const kept: VersionsDocument = {
  schema_version: 1,
  versions: [
    {
      id: 4711,
      set: 'rules',
      path: 'etc/rules/local_rules.xml',
      generation: 812,
      kind: 'replaced',
      size: 482,
      replaced: '2026-11-23T09:22:05Z',
    },
    {
      id: 4710,
      set: 'rules',
      path: 'etc/rules/new_rules.xml',
      generation: 812,
      kind: 'created',
      size: 0,
      replaced: '2026-11-23T09:22:05Z',
    },
    {
      id: 17,
      set: 'shared',
      path: `etc/shared/${'very-long-group-name-'.repeat(4)}/agent.conf`,
      generation: 9,
      kind: 'removed',
      size: 1_258_291,
      replaced: '2026-10-20T09:22:05Z',
    },
  ],
};

export const rolledBack: RollbackDocument = {
  schema_version: 1,
  restored: 12,
  removed: 3,
  held: ['rules'],
  problems: [],
};

export const certificate: CertificateFacts = {
  identity: { cluster: 'muster', node: 'worker-1', role: 'worker' },
  serial: '5f3a9c01',
  fingerprint: 'ab'.repeat(32),
  keyFingerprint: 'cd'.repeat(32),
  issuerFingerprint: 'ef'.repeat(32),
  notBeforeMs: nowMs - 28 * 86_400_000,
  notAfterMs: nowMs + 62 * 86_400_000,
};

export const authority: CertificateFacts = {
  ...certificate,
  identity: undefined,
  serial: '01',
  fingerprint: 'ef'.repeat(32),
  issuerFingerprint: undefined,
  notAfterMs: nowMs + 3650 * 86_400_000,
};

// --- agents ------------------------------------------------------------------------------------

export const agent: AgentDocument = {
  id: '007',
  name: 'web-7',
  ip: '10.0.0.7',
  register_ip: 'any',
  version: 'v4.14.7',
  os_name: 'Ubuntu',
  os_version: '22.04.3 LTS',
  os_major: '22',
  os_minor: '04',
  os_codename: 'Jammy Jellyfish',
  os_build: null,
  os_platform: 'ubuntu',
  os_uname: 'Linux web-7 5.15.0',
  os_arch: 'x86_64',
  config_sum: null,
  merged_sum: null,
  manager_host: null,
  group_config_status: 'synced',
  connection_status: 'active',
  last_keepalive: nowMs / 1000 - 12,
  disconnection_time: 0,
  status_code: 0,
  node_name: 'worker-1',
  groups: ['default', 'web'],
  labels: { site: 'Graz' },
  date_add: nowMs / 1000 - 86_400,
  source: 'keys',
};

const silent: AgentDocument = {
  ...agent,
  id: '1234',
  name: 'database-with-a-long-name.example',
  ip: null,
  os_name: null,
  os_version: null,
  os_platform: null,
  connection_status: 'never_connected',
  last_keepalive: null,
  node_name: null,
  groups: [],
  labels: {},
  source: 'command',
};

export const agents: AgentsDocument = {
  schema_version: 1,
  total: 2,
  view: 'master',
  confirmed: null,
  agents: [agent, silent],
};

export const shownAgent: AgentShowDocument = {
  schema_version: 1,
  view: 'worker',
  confirmed: '2026-11-23T09:27:01Z',
  agent,
};

export const reported: ReportDocument = {
  schema_version: 1,
  accepted: 2,
  refused_count: 1,
  refused: [{ line: 3, problem: '"id" is missing' }],
};

export const changed: AgentsChangeDocument = {
  schema_version: 1,
  changed: 2,
  unchanged: 1,
  refused: [{ id: '008', problem: 'there is no such agent' }],
};

// --- groups ------------------------------------------------------------------------------------

export const groups: GroupsDocument = {
  schema_version: 1,
  total: 2,
  view: 'master',
  confirmed: null,
  groups: [
    { name: 'default', agents: 1200, files: 3, bytes: 4321 },
    { name: 'web', agents: 0, files: 1, bytes: 120 },
  ],
};

export const shownGroup: GroupShowDocument = {
  schema_version: 1,
  view: 'worker',
  confirmed: '2026-11-23T09:27:01Z',
  group: {
    name: 'web',
    agents: 12,
    files: [{ path: 'agent.conf', size: 120 }, { path: 'lists/a', size: 4201 }],
  },
};

export const removedGroup: GroupRemovalDocument = { schema_version: 1, group: 'web', agents: 12 };
