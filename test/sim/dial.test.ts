import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Stream } from '../../src/ports.ts';
import { simCertificate } from './host.ts';
import { connected, pair } from './pair.ts';

test('connect() waits while the way is cut, is ended by its signal, and goes on when healed', async () => {
  const all = await pair();
  all.network.cut('client', 'server');
  const controller = new AbortController();
  const stopped = all.connect('cluster', controller.signal);
  const patient = all.connect();
  all.world.after(500, 'stop', () => controller.abort(new Error('enough')));
  await assert.rejects(all.world.settle(stopped), /enough/);
  assert.equal(all.world.nowMs < 600, true);
  all.network.heal();
  const stream = await all.world.settle(patient);
  assert.equal(stream.protocol, 'b');
  await assert.rejects(all.world.settle(all.connect('cluster', controller.signal)), /enough/);
});

test('connect() fails where nobody listens, a firewall refuses, the name or the way is unknown', async () => {
  const all = await pair();
  const { world, network, client, server } = all;
  const { signal } = new AbortController();
  const dial = (address: string): Promise<Stream> =>
    world.settle(
      client.ports().network.connect(address, { protocols: ['a'], trust: 'cluster', signal }),
    );
  await assert.rejects(dial('server:2'), { code: 'unreachable', message: /refused/ });
  await assert.rejects(dial('nobody:1'), { code: 'unreachable', message: /no host of that name/ });
  await assert.rejects(dial('server'), { code: 'configuration' });
  server.host.isRefusing = true;
  await assert.rejects(dial('server:1'), { code: 'unreachable', message: /refused/ });
  server.host.isRefusing = false;
  server.host.isUp = false;
  await assert.rejects(dial('server:1'), { code: 'unreachable', message: /no answer/ });
  server.host.isUp = true;
  network.setAddress('alias', 'server');
  assert.equal((await dial('alias:1')).remote, 'alias:1');
  network.setAddress('alias');
  await assert.rejects(dial('alias:1'), { code: 'unreachable' });
});

test('connect() gives both ends what the certificates say, and trusts as it was told', async () => {
  const all = await pair();
  const { world, server, client } = all;
  const [near, far] = await connected(all);
  assert.deepEqual(near.certificate?.identity, { cluster: 'sim', node: 'server', role: 'master' });
  assert.deepEqual(far.certificate?.identity, { cluster: 'sim', node: 'client', role: 'worker' });
  assert.deepEqual(Object.keys(near.certificate), [
    'identity',
    'serial',
    'notBeforeMs',
    'notAfterMs',
  ]);

  server.host.trustedAuthority = 'authority-2';
  const [, refused] = await connected(all);
  assert.equal(refused.certificate, undefined);
  assert.equal(refused.rejection, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');

  const identity = { cluster: 'sim', node: 'server', role: 'master' } as const;
  server.host.certificate = simCertificate(identity, { authority: 'authority-2' });
  await assert.rejects(world.settle(all.connect()), { code: 'authentication' });
  const open = await world.settle(all.connect('anyone'));
  assert.deepEqual([open.certificate, open.rejection], [undefined, undefined]);

  server.host.certificate = simCertificate(identity);
  client.jumpClock(400 * 86_400_000);
  await assert.rejects(world.settle(all.connect()), { message: /CERT_HAS_EXPIRED/ });
  server.host.protocols = ['c'];
  await assert.rejects(world.settle(all.connect('anyone')), { code: 'incompatible' });
});

test('listen() gives a free port, refuses one that is taken, and close() frees it', async () => {
  const { world, server, accepted, connect } = await pair();
  const { network } = server.ports();
  const listener = await world.settle(network.listen('server:0', () => {}));
  assert.match(listener.address, /^server:\d{5}$/);
  await assert.rejects(world.settle(network.listen('server:1', () => {})), /port is taken/);
  await world.settle(listener.close());
  await world.settle(network.listen(listener.address, () => {}));
  await world.settle(connect());
  await world.run({ forMs: 100 });
  assert.equal(accepted.length, 1);
});

test('connections without TLS show nobody and need no certificate', async () => {
  const { world, server, client, network, accepted } = await pair();
  client.host.certificate = undefined;
  const { signal } = new AbortController();
  const dial = (address: string): Promise<Stream> =>
    world.settle(client.ports().plainNetwork.connect(address, { signal }));
  const near = await dial('server:1');
  await world.run({ until: () => accepted.length > 0, limitMs: 1000 });
  for (const stream of [near, accepted[0]!]) {
    assert.equal(stream.protocol, '');
    assert.equal(stream.certificate, undefined);
    assert.deepEqual(stream.presentedChain, []);
  }
  server.host.isRefusing = true;
  await assert.rejects(dial('server:1'), { code: 'unreachable', message: /refused/ });
  network.setAddress('alias');
  await assert.rejects(dial('alias:1'), { code: 'unreachable', message: /no host of that name/ });
});
