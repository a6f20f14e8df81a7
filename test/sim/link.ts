/**
 * One direction of the way between two simulated machines: how slow, how wide, how broken up, and
 * whether anything gets through at all.
 */
import type { DelayRange, SeededRandom } from './random.ts';

/** How a link treats what is sent over it. */
export interface LinkProfile {
  /** How long a piece travels. */
  readonly latency: DelayRange;
  /** Bytes per millisecond for all streams of the link together; Infinity for no limit. */
  readonly bytesPerMs: number;
  /** Share of the writes that arrive in pieces cut at random places, single bytes among them. */
  readonly fragmentShare: number;
  /** Share of the pieces that arrive in one with the piece before, where that is on its way. */
  readonly coalesceShare: number;
  /** No piece is longer; 1 makes everything arrive byte by byte. */
  readonly pieceBytesMax: number;
  /** Bytes on their way and not yet taken by the reader at which `write` begins to wait. */
  readonly windowBytes: number;
}

/** A local network on a common day. */
export const ordinaryLink: LinkProfile = {
  latency: { minMs: 0.2, typicalMs: 1, maxMs: 30 },
  bytesPerMs: Infinity,
  fragmentShare: 0.1,
  coalesceShare: 0.2,
  pieceBytesMax: 65_536,
  windowBytes: 262_144,
};

/** Into so many random pieces a write is broken at most; what is left follows whole. */
const RANDOM_PIECES_MAX = 12;
const SINGLE_BYTE_SHARE = 0.4;

/** The way from one machine to another. */
export class Link {
  profile: LinkProfile;
  /** Nothing gets through while this holds; what was sent waits, as TCP would send it again. */
  isCut = false;
  readonly #random: SeededRandom;
  #busyUntilMs = 0;

  constructor(profile: LinkProfile, random: SeededRandom) {
    this.profile = profile;
    this.#random = random;
  }

  /** How long one piece travels, its time on the wire not counted. */
  latencyMs(): number {
    return this.#random.delayMs(this.profile.latency);
  }

  /** When so many bytes, sent now, will be at the other end. */
  arrivalMs(nowMs: number, bytesCount: number): number {
    const startMs = Math.max(nowMs, this.#busyUntilMs);
    this.#busyUntilMs = startMs + bytesCount / this.profile.bytesPerMs;
    return this.#busyUntilMs + this.latencyMs();
  }

  /** Whether a piece shall be joined to the one before. */
  joins(): boolean {
    return this.#random.chance(this.profile.coalesceShare);
  }

  /** A chance of this link. */
  chance(share: number): boolean {
    return this.#random.chance(share);
  }

  /** The pieces in which the bytes of one write travel. */
  pieces(bytes: Uint8Array): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    const { pieceBytesMax, fragmentShare } = this.profile;
    let at = 0;
    if (this.#random.chance(fragmentShare)) {
      while (at < bytes.length - 1 && pieces.length < RANDOM_PIECES_MAX) {
        const end = at + this.#pieceLength(Math.min(bytes.length - at, pieceBytesMax));
        pieces.push(bytes.subarray(at, end));
        at = end;
      }
    }
    for (; at < bytes.length; at += pieceBytesMax) {
      pieces.push(bytes.subarray(at, Math.min(bytes.length, at + pieceBytesMax)));
    }
    return pieces;
  }

  #pieceLength(most: number): number {
    return this.#random.chance(SINGLE_BYTE_SHARE) ? 1 : this.#random.integer(1, most);
  }
}
