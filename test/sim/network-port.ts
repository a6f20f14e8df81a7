/**
 * The Network port of a simulated node: connecting with a handshake, and listening.
 *
 * As with TLS 1.3 the one who connects believes in the connection first; where the other side then
 * turns its certificate down, that shows at the first read.
 */
import { abortReason, deferred } from '../../src/base/async.ts';
import { ClusterError, type ErrorCode } from '../../src/base/errors.ts';
import type { ConnectOptions, Listener, Network, Stream } from '../../src/ports.ts';
import type { ListeningPort, SimHost } from './host.ts';
import type { Handle, Life } from './life.ts';
import type { SimNetwork } from './network.ts';

/** A machine that gets no answer tries again so often, and so long. */
const SYN_AGAIN_MS = 1000;
const SYN_GIVE_UP_MS = 60_000;
/** The longest that looking up a name takes. */
const LOOK_UP_MS_MAX = 3;

/** The port of one incarnation on a machine. */
export function networkPort(life: Life, network: SimNetwork, host: SimHost): Network {
  return {
    connect: (address, options) => new Dial(life, network, host, address, options).start(),
    listen: (address, onStream) =>
      life.operation(`listens on ${address}`, 0, () => {
        return listen(life, network, host, address, onStream);
      }),
  };
}

// ---

function listen(
  life: Life,
  network: SimNetwork,
  host: SimHost,
  address: string,
  onStream: (stream: Stream) => void,
): Listener {
  const wanted = splitAddress(address);
  const port = wanted.port === 0 ? network.freePort() : wanted.port;
  if (host.listening.has(port)) {
    throw new ClusterError('failed', `Cannot listen on "${address}": the port is taken`);
  }
  const handle = life.open('listener', `listens on port ${port}`);
  host.listening.set(port, { life, onStream });
  const stop = (): void => {
    host.listening.delete(port);
    life.close(handle);
    forget();
  };
  const forget = life.onEnd(() => host.listening.delete(port));
  return {
    address: `${wanted.name}:${port}`,
    close: () => life.operation('stops listening', 0, stop),
  };
}

/** One attempt to connect. */
class Dial {
  readonly #life: Life;
  readonly #network: SimNetwork;
  readonly #host: SimHost;
  readonly #address: string;
  readonly #options: ConnectOptions;
  readonly #outcome = deferred<Stream>();
  readonly #handle: Handle;
  readonly #startMs: number;
  #isOver = false;

  constructor(
    life: Life,
    network: SimNetwork,
    host: SimHost,
    address: string,
    options: ConnectOptions,
  ) {
    this.#life = life;
    this.#network = network;
    this.#host = host;
    this.#address = address;
    this.#options = options;
    this.#startMs = life.world.nowMs;
    this.#handle = life.open('operation', `connects to ${address}`);
  }

  start(): Promise<Stream> {
    const { signal } = this.#options;
    if (signal.aborted) this.#stop();
    signal.addEventListener('abort', this.#stop, { once: true });
    this.#then(this.#network.random.between(0, LOOK_UP_MS_MAX), () => this.#lookUp());
    return this.#outcome.promise;
  }

  #stop = (): void => {
    this.#finish(() => this.#outcome.reject(abortReason(this.#options.signal)));
  };

  #then(delayMs: number, step: () => void): void {
    this.#life.world.after(delayMs, `${this.#life.owner} connects to ${this.#address}`, () => {
      if (!this.#isOver) step();
    }, this.#life);
  }

  #lookUp(): void {
    const { name, port } = splitAddress(this.#address);
    const target = this.#network.resolve(name);
    if (target === undefined) this.#fail('unreachable', 'the name is unknown');
    else this.#knock(target, port);
  }

  #roundTripMs(target: SimHost): number {
    const here = this.#host.name;
    return this.#network.link(here, target.name).latencyMs() +
      this.#network.link(target.name, here).latencyMs();
  }

  #knock(target: SimHost, port: number): void {
    this.#whenAnswered(target, () => {
      const listening = target.listening.get(port);
      if (target.isRefusing || listening === undefined) {
        this.#fail('unreachable', 'the connection was refused');
      } else {
        this.#whenAnswered(target, () => this.#shakeHands(target, listening));
      }
    });
  }

  #whenAnswered(target: SimHost, next: () => void): void {
    this.#then(this.#roundTripMs(target), () => {
      const isBlocked = this.#network.isBlocked(this.#host, target) ||
        this.#network.isBlocked(target, this.#host);
      if (!isBlocked) {
        next();
      } else if (this.#life.world.nowMs - this.#startMs > SYN_GIVE_UP_MS) {
        this.#fail('unreachable', 'there was no answer');
      } else {
        this.#then(SYN_AGAIN_MS, () => this.#whenAnswered(target, next));
      }
    });
  }

  #shakeHands(target: SimHost, listening: ListeningPort): void {
    const { protocols, trust } = this.#options;
    const protocol = protocols.find((name) => target.protocols?.includes(name) ?? true);
    if (protocol === undefined) {
      this.#fail('incompatible', 'there is no protocol in common');
      return;
    }
    const shown = target.certificate;
    const objection = trust === 'anyone' ? undefined : this.#objectionTo(target);
    if (objection !== undefined) {
      this.#fail('authentication', `its certificate is ${objection}`);
      return;
    }
    const mine = trust === 'cluster' ? this.#host.certificate : undefined;
    const clientAddress = `${this.#host.name}:${this.#network.freePort()}`;
    const [near, far] = this.#network.connection(
      protocol,
      { host: this.#host, life: this.#life, address: clientAddress, certificate: mine },
      { host: target, life: listening.life, address: this.#address, certificate: shown },
    );
    const { port } = splitAddress(this.#address);
    const latencyMs = this.#network.link(this.#host.name, target.name).latencyMs();
    const { world } = this.#life;
    world.after(latencyMs, `${target.name} accepts ${clientAddress}`, () => {
      const refusal = mine === undefined ? undefined : target.objectionTo(mine);
      if (refusal !== undefined) {
        const text = `Connection to ${this.#address} is lost: our certificate is ${refusal}`;
        far.abortWith(new ClusterError('authentication', text));
      } else if (target.listening.get(port) === listening) {
        listening.onStream(far);
      } else {
        far.abort();
      }
    }, listening.life);
    this.#finish(() => this.#outcome.resolve(near));
  }

  #objectionTo(target: SimHost): string | undefined {
    const { certificate } = target;
    if (certificate === undefined) return 'missing';
    if (certificate.identity?.role !== 'master') return 'not that of a master';
    return this.#host.objectionTo(certificate);
  }

  #fail(code: ErrorCode, why: string): void {
    const error = new ClusterError(code, `Cannot connect to "${this.#address}": ${why}`);
    this.#finish(() => this.#outcome.reject(error));
  }

  #finish(settle: () => void): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.signal.removeEventListener('abort', this.#stop);
    this.#life.close(this.#handle);
    if (this.#life.isAlive) settle();
  }
}

function splitAddress(address: string): { readonly name: string; readonly port: number } {
  const colon = address.lastIndexOf(':');
  const port = Number(address.slice(colon + 1));
  if (colon < 0 || !Number.isInteger(port)) {
    throw new ClusterError('configuration', `Address "${address}" has no port`);
  }
  return { name: address.slice(0, colon), port };
}
