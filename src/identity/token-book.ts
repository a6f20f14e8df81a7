/**
 * The master's record of the join tokens it has issued, and the decision whether one is honoured.
 *
 * Of a token's secret only the SHA-256 is kept, so that whoever reads the database gains nothing.
 * A use is taken by one conditional update of the store: of two nodes that present the same
 * single-use token at the same moment, one gets in.
 *
 * The node that used a token may present it again with the same key: its request is answered
 * again, and no further use is taken. That is how a join survives an answer lost on the way.
 * For anybody else a used token is worthless, since the key never left the node that made it.
 */
import { fromBytes, toHex } from '../base/bytes.ts';
import { utcText } from './time-text.ts';
import { TOKEN_ID_BYTES, TOKEN_SECRET_BYTES } from './token.ts';

/** What the master keeps of a token. */
export interface TokenRecord {
  /** 16 lower-case hexadecimal digits. */
  readonly id: string;
  /** SHA-256 of the secret, 32 bytes. */
  readonly secretHash: Uint8Array;
  readonly usesLeft: number;
  readonly expiresAtMs: number;
  /** The only node name that may use it; undefined for any. */
  readonly node: string | undefined;
  /** Node name and fingerprint of the key that used it last; undefined before the first use. */
  readonly lastUse: TokenUse | undefined;
}

/** Who used a token. */
export interface TokenUse {
  readonly node: string;
  /** SHA-256 of the public key in the certificate request, hexadecimal. */
  readonly keyFingerprint: string;
}

/** Where the records are. Synchronous, like the database. */
export interface TokenStore {
  insert(record: TokenRecord): void;
  find(id: string): TokenRecord | undefined;
  /**
   * Takes one use and notes by whom, if any use is left: one statement that decides and changes,
   * `UPDATE ... SET uses_left = uses_left - 1 ... WHERE id = ? AND uses_left > 0`.
   * True where a use was taken.
   */
  takeUse(id: string, use: TokenUse): boolean;
  /** Removes the records that expired before a moment; the number removed. */
  removeExpired(beforeMs: number): number;
}

/** What the book needs from outside. */
export interface TokenBookPorts {
  readonly store: TokenStore;
  /** Unpredictable bytes. */
  readonly randomBytes: (count: number) => Uint8Array;
  readonly sha256: (bytes: Uint8Array) => Uint8Array;
  /** Compares two hashes in a time that does not depend on where they differ. */
  readonly isEqual: (left: Uint8Array, right: Uint8Array) => boolean;
}

/** What a new token shall allow. */
export interface IssueOptions {
  /** How long it is valid, milliseconds. @default 86,400,000 (24 h) */
  readonly ttlMs?: number;
  /** How many nodes it lets in. @default 1 */
  readonly uses?: number;
  /** The only node name that may use it. @default any */
  readonly node?: string | undefined;
}

/** The part of a token that the book makes up. */
export interface IssuedToken {
  readonly id: string;
  readonly secret: Uint8Array;
  readonly expiresAtMs: number;
}

/** What a node presents in order to join. */
export interface Redemption {
  readonly id: string;
  readonly secret: Uint8Array;
  /** The name that the node wants. */
  readonly node: string;
  /** SHA-256 of the public key of its certificate request, hexadecimal. */
  readonly keyFingerprint: string;
}

/** Whether a token is honoured, and if not, why. */
export type RedeemResult =
  | { readonly kind: 'ok'; readonly repeated: boolean }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'wrong secret' }
  | { readonly kind: 'expired'; readonly expiresAtMs: number }
  | { readonly kind: 'wrong node'; readonly expected: string }
  | { readonly kind: 'used up'; readonly lastNode: string | undefined };

/** Validity of a token where none is asked for: a day and a night to get round to it. */
export const TOKEN_TTL_DEFAULT_MS = 24 * 60 * 60 * 1000;

/** How long an expired token is remembered, so that its bearer hears "expired", not "unknown". */
export const TOKEN_MEMORY_MS = 7 * 24 * 60 * 60 * 1000;

/** Issues join tokens and honours them. */
export class TokenBook {
  readonly #ports: TokenBookPorts;

  constructor(ports: TokenBookPorts) {
    this.#ports = ports;
  }

  /** Makes a token and records it. The secret exists nowhere but in the answer. */
  issue(options: IssueOptions, nowMs: number): IssuedToken {
    const { store, randomBytes, sha256 } = this.#ports;
    const secret = randomBytes(TOKEN_SECRET_BYTES);
    const id = toHex(fromBytes(randomBytes(TOKEN_ID_BYTES)));
    const expiresAtMs = nowMs + (options.ttlMs ?? TOKEN_TTL_DEFAULT_MS);
    store.removeExpired(nowMs - TOKEN_MEMORY_MS);
    store.insert({
      id,
      secretHash: sha256(secret),
      usesLeft: options.uses ?? 1,
      expiresAtMs,
      node: options.node,
      lastUse: undefined,
    });
    return { id, secret, expiresAtMs };
  }

  /**
   * Decides about a token and takes a use of it. To be called only once the certificate request
   * was found in order, directly before it is signed.
   */
  redeem(redemption: Redemption, nowMs: number): RedeemResult {
    const { store, sha256, isEqual } = this.#ports;
    const { id, node, keyFingerprint } = redemption;
    const record = store.find(id);
    if (record === undefined) return { kind: 'unknown' };
    // Before everything else: only the bearer of the secret learns what is wrong with a token.
    if (!isEqual(sha256(redemption.secret), record.secretHash)) return { kind: 'wrong secret' };
    if (nowMs >= record.expiresAtMs) return { kind: 'expired', expiresAtMs: record.expiresAtMs };
    if (record.node !== undefined && record.node !== node) {
      return { kind: 'wrong node', expected: record.node };
    }
    const { lastUse } = record;
    if (lastUse?.node === node && lastUse.keyFingerprint === keyFingerprint) {
      return { kind: 'ok', repeated: true };
    }
    if (record.usesLeft > 0 && store.takeUse(id, { node, keyFingerprint })) {
      return { kind: 'ok', repeated: false };
    }
    return { kind: 'used up', lastNode: lastUse?.node };
  }
}

/**
 * Why a token was not honoured, for one of the two ends. The master's log may say all; to the
 * bearer, an unknown token and a wrong secret are the same thing.
 */
export function explainRedemption(
  result: Exclude<RedeemResult, { kind: 'ok' }>,
  end: 'master' | 'bearer',
): string {
  switch (result.kind) {
    case 'unknown':
    case 'wrong secret':
      if (end === 'bearer') return 'The master does not know this join token';
      return result.kind === 'unknown'
        ? 'The join token is not known here: it was made by another master or long ago'
        : 'The join token has a known id but a wrong secret';
    case 'expired':
      return `The join token expired at ${utcText(result.expiresAtMs)}`;
    case 'wrong node':
      return `The join token is only for a node named "${result.expected}"`;
    case 'used up':
      return result.lastNode === undefined
        ? 'The join token was used up'
        : `The join token was used up, last by node "${result.lastNode}"`;
  }
}
