import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromBytes, toBytes } from '../../src/base/bytes.ts';
import { ProtocolError } from '../../src/base/errors.ts';
import {
  globalGroupsHash,
  groupHash,
  readGroups,
  writeGroups,
} from '../../src/wazuh/agent-groups.ts';
import {
  chunksOf,
  readAgentInfo,
  readAgentMessage,
  writeAgentInfo,
  writeAgentMessage,
} from '../../src/wazuh/agent-info.ts';
import { simHashing } from '../sim/hashing.ts';
import { needsRecordings, recordedFrames } from './recordings.ts';

const restless = { breathe: () => Promise.resolve() };

function isMalformed(error: unknown): boolean {
  return error instanceof ProtocolError && error.fault === 'malformed';
}

test('groupHash() and globalGroupsHash() give what real nodes have', () => {
  const [both, single] = [['default', 'web'], ['default']].map((groups) =>
    groupHash(simHashing, groups)
  );
  assert.deepEqual([both, single], ['5288d400', '37a8eec1']);
  assert.equal(groupHash(simHashing, []), undefined);
  const expected = 'f4c14a9a77f15f4cf13ad9ab7064954c394c0281';
  assert.equal(globalGroupsHash(simHashing, [both, undefined, single]), expected);
  assert.notEqual(globalGroupsHash(simHashing, [single, both]), expected);
  assert.equal(globalGroupsHash(simHashing, [undefined]), undefined);
});

test('groups are read as they were written, and written as real masters do', () => {
  const chunks = [
    { agents: [{ id: 1, name: 'a"b', groups: ['default', 'web'] }], globalHash: undefined },
    { agents: [], globalHash: 'f4c14a9a77f15f4cf13ad9ab7064954c394c0281' },
  ];
  const text = writeGroups(chunks);
  assert.deepEqual(readGroups(text), chunks);
  const ofNobody = [{ agents: [], globalHash: null }];
  assert.deepEqual(readGroups(writeGroups(ofNobody)), ofNobody);
  const { payload, chunks: texts } = JSON.parse(fromBytes(text)) as Record<string, unknown>;
  assert.deepEqual(payload, { mode: 'override', sync_status: 'synced' });
  assert.deepEqual(texts, [
    '[{"data":[{"id":1,"name":"a\\"b","groups":["default","web"]}]}]',
    '[{"data":[],"hash":"f4c14a9a77f15f4cf13ad9ab7064954c394c0281"}]',
  ]);
});

test('readGroups() refuses everything else', () => {
  for (
    const text of [
      'xyz',
      '{"chunks": [{"data": []}]}',
      '{"chunks": ["xyz"]}',
      '{"chunks": ["[{\\"data\\": [{\\"id\\": -1, \\"name\\": \\"a\\", \\"groups\\": []}]}]"]}',
      '{"chunks": ["[{\\"data\\": []}, {\\"data\\": []}]"]}',
    ]
  ) assert.throws(() => readGroups(toBytes(text)), isMalformed, text);
});

const infoText =
  '{"syncreq":[{"id":1,"version":"Wazuh v4.14.7","connection_status":"active","disconnection_time":0,"status_code":0,"last_keepalive":1700000000,"name":"agent1","ip":"any","group_config_status":"synced","labels":[{"key":"k","value":"v"}]}],"syncreq_keepalive":[{"id":2,"version":"Wazuh v4.14.7"}]}';

test('agents are read as they were written, without what is empty', async () => {
  const info = await readAgentInfo(toBytes(infoText), restless);
  assert.equal(fromBytes(writeAgentInfo(info)), infoText);
  assert.equal(chunksOf(info), 2);
  const [first] = info.syncreq;
  assert.deepEqual([first?.name, first?.os_name, first?.labels?.length], ['agent1', undefined, 1]);
  assert.deepEqual(info.syncreq_status, []);
  const empty = { ...info, syncreq: [{ ...first!, name: '', labels: [] }], syncreq_keepalive: [] };
  const shown = JSON.parse(fromBytes(writeAgentInfo(empty))) as { syncreq: object[] };
  assert.deepEqual(Object.keys(shown), ['syncreq']);
  assert.ok(!('name' in shown.syncreq[0]! || 'labels' in shown.syncreq[0]!));
  assert.deepEqual(await readAgentMessage(writeAgentMessage(info), restless), info);
});

test('readAgentMessage() refuses everything else', async () => {
  for (
    const text of [
      'null',
      infoText,
      '{"chunks": [1]}',
      '{"chunks": {"syncreq": [{"id": 0}]}}',
      '{"chunks": {"syncreq_keepalive": [{"id": 1, "version": 4}]}}',
    ]
  ) await assert.rejects(readAgentMessage(toBytes(text), restless), isMalformed, text);
});

test('many agents are read with the loop free in between', async () => {
  let breathsCount = 0;
  const breathe = () => Promise.resolve(void breathsCount++);
  const syncreq = Array.from({ length: 20_000 }, (_, i) => ({ id: i + 1, name: `agent-${i}` }));
  const bytes = new TextEncoder().encode(JSON.stringify({ chunks: { syncreq } }));
  const info = await readAgentMessage(bytes, { breathe });
  assert.equal(info.syncreq.at(-1)?.name, 'agent-19999');
  assert.equal(info.syncreq.length, 20_000);
  assert.ok(breathsCount >= 40, `${breathsCount}`);
});

test('what the recordings tell about agents and groups is read', needsRecordings, async () => {
  let [agentsCount, groupsCount, hash] = [0, 0, ''];
  for (const { command, plain, sender } of recordedFrames('session')) {
    if (command !== 'str_upd' || plain === undefined) continue;
    const text = plain.subarray(plain.indexOf(0x20) + 1);
    if (sender === 'worker') {
      const { syncreq, syncreq_keepalive: heard, syncreq_status: changed } = await readAgentMessage(
        text,
        restless,
      );
      agentsCount += syncreq.length + heard.length + changed.length;
      continue;
    }
    for (const { agents, globalHash } of readGroups(text)) {
      groupsCount += agents.length;
      hash = globalHash ?? hash;
      // What the first send told of is all there is: its hash is that of its groups.
      if (agents.length === 3 && globalHash !== undefined) {
        const hashes = agents.map(({ groups }) => groupHash(simHashing, groups));
        assert.equal(globalGroupsHash(simHashing, hashes), globalHash);
      }
    }
  }
  assert.ok(agentsCount >= 4 && groupsCount >= 4, `${agentsCount} ${groupsCount}`);
  assert.equal(hash, '9101f4cd36cf61c8d3bbc754b20be4232ef5c285');
});
