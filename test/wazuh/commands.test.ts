import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromBytes, toBytes } from '../../src/base/bytes.ts';
import { ClusterError, ProtocolError } from '../../src/base/errors.ts';
import { type AdmissionFacts, refusalOf } from '../../src/wazuh/admission.ts';
import { type CommandName, commands, isCommandFrom } from '../../src/wazuh/commands.ts';
import {
  clusterFailure,
  internalFailure,
  readErrorReply,
  readFailure,
  WazuhFailure,
  writeFailure,
} from '../../src/wazuh/failure.ts';
import { commandBytesMax } from '../../src/wazuh/frame.ts';
import { parseJson, spacedJson } from '../../src/wazuh/json.ts';
import { quotedBytes } from '../../src/wazuh/layouts.ts';
import {
  failureReply,
  okReply,
  plainReplies,
  replyOfError,
  takeReply,
  welcomeText,
} from '../../src/wazuh/replies.ts';
import { requestSamples, takenText } from './samples.ts';

function isMalformed(error: unknown): boolean {
  return error instanceof ProtocolError && error.fault === 'malformed';
}

test('spacedJson() writes as real nodes do', () => {
  const value = {
    a: [1, 2.5, []],
    'b\n ,': { c: null, d: '{\n "x": 1 }' },
    e: {},
    f: 'ñ€😀\u007f',
  };
  assert.equal(
    spacedJson(value),
    '{"a": [1, 2.5, []], "b\\n ,": {"c": null, "d": "{\\n \\"x\\": 1 }"}, "e": {}, ' +
      '"f": "\\u00f1\\u20ac\\ud83d\\ude00\\u007f"}',
  );
  assert.deepEqual(JSON.parse(spacedJson(value)), value);
});

test('parseJson() refuses what is no JSON in UTF-8', () => {
  for (const text of ['', '{', 'NaN', '"\xff"', '[1,]']) {
    assert.throws(() => parseJson(toBytes(text), 'A thing'), isMalformed, text);
  }
  const deep = toBytes('['.repeat(1_000_000));
  assert.throws(() => parseJson(deep, 'A thing'), isMalformed);
});

test('writeFailure() and readFailure() agree with real nodes to the byte', () => {
  const failure = { className: 'WazuhClusterError', code: 3028, detail: 'worker1' };
  assert.equal(writeFailure(failure), takenText);
  assert.deepEqual(readFailure(toBytes(takenText)), failure);
  assert.match(
    writeFailure({ className: 'WazuhResourceNotFound', code: 1730, detail: undefined }),
    /"title": "Resource Not Found", "code": 1730, "extra_message": null, .*"ids": \[\]\}\}\}$/,
  );
});

test('readFailure() takes details of any shape and revives nothing', () => {
  const text = takenText.replace('"worker1"', '{"__callable__": {"__name__": "system"}}')
    .replace('WazuhClusterError', 'Popen');
  assert.deepEqual(readFailure(toBytes(text)), {
    className: 'Popen',
    code: 3028,
    detail: '{"__callable__":{"__name__":"system"}}',
  });
});

test('readFailure() refuses everything else', () => {
  for (
    const text of [
      'null',
      '[]',
      '{}',
      '{"__wazuh_exception__": 1}',
      takenText.replace('3028', '"3028"'),
      takenText.replace('3028', '-1'),
      takenText.replace('__object__', '__objects__'),
    ]
  ) assert.throws(() => readFailure(toBytes(text)), isMalformed, text);
});

test('readErrorReply() takes plain text for the detail of a failure', () => {
  const body = toBytes('Write path not allowed');
  assert.deepEqual(readErrorReply(body), {
    className: 'WazuhClusterError',
    code: 3000,
    detail: 'Write path not allowed',
  });
});

test('failures have the sentences of real nodes', () => {
  assert.equal(
    clusterFailure(3028, 'worker1').message,
    'Error 3028 - Worker node ID already exists: worker1',
  );
  assert.equal(
    clusterFailure(3031).message,
    'Error 3031 - Worker and master versions are not the same',
  );
  assert.equal(clusterFailure(3031).code, 'incompatible');
  assert.equal(internalFailure("b'77'").message, "Error 1000 - Wazuh Internal Error: b'77'");
  assert.equal(clusterFailure(4242, 'x').message, 'Error 4242: x');
});

test('quotedBytes() shows bytes as Python does', () => {
  assert.equal(quotedBytes('nosuch'), "b'nosuch'");
  assert.equal(quotedBytes("it's"), `b"it's"`);
  assert.equal(quotedBytes(`'"`), `b'\\'"'`);
  assert.equal(quotedBytes('\\\0\t\n\r\x7f\xff '), "b'\\\\\\x00\\t\\n\\r\\x7f\\xff '");
});

test('every command has a name that fits into a frame', () => {
  for (const name of Object.keys(commands)) assert.ok(name.length <= commandBytesMax, name);
});

test('isCommandFrom() knows who may send what', () => {
  assert.ok(isCommandFrom('hello', 'worker'));
  assert.ok(!isCommandFrom('hello', 'master'));
  assert.ok(isCommandFrom('new_file', 'worker') && isCommandFrom('new_file', 'master'));
  assert.ok(!isCommandFrom('syn_m_c', 'worker'));
  for (const name of ['toString', '__proto__', '', 'nosuch']) {
    assert.ok(!isCommandFrom(name, 'worker') && !isCommandFrom(name, 'master'), name);
  }
});

test('commands read and write payloads as real nodes do', () => {
  for (const [name, payload, value] of requestSamples) {
    const { read, write } = commands[name].request as {
      read: (payload: Uint8Array) => unknown;
      write: (value: unknown) => Uint8Array;
    };
    assert.deepEqual(read(toBytes(payload)), value, name);
    assert.equal(fromBytes(write(value)), payload, name);
  }
  const asked = commands['syn_i_w_m_p'].reply;
  assert.deepEqual([true, false].map((value) => fromBytes(asked.write(value))), ['True', 'False']);
  assert.deepEqual(['True', 'False', 'true', ''].map((text) => asked.read(toBytes(text))), [
    true,
    false,
    false,
    false,
  ]);
});

test('commands refuse payloads of another layout', () => {
  const wrong: readonly (readonly [CommandName, string])[] = [
    ['new_file', 'a b'],
    ['new_file', 'a'.repeat(4097)],
    ['file_upd', 'nospace'],
    ['file_upd', `${'a'.repeat(5000)} x`],
    ['file_end', '/q/a.zip short'],
    ['new_str', '-1'],
    ['new_str', '1e3'],
    ['new_str', '9999999999999999'],
    ['str_upd', '17'],
    ['cancel_task', 't-1 nojson'],
    ['syn_m_a_e', '{"updated_chunks": "3"}'],
    ['syn_w_g_err', '\xff'],
    ['dapi_res', '12 34 56'],
  ];
  for (const [name, payload] of wrong) {
    assert.throws(() => commands[name].request.read(toBytes(payload)), isMalformed, payload);
  }
});

test('a hello of other than four words is answered as by real masters', () => {
  const { read, write } = commands.hello.request;
  assert.throws(
    () => read(toBytes('w1 wazuh worker')),
    /^WazuhFailure: Error 1000 .*: not enough values to unpack \(expected 4, got 3\)$/,
  );
  assert.throws(
    () => read(toBytes('w1 my wazuh worker 4.14.7')),
    /: too many values to unpack \(expected 4\)$/,
  );
  const hello = { node: 'w 1', cluster: 'wazuh', nodeType: 'worker', version: '4.14.7' };
  assert.throws(() => write(hello), /"w 1": it contains a space/);
});

test('refusalOf() turns workers away in the order of real masters', () => {
  const facts: AdmissionFacts = {
    master: 'master-node',
    cluster: 'wazuh',
    version: '4.14.7',
    isConnected: (node) => node === 'worker1',
  };
  const hello = { node: 'worker2', cluster: 'wazuh', nodeType: 'worker', version: '4.14.7' };
  const textOf = (change: Partial<typeof hello>) =>
    refusalOf({ ...hello, ...change }, facts)?.message;
  assert.equal(textOf({}), undefined);
  assert.equal(textOf({ node: 'a.b' }), 'Error 3060 - Invalid node name format: a.b');
  assert.equal(textOf({ node: '' }), 'Error 3060 - Invalid node name format: ');
  assert.equal(
    textOf({ node: 'worker1', cluster: 'x' }),
    'Error 3028 - Worker node ID already exists: worker1',
  );
  assert.equal(
    textOf({ node: 'master-node', version: 'x' }),
    'Error 3029 - Connected worker with same name as the master',
  );
  assert.equal(
    textOf({ cluster: 'x', version: 'x' }),
    'Error 3030 - Worker does not belong to the same cluster',
  );
  assert.equal(
    textOf({ version: '4.14.6' }),
    'Error 3031 - Worker and master versions are not the same',
  );
});

test('replies have the names and texts of real nodes', () => {
  const nothing = new Uint8Array(0);
  assert.equal(okReply('echo-c', nothing).command, 'ok-m ');
  assert.equal(okReply('echo-m', nothing).command, 'ok-c');
  assert.equal(okReply('new_file', nothing).command, 'ok ');
  assert.equal(okReply('hello', nothing).command, 'ok');
  assert.equal(welcomeText('w1'), 'Client w1 added');
  const textOf = ({ command, payload }: { command: string; payload: Uint8Array }) =>
    `${command}: ${fromBytes(payload)}`;
  assert.equal(textOf(plainReplies.unknownCommand('foo')), "err: unknown command 'b'foo''");
  assert.equal(textOf(plainReplies.unknownCommand('')), "err: unknown command 'b'''");
  assert.match(textOf(plainReplies.stringSize()), /^error: Requested size exceeds/);
  assert.equal(textOf(failureReply(clusterFailure(3028, 'worker1').failure)), `err: ${takenText}`);
});

test('takeReply() gives what good replies carry and throws what bad ones tell', () => {
  const payload = toBytes('True');
  for (const command of ['ok', 'ok-m', 'ok-c']) {
    assert.equal(takeReply({ command, payload }), payload);
  }
  assert.throws(() => takeReply({ command: 'err', payload: toBytes(takenText) }), (error) => {
    assert.ok(error instanceof WazuhFailure);
    assert.equal(error.code, 'refused');
    assert.equal(error.failure.detail, 'worker1');
    return true;
  });
  assert.throws(
    () => takeReply({ command: 'error', payload: toBytes('Requested size') }),
    /Error 3000 - Cluster: Requested size/,
  );
  assert.throws(() => takeReply({ command: 'okay', payload }), /A reply is named "okay"/);
});

test('replyOfError() tells what was thrown as a failure', () => {
  const of = (error: unknown) => readErrorReply(replyOfError(error).payload);
  assert.equal(of(clusterFailure(3027, 't')).code, 3027);
  assert.deepEqual(of(new ClusterError('io', 'no room')), {
    className: 'WazuhInternalError',
    code: 1000,
    detail: 'no room',
  });
});
