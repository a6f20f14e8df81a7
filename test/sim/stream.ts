/**
 * One end of a simulated connection: the Stream port.
 *
 * It behaves like a TLS socket that is not half-open: reading to the end of what the peer sent ends
 * this direction too. Breaking out of the reading loop drops the connection. There is one reader.
 */
import { ClusterError } from '../../src/base/errors.ts';
import type { PeerCertificate, Stream } from '../../src/ports.ts';
import { Arrivals } from './arrivals.ts';
import type { PeerFacts } from './host.ts';
import type { Handle, Life } from './life.ts';
import type { Pipe, PipeEnd } from './pipe.ts';
import { SendWindow } from './send-window.ts';

/** What an end of a connection is made from. */
export interface StreamFacts {
  readonly remote: string;
  readonly protocol: string;
  readonly peer: PeerFacts;
}

/** How long a peer may take to end its direction after we ended ours. */
const CLOSE_TIMEOUT_MS = 2000;

/** The peer learns of room for more whenever this share of the window was read. */
const ROOM_SHARE = 1 / 8;

/** One end of a connection. */
export class SimStream implements Stream, PipeEnd {
  readonly remote: string;
  readonly protocol: string;
  readonly certificate: PeerCertificate | undefined;
  readonly rejection: string | undefined;
  readonly presentedChain: readonly Uint8Array[];
  readonly readable: AsyncIterable<Uint8Array>;
  readonly #life: Life;
  readonly #handle: Handle;
  readonly #forgetLife: () => void;
  readonly #arrivals: Arrivals;
  readonly #window = new SendWindow(() => this.#outgoing!.link.profile.windowBytes);
  #outgoing: Pipe | undefined;
  #incoming: Pipe | undefined;
  /** Taken by the reader here, and the peer does not know yet. */
  #unreportedBytes = 0;
  #isRead = false;
  /** The peer has ended its direction: this one then ends by itself. */
  #isEndedByPeer = false;
  #isClosed = false;
  #error: Error | undefined;

  constructor(life: Life, facts: StreamFacts, isMachineUp: () => boolean) {
    this.#life = life;
    this.remote = facts.remote;
    this.protocol = facts.protocol;
    this.certificate = facts.peer.certificate;
    this.rejection = facts.peer.rejection;
    this.presentedChain = facts.peer.presentedChain;
    this.#handle = life.open('stream', `stream to ${facts.remote}`);
    this.#forgetLife = life.onEnd(() => {
      if (isMachineUp()) this.#sayGoodbye();
    });
    this.#arrivals = new Arrivals({
      joins: () => this.#outgoing!.link.joins(),
      onTaken: (bytesCount) => this.#reportRoom(bytesCount),
      onEnd: () => this.close(),
    });
    this.readable = { [Symbol.asyncIterator]: () => this.#iterate() };
  }

  /** Joins the end to its pipes. */
  connect(outgoing: Pipe, incoming: Pipe): void {
    this.#outgoing = outgoing;
    this.#incoming = incoming;
  }

  /** Written here and not yet taken by the peer: what a missing back-pressure lets grow. */
  get outstandingBytes(): number {
    return this.#window.outstandingBytes;
  }

  /** Nothing that arrives is of use any more. */
  get isGone(): boolean {
    return !this.#life.isAlive || this.#error !== undefined;
  }

  /** Nothing more will come or go. */
  get isOver(): boolean {
    return this.isGone || (this.#isClosed && this.#arrivals.hasEnded);
  }

  write(bytes: Uint8Array): Promise<void> {
    if (!this.#life.isAlive) return new Promise(() => {});
    if (this.#error !== undefined) return Promise.reject(this.#error);
    if (this.#isClosed || this.#isEndedByPeer) {
      const why = this.#isClosed ? 'it was closed here' : 'the peer ended it';
      return Promise.reject(this.#failure(why));
    }
    // A copy: once the promise has resolved, the caller may use the array again.
    this.#outgoing!.sendBytes(bytes.slice());
    return this.#window.take(bytes.length);
  }

  close(): void {
    if (this.isGone || this.#isClosed) return;
    this.#isClosed = true;
    if (!this.#isEndedByPeer) this.#outgoing!.send({ kind: 'end' });
    this.#release();
    if (this.isOver) return;
    this.#life.world.after(CLOSE_TIMEOUT_MS, `${this.#life.owner} stops waiting for an end`, () => {
      this.#endClosed('there was no answer');
    }, this.#life);
  }

  abort(): void {
    if (this.isGone) return;
    this.answerUnwanted();
    this.#lose(this.#failure('it was dropped here'), true);
  }

  receive(bytes: Uint8Array): void {
    this.#arrivals.push(bytes);
  }

  receiveRoom(bytesCount: number): void {
    this.#window.free(bytesCount);
  }

  receiveEnd(): void {
    if (!this.#isClosed) this.#outgoing!.send({ kind: 'end' });
    this.#isEndedByPeer = true;
    this.#arrivals.end();
    if (this.#isClosed) this.#release();
  }

  lose(why: string): void {
    if (this.isGone) return;
    if (this.#isClosed) {
      this.#endClosed(why);
      return;
    }
    // The system may have thrown away what it had received and nobody had read.
    this.#lose(this.#failure(why), this.#outgoing!.link.chance(0.5));
  }

  answerUnwanted(): void {
    this.#outgoing!.send({ kind: 'lost', why: 'it was reset by the peer' });
  }

  /** After closing, the loss of the connection is an end like any other. */
  #endClosed(why: string): void {
    if (this.isOver) return;
    this.#error = this.#failure(why);
    this.#window.fail(this.#error);
    this.#arrivals.end();
    this.#release();
  }

  #lose(error: Error, dropsUnread: boolean): void {
    this.#error = error;
    this.#window.fail(error);
    this.#arrivals.fail(error, dropsUnread);
    this.#release();
  }

  #iterate(): AsyncIterator<Uint8Array, undefined> {
    if (this.#isRead) throw new Error(`The stream to ${this.remote} is being read already`);
    this.#isRead = true;
    return {
      next: () => this.#life.isAlive ? this.#arrivals.next() : new Promise(() => {}),
      return: async () => {
        this.abort();
        return { done: true, value: undefined };
      },
    };
  }

  #reportRoom(bytesCount: number): void {
    this.#unreportedBytes += bytesCount;
    const enoughBytes = this.#incoming!.link.profile.windowBytes * ROOM_SHARE;
    if (this.isGone || this.#unreportedBytes < enoughBytes) return;
    this.#outgoing!.send({ kind: 'room', bytesCount: this.#unreportedBytes });
    this.#unreportedBytes = 0;
  }

  /** What the operating system sends for a program that was killed. */
  #sayGoodbye(): void {
    if (this.#isClosed || this.#isEndedByPeer || this.#error !== undefined) return;
    if (this.#outgoing!.link.chance(0.5)) this.#outgoing!.send({ kind: 'end' });
    else this.answerUnwanted();
  }

  #release(): void {
    this.#life.close(this.#handle);
    if (this.isOver) this.#forgetLife();
  }

  #failure(why: string): ClusterError {
    return new ClusterError('unreachable', `Connection to ${this.remote} is lost: ${why}`);
  }
}
