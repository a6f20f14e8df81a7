import assert from 'node:assert/strict';
import { test } from 'node:test';
import { masterPhrases, type Phrase, workerPhrases } from '../../src/wazuh/log-phrases.ts';

function line({ level, subtag, text }: Phrase): string {
  return `${level.toUpperCase()}: [${subtag}] ${text}`;
}

const counts = { missing: 3, shared: 2, extra: 1 };

test('phrases of a master are those of real masters', () => {
  const { main, keepAlive, integrityCheck, integritySync, localGroups, groupsSend, call } =
    masterPhrases;
  assert.deepEqual(
    [
      main.serving('0.0.0.0', 1516),
      integrityCheck.finished(1500, 22, true),
      integrityCheck.finished(1500, 22, false),
      integritySync.counts(counts),
      integritySync.finished(61_234.9),
      localGroups.skipped(),
      groupsSend.finished(8, 1),
      groupsSend.finishedBadly(8, 1, ['a', 'b']),
      groupsSend.failed('what it says'),
      keepAlive.missing('worker1'),
      call.received('get_agents_overview', 'worker1', '12345'),
    ].map(line),
    [
      "INFO: [Main] Serving on ('0.0.0.0', 1516)",
      'INFO: [Integrity check] Finished in 1.500s. Received metadata of 22 files. Sync required.',
      'INFO: [Integrity check] Finished in 1.500s. Received metadata of 22 files. Sync not required.',
      'INFO: [Integrity sync] Files to create in worker: 3 | Files to update in worker: 2 | Files to delete in worker: 1',
      'INFO: [Integrity sync] Finished in 61.235s.',
      'INFO: [Local agent-groups] No clients connected. Skipping.',
      'INFO: [Agent-groups send] Finished in 0.008s. Updated 1 chunks.',
      "ERROR: [Agent-groups send] Finished in 0.008s. Updated 1 chunks. There were 2 chunks with errors: ['a', 'b']",
      'ERROR: [Agent-groups send] There was an error while processing agent-groups on the peer: what it says',
      'ERROR: [Keep alive] No keep alives have been received from worker1 in the last minute. Disconnecting',
      'INFO: [D API] Receiving request: get_agents_overview from worker1 (12345)',
    ],
  );
});

test('phrases of a worker are those of real workers', () => {
  const { main, keepAlive, integrityCheck, integritySync, agentInfo } = workerPhrases;
  const { groupsReceive, groupsReceiveFull } = workerPhrases;
  assert.deepEqual(
    [
      main.connected(),
      main.refused('Error 3031 - Worker and master versions are not the same'),
      keepAlive.answered(),
      integrityCheck.starting(),
      integrityCheck.finished(3, false),
      integritySync.counts(counts),
      agentInfo.skipped(),
      groupsReceiveFull.finished(20, 4),
      groupsReceive.refused(2, 4, 'Error 2003'),
    ].map(line),
    [
      'INFO: [Main] Successfully connected to master.',
      'ERROR: [Main] Could not connect to master: Error 3031 - Worker and master versions are not the same.',
      'INFO: [Keep Alive] Successful response from master: keepalive',
      'INFO: [Integrity check] Starting.',
      'INFO: [Integrity check] Finished in 0.003s. Sync not required.',
      'INFO: [Integrity sync] Files to create: 3 | Files to update: 2 | Files to delete: 1',
      'INFO: [Agent-info sync] No synchronization required, skipping.',
      'INFO: [Agent-groups recv full] Finished in 0.020s. Updated 4 chunks.',
      'ERROR: [Agent-groups recv] Wazuh-db response for chunk 2/4 was not "ok": Error 2003',
    ],
  );
});
