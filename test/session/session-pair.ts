/**
 * Two nodes with one simulated connection, and what a test needs to play and watch both ends: real
 * sessions, a raw end that can say anything, and every frame in the order in which it was written.
 */
import { fromBytes } from '../../src/base/bytes.ts';
import { describeError } from '../../src/base/errors.ts';
import type { Ports, Stream } from '../../src/ports.ts';
import { readClose } from '../../src/session/close-reason.ts';
import type { Handlers } from '../../src/session/handlers.ts';
import { Session, type SessionOptions } from '../../src/session/session.ts';
import { type Frame, FrameDecoder } from '../../src/wire/frame.ts';
import { protocolNames } from '../../src/wire/handshake.ts';
import type { LinkProfile } from '../sim/link.ts';
import { SimNetwork } from '../sim/network.ts';
import { SimNode } from '../sim/node.ts';
import { World } from '../sim/world.ts';

/** One end. */
export type Side = 'worker' | 'master';

/** A frame that was written. */
export interface SeenFrame {
  readonly from: Side;
  readonly frame: Frame;
  readonly atMs: number;
}

/** A link on which everything takes a millisecond and arrives as it was sent. */
export const orderlyLink: Partial<LinkProfile> = {
  latency: { minMs: 1, typicalMs: 1, maxMs: 1 },
  fragmentShare: 0,
  coalesceShare: 0,
  pieceBytesMax: 16 * 1024 * 1024,
};

/** A link that breaks everything into pieces and joins them at random. */
export const unrulyLink: Partial<LinkProfile> = {
  latency: { minMs: 0.1, typicalMs: 3, maxMs: 200 },
  fragmentShare: 0.7,
  coalesceShare: 0.5,
};

/** How the two are connected. */
export interface PairOptions {
  /** @default 1 */
  readonly seed?: number;
  /** @default orderlyLink */
  readonly link?: Partial<LinkProfile>;
  /** Application protocol. @default muster/1 */
  readonly protocol?: string;
}

/** A stream whose frames are watched, and whose writes can be made to hang. */
export class WatchedStream implements Stream {
  readonly remote: string;
  readonly protocol: string;
  readonly certificate: Stream['certificate'];
  readonly readable: AsyncIterable<Uint8Array>;
  /** From now on no write leaves, and none ever settles. */
  isStuck = false;
  /** From now on no write leaves, and each fails with this. */
  writeError: Error | undefined;
  isClosed = false;
  isAborted = false;
  readonly #stream: Stream;
  readonly #decoder = new FrameDecoder();
  readonly #onFrame: (frame: Frame) => void;

  constructor(stream: Stream, onFrame: (frame: Frame) => void) {
    this.remote = stream.remote;
    this.protocol = stream.protocol;
    this.certificate = stream.certificate;
    this.readable = stream.readable;
    this.#stream = stream;
    this.#onFrame = onFrame;
  }

  write(bytes: Uint8Array): Promise<void> {
    if (this.isStuck) return new Promise(() => {});
    if (this.writeError !== undefined) return Promise.reject(this.writeError);
    try {
      for (const frame of this.#decoder.push(bytes)) this.#onFrame(frame);
    } catch {
      // A raw end says what no decoder takes; the other end shows what comes of it.
    }
    return this.#stream.write(bytes);
  }

  close(): void {
    this.isClosed = true;
    this.#stream.close();
  }

  abort(): void {
    this.isAborted = true;
    this.#stream.abort();
  }
}

/** An end without a session: sends any bytes, and keeps what comes. */
export class RawEnd {
  readonly stream: WatchedStream;
  readonly frames: Frame[] = [];
  /** How the stream ended; undefined while it has not. */
  end: string | undefined;

  constructor(stream: WatchedStream) {
    this.stream = stream;
  }

  send(...frames: readonly Uint8Array[]): void {
    for (const frame of frames) this.stream.write(frame).catch(() => {});
  }

  /** Begins to read; without this nothing is taken from the network. */
  read(): this {
    void this.#read();
    return this;
  }

  /** The reason that the other end gave, as `code: text`. */
  get reason(): string | undefined {
    const frame = this.frames.find(({ kind }) => kind === 'close');
    if (frame === undefined) return undefined;
    const { code, text } = readClose(frame.payload);
    return `${code}: ${text}`;
  }

  async #read(): Promise<void> {
    const decoder = new FrameDecoder();
    try {
      for await (const chunk of this.stream.readable) this.frames.push(...decoder.push(chunk));
      this.end = 'ended';
      this.stream.close();
    } catch (error) {
      this.end = describeError(error);
    }
  }
}

/** Two nodes and what is between them. */
export class SessionPair {
  readonly world: World;
  readonly network: SimNetwork;
  readonly nodes: Readonly<Record<Side, SimNode>>;
  /** All frames of both ends, in the order in which they were written. */
  readonly frames: SeenFrame[] = [];
  readonly streams: Readonly<Record<Side, WatchedStream>>;

  private constructor(
    world: World,
    network: SimNetwork,
    nodes: Record<Side, SimNode>,
    streams: Record<Side, Stream>,
  ) {
    this.world = world;
    this.network = network;
    this.nodes = nodes;
    const watched = (from: Side) =>
      new WatchedStream(streams[from], (frame) => {
        this.frames.push({ from, frame, atMs: world.nowMs });
      });
    this.streams = { worker: watched('worker'), master: watched('master') };
  }

  /** Connects the two; the world is ready to run from there. */
  static async connect(options: PairOptions = {}): Promise<SessionPair> {
    const world = new World({ seed: options.seed ?? 1 });
    const network = new SimNetwork(world, options.link ?? orderlyLink);
    const nodes = {
      worker: new SimNode(world, network, { name: 'worker' }),
      master: new SimNode(world, network, { name: 'master', role: 'master' }),
    };
    let accepted: Stream | undefined;
    const listener = await world.settle(
      nodes.master.ports().network.listen('master:1516', (stream) => {
        accepted = stream;
      }),
    );
    const { signal } = new AbortController();
    const protocols = [options.protocol ?? protocolNames.session];
    const worker = await world.settle(
      nodes.worker.ports().network.connect('master:1516', { protocols, trust: 'cluster', signal }),
    );
    await world.run({ until: () => accepted !== undefined, limitMs: 1000 });
    await world.settle(listener.close());
    return new SessionPair(world, network, nodes, { worker, master: accepted! });
  }

  ports(side: Side): Ports {
    return this.nodes[side].ports();
  }

  /** A session of one end with its peer, open unless told otherwise. */
  session(
    side: Side,
    handlers: Handlers = {},
    options: Partial<SessionOptions> & { readonly isOpen?: boolean } = {},
  ): Session {
    const { clock, log } = this.ports(side);
    const peer = side === 'worker' ? 'master' : 'worker';
    const session = new Session({
      stream: this.streams[side],
      clock,
      log,
      peerRole: peer,
      peer,
      handlers,
      acceptedBeforeOpen: ['session.hello'],
      ...options,
    });
    if (options.isOpen ?? true) session.open(peer);
    return session;
  }

  /** An end without a session, that reads unless told otherwise. */
  raw(side: Side): RawEnd {
    return new RawEnd(this.streams[side]);
  }

  /** Texts that an end logged at a level. */
  logged(side: Side, level = 'error'): string[] {
    return this.nodes[side].records.filter((line) => line.level === level).map(({ text }) => text);
  }

  /** Kinds of the frames that an end wrote. */
  kinds(side: Side): string[] {
    return this.frames.filter(({ from }) => from === side).map(({ frame }) => frame.kind);
  }

  /** Fails unless every session has let go of its stream and no sleep is pending. */
  async finish(): Promise<void> {
    await this.world.stop();
  }
}

/** The order of bytes that a test can recognise: position modulo a prime. */
export function patternBytes(count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, i) => i % 251);
}

/** All bytes of some bulk data. */
export async function gather(data: AsyncIterable<Uint8Array>): Promise<string> {
  let all = '';
  for await (const chunk of data) all += fromBytes(chunk);
  return all;
}

/** The outcome of a promise as one text. */
export function outcome(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    (value) => `ok ${JSON.stringify(value)}`,
    (error: unknown) => `${(error as { code?: string }).code ?? 'error'}: ${describeError(error)}`,
  );
}
