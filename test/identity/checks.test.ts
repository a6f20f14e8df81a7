/** Verdicts on certificates, and the words for both ends. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkPeer, isRefusal, refusalError } from '../../src/identity/checks.ts';
import type { CertificateFacts, Expectation, Refusal } from '../../src/identity/checks.ts';
import { explainRefusal } from '../../src/identity/refusal-text.ts';

const DAY_MS = 86_400_000;
const NOW_MS = Date.UTC(2026, 10, 23, 12, 0, 0);

const facts: CertificateFacts = {
  identity: { cluster: 'office', node: 'w1', role: 'worker' },
  serial: '41aa',
  fingerprint: 'f1',
  keyFingerprint: 'k1',
  issuerFingerprint: 'ca',
  notBeforeMs: NOW_MS - 30 * DAY_MS,
  notAfterMs: NOW_MS + 60 * DAY_MS,
};
const expected: Expectation = { authorityFingerprint: 'ca', cluster: 'office', role: 'worker' };

function refusal(
  change: Partial<CertificateFacts>,
  wanted: Partial<Expectation> = {},
  nowMs = NOW_MS,
): Refusal {
  const verdict = checkPeer({ ...facts, ...change }, { ...expected, ...wanted }, nowMs);
  assert.ok(isRefusal(verdict));
  return verdict;
}

test('checkPeer() accepts a valid certificate of the expected role, with its identity', () => {
  assert.deepEqual(checkPeer(facts, expected, NOW_MS), {
    kind: 'accepted',
    identity: facts.identity,
  });
  const anyRole = { authorityFingerprint: 'ca', cluster: 'office', node: 'w1' };
  assert.equal(checkPeer(facts, anyRole, NOW_MS).kind, 'accepted');
});

test('checkPeer() refuses a peer without a certificate', () => {
  assert.deepEqual(checkPeer(undefined, expected, NOW_MS), { kind: 'noCertificate' });
});

test('checkPeer() refuses a certificate that another or no known authority signed', () => {
  for (const issuerFingerprint of ['cb', undefined]) {
    assert.deepEqual(refusal({ issuerFingerprint }), { kind: 'unknownAuthority' });
    // Whatever such a certificate says of itself is not looked at any further.
    assert.deepEqual(refusal({ issuerFingerprint, identity: undefined }), {
      kind: 'unknownAuthority',
    });
  }
});

test('checkPeer() names the cluster of a peer that belongs to another one', () => {
  const identity = { cluster: 'lab', node: 'w1', role: 'worker' } as const;
  const wrongCluster = { kind: 'wrongCluster', expected: 'office', actual: 'lab' };
  assert.deepEqual(refusal({ identity }), wrongCluster);
  assert.deepEqual(refusal({ identity, issuerFingerprint: undefined }), wrongCluster);
});

test('checkPeer() refuses a certificate of ours that stands for no node', () => {
  assert.deepEqual(refusal({ identity: undefined }), { kind: 'noIdentity' });
});

test("checkPeer() refuses a worker's certificate shown as a master's, and the reverse", () => {
  assert.deepEqual(refusal({}, { role: 'master' }), {
    kind: 'wrongRole',
    expected: 'master',
    actual: 'worker',
  });
});

test('checkPeer() refuses another node than the one expected', () => {
  assert.deepEqual(refusal({}, { node: 'w2' }), {
    kind: 'wrongNode',
    expected: 'w2',
    actual: 'w1',
  });
});

test('checkPeer() refuses revoked serials and expelled nodes', () => {
  const serials = { serials: new Set(['41aa']), nodes: new Set<string>() };
  const nodes = { serials: new Set<string>(), nodes: new Set(['w1']) };
  const others = { serials: new Set(['41ab']), nodes: new Set(['w2']) };
  assert.deepEqual(refusal({}, { revoked: serials }), { kind: 'revoked', what: 'serial' });
  assert.deepEqual(refusal({}, { revoked: nodes }), { kind: 'revoked', what: 'node' });
  assert.equal(checkPeer(facts, { ...expected, revoked: others }, NOW_MS).kind, 'accepted');
});

test('checkPeer() accepts the first and the last millisecond of validity and none beyond', () => {
  const { notBeforeMs, notAfterMs } = facts;
  assert.equal(checkPeer(facts, expected, notBeforeMs).kind, 'accepted');
  assert.equal(checkPeer(facts, expected, notAfterMs).kind, 'accepted');
  assert.deepEqual(refusal({}, {}, notBeforeMs - 1), {
    kind: 'notYetValid',
    notBeforeMs,
    earlyMs: 1,
  });
  assert.deepEqual(refusal({}, {}, notAfterMs + 1), { kind: 'expired', notAfterMs, lateMs: 1 });
});

test('explainRefusal() says when a certificate expired and how far clocks differ', () => {
  const late = refusal({}, {}, facts.notAfterMs + 3 * DAY_MS);
  assert.equal(
    explainRefusal(late, 'checker', 'worker "w1"').message,
    'Cannot accept worker "w1": its certificate expired at 2027-01-22 12:00 UTC, 3 days ago',
  );
  assert.equal(
    explainRefusal(late, 'holder', 'the master').message,
    "Not accepted by the master: this node's certificate expired at 2027-01-22 12:00 UTC, " +
      '3 days ago',
  );
  const early = refusal({}, {}, facts.notBeforeMs - 10 * 60_000);
  assert.equal(
    explainRefusal(early, 'checker', 'w1').message,
    'Cannot accept w1: its certificate is not yet valid before 2026-10-24 12:00 UTC; ' +
      'the clocks differ by 10 minutes at least',
  );
});

test('explainRefusal() has a message and a remedy for each refusal and end', () => {
  const refusals: Refusal[] = [
    { kind: 'noCertificate' },
    { kind: 'unknownAuthority' },
    { kind: 'noIdentity' },
    { kind: 'wrongCluster', expected: 'a', actual: 'b' },
    { kind: 'wrongRole', expected: undefined, actual: undefined },
    { kind: 'wrongRole', expected: 'master', actual: 'worker' },
    { kind: 'wrongNode', expected: 'a', actual: 'b' },
    { kind: 'revoked', what: undefined },
    { kind: 'revoked', what: 'node' },
    { kind: 'expired', notAfterMs: undefined, lateMs: undefined },
    { kind: 'notYetValid', notBeforeMs: undefined, earlyMs: undefined },
    { kind: 'badSignature' },
    { kind: 'noCommonProtocol' },
    { kind: 'closedEarly' },
  ];
  const seen = new Set<string>();
  for (const one of refusals) {
    for (const end of ['checker', 'holder'] as const) {
      const { message, remedy } = explainRefusal(one, end, 'peer');
      assert.match(message, /^(Cannot accept|Not accepted by) peer: \S/);
      assert.ok(!message.includes('undefined') && !message.endsWith('.'), message);
      assert.ok(remedy.length > 10);
      seen.add(message);
    }
  }
  assert.equal(seen.size, refusals.length * 2);
});

test('explainRefusal() escapes what a stranger named itself', () => {
  const hostile: Refusal = { kind: 'wrongCluster', expected: 'office', actual: 'x\x1b[2J' };
  assert.ok(!explainRefusal(hostile, 'checker', 'a\nb').message.includes('\x1b'));
  assert.ok(!explainRefusal(hostile, 'checker', 'a\nb').message.includes('\n'));
});

test('refusalError() carries the code that decides the exit code', () => {
  const codes: [Refusal, string][] = [
    [{ kind: 'unknownAuthority' }, 'authentication'],
    [{ kind: 'noCommonProtocol' }, 'incompatible'],
    [{ kind: 'closedEarly' }, 'unreachable'],
  ];
  for (const [one, code] of codes) {
    const error = refusalError(one, 'checker', 'peer');
    assert.equal(error.code, code);
    assert.ok(error.remedy !== undefined);
  }
});
