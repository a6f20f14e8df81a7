/**
 * A socket as the Stream port.
 *
 * What arrives waits in a queue that is bounded: beyond one mebibyte the socket is paused; where
 * the runtime cannot do that (deno), the connection is dropped before the queue harms anybody. There is one reader; when it has read to the end of what the peer sent,
 * this direction ends too. No timer outlives the socket.
 */
import type { Socket } from 'node:net';
import { deferred } from '../base/async.ts';
import type { Deferred } from '../base/async.ts';
import { ClusterError } from '../base/errors.ts';
import type { Clock, PeerCertificate, Stream } from '../ports.ts';
import { loopWoke } from './loop-watch.ts';
import { leftBehind } from './memory.ts';
import { systemReason } from './net-errors.ts';

/** The socket is paused when so many bytes wait for the reader: a few round trips of a fast LAN. */
const QUEUED_BYTES_PAUSE = 1024 * 1024;

/** And resumed when so few are left. */
const QUEUED_BYTES_RESUME = QUEUED_BYTES_PAUSE / 4;

/**
 * More than this cannot come from a peer that keeps to its credit, whatever the runtime does about
 * a paused socket: such a peer is cut off.
 */
const QUEUED_BYTES_MAX = 32 * 1024 * 1024;

/** What a chunk costs beside its bytes: counted, so that tiny chunks cannot fill the memory. */
const CHUNK_BYTES = 256;

/** deno's TLS goes on receiving when it is paused, into a buffer of its own where nobody counts. */
const CAN_PAUSE = !('Deno' in globalThis);

/** How long a peer may take to end its direction after we ended ours, ms. */
const CLOSE_TIMEOUT_MS = 2000;

/** First probe of a connection on which nothing happens, ms; the session has its own keep-alive. */
const TCP_KEEP_ALIVE_MS = 30_000;

const done = Promise.resolve();

type Taken = IteratorResult<Uint8Array, undefined>;

/** What is known of a connection when it is there, its handshake over. */
export interface SocketFacts {
  readonly remote: string;
  readonly protocol: string;
  readonly certificate: PeerCertificate | undefined;
  readonly rejection: string | undefined;
  readonly presentedChain: readonly Uint8Array[];
}

/** One end of a connection. */
export class SocketStream implements Stream {
  readonly remote: string;
  readonly protocol: string;
  readonly certificate: PeerCertificate | undefined;
  readonly rejection: string | undefined;
  readonly presentedChain: readonly Uint8Array[];
  readonly readable: AsyncIterable<Uint8Array>;
  readonly #socket: Socket;
  readonly #clock: Clock;
  /** Chunks that arrived; those before `#queueStart` are taken already. */
  #queue: (Uint8Array | undefined)[] = [];
  #queueStart = 0;
  #queuedBytes = 0;
  #isPaused = false;
  #isRead = false;
  /** Closed from here: nothing more is written. */
  #isClosed = false;
  /** Nothing more will arrive, and that is as it should be. */
  #hasEnded = false;
  #failure: Error | undefined;
  #reader: Deferred<Taken> | undefined;
  #writers: Deferred<void> | undefined;

  constructor(socket: Socket, facts: SocketFacts, clock: Clock) {
    this.remote = facts.remote;
    this.protocol = facts.protocol;
    this.certificate = facts.certificate;
    this.rejection = facts.rejection;
    this.presentedChain = facts.presentedChain;
    this.#socket = socket;
    this.#clock = clock;
    this.readable = { [Symbol.asyncIterator]: () => this.#iterate() };
    socket.setNoDelay(true);
    socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS);
    socket.on('data', (chunk: Uint8Array) => this.#receive(chunk));
    socket.on('end', () => {
      this.#hasEnded = true;
      this.#wakeReader();
    });
    socket.on('drain', () => this.#releaseWriters());
    socket.on('error', (error) => this.#break(error));
    socket.on('close', () => this.#gone());
  }

  write(bytes: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#isClosed || !this.#socket.writable) {
      return Promise.reject(
        this.#lost(this.#isClosed ? 'it was closed here' : 'the peer ended it'),
      );
    }
    if (this.#socket.write(bytes)) return done;
    this.#writers ??= deferred<void>();
    return this.#writers.promise;
  }

  close(): void {
    if (this.#isClosed || this.#failure !== undefined) return;
    this.#isClosed = true;
    const socket = this.#socket;
    // The end of what the peer sends is only seen by reading up to it.
    this.#isPaused = false;
    socket.resume();
    socket.end();
    const timer = new AbortController();
    socket.once('close', () => timer.abort());
    this.#clock.sleep(CLOSE_TIMEOUT_MS, timer.signal).then(() => void socket.destroy(), () => {});
  }

  abort(): void {
    this.#fail(this.#lost('it was dropped here'));
    this.#socket.destroy();
  }

  // --- internals -----------------------------------------------------------------------------

  #receive(chunk: Uint8Array): void {
    loopWoke();
    // After closing, more than the queue holds is of use to nobody.
    if (this.#isClosed && this.#queuedBytes > QUEUED_BYTES_PAUSE) return;
    leftBehind(chunk.length);
    this.#queue.push(chunk);
    this.#queuedBytes += chunk.length + CHUNK_BYTES;
    this.#wakeReader();
    if (this.#queuedBytes > QUEUED_BYTES_MAX) {
      this.#fail(this.#lost('the peer sends more than it may'));
      this.#socket.destroy();
    } else if (this.#queuedBytes > QUEUED_BYTES_PAUSE && CAN_PAUSE && !this.#isClosed) {
      this.#isPaused = true;
      this.#socket.pause();
    }
  }

  #iterate(): AsyncIterator<Uint8Array, undefined> {
    if (this.#isRead) throw new Error(`The stream to ${this.remote} is being read already`);
    this.#isRead = true;
    return {
      next: () => this.#next(),
      return: () => {
        this.abort();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  #next(): Promise<Taken> {
    if (this.#reader !== undefined) throw new Error(`Two readers of the stream to ${this.remote}`);
    const reader = deferred<Taken>();
    this.#reader = reader;
    this.#wakeReader();
    return reader.promise;
  }

  #wakeReader(): void {
    const reader = this.#reader;
    if (reader === undefined) return;
    if (this.#queueStart < this.#queue.length) {
      this.#reader = undefined;
      reader.resolve({ done: false, value: this.#take() });
    } else if (this.#failure !== undefined) {
      this.#reader = undefined;
      reader.reject(this.#failure);
    } else if (this.#hasEnded) {
      this.#reader = undefined;
      this.close();
      reader.resolve({ done: true, value: undefined });
    }
  }

  #take(): Uint8Array {
    const chunk = this.#queue[this.#queueStart]!;
    this.#queue[this.#queueStart++] = undefined;
    if (this.#queueStart === this.#queue.length) {
      this.#queue = [];
      this.#queueStart = 0;
    } else if (this.#queueStart > 1024 && this.#queueStart * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#queueStart);
      this.#queueStart = 0;
    }
    this.#queuedBytes -= chunk.length + CHUNK_BYTES;
    if (this.#isPaused && this.#queuedBytes < QUEUED_BYTES_RESUME) {
      this.#isPaused = false;
      this.#socket.resume();
    }
    return chunk;
  }

  #break(error: Error): void {
    // A peer that hangs up on our goodbye is none the worse for it.
    if (!this.#isClosed) this.#fail(this.#lost(systemReason(error), error));
  }

  #gone(): void {
    // A close without an end is a loss, unless it was us who closed.
    if (this.#isClosed || this.#hasEnded) {
      this.#hasEnded = true;
      this.#rejectWriters(this.#lost('it was closed'));
      this.#wakeReader();
    } else {
      this.#fail(this.#lost('it was cut'));
    }
  }

  #fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#rejectWriters(error);
    this.#wakeReader();
  }

  #releaseWriters(): void {
    const writers = this.#writers;
    this.#writers = undefined;
    writers?.resolve();
  }

  #rejectWriters(error: Error): void {
    const writers = this.#writers;
    this.#writers = undefined;
    writers?.reject(error);
  }

  #lost(why: string, cause?: Error): ClusterError {
    return new ClusterError(
      'unreachable',
      `Connection to ${this.remote} is lost: ${why}`,
      cause === undefined ? {} : { cause },
    );
  }
}
