import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ClusterError,
  type ErrorCode,
  errorCodes,
  ProtocolError,
  RemoteError,
} from '../../src/base/errors.ts';
import {
  type CloseCode,
  closeCodeOf,
  closeCodes,
  closeError,
  closeFrame,
  ourReason,
  readClose,
} from '../../src/session/close-reason.ts';
import { encodePayload } from '../../src/wire/codec.ts';
import { headerBytes } from '../../src/wire/frame.ts';

test('closeFrame() and readClose() keep the reason, for both ends in the same words', () => {
  for (const code of closeCodes) {
    for (const text of ['', 'The worker stops', 'a\n\u202eb', `${'long'.repeat(500)}`]) {
      const ours = ourReason(code, text);
      assert.equal(ours.by, 'us');
      const theirs = readClose(closeFrame(ours).subarray(headerBytes));
      assert.deepEqual(theirs, { ...ours, by: 'peer' });
      assert.ok(!theirs.text.includes('\n') && theirs.text.length <= 1024);
    }
  }
});

test('readClose() reads a code that it does not know as lost, and escapes the text', () => {
  const payload = encodePayload({ code: 'bored', text: 'a\x1bb' });
  assert.deepEqual(readClose(payload), { code: 'lost', text: 'a\\x1bb', by: 'peer' });
});

test('readClose() refuses what is no reason', () => {
  for (const value of [{}, [], null, { code: 'lost' }, { code: 1, text: '' }, { text: '' }]) {
    assert.throws(() => readClose(encodePayload(value)), ProtocolError);
  }
  const long = encodePayload({ code: 'lost', text: 'x'.repeat(1025) });
  assert.throws(() => readClose(long), ProtocolError);
});

test('closeCodeOf() tells the peer about every error what concerns it', () => {
  const expected: Partial<Record<ErrorCode, CloseCode>> = {
    protocol: 'protocol',
    authentication: 'authentication',
    incompatible: 'incompatible',
    superseded: 'superseded',
    busy: 'overloaded',
    timeout: 'silent',
    aborted: 'shutdown',
  };
  for (const code of errorCodes) {
    assert.equal(closeCodeOf(new ClusterError(code, 'x')), expected[code] ?? 'lost', code);
  }
  assert.equal(closeCodeOf(new RemoteError('busy', 'x')), 'overloaded');
  assert.equal(closeCodeOf(new Error('x')), 'lost');
  assert.equal(closeCodeOf('x'), 'lost');
});

test('closeError() is what those who wait on a session get', () => {
  const expected: Record<CloseCode, ErrorCode> = {
    finished: 'unreachable',
    shutdown: 'unreachable',
    superseded: 'superseded',
    silent: 'unreachable',
    protocol: 'protocol',
    authentication: 'authentication',
    incompatible: 'incompatible',
    overloaded: 'busy',
    lost: 'unreachable',
  };
  for (const code of closeCodes) {
    const error = closeError({ code, text: 'why', by: 'peer' });
    assert.equal(error.code, expected[code], code);
    assert.equal(error.message, 'why');
  }
});
