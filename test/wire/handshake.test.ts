import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClusterError } from '../../src/base/errors.ts';
import type { NodeIdentity } from '../../src/ports.ts';
import {
  answerHello,
  helloOf,
  ourFeatures,
  protocolVersions,
  readHelloReply,
  type SelfDescription,
} from '../../src/wire/handshake.ts';
import { messages } from '../../src/wire/messages.ts';

function self(node: string, role: NodeIdentity['role']): SelfDescription {
  return {
    identity: { cluster: 'prod', node, role },
    version: '1.2.3',
    epoch: 'e1',
    algorithm: 'md5',
  };
}

const master = self('master-1', 'master');
const worker = self('worker-1', 'worker');
const hello = helloOf(worker, 5000);

function refusal(change: Partial<typeof hello>): ClusterError {
  try {
    answerHello(master, worker.identity, { ...hello, ...change }, 1000);
  } catch (error) {
    assert.ok(error instanceof ClusterError);
    return error;
  }
  throw new Error('it was not refused');
}

test('helloOf() and answerHello() make what the table allows', () => {
  messages['session.hello'].request(hello, 'hello');
  const { reply } = answerHello(master, worker.identity, hello, 1000);
  messages['session.hello'].reply(reply, 'reply');
  assert.deepEqual(reply, {
    protocol: Math.max(...protocolVersions),
    features: ourFeatures,
    version: '1.2.3',
    node: 'master-1',
    epoch: 'e1',
    nowMs: 1000,
  });
});

test('answerHello() and readHelloReply() come to the same agreement', () => {
  const { reply, agreement } = answerHello(master, worker.identity, hello, 1000);
  const theirs = readHelloReply(reply, 5000);
  assert.equal(agreement.protocol, theirs.protocol);
  assert.deepEqual(agreement.features, theirs.features);
  assert.equal(agreement.node, 'worker-1');
  assert.equal(theirs.node, 'master-1');
  assert.equal(agreement.skewMs, 4000, 'the worker is four seconds ahead');
  assert.equal(theirs.skewMs, -4000);
});

test('answerHello() takes the highest version and the features that both know', () => {
  const newer = { ...hello, protocols: [900, 1, 901], features: ['telepathy', 'zstd'] };
  const { reply, agreement } = answerHello(master, worker.identity, newer, 1000);
  assert.equal(reply.protocol, 1);
  assert.deepEqual([...agreement.features], ['zstd']);
});

test('answerHello() refuses a node that is not the one of its certificate', () => {
  const name = refusal({ node: 'worker-2' });
  assert.equal(name.code, 'authentication');
  assert.match(
    name.message,
    /calls itself "worker-2" of cluster "prod".*is of "worker-1" of "prod"/,
  );
  assert.equal(refusal({ cluster: 'test' }).code, 'authentication');
});

test('answerHello() refuses another hash, and says which setting to change', () => {
  const error = refusal({ algorithm: 'sha256' });
  assert.equal(error.code, 'incompatible');
  assert.match(error.message, /hashes with md5, the node with sha256.*algorithm = "md5"/);
});

test('answerHello() refuses a node with no protocol version in common, naming both versions', () => {
  const error = refusal({ protocols: [2, 3], version: '9.9' });
  assert.equal(error.code, 'incompatible');
  assert.match(error.message, /this master \(1\.2\.3\) speaks 1, the node \(9\.9\) 2, 3$/);
  assert.match(refusal({ protocols: [] }).message, /the node \(1\.2\.3\) none$/);
});

test('answerHello() lets no text of the peer into a message or an agreement as it is', () => {
  for (
    const change of [{ node: 'a\nb' }, { algorithm: 'a\nb' }, { protocols: [], version: 'a\nb' }]
  ) {
    assert.ok(!refusal(change).message.includes('\n'));
  }
  const odd = { ...hello, version: '1\x1b[2J', epoch: '\u202e' };
  const { agreement } = answerHello(master, worker.identity, odd, 1000);
  assert.equal(agreement.version, '1\\x1b[2J');
  assert.equal(agreement.epoch, '\\u202e');
});

test('readHelloReply() refuses a protocol that this program does not speak', () => {
  const { reply } = answerHello(master, worker.identity, hello, 1000);
  assert.throws(
    () => readHelloReply({ ...reply, protocol: 2 }, 0),
    (error) => error instanceof ClusterError && error.code === 'incompatible',
  );
});
