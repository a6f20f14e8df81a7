/** Hashing and encryption of bytes in memory. */
import type { ByteString } from '../base/bytes.ts';

/** Content hashes that a cluster can use. */
export type HashAlgorithm = 'md5' | 'sha256' | 'blake2b';

/** Bytes of a hash. */
export const hashBytes: Readonly<Record<HashAlgorithm, number>> = {
  md5: 16,
  sha256: 32,
  blake2b: 64,
};

/** A hash being computed. */
export interface Hasher {
  update(bytes: Uint8Array): void;
  /** The hash; the hasher is used up by this. */
  digest(): ByteString;
}

/** All hashes there are: some that only protocols of others want. */
export type DigestAlgorithm = HashAlgorithm | 'sha1';

/** Hashing of bytes in memory; synchronous. */
export interface Hashing {
  create(algorithm: DigestAlgorithm): Hasher;
  digest(algorithm: DigestAlgorithm, bytes: Uint8Array): ByteString;
  /** The hashes of contents, in order: for many small ones a fraction of what `digest` takes. */
  digestAll(algorithm: DigestAlgorithm, contents: readonly Uint8Array[]): ByteString[];
  /**
   * Makes hashers of 8 bytes (XXH64): several times as fast as the others, and no proof of anything.
   * Made ready when first asked for.
   */
  fingerprints(): Promise<() => Hasher>;
}

/**
 * AES-128 in CBC mode with PKCS #7 padding, and HMAC-SHA256; in memory, synchronous. For protocols
 * that are encrypted message by message. Keys and initialisation vectors have 16 bytes.
 */
export interface SymmetricCrypto {
  /** The HMAC-SHA256 of some bytes. */
  authenticate(key: Uint8Array, bytes: Uint8Array): Uint8Array;
  /** Whether two codes are equal, in a time that does not tell where they differ. */
  areEqual(left: Uint8Array, right: Uint8Array): boolean;
  encrypt(key: Uint8Array, iv: Uint8Array, content: Uint8Array): Uint8Array;
  /** Undefined where the length or the padding is wrong. */
  decrypt(key: Uint8Array, iv: Uint8Array, encrypted: Uint8Array): Uint8Array | undefined;
}
