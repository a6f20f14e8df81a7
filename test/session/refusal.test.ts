import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClusterError } from '../../src/base/errors.ts';
import { PeerRefusal, turnAway } from '../../src/session/refusal.ts';
import { SessionPair } from './session-pair.ts';

const refusal = new PeerRefusal(
  'authentication',
  { message: 'worker-1 is unknown here', remedy: 'Let it join' },
  { message: 'The master does not know this node', remedy: 'Run muster join' },
);

test('PeerRefusal speaks to us and to the peer, each of what it can do', () => {
  assert.equal(refusal.message, 'worker-1 is unknown here');
  assert.equal(refusal.remedy, 'Let it join');
  assert.equal(refusal.textForPeer, 'The master does not know this node. Run muster join');
  assert.ok(refusal instanceof ClusterError);
});

test('turnAway() tells the peer why and ends the stream', async () => {
  const table = [
    [refusal, 'authentication: The master does not know this node. Run muster join'],
    [new ClusterError('busy', 'Full'), 'overloaded: Full'],
    [new Error('odd'), 'lost: odd'],
  ] as const;
  for (const [error, reason] of table) {
    const pair = await SessionPair.connect();
    turnAway(pair.ports('master'), pair.streams.master, error);
    const raw = pair.raw('worker').read();
    raw.send(new Uint8Array(10_000));
    await pair.finish();
    assert.equal(raw.reason, reason);
    assert.equal(raw.end, 'ended');
  }
});

test('turnAway() does not wait for ever for a peer that takes no farewell', async () => {
  const pair = await SessionPair.connect();
  pair.streams.master.isStuck = true;
  turnAway(pair.ports('master'), pair.streams.master, refusal);
  await pair.world.run({ forMs: 6000 });
  assert.ok(pair.streams.master.isAborted);
  pair.raw('worker').read();
  await pair.finish();
});
