import assert from 'node:assert/strict';
import test from 'node:test';
import { statusScreen } from '../../src/cli/status-screen.ts';
import { renderLine, textWidth } from '../../src/cli/styled-text.ts';
import type { StatusDocument } from '../../src/node/documents.ts';
import { master, nowMs, worker } from './samples.ts';

function screenOf(status: StatusDocument, columns = 80): string {
  const nextCommand = (words: string) => `muster ${words} --dir /srv`;
  const lines = statusScreen(status, { nowMs, columns, nextCommand });
  return lines.map((line) => `${renderLine(line, false)}\n`).join('');
}

test('statusScreen() of a worker, at 80 columns', () => {
  assert.equal(
    screenOf(worker),
    `worker-1, worker of cluster "muster"
muster 0.1.0, pid 4711, up 3 d 4 h
Not in sync with master-1, generation 812: 1,240 files, 12.4 MiB

MASTER    ADDRESS        VERSION  CONNECTED   ROUND TRIP
master-1  10.0.0.1:1517  0.1.0    3 h 12 min  1 ms

SET         FILES      SIZE  STATE   PATH
agent-keys      1   1.2 KiB  ok      etc
shared      1,239  12.4 MiB  halted  etc/shared

AGENTS OF  ACTIVE  DISCONNECTED  PENDING  NEVER
worker-1    1,180            20        1      0
all 1,204   1,180            20        1      3
3 groups of agents
17 agents not yet confirmed by the master
2 agents not known to the master

TASK        STATE      LAST SUCCESS  TOOK   RESULT
keep-alive  waiting    12 s ago      2 ms
integrity   failed 3x  12 min ago    8.2 s  Cannot write "etc/rules/local_rules…

Set "shared" is halted since 5 min: it would lose 700 of 1239 files
  To let it through: muster approve shared --dir /srv
`,
  );
});

test('statusScreen() of a master, at 80 columns', () => {
  assert.equal(
    screenOf(master),
    `master-1, master of cluster "muster"
muster 0.1.0, pid 4711, up 3 d 4 h
Serving generation 812: 1,240 files, 12.4 MiB; 3 workers connected, 1 in sync
The clock of worker-2 is 1 min 35 s behind

WORKER    ADDRESS           VERSION  CONNECTED   HEARD     GENERATION  STATE
worker-1  10.0.0.12:48122   0.1.0    3 h 12 min  12 s ago  812         in sync
worker-2  10.0.0.13:50234   0.1.0    3 h 12 min  12 s ago  811         halted
worker-3  [fd00::14]:41220  0.1.0    3 h 12 min  12 s ago  -           unknown

SET         FILES      SIZE  STATE  PATH
agent-keys      1   1.2 KiB  ok     etc
shared      1,239  12.4 MiB  ok     etc/shared

AGENTS OF  ACTIVE  DISCONNECTED  PENDING  NEVER
worker-1    1,180            20        1      0
all 1,204   1,180            20        1      3
3 groups of agents

TASK             STATE    LAST SUCCESS  TOOK  RESULT
local-integrity  waiting  12 s ago      2 ms  Nothing has changed.

Set "shared" is halted on worker-2: it would lose 700 of 1239 files
  To let it through, on worker-2: muster approve shared
`,
  );
});

const noAgents = {
  total: 0,
  by_status: { never_connected: 0, pending: 0, active: 0, disconnected: 0 },
  by_node: [],
  unconfirmed: 0,
  refused: 0,
  groups: 0,
  confirmed: null,
};

const well: StatusDocument = {
  ...worker,
  sets: [],
  halted: [],
  agents: noAgents,
  tasks: [],
  in_sync: true,
};

test('statusScreen() tells how a worker stands to its master', () => {
  const third = (status: StatusDocument) => screenOf(status).split('\n')[2];
  assert.equal(third(well), 'In sync with master-1, generation 812: 1,240 files, 12.4 MiB');
  assert.equal(third({ ...well, in_sync: null }), 'Not compared yet with master-1');
  const error = 'Cannot connect to 10.0.0.1:1517: connection refused';
  assert.equal(
    third({ ...well, master: null, last_error: error }),
    `Not connected: ${error}; generation 812: 1,240 files, 12.4 MiB`,
  );
  assert.equal(
    third({ ...well, master: null, generation: null }),
    'Not connected; no generation yet',
  );
  const unpublished = { ...master, generation: null, peers: [] };
  assert.equal(third(unpublished), 'Nothing published yet');
});

test('statusScreen() notes what is out of the ordinary, and only that', () => {
  const notes = (changes: Partial<StatusDocument>) => {
    const [before = ''] = screenOf({ ...well, ...changes }).split('\n\n');
    return before.trimEnd().split('\n').slice(3);
  };
  assert.deepEqual(notes({}), []);
  assert.deepEqual(notes({ certificate_expires: '2026-12-07T09:27:05Z' }), []);
  assert.deepEqual(notes({ certificate_expires: '2026-12-07T09:27:04Z' }), [
    'The certificate expires in 13 d',
  ]);
  assert.deepEqual(notes({ certificate_expires: '2026-11-20T09:27:05Z' }), [
    'The certificate expired 3 d ago',
  ]);
  assert.deepEqual(notes({ longest_loop_hold_ms: 250 }), []);
  assert.deepEqual(notes({ longest_loop_hold_ms: 251 }), [
    'Everything stood still for 251 ms once',
  ]);
  assert.deepEqual(notes({ master: { ...worker.master!, clock_skew_ms: 2000 } }), [
    'The clock of master-1 is 2.0 s ahead',
  ]);
});

test('statusScreen() keeps its tables within the terminal, however long the names', () => {
  const long = {
    ...master,
    peers: master.peers.map((peer) => ({ ...peer, node: 'a-very-long-node-name-'.repeat(3) })),
    halted: [],
  };
  for (const columns of [40, 60, 80, 120]) {
    const lines = screenOf(long, columns).split('\n').filter((line) => /^[A-Za-z-]+… /.test(line));
    assert.equal(lines.length >= 3, true);
    for (const line of lines) assert.ok(textWidth(line) <= columns, line);
  }
});

test('statusScreen() shows a set at the root as "."', () => {
  const root = { ...well, sets: [{ ...worker.sets[0]!, path: '' }] };
  assert.match(screenOf(root), /agent-keys +1 +1\.2 KiB +ok +\.\n/);
});
