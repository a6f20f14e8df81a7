import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ClusterError,
  codeOf,
  describeError,
  errorCodes,
  invariant,
  ProtocolError,
  readErrorCode,
  reasonFor,
  RemoteError,
} from '../../src/base/errors.ts';

test('readErrorCode() knows every code, and reads all else as failed', () => {
  for (const code of errorCodes) assert.equal(readErrorCode(code), code);
  for (const value of ['newer', '', 'toString', undefined, null, 1, {}]) {
    assert.equal(readErrorCode(value), 'failed');
  }
});

test('codeOf() gives the code of ours, aborted for an AbortError, failed for all else', () => {
  assert.equal(codeOf(new ClusterError('noSpace', 'The disk is full')), 'noSpace');
  assert.equal(codeOf(new ProtocolError('malformed', 'Nonsense')), 'protocol');
  assert.equal(codeOf(new RemoteError('stale', 'Too old')), 'stale');
  assert.equal(codeOf(new DOMException('stop', 'AbortError')), 'aborted');
  assert.equal(codeOf(new Error('oops')), 'failed');
  assert.equal(codeOf('oops'), 'failed');
});

test('describeError() follows the causes, and says nothing twice', () => {
  const disk = new Error('ENOSPC');
  const write = new ClusterError('noSpace', 'Cannot write "a"', { cause: disk });
  const round = new ClusterError('failed', 'The round failed', { cause: write });
  assert.equal(describeError(round), 'The round failed: Cannot write "a": ENOSPC');
  assert.equal(describeError(new Error('It said ENOSPC', { cause: disk })), 'It said ENOSPC');
  assert.equal(describeError(new Error('odd', { cause: 'a text' })), 'odd');
  assert.equal(describeError('a text'), 'a text');
  assert.equal(describeError(undefined), 'undefined');
});

test('describeError() leaves out what the message puts into words already', () => {
  const source = new Error("EACCES: permission denied, open '/x/a'");
  const error = new ClusterError('permission', 'Cannot read "a": permission denied', { source });
  assert.equal(describeError(error), 'Cannot read "a": permission denied');
  assert.equal(error.source, source);
});

test('reasonFor() gives the reason without the path that a list names already', () => {
  const error = new ClusterError('permission', 'Cannot read "a": permission denied');
  assert.equal(reasonFor('a', error), 'permission denied');
  assert.equal(reasonFor('b', error), 'Cannot read "a": permission denied');
  assert.equal(reasonFor('a', new Error('Odd "a": b')), 'Odd "a": b');
});

test('ClusterError keeps its code, remedy and cause', () => {
  const cause = new Error('why');
  const error = new ClusterError('locked', 'It is locked', { cause, remedy: 'Stop the other one' });
  assert.equal(error.cause, cause);
  assert.equal(error.remedy, 'Stop the other one');
  assert.equal(error.name, 'ClusterError');
  assert.ok(!('cause' in new ClusterError('locked', 'It is locked')));
});

test('invariant() throws only where the condition does not hold', () => {
  invariant(true, 'fine');
  assert.throws(() => invariant(0, 'one is left'), /Invariant broken: one is left/);
});
