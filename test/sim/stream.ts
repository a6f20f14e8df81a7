/**
 * One end of a simulated connection: the Stream port.
 *
 * It behaves like a TLS socket that is not half-open: reading to the end of what the peer sent ends
 * this direction too. Breaking out of the reading loop drops the connection. There is one reader.
 */
import { deferred, type Deferred } from '../../src/base/async.ts';
import { ClusterError } from '../../src/base/errors.ts';
import { concatBytes } from '../../src/base/bytes.ts';
import type { PeerCertificate, Stream } from '../../src/ports.ts';
import type { Handle, Life } from './life.ts';
import type { Pipe, PipeEnd } from './pipe.ts';

/** What an end of a connection is made from. */
export interface StreamFacts {
  readonly remote: string;
  readonly protocol: string;
  readonly certificate: PeerCertificate | undefined;
}

type Taken = IteratorResult<Uint8Array, undefined>;

/** One end of a connection. */
export class SimStream implements Stream, PipeEnd {
  readonly remote: string;
  readonly protocol: string;
  readonly certificate: PeerCertificate | undefined;
  readonly readable: AsyncIterable<Uint8Array>;
  readonly #life: Life;
  readonly #handle: Handle;
  readonly #forgetLife: () => void;
  #outgoing: Pipe | undefined;
  #incoming: Pipe | undefined;
  /** Taken by the reader here, and the peer does not know yet. */
  #unreportedBytes = 0;
  /** Written and not yet taken by the reader at the other end. */
  #outstandingBytes = 0;
  #writers: Deferred<void>[] = [];
  #chunks: Uint8Array[] = [];
  #reader: Deferred<Taken> | undefined;
  #isRead = false;
  #isClosed = false;
  #hasEnded = false;
  #error: Error | undefined;

  constructor(life: Life, facts: StreamFacts, isMachineUp: () => boolean) {
    this.#life = life;
    this.remote = facts.remote;
    this.protocol = facts.protocol;
    this.certificate = facts.certificate;
    this.#handle = life.open('stream', `stream to ${facts.remote}`);
    this.#forgetLife = life.onEnd(() => {
      if (isMachineUp()) this.#sayGoodbye();
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
    return this.#outstandingBytes;
  }

  /** Nothing that arrives is of use any more. */
  get isGone(): boolean {
    return !this.#life.isAlive || this.#error !== undefined;
  }

  /** Nothing more will come or go. */
  get isOver(): boolean {
    return this.isGone || (this.#isClosed && this.#hasEnded);
  }

  write(bytes: Uint8Array): Promise<void> {
    if (!this.#life.isAlive) return new Promise(() => {});
    if (this.#error !== undefined) return Promise.reject(this.#error);
    if (this.#isClosed) return Promise.reject(this.#failure('it was closed here'));
    const outgoing = this.#outgoing!;
    this.#outstandingBytes += bytes.length;
    outgoing.sendBytes(bytes.slice());
    if (this.#outstandingBytes <= outgoing.link.profile.windowBytes) return Promise.resolve();
    const writer = deferred<void>();
    this.#writers.push(writer);
    return writer.promise;
  }

  close(): void {
    if (this.isGone || this.#isClosed) return;
    this.#isClosed = true;
    this.#outgoing!.send({ kind: 'end' });
    this.#release();
  }

  abort(): void {
    this.abortWith(this.#failure('it was reset by the peer'));
  }

  /** Drops the connection so that the peer gets this error. */
  abortWith(error: Error): void {
    if (this.isGone) return;
    this.#outgoing!.send({ kind: 'lost', error });
    this.#chunks = [];
    this.lose(this.#failure('it was dropped here'));
  }

  receive(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.#wakeReader();
  }

  receiveRoom(bytesCount: number): void {
    this.#outstandingBytes -= bytesCount;
    const windowBytes = this.#outgoing!.link.profile.windowBytes;
    while (this.#writers.length > 0 && this.#outstandingBytes <= windowBytes) {
      this.#writers.shift()!.resolve();
    }
  }

  receiveEnd(): void {
    this.#hasEnded = true;
    this.#wakeReader();
    if (this.#isClosed) this.#release();
  }

  lose(error: Error): void {
    if (this.isGone) return;
    this.#error = error;
    // The system may have thrown away what it had received and nobody had read.
    if (this.#outgoing!.link.chance(0.5)) this.#chunks = [];
    for (const writer of this.#writers.splice(0)) writer.reject(error);
    this.#wakeReader();
    this.#release();
  }

  answerUnwanted(): void {
    this.#outgoing!.send({ kind: 'lost', error: this.#failure('it was reset by the peer') });
  }

  #iterate(): AsyncIterator<Uint8Array, undefined> {
    if (this.#isRead) throw new Error(`The stream to ${this.remote} is being read already`);
    this.#isRead = true;
    return {
      next: () => this.#next(),
      return: async () => {
        this.abort();
        return { done: true, value: undefined };
      },
    };
  }

  #next(): Promise<Taken> {
    if (!this.#life.isAlive) return new Promise(() => {});
    if (this.#reader !== undefined) throw new Error(`Two readers of the stream to ${this.remote}`);
    const reader = deferred<Taken>();
    this.#reader = reader;
    this.#wakeReader();
    return reader.promise;
  }

  #wakeReader(): void {
    const reader = this.#reader;
    if (reader === undefined || !this.#life.isAlive) return;
    if (this.#chunks.length > 0) {
      this.#reader = undefined;
      reader.resolve({ done: false, value: this.#take() });
    } else if (this.#error !== undefined) {
      this.#reader = undefined;
      reader.reject(this.#error);
    } else if (this.#hasEnded) {
      this.#reader = undefined;
      this.close();
      reader.resolve({ done: true, value: undefined });
    }
  }

  /** One of the pieces that arrived, or all of them in one. */
  #take(): Uint8Array {
    const joinsAll = this.#chunks.length > 1 && this.#outgoing!.link.joins();
    const taken = concatBytes(this.#chunks.splice(0, joinsAll ? this.#chunks.length : 1));
    this.#unreportedBytes += taken.length;
    if (this.#unreportedBytes * 8 >= this.#incoming!.link.profile.windowBytes && !this.isGone) {
      this.#outgoing!.send({ kind: 'room', bytesCount: this.#unreportedBytes });
      this.#unreportedBytes = 0;
    }
    return taken;
  }

  /** What the operating system sends for a program that was killed. */
  #sayGoodbye(): void {
    if (this.#isClosed || this.#error !== undefined) return;
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
