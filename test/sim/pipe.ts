/**
 * One direction of a simulated connection: what was sent arrives in order, later, in other pieces.
 *
 * A pipe is blocked while its link is cut, the connection is stalled or the receiving machine is
 * down. What is due then waits and goes on when the block is lifted, as TCP sends again; after
 * `giveUpMs` the sender's machine gives up and the sender learns that the connection is lost.
 */
import { concatBytes } from '../../src/base/bytes.ts';
import type { Link } from './link.ts';
import type { World } from './world.ts';

/** What travels: bytes, news of room at the reader, the end, or that the connection is lost. */
export type Piece =
  | { readonly kind: 'bytes'; readonly parts: Uint8Array[] }
  | { readonly kind: 'room'; readonly bytesCount: number }
  | { readonly kind: 'end' }
  | { readonly kind: 'lost'; readonly why: string };

/** An end of a connection, as its two pipes see it. */
export interface PipeEnd {
  readonly isGone: boolean;
  receive(bytes: Uint8Array): void;
  receiveRoom(bytesCount: number): void;
  receiveEnd(): void;
  /** The connection is lost. */
  lose(why: string): void;
  /** Something arrived although this end is gone: its machine tells the other end so. */
  answerUnwanted(): void;
}

/** What a pipe needs to know of its surroundings. */
export interface PipeOptions {
  readonly what: string;
  readonly link: Link;
  readonly isReceiverUp: () => boolean;
  readonly source: PipeEnd;
  readonly target: PipeEnd;
  /** How long the sender's machine tries to get through a block. */
  readonly giveUpMs: number;
}

/** Bytes in order from one end to the other. */
export class Pipe {
  /** Existing connections can be stalled while new ones get through: a firewall forgot them. */
  isStalled = false;
  readonly #world: World;
  readonly #options: PipeOptions;
  readonly #inFlight: Piece[] = [];
  /** Pieces at the head that are due but blocked. */
  #waitingCount = 0;
  #arrivalMs = 0;
  #blockedSinceMs: number | undefined;

  constructor(world: World, options: PipeOptions) {
    this.#world = world;
    this.#options = options;
  }

  get link(): Link {
    return this.#options.link;
  }

  /** Sends bytes on their way, in pieces. */
  sendBytes(bytes: Uint8Array): void {
    for (const piece of this.link.pieces(bytes)) {
      const last = this.#inFlight.at(-1);
      if (last?.kind === 'bytes' && this.link.joins()) last.parts.push(piece);
      else this.#send({ kind: 'bytes', parts: [piece] }, piece.length);
    }
  }

  /** Sends something that is no bytes, after what was sent before. */
  send(piece: Piece): void {
    this.#send(piece, 0);
  }

  /** Lets what waited go on, if the way is free again. */
  resume(): void {
    if (this.#isBlocked()) return;
    this.#blockedSinceMs = undefined;
    const count = this.#waitingCount;
    this.#waitingCount = 0;
    for (let i = 0; i < count; i++) this.#schedule(0);
  }

  #send(piece: Piece, bytesCount: number): void {
    this.#inFlight.push(piece);
    this.#schedule(bytesCount);
  }

  #schedule(bytesCount: number): void {
    const freeMs = this.link.arrivalMs(this.#world.nowMs, bytesCount);
    this.#arrivalMs = Math.max(this.#arrivalMs, freeMs);
    this.#world.at(this.#arrivalMs, this.#options.what, () => this.#arrive());
  }

  #isBlocked(): boolean {
    return this.isStalled || this.link.isCut || !this.#options.isReceiverUp();
  }

  #arrive(): void {
    if (this.#waitingCount > 0 || this.#isBlocked()) {
      this.#waitingCount++;
      if (this.#blockedSinceMs === undefined) this.#startGivingUp();
      return;
    }
    const piece = this.#inFlight.shift();
    if (piece === undefined) return;
    const { target } = this.#options;
    if (target.isGone) {
      if (piece.kind === 'bytes' || piece.kind === 'end') target.answerUnwanted();
    } else if (piece.kind === 'bytes') {
      target.receive(concatBytes(piece.parts));
    } else if (piece.kind === 'room') {
      target.receiveRoom(piece.bytesCount);
    } else if (piece.kind === 'end') {
      target.receiveEnd();
    } else {
      target.lose(piece.why);
    }
  }

  #startGivingUp(): void {
    const sinceMs = this.#world.nowMs;
    this.#blockedSinceMs = sinceMs;
    this.#world.after(this.#options.giveUpMs, `${this.#options.what} gives up`, () => {
      if (this.#blockedSinceMs !== sinceMs) return;
      this.#inFlight.length = 0;
      this.#options.source.lose('there was no answer');
    });
  }
}
