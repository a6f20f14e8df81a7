/**
 * Two machines for the tests of the simulated network: a server that accepts, a client that
 * connects, and readers in the background.
 */
import { codeOf } from '../../src/base/errors.ts';
import type { Stream } from '../../src/ports.ts';
import type { LinkProfile } from './link.ts';
import { SimNetwork } from './network.ts';
import { SimNode } from './node.ts';
import { World } from './world.ts';

/** A server, a client and what is between them. */
export interface Pair {
  readonly world: World;
  readonly network: SimNetwork;
  readonly server: SimNode;
  readonly client: SimNode;
  /** Streams that the server accepted. */
  readonly accepted: Stream[];
  readonly connect: (trust?: 'cluster' | 'anyone', signal?: AbortSignal) => Promise<Stream>;
}

/** Makes a server that listens on port 1, and a client. */
export async function pair(profile: Partial<LinkProfile> = {}, seed = 1): Promise<Pair> {
  const world = new World({ seed });
  const network = new SimNetwork(world, profile);
  const server = new SimNode(world, network, { name: 'server', role: 'master' });
  const client = new SimNode(world, network, { name: 'client' });
  const accepted: Stream[] = [];
  await world.settle(server.ports().network.listen('server:1', (stream) => accepted.push(stream)));
  const connect = (
    trust: 'cluster' | 'anyone' = 'cluster',
    signal: AbortSignal = new AbortController().signal,
  ): Promise<Stream> =>
    client.ports().network.connect('server:1', { protocols: ['b', 'a'], trust, signal });
  return { world, network, server, client, accepted, connect };
}

/** A connection with both ends. */
export async function connected(all: Pair): Promise<[Stream, Stream]> {
  const before = all.accepted.length;
  const near = await all.world.settle(all.connect());
  await all.world.run({ until: () => all.accepted.length > before, limitMs: 1000 });
  return [near, all.accepted[before]!];
}

/** What a reader has got so far. */
export interface Reading {
  readonly chunks: Uint8Array[];
  outcome: string;
}

/** Reads a stream in the background. */
export function read(stream: Stream): Reading {
  const reading: Reading = { chunks: [], outcome: '' };
  const run = async (): Promise<void> => {
    for await (const chunk of stream.readable) reading.chunks.push(chunk);
  };
  run().then(() => reading.outcome = 'end', (error) => reading.outcome = codeOf(error));
  return reading;
}
