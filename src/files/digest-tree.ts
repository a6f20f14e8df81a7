/**
 * The shape of the digest tree, which both ends of a comparison have to share: part of the
 * protocol, never to be changed without a new name in the hello.
 *
 * The entries of a set are spread over 64 branches with 64 leaves each by a hash of their path. A
 * leaf holds its entries sorted by path. Its digest is the first 16 bytes of the cluster's hash
 * over the rows of the leaf without their modification times; that of a branch is the same over
 * the digests of its 64 leaves, that of the root over those of the 64 branches. The digest of
 * something without entries is 16 zero bytes. Two sets are narrowed down to the leaves in which
 * they differ in at most three steps, whatever their size.
 */
import type { BytePath, ByteString } from '../base/bytes.ts';
import { ProtocolError } from '../base/errors.ts';

/** Branches of a tree, and leaves of a branch: 64 digests make one small message. */
export const fanOut = 64;

/** Leaves of a tree: few rows each for 100,000 files, little to keep for ten. */
export const leavesCount = fanOut * fanOut;

/** Bytes of a digest: beyond chance, and short enough to send thousands. */
export const digestBytes = 16;

/** Digest of a leaf, branch or tree without entries. */
export const emptyDigest: ByteString = '\0'.repeat(digestBytes);

/**
 * The leaf of a path, 0 to 4095: the upper 12 bits of FNV-1a (32 bits) over the bytes of the path,
 * mixed by the finaliser of MurmurHash3. Leaf `n` is the leaf `n % 64` of the branch `n / 64`.
 */
export function leafOf(path: BytePath): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < path.length; i++) {
    hash = Math.imul(hash ^ path.charCodeAt(i), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 20;
}

/**
 * Which of 64 digests differ: branches of a root, or leaves of a branch.
 * @throws ProtocolError `malformed` where `theirs` are not 64 digests
 */
export function differingBranches(mine: Uint8Array, theirs: Uint8Array): number[] {
  if (theirs.length !== fanOut * digestBytes) {
    throw new ProtocolError(
      'malformed',
      `Expected ${fanOut} digests of ${digestBytes} bytes, got ${theirs.length} bytes`,
    );
  }
  const differing: number[] = [];
  for (let i = 0; i < fanOut; i++) {
    if (!equalDigests(mine, theirs, i * digestBytes)) differing.push(i);
  }
  return differing;
}

/** One bit for each leaf, the lowest bit of a byte first: 512 bytes. */
export function packLeaves(leaves: Iterable<number>): Uint8Array {
  const bits = new Uint8Array(leavesCount / 8);
  for (const leaf of leaves) bits[leaf >> 3] = bits[leaf >> 3]! | (1 << (leaf & 7));
  return bits;
}

/**
 * The leaves whose bits are set, in ascending order.
 * @throws ProtocolError `malformed` where these are not the bits of all leaves
 */
export function readLeaves(bits: Uint8Array): number[] {
  if (bits.length !== leavesCount / 8) {
    throw new ProtocolError('malformed', `Expected ${leavesCount} bits, got ${bits.length} bytes`);
  }
  const leaves: number[] = [];
  for (let leaf = 0; leaf < leavesCount; leaf++) {
    if ((bits[leaf >> 3]! & (1 << (leaf & 7))) !== 0) leaves.push(leaf);
  }
  return leaves;
}

// ---------------------------------------------------------------------------------------------

function equalDigests(left: Uint8Array, right: Uint8Array, at: number): boolean {
  for (let i = at; i < at + digestBytes; i++) if (left[i] !== right[i]) return false;
  return true;
}
