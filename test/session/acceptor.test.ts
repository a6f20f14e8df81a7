import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClusterError } from '../../src/base/errors.ts';
import { PeerRefusal } from '../../src/session/refusal.ts';
import { requestFrame } from '../../src/wire/compose.ts';
import { helloOf } from '../../src/wire/handshake.ts';
import { simCertificate } from '../sim/host.ts';
import { Door, selfOf } from './door.ts';
import { outcome } from './session-pair.ts';

const { signal } = new AbortController();

function hello(node: string, change: Partial<ReturnType<typeof helloOf>> = {}): Uint8Array {
  return requestFrame('session.hello', 1, { ...helloOf(selfOf(node, 'worker'), 0), ...change });
}

test('Acceptor lets a worker in that says hello, and tells what is known of it', async () => {
  const door = await new Door().listen();
  const dialer = door.dialer(door.worker('worker-1'));
  const link = await door.world.settle(dialer.connect(signal));
  const [peer] = door.arrivals;
  assert.equal(door.acceptor.peers.get('worker-1'), peer);
  assert.deepEqual(peer!.identity, { cluster: 'sim', node: 'worker-1', role: 'worker' });
  assert.equal(peer!.agreement.version, '1.0.0');
  assert.equal(peer!.session.peer, 'worker-1');
  assert.equal(link.agreement.node, 'master');
  assert.deepEqual(await door.world.settle(peer!.session.request('session.ping', {})), {});
  link.session.close('finished', 'Done');
  await door.world.settle(peer!.session.closed);
  await door.world.run({ forMs: 1 });
  assert.equal(door.acceptor.peers.size, 0);
  await door.finish();
  assert.deepEqual(door.logged('info'), []);
  assert.deepEqual(door.logged('debug'), ['[Worker worker-1] Session ended: Done']);
});

test('Acceptor tells a node that it refuses why, in the words of both ends', async () => {
  const table = [
    [
      { node: 'worker-2' },
      'authentication',
      'The node calls itself "worker-2" of cluster "sim", but its certificate is of "worker-1" of ' +
      '"sim": set node.name as in the certificate or join anew',
    ],
    [
      { algorithm: 'sha256' },
      'incompatible',
      'The master hashes with md5, the node with sha256: set local_integrity.algorithm = "md5" ' +
      'on the node',
    ],
    [
      { protocols: [7] },
      'incompatible',
      'No protocol version in common: this master (1.0.0) speaks 1, the node (1.0.0) 7',
    ],
  ] as const;
  for (const [change, code, text] of table) {
    const door = await new Door().listen();
    const raw = await door.raw(door.worker('worker-1'));
    raw.send(hello('worker-1', change));
    await door.world.run({ until: () => raw.end !== undefined, limitMs: 1000 });
    assert.equal(raw.reason, `${code}: ${text}`);
    assert.equal(raw.frames.length, 1, 'no failure besides the reason');
    assert.equal(door.acceptor.peers.size, 0);
    await door.finish();
    assert.deepEqual(door.logged('warning'), [`worker-1 is refused: ${text}`]);
    assert.deepEqual(door.logged('info'), [], 'a refusal is not told twice');
  }
});

test('Acceptor turns away who has no certificate that it accepts, and tells why', async () => {
  const refusal = new PeerRefusal(
    'authentication',
    { message: 'The certificate of worker-1 was revoked', remedy: 'Nothing to do' },
    { message: 'The certificate of this node was revoked', remedy: 'Join anew' },
  );
  const door = await new Door({
    identify: () => {
      throw refusal;
    },
  }).listen();
  const raw = await door.raw(door.worker('worker-1'));
  await door.world.run({ until: () => raw.end !== undefined, limitMs: 1000 });
  assert.equal(
    raw.reason,
    'authentication: The certificate of this node was revoked. Join anew',
  );
  await door.finish();
  assert.deepEqual(door.logged('warning'), [
    'worker-1 is refused: The certificate of worker-1 was revoked',
  ]);
});

test('Acceptor ends the session of a stranger that does not say hello in time', async () => {
  const door = await new Door({ helloTimeoutMs: 10_000 }).listen();
  const raw = await door.raw(door.worker('worker-1'));
  raw.send(hello('worker-1').subarray(0, 20));
  await door.world.run({ forMs: 9_990 });
  assert.equal(raw.end, undefined);
  await door.world.run({ forMs: 20 });
  assert.equal(raw.reason, 'silent: No hello within 10 s');
  await door.finish();
  assert.deepEqual(door.logged('info'), [
    'worker-1 left before it was known: No hello within 10 s',
  ]);
});

test('Acceptor keeps a worker that said hello beyond the time for it', async () => {
  const door = await new Door({ helloTimeoutMs: 10_000 }).listen();
  const raw = await door.raw(door.worker('worker-1'));
  raw.send(hello('worker-1'));
  await door.world.run({ forMs: 60_000 });
  assert.equal(raw.end, undefined);
  assert.equal(door.acceptor.peers.size, 1);
  await door.finish();
});

test('Acceptor ends a session that says hello twice', async () => {
  const door = await new Door().listen();
  const raw = await door.raw(door.worker('worker-1'));
  raw.send(
    hello('worker-1'),
    requestFrame('session.hello', 2, helloOf(selfOf('worker-1', 'worker'), 0)),
  );
  await door.world.run({ until: () => raw.end !== undefined, limitMs: 1000 });
  assert.equal(raw.reason, 'protocol: worker-1 says hello twice');
  await door.world.run({ forMs: 1 });
  assert.equal(door.acceptor.peers.size, 0);
  await door.finish();
});

test('Acceptor takes no more workers than it may, but always one that is in already', async () => {
  const door = await new Door({ sessionsMax: 2 }).listen();
  const [one, two, three] = ['worker-1', 'worker-2', 'worker-3'].map((name) => door.worker(name));
  await door.world.settle(door.dialer(one!).connect(signal));
  const second = await door.world.settle(door.dialer(two!).connect(signal));
  assert.equal(
    await door.world.settle(outcome(door.dialer(three!).connect(signal))),
    'busy: The master has 2 workers in session, the most it takes: raise master.sessions_max',
  );
  const again = await door.world.settle(door.dialer(one!).connect(signal));
  assert.equal(again.session.signal.aborted, false);
  second.session.close('finished', 'Done');
  await door.world.run({ forMs: 10 });
  await door.world.settle(door.dialer(three!).connect(signal));
  assert.deepEqual([...door.acceptor.peers.keys()].sort(), ['worker-1', 'worker-3']);
  await door.finish();
});

test('Acceptor lets a new session of a node supersede its ghost at once', async () => {
  const door = await new Door().listen();
  const node = door.worker('worker-1');
  const ghost = await door.world.settle(door.dialer(node).connect(signal));
  // Both ends believe in a connection that leads nowhere.
  door.network.stall('worker-1', 'master');
  const startMs = door.world.nowMs;
  const link = await door.world.settle(door.dialer(node).connect(signal));
  assert.ok(door.world.nowMs - startMs < 100);
  const [old, peer] = door.arrivals;
  assert.equal(door.acceptor.peers.get('worker-1'), peer);
  const reason = await door.world.settle(old!.session.closed);
  assert.equal(reason.code, 'superseded');
  assert.equal(reason.text, 'A newer session of worker-1 took over');
  assert.equal(link.session.signal.aborted, false);
  await door.world.run({ forMs: 20_000 });
  assert.equal(door.acceptor.peers.get('worker-1'), peer, 'the end of the old takes nothing away');
  door.network.heal();
  await door.world.settle(ghost.session.closed);
  await door.finish();
  assert.deepEqual(door.logged('info'), [
    '[Worker worker-1] Session ended: A newer session of worker-1 took over',
    '[Worker worker-1] Session ended: The master stops',
  ]);
});

test('Acceptor.endDead() ends a session that does not answer, and no other', async () => {
  const door = await new Door().listen();
  const [dead, alive] = ['worker-1', 'worker-2'].map((name) => door.worker(name));
  for (const node of [dead!, alive!]) await door.world.settle(door.dialer(node).connect(signal));
  door.network.stall('worker-1', 'master');
  const names = ['worker-1', 'worker-2', 'nobody'];
  const ask = () => Promise.all(names.map((name) => door.acceptor.endDead(name)));
  // Who was heard a moment ago is not even asked.
  await door.world.settle(ask());
  assert.deepEqual([...door.acceptor.peers.keys()], ['worker-1', 'worker-2']);
  await door.world.run({ forMs: 10_000 });
  await door.world.settle(ask());
  assert.deepEqual([...door.acceptor.peers.keys()], ['worker-2']);
  door.network.heal();
  await door.finish();
  assert.ok(
    door.logged('info').includes(
      '[Worker worker-1] Session ended: worker-1 does not answer, and its name is asked for',
    ),
  );
});

test('Acceptor keeps one stranger of a node at most', async () => {
  const door = await new Door().listen();
  const node = door.worker('worker-1');
  const other = await door.raw(door.worker('worker-2'));
  const first = await door.raw(node);
  const second = await door.raw(node);
  await door.world.run({ forMs: 100 });
  assert.equal(first.reason, 'superseded: A newer connection of worker-1 took over');
  assert.equal(second.end, undefined);
  assert.equal(other.end, undefined);
  second.send(hello('worker-1'));
  await door.world.run({ forMs: 100 });
  assert.equal(door.acceptor.peers.size, 1);
  const third = await door.raw(node);
  await door.world.run({ forMs: 100 });
  assert.equal(second.end, undefined, 'a stranger supersedes nobody that is known');
  assert.equal(third.end, undefined);
  await door.finish();
});

test('Acceptor lets joiners ask for what they may, and for so long', async () => {
  const door = await new Door().listen();
  const node = door.worker('worker-1');
  node.host.certificate = simCertificate(undefined);
  const raw = await door.raw(node, 'muster-join/1');
  raw.send(requestFrame('join.authority', 1, {}));
  await door.world.run({ until: () => raw.frames.length === 1, limitMs: 100 });
  assert.equal(raw.frames[0]!.kind, 'reply');
  const curious = await door.raw(node, 'muster-join/1');
  curious.send(requestFrame('session.ping', 1, {}));
  await door.world.run({ forMs: 100 });
  assert.equal(curious.reason, 'protocol: The peer speaks before it has said hello');
  await door.world.run({ forMs: 30_000 });
  assert.equal(raw.reason, 'silent: Not joined within 30 s');
  await door.finish();
});

test('Acceptor takes few joiners at once, and fewer from one host', async () => {
  const door = await new Door().listen();
  const raws = [];
  for (let host = 0; host < 9; host++) {
    const node = door.worker(`host-${host}`);
    for (let i = 0; i < 5; i++) raws.push(await door.raw(node, 'muster-join/1'));
  }
  await door.world.run({ forMs: 100 });
  const busy = 'overloaded: Too many nodes are joining at once: try again later';
  const refused = raws.map(({ reason }, i) => reason === busy ? i : -1).filter((i) => i >= 0);
  // Every fifth of a host, and all of the ninth: thirty-two are in by then.
  assert.deepEqual(refused, [4, 9, 14, 19, 24, 29, 34, 39, 40, 41, 42, 43, 44]);
  // Workers come in all the while.
  await door.world.settle(door.dialer(door.worker('worker-1')).connect(signal));
  await door.finish();
});

test('Acceptor.disconnect() ends the session of a node with the reason given', async () => {
  const door = await new Door().listen();
  const link = await door.world.settle(door.dialer(door.worker('worker-1')).connect(signal));
  door.acceptor.disconnect('worker-2', 'authentication', 'Unknown');
  door.acceptor.disconnect('worker-1', 'authentication', 'The certificate was revoked');
  const reason = await door.world.settle(link.session.closed);
  assert.deepEqual(reason, {
    code: 'authentication',
    text: 'The certificate was revoked',
    by: 'peer',
  });
  await door.finish();
});

test('Acceptor.close() ends all sessions, also those of strangers', async () => {
  const door = await new Door().listen();
  const link = await door.world.settle(door.dialer(door.worker('worker-1')).connect(signal));
  const stranger = await door.raw(door.worker('worker-2'));
  await door.world.run({ forMs: 10 });
  door.acceptor.close('The master stops');
  const reason = await door.world.settle(link.session.closed);
  assert.equal(`${reason.code} ${reason.by}`, 'shutdown peer');
  await door.world.run({ forMs: 10 });
  assert.equal(stranger.reason, 'shutdown: The master stops');
  await door.finish();
});

test('Acceptor ends the session where the owner cannot take the worker', async () => {
  const door = await new Door({
    onPeer: () => {
      throw new ClusterError('busy', 'Not now');
    },
  }).listen();
  const connecting = outcome(door.dialer(door.worker('worker-1')).connect(signal));
  assert.equal(await door.world.settle(connecting), 'busy: Not now');
  await door.world.run({ forMs: 10 });
  assert.equal(door.acceptor.peers.size, 0);
  await door.finish();
});
