/**
 * A master's door and workers that come to it, in a simulated network: what the tests of both have
 * in common.
 */
import { ClusterError } from '../../src/base/errors.ts';
import type { Listener, NodeIdentity, Stream } from '../../src/ports.ts';
import { Acceptor, type AcceptorOptions, type Peer } from '../../src/session/acceptor.ts';
import { Dialer, type DialerOptions } from '../../src/session/dialer.ts';
import type { HandlersFor } from '../../src/session/handlers.ts';
import type { SelfDescription } from '../../src/wire/handshake.ts';
import type { LinkProfile } from '../sim/link.ts';
import { SimNetwork } from '../sim/network.ts';
import { SimNode } from '../sim/node.ts';
import { World } from '../sim/world.ts';
import { orderlyLink, RawEnd, WatchedStream } from './session-pair.ts';

/** Where the master of the tests listens. */
export const masterAddress = 'master:1516';

/** What a node of the tests says of itself. */
export function selfOf(node: string, role: NodeIdentity['role']): SelfDescription {
  const identity = { cluster: 'sim', node, role };
  return { identity, version: '1.0.0', epoch: 'e', algorithm: 'md5' };
}

/** Answers of a master that has nothing to say. */
const workerHandlers: AcceptorOptions['handlers'] = {
  'session.ping': () => ({}),
  'certificate.renew': refuse,
  'integrity.check': refuse,
  'integrity.digests': refuse,
  'integrity.rows': refuse,
  'content.fetch': refuse,
  'content.blocks': refuse,
  'content.ranges': refuse,
  'node.report': () => ({}),
  'agents.report': refuse,
  'groups.pull': refuse,
};

const joinHandlers: HandlersFor<'joiner'> = {
  'join.authority': () => ({ authority: 'PEM' }),
  'join.redeem': refuse,
  'session.ping': () => ({}),
};

/** Answers of a worker. */
export const masterHandlers: HandlersFor<'master'> = {
  'session.ping': () => ({}),
  'integrity.published': () => {},
  'integrity.announced': () => {},
  'groups.offer': refuse,
  'groups.apply': refuse,
  'groups.compare': refuse,
};

/** A world with a master that listens, or not yet. */
export class Door {
  readonly world: World;
  readonly network: SimNetwork;
  readonly master: SimNode;
  readonly acceptor: Acceptor;
  /** Workers that came in, in their order. */
  readonly arrivals: Peer[] = [];
  #listener: Listener | undefined;

  constructor(
    options: Partial<AcceptorOptions> & {
      readonly seed?: number;
      readonly link?: Partial<LinkProfile>;
    } = {},
  ) {
    this.world = new World({ seed: options.seed ?? 1 });
    this.network = new SimNetwork(this.world, options.link ?? orderlyLink);
    this.master = new SimNode(this.world, this.network, { name: 'master', role: 'master' });
    this.acceptor = new Acceptor(this.master.ports(), {
      self: selfOf('master', 'master'),
      identify: identifyWorker,
      handlers: workerHandlers,
      joinHandlers,
      sessionsMax: 10,
      helloTimeoutMs: 10_000,
      onPeer: (peer) => this.arrivals.push(peer),
      ...options,
    });
  }

  /** Opens the door. */
  async listen(): Promise<this> {
    const { network } = this.master.ports();
    const listening = network.listen(masterAddress, (stream) => this.acceptor.accept(stream));
    this.#listener = await this.world.settle(listening);
    return this;
  }

  /** Shuts the door; who is inside stays. */
  async unlisten(): Promise<void> {
    await this.world.settle(this.#listener!.close());
    this.#listener = undefined;
  }

  worker(name: string, role: NodeIdentity['role'] = 'worker'): SimNode {
    return new SimNode(this.world, this.network, { name, role });
  }

  dialer(node: SimNode, options: Partial<DialerOptions> = {}): Dialer {
    return new Dialer(node.ports(), {
      self: selfOf(node.name, 'worker'),
      addresses: [masterAddress],
      pauseMinMs: 1000,
      pauseMaxMs: 60_000,
      connectTimeoutMs: 5000,
      identify: identifyMaster,
      handlers: masterHandlers,
      ...options,
    });
  }

  /** A connection of a node that says what the test says. */
  async raw(node: SimNode, protocol = 'muster/1'): Promise<RawEnd> {
    const { signal } = new AbortController();
    const trust = protocol === 'muster/1' ? 'cluster' : 'anyone';
    const { network } = node.ports();
    const connecting = network.connect(masterAddress, { protocols: [protocol], trust, signal });
    const stream = await this.world.settle(connecting);
    return new RawEnd(new WatchedStream(stream, () => {})).read();
  }

  /** What the master logged at a level, addresses without their ports. */
  logged(level: string): string[] {
    return this.master.records
      .filter((line) => line.level === level)
      .map(({ tags, text }) => [...tags.map((tag) => `[${tag}]`), text].join(' '))
      .map((text) => text.replaceAll(/:4\d{4}/g, ''));
  }

  /** Ends all sessions; fails where anything is left open. */
  async finish(): Promise<void> {
    if (this.#listener !== undefined) await this.unlisten();
    this.acceptor.close('The master stops');
    await this.world.stop();
  }
}

function identifyWorker(stream: Stream): NodeIdentity {
  const identity = stream.certificate?.identity;
  if (identity?.role === 'worker') return identity;
  throw new ClusterError('authentication', `The node at ${stream.remote} is no worker`);
}

function identifyMaster(stream: Stream): void {
  if (stream.certificate?.identity?.role === 'master') return;
  throw new ClusterError('authentication', `The node at ${stream.remote} is no master`);
}

function refuse(): never {
  throw new ClusterError('refused', 'Not here');
}
