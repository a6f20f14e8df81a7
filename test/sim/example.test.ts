/**
 * The shortest complete use of the simulated world: an echo over a network that breaks everything
 * into pieces, is cut for a while, and loses one end to a kill.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Stream } from '../../src/ports.ts';
import { SimNetwork } from './network.ts';
import { type Program, SimNode } from './node.ts';
import { World } from './world.ts';

async function echo(stream: Stream): Promise<void> {
  for await (const bytes of stream.readable) await stream.write(bytes);
}

const server: Program = async ({ network, clock }, signal) => {
  const listener = await network.listen('server:7', (stream) => void echo(stream));
  await clock.sleep(Infinity, signal).catch(() => listener.close());
};

test('an echo comes back whole, late over a cut link, and ends when the server is killed', async () => {
  const world = new World({ seed: 7 });
  const network = new SimNetwork(world, { pieceBytesMax: 2, coalesceShare: 0 });
  const serverNode = new SimNode(world, network, { name: 'server', role: 'master' });
  const clientNode = new SimNode(world, network, { name: 'client' });
  let heard = '';
  let end = '';
  serverNode.start(server);
  clientNode.start(async (ports, signal) => {
    const options = { protocols: ['echo'], trust: 'cluster', signal } as const;
    const stream = await ports.network.connect('server:7', options);
    await stream.write(new TextEncoder().encode('hello'));
    try {
      for await (const bytes of stream.readable) heard += new TextDecoder().decode(bytes);
      end = 'ended';
    } catch (error) {
      end = String(error);
    }
  });

  world.at(3, 'a cut', () => network.cut('client', 'server'));
  world.at(5000, 'healed', () => network.heal());
  await world.run({ until: () => heard === 'hello', limitMs: 10_000 });
  assert.ok(world.nowMs > 5000);

  serverNode.kill();
  await world.run({ until: () => end !== '', limitMs: 1000 });
  assert.match(end, /ended|is lost: it was reset by the peer/);
  await world.stop();
});
