/**
 * One attempt of a simulated node to connect: look up the name, then knock and shake hands at each
 * machine that it means, until one is accepted.
 *
 * As with TLS 1.3 the one who connects believes in the connection first. As in the real network
 * port, the one who listens gets to see also those whose certificate it does not accept.
 */
import { abortReason, deferred } from '../../src/base/async.ts';
import { ClusterError, codeOf, type ErrorCode } from '../../src/base/errors.ts';
import { type Address, parseAddress } from '../../src/base/address.ts';
import type { ConnectOptions, Stream } from '../../src/ports.ts';
import { type ListeningPort, NOTHING_SHOWN, type PeerFacts, type SimHost } from './host.ts';
import type { Handle, Life } from './life.ts';
import type { SimNetwork } from './network.ts';
import type { SimStream } from './stream.ts';

/** A machine that gets no answer tries again so often, and so long. */
const SYN_AGAIN_MS = 1000;
const SYN_GIVE_UP_MS = 10_000;
/** The longest that looking up a name takes. */
const LOOK_UP_MS_MAX = 3;

/** How to dial: as by the Network port, or without any handshake. */
export type DialOptions = ConnectOptions | {
  readonly trust: 'nobody';
  readonly signal: AbortSignal;
};

/** One attempt to connect. */
export class Dial {
  readonly #life: Life;
  readonly #network: SimNetwork;
  readonly #host: SimHost;
  readonly #address: string;
  readonly #options: DialOptions;
  readonly #outcome = deferred<Stream>();
  readonly #handle: Handle;
  readonly #startMs: number;
  readonly #name: string;
  readonly #port: number;
  /** Machines still to be tried. */
  #targets: SimHost[] = [];
  /** Why the machines tried so far would not do: the first that answered, or the first of all. */
  #failure: Error | undefined;
  #isOver = false;

  constructor(
    life: Life,
    network: SimNetwork,
    host: SimHost,
    address: string,
    options: DialOptions,
  ) {
    this.#life = life;
    this.#network = network;
    this.#host = host;
    this.#address = address;
    this.#options = options;
    this.#startMs = life.world.nowMs;
    const { host: name, port } = readAddress(address);
    this.#name = name;
    this.#port = port;
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
    this.#targets = this.#network.resolve(this.#name);
    if (this.#targets.length === 0) this.#fail('unreachable', 'there is no host of that name');
    else this.#tryNext();
  }

  #tryNext(): void {
    const target = this.#targets.shift();
    if (target !== undefined) this.#knock(target);
    else this.#finish(() => this.#outcome.reject(this.#failure));
  }

  #roundTripMs(target: SimHost): number {
    const here = this.#host.name;
    return this.#network.link(here, target.name).latencyMs() +
      this.#network.link(target.name, here).latencyMs();
  }

  #knock(target: SimHost): void {
    this.#whenAnswered(target, () => {
      const listening = target.listening.get(this.#port);
      if (target.isRefusing || listening === undefined) {
        this.#fail('unreachable', 'the connection was refused');
      } else {
        const options = this.#options;
        if (options.trust === 'nobody') this.#connect(target, listening, '', NOTHING_SHOWN);
        else this.#whenAnswered(target, () => this.#shakeHands(target, listening, options));
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

  #shakeHands(
    target: SimHost,
    listening: ListeningPort,
    { protocols, trust, judge }: ConnectOptions,
  ): void {
    const protocol = protocols.find((name) => target.protocols?.includes(name) ?? true);
    if (protocol === undefined) {
      this.#fail('incompatible', 'there is no protocol in common');
      return;
    }
    const seen = this.#host.judge(target);
    const objection = seen.rejection ?? (seen.certificate === undefined ? 'missing' : undefined);
    if (trust === 'cluster' && objection !== undefined) {
      this.#fail('authentication', `its certificate is not accepted: ${objection}`);
      return;
    }
    const unjudged = { ...NOTHING_SHOWN, presentedChain: target.presentedChain };
    const isJudged = trust === 'cluster';
    const shown = isJudged ? target.judge(this.#host) : NOTHING_SHOWN;
    this.#connect(target, listening, protocol, isJudged ? seen : unjudged, { shown, judge });
  }

  /** Makes the connection; the other side has shown what is `seen`. */
  #connect(
    target: SimHost,
    listening: ListeningPort,
    protocol: string,
    seen: PeerFacts,
    { shown = NOTHING_SHOWN, judge }: {
      readonly shown?: PeerFacts;
      readonly judge?: ConnectOptions['judge'];
    } = {},
  ): void {
    const clientAddress = `${this.#host.name}:${this.#network.freePort()}`;
    const [near, far] = this.#network.connection(
      protocol,
      { host: this.#host, life: this.#life, address: clientAddress, shown },
      { host: target, life: listening.life, address: this.#address, shown: seen },
    );
    this.#accept(target, listening, clientAddress, far);
    try {
      judge?.(near);
    } catch (error) {
      this.#miss(error as Error);
      return;
    }
    this.#finish(() => this.#outcome.resolve(near));
  }

  /** The other side has its end one way later. */
  #accept(target: SimHost, listening: ListeningPort, from: string, stream: SimStream): void {
    const latencyMs = this.#network.link(this.#host.name, target.name).latencyMs();
    this.#life.world.after(latencyMs, `${target.name} accepts ${from}`, () => {
      if (target.listening.get(this.#port) === listening) listening.onStream(stream);
      else stream.abort();
    }, listening.life);
  }

  #fail(code: ErrorCode, why: string): void {
    this.#miss(new ClusterError(code, `Cannot connect to "${this.#address}": ${why}`));
  }

  /** This machine would not do. */
  #miss(error: Error): void {
    if (this.#failure === undefined || codeOf(this.#failure) === 'unreachable') {
      this.#failure = error;
    }
    this.#tryNext();
  }

  #finish(settle: () => void): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.signal.removeEventListener('abort', this.#stop);
    this.#life.close(this.#handle);
    if (this.#life.isAlive) settle();
  }
}

/** Host and port of an address. */
export function readAddress(text: string): Address {
  const address = parseAddress(text);
  if (address !== undefined) return address;
  throw new ClusterError('configuration', `Cannot use address "${text}"`);
}
