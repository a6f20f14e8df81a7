/**
 * The limits on connections that have not finished their handshake.
 *
 * Before it has shown who it is, a peer can hold nothing but a place here, for a short time, and
 * few of them at once. A refused connection costs a look into a table and leaves nothing behind.
 */
import { isIPv4, isIPv6 } from 'node:net';

/** Limits before authentication. */
export interface HandshakeLimits {
  /** Unfinished handshakes at once. @default 512: some MiB of memory, ten times a large cluster */
  readonly handshakesMax: number;
  /**
   * The same from one address; of an IPv6 address its network of 64 bits counts, which a single
   * peer has at its disposal. @default 64: a cluster behind one address may come back at once
   */
  readonly handshakesPerAddressMax: number;
  /** Time for the handshake, ms. @default 10000: two lost packets on a slow line */
  readonly handshakeMs: number;
}

/** How many places a gate has, in all and for one address. */
export type Places = Pick<HandshakeLimits, 'handshakesMax' | 'handshakesPerAddressMax'>;

/** What is used where nothing else is said. */
export const handshakeLimitsDefault: HandshakeLimits = {
  handshakesMax: 512,
  handshakesPerAddressMax: 64,
  handshakeMs: 10_000,
};

/** Why a connection got no place. */
export type Refused = 'tooManyHere' | 'tooManyFromThere';

/** Counts the places taken. */
export class HandshakeGate {
  readonly #limits: Places;
  readonly #byOrigin = new Map<string, number>();
  #count = 0;

  constructor(limits: Places) {
    this.#limits = limits;
  }

  /** Unfinished handshakes now. */
  get count(): number {
    return this.#count;
  }

  /** Takes a place, to be given back with `leave`; or says why there is none. */
  enter(origin: string): Refused | undefined {
    if (this.#count >= this.#limits.handshakesMax) return 'tooManyHere';
    const countThere = this.#byOrigin.get(origin) ?? 0;
    if (countThere >= this.#limits.handshakesPerAddressMax) return 'tooManyFromThere';
    this.#byOrigin.set(origin, countThere + 1);
    this.#count++;
    return undefined;
  }

  /** Gives a place back. */
  leave(origin: string): void {
    const countThere = this.#byOrigin.get(origin)!;
    if (countThere > 1) this.#byOrigin.set(origin, countThere - 1);
    else this.#byOrigin.delete(origin);
    this.#count--;
  }
}

/** The address without what marks an IPv4 address as seen by an IPv6 socket. */
export function plainIp(ip: string): string {
  const last = ip.slice(ip.lastIndexOf(':') + 1);
  return ip.toLowerCase().startsWith('::ffff:') && isIPv4(last) ? last : ip;
}

/** What an address counts as: itself, or the network of an IPv6 address. */
export function originOf(ip: string): string {
  const plain = plainIp(ip);
  if (!isIPv6(plain)) return plain;
  const [head = '', tail] = plain.split('%')[0]!.split('::');
  const groups = head === '' ? [] : head.split(':');
  const tailCount = tail === undefined || tail === '' ? 0 : tail.split(':').length;
  // What '::' stands for are zeros; an IPv4 tail stands for two groups, all behind the first four.
  while (tail !== undefined && groups.length + tailCount < 8) groups.push('0');
  return `${groups.concat(tail?.split(':') ?? []).slice(0, 4).join(':')}::/64`;
}
