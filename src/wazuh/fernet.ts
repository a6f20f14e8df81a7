/**
 * Fernet tokens: how the Wazuh protocol encrypts and authenticates each message. Pure, over a port.
 *
 *     0x80 │ time, u64 seconds │ IV, 16 │ AES-128-CBC of the padded content │ HMAC-SHA256, 32
 *
 * in URL-safe base64 with padding. The HMAC covers all before it. The two keys are the halves of the
 * cluster key itself.
 *
 * The time is told to the caller and judged by nobody: real nodes accept a token of any age, and
 * need no clocks in step.
 */
import { isAscii } from '../base/bytes.ts';
import { ClusterError } from '../base/errors.ts';
import type { SymmetricCrypto } from '../ports.ts';
import { base64Length, decodeBase64, encodeBase64 } from './base64.ts';

/** Characters of a cluster key. */
export const clusterKeyLength = 32;

const VERSION = 0x80;
const timeAt = 1;
const ivAt = 9;
const contentAt = 25;
const blockBytes = 16;
const macBytes = 32;

/** Bytes of an initialisation vector. */
export const ivBytes = contentAt - ivAt;

/** What a cluster key is used for. */
export interface FernetKeys {
  readonly signing: Uint8Array;
  readonly encryption: Uint8Array;
}

/** What a token of ours is made with. */
export interface TokenStamp {
  /** Seconds since 1970. */
  readonly timeS: number;
  /** Unpredictable, and another one for each token. */
  readonly iv: Uint8Array;
}

/** What a token holds. */
export interface OpenedToken {
  readonly content: Uint8Array;
  /** When it was made by the clock of who made it, seconds since 1970. */
  readonly timeS: number;
}

/**
 * The keys in a cluster key.
 * @throws ClusterError('configuration') where it has not exactly 32 ASCII characters
 */
export function fernetKeys(clusterKey: string): FernetKeys {
  if (clusterKey.length !== clusterKeyLength || !isAscii(clusterKey)) {
    throw new ClusterError(
      'configuration',
      `The cluster key has to be ${clusterKeyLength} ASCII characters long`,
      { remedy: 'Take it from <key> in the ossec.conf of the master.' },
    );
  }
  const bytes = Uint8Array.from(clusterKey, (character) => character.charCodeAt(0));
  return { signing: bytes.slice(0, 16), encryption: bytes.slice(16) };
}

/** Bytes of the token of a content. */
export function tokenBytes(contentBytes: number): number {
  const padded = (Math.floor(contentBytes / blockBytes) + 1) * blockBytes;
  return base64Length(contentAt + padded + macBytes);
}

/** The token of a content, as ASCII bytes. */
export function sealToken(
  primitives: SymmetricCrypto,
  keys: FernetKeys,
  content: Uint8Array,
  { timeS, iv }: TokenStamp,
): Uint8Array {
  const encrypted = primitives.encrypt(keys.encryption, iv, content);
  const macAt = contentAt + encrypted.length;
  const raw = new Uint8Array(macAt + macBytes);
  raw[0] = VERSION;
  new DataView(raw.buffer).setBigUint64(timeAt, BigInt(Math.floor(timeS)));
  raw.set(iv, ivAt);
  raw.set(encrypted, contentAt);
  raw.set(primitives.authenticate(keys.signing, raw.subarray(0, macAt)), macAt);
  return encodeBase64(raw);
}

/**
 * The content of a token.
 * @throws ClusterError('authentication') where it was not made with these keys, or is no token
 */
export function openToken(
  primitives: SymmetricCrypto,
  keys: FernetKeys,
  token: Uint8Array,
): OpenedToken {
  const raw = decodeBase64(token);
  if (raw === undefined || raw.length < contentAt + blockBytes + macBytes || raw[0] !== VERSION) {
    throw notOpened('it is no Fernet token');
  }
  const macAt = raw.length - macBytes;
  const mac = primitives.authenticate(keys.signing, raw.subarray(0, macAt));
  if (!primitives.areEqual(mac, raw.subarray(macAt))) {
    throw notOpened('it was made with another key');
  }
  const content = primitives.decrypt(
    keys.encryption,
    raw.subarray(ivAt, contentAt),
    raw.subarray(contentAt, macAt),
  );
  if (content === undefined) throw notOpened('its padding is wrong');
  return { content, timeS: Number(new DataView(raw.buffer).getBigUint64(timeAt)) };
}

function notOpened(reason: string): ClusterError {
  return new ClusterError('authentication', `Cannot decrypt a message: ${reason}`, {
    remedy: 'Give this node the same cluster key as the master.',
  });
}
