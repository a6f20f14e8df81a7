import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concatBytes, fromHex, fromText, toBytes } from '../../src/base/bytes.ts';
import { ProtocolError } from '../../src/base/errors.ts';
import {
  encodeWdbRequest,
  isForeignKeyFailure,
  readWdbAnswer,
  wdbBytesMax,
  WdbDecoder,
  wdbRequests,
} from '../../src/wazuh/wdb.ts';

/** An answer as the database sends it: framed as requests are. */
const framed = encodeWdbRequest;

test('encodeWdbRequest() gives the worked example', () => {
  const text = 'global recalculate-agent-group-hashes';
  assert.equal(wdbRequests.recalculateHashes(), text);
  assert.deepEqual(
    encodeWdbRequest(text),
    concatBytes([toBytes(fromHex('25000000')!), toBytes(text)]),
  );
  assert.throws(() => encodeWdbRequest('x'.repeat(wdbBytesMax + 1)), /65537 bytes: 65536 at most/);
});

test('WdbDecoder.push() yields answers wherever they are cut', () => {
  const texts = ['ok', '', 'due [{"data":[]}]', 'ok x'];
  const bytes = concatBytes(texts.map(framed));
  for (let at = 0; at <= bytes.length; at++) {
    const decoder = new WdbDecoder();
    const found = [bytes.subarray(0, at), bytes.subarray(at)]
      .flatMap((chunk) => [...decoder.push(chunk)]);
    assert.deepEqual(found, texts, `cut at ${at}`);
  }
  const decoder = new WdbDecoder();
  const found = Array.from(bytes).flatMap((byte) => [...decoder.push(Uint8Array.of(byte))]);
  assert.deepEqual(found, texts);
});

test('WdbDecoder.push() refuses a length from its header', () => {
  const bytes = toBytes(fromHex('01000100')!);
  assert.throws(() => [...new WdbDecoder().push(bytes)], ProtocolError);
});

test('readWdbAnswer() splits at the first space', () => {
  assert.deepEqual(readWdbAnswer('ok'), { status: 'ok', payload: '' });
  assert.deepEqual(readWdbAnswer('due [1, 2]'), { status: 'due', payload: '[1, 2]' });
  assert.deepEqual(readWdbAnswer(fromText('ok ñ')), { status: 'ok', payload: 'ñ' });
  assert.throws(
    () => readWdbAnswer("err Invalid JSON syntax, near 'x'"),
    /^ClusterError: Error 2003 - Error in wazuhdb request: Invalid JSON syntax, near 'x'$/,
  );
  for (const text of ['', 'okay', 'ok \xff']) {
    assert.throws(() => readWdbAnswer(text), ProtocolError, text);
  }
});

test('isForeignKeyFailure() knows the failure of an agent that is not there', () => {
  const failureOf = (text: string) => {
    try {
      return readWdbAnswer(`err ${text}`);
    } catch (error) {
      return error;
    }
  };
  const text = 'Cannot execute Global database query; FOREIGN KEY constraint failed';
  assert.ok(isForeignKeyFailure(failureOf(text)));
  assert.ok(!isForeignKeyFailure(failureOf('no')));
});

test('requests are those of real nodes', () => {
  assert.equal(
    wdbRequests.changedGroups(),
    'global sync-agent-groups-get {"condition": "sync_status", "set_synced": true, "get_global_hash": true}',
  );
  assert.equal(
    wdbRequests.allGroups(7),
    'global sync-agent-groups-get {"condition": "all", "set_synced": false, "get_global_hash": false, "last_id": 7}',
  );
  assert.equal(
    wdbRequests.groupsHash(),
    'global sync-agent-groups-get {"get_global_hash": true}',
  );
  assert.equal(
    wdbRequests.setGroups([{ id: 1, name: 'agent1', groups: ['default'] }]),
    'global set-agent-groups {"mode":"override","sync_status":"synced","data":[{"id":1,"name":"agent1","groups":["default"]}]}',
  );
});
