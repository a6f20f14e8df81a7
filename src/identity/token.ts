/**
 * The join token: one line that carries all a new node needs to find and trust its master.
 *
 * It names the master's addresses, the cluster, the fingerprint of the cluster's authority, and a
 * secret that entitles the bearer to a certificate. The text is `muster1.` and base64url, so that
 * a double click selects it and a shell leaves it alone. A length and a checksum inside tell a
 * paste that was cut or mangled from a token that is merely wrong.
 *
 * Whoever holds an unused token can join: it is a secret until used. The decoder never puts any
 * part of the token into a message.
 */
import { fromBytes, fromHex, fromText, toBytes, toHex } from '../base/bytes.ts';
import { ByteReader, ByteWriter } from '../base/cursor.ts';
import { ClusterError } from '../base/errors.ts';
import { isName } from './certificate-names.ts';

/** What a token says. */
export interface JoinToken {
  /** Where the master listens, `host:port`, IPv6 in brackets; tried in this order. */
  readonly addresses: readonly string[];
  readonly cluster: string;
  /** SHA-256 of the authority's certificate (DER), 64 lower-case hexadecimal digits. */
  readonly authorityFingerprint: string;
  /** Under which the master knows the token, 16 lower-case hexadecimal digits; not a secret. */
  readonly id: string;
  /** 32 bytes. */
  readonly secret: Uint8Array;
  /** End of validity, seconds since 1970. */
  readonly expiresAtSeconds: number;
  /** The only node name that may use the token; undefined for any. */
  readonly node: string | undefined;
}

/** Bytes of a token's id: enough that no two tokens of a cluster ever share one. */
export const TOKEN_ID_BYTES = 8;

/** Bytes of a token's secret: beyond any guessing. */
export const TOKEN_SECRET_BYTES = 32;

/** How a text can fail to be a token. */
export type TokenFault =
  | 'notToken'
  | 'newerFormat'
  | 'badCharacter'
  | 'truncated'
  | 'tooLong'
  | 'mangled'
  | 'badContent';

/** A text that is not a usable token, with what to do about it. */
export class TokenError extends ClusterError {
  readonly fault: TokenFault;

  constructor(fault: TokenFault, message: string) {
    super('authentication', `Cannot read the join token: ${message}`, {
      remedy: 'Copy the whole line that "muster token" printed, or have a new one made',
    });
    this.name = 'TokenError';
    this.fault = fault;
  }
}

const PREFIX = 'muster1.';
const FINGERPRINT_BYTES = 32;
const CHECKSUM_BYTES = 4;
const LENGTH_BYTES = 2;
/** Most addresses in one token: a host has a few interfaces; a longer line gets hard to paste. */
const ADDRESSES_MAX = 8;
/** Longest text taken for a token at all; the longest that can be made is near 3,200. */
const TOKEN_LENGTH_MAX = 4096;

const IPV6 = String.raw`\[[0-9A-Fa-f:.]{2,45}(?:%[A-Za-z0-9_.-]{1,32})?\]`;
const HOST = String.raw`[A-Za-z0-9_.-]{1,253}`;
const HOST_PORT = new RegExp(`^(?:${IPV6}|${HOST}):([1-9][0-9]{0,4})$`);

/**
 * The line to hand to the new node.
 * @throws Error where a field cannot be written: a mistake of the caller's
 */
export function encodeToken(token: JoinToken): string {
  const problem = contentProblem(token);
  if (problem !== undefined) throw new Error(`Cannot make a join token: ${problem}`);
  const body = new ByteWriter();
  body.text(fromHex(token.id)!);
  body.bytes(token.secret);
  body.text(fromHex(token.authorityFingerprint)!);
  body.u48(token.expiresAtSeconds);
  writeText(body, token.cluster);
  writeText(body, token.node ?? '');
  body.u8(token.addresses.length);
  for (const address of token.addresses) writeText(body, address);

  const whole = new ByteWriter();
  whole.u16(LENGTH_BYTES + body.length + CHECKSUM_BYTES);
  whole.bytes(body.view());
  whole.u32(checksum(whole.view()));
  return PREFIX + toBase64Url(whole.view());
}

/**
 * Reads a token. White space anywhere is ignored, as terminals and mail programs break long lines.
 * Says nothing about whether the token is still valid: that is the master's to decide.
 * @throws TokenError
 */
export function decodeToken(text: string): JoinToken {
  const bytes = unwrap(text.replace(/\s+/g, ''));
  const body = new ByteReader(bytes, LENGTH_BYTES, bytes.length - CHECKSUM_BYTES);
  const token = readBody(body);
  const problem = token === undefined ? 'its fields do not add up' : contentProblem(token);
  if (token === undefined || problem !== undefined) {
    throw new TokenError('badContent', `${problem}; it may come from another version of muster`);
  }
  return token;
}

/** Whether a text is `host:port`, with IPv6 addresses in brackets. */
export function isHostPort(text: string): boolean {
  const [, port] = HOST_PORT.exec(text) ?? [];
  return port !== undefined && Number(port) <= 65535;
}

// --- internals -------------------------------------------------------------------------------

/** From text to checked bytes: everything that can happen to a token on its way. */
function unwrap(text: string): Uint8Array {
  if (!text.startsWith(PREFIX)) {
    if (/^muster[0-9]+\./.test(text)) {
      throw new TokenError('newerFormat', 'its format is unknown to this version; update muster');
    }
    throw new TokenError('notToken', `it does not start with "${PREFIX}"`);
  }
  if (text.length > TOKEN_LENGTH_MAX) throw new TokenError('tooLong', 'it is too long');
  const encoded = text.slice(PREFIX.length);
  if (/[^A-Za-z0-9_-]/.test(encoded)) {
    throw new TokenError('badCharacter', 'it contains a character that no token has');
  }
  const bytes = fromBase64Url(encoded);
  const announced = bytes.length < LENGTH_BYTES ? Infinity : bytes[0]! * 256 + bytes[1]!;
  if (bytes.length < announced) {
    throw new TokenError('truncated', 'its end is missing');
  }
  if (bytes.length > announced) {
    throw new TokenError('tooLong', 'something is appended to it');
  }
  const end = bytes.length - CHECKSUM_BYTES;
  if (end < LENGTH_BYTES || new ByteReader(bytes, end).u32() !== checksum(bytes.subarray(0, end))) {
    throw new TokenError('mangled', 'some of its characters were changed on the way');
  }
  return bytes;
}

function readBody(body: ByteReader): JoinToken | undefined {
  try {
    const id = toHex(body.text(TOKEN_ID_BYTES));
    const secret = body.bytes(TOKEN_SECRET_BYTES).slice();
    const authorityFingerprint = toHex(body.text(FINGERPRINT_BYTES));
    const expiresAtSeconds = body.u48();
    const cluster = readText(body);
    const node = readText(body);
    const addresses = Array.from({ length: body.u8() }, () => readText(body));
    if (body.remaining > 0) return undefined;
    const restriction = node === '' ? undefined : node;
    return {
      addresses,
      cluster,
      authorityFingerprint,
      id,
      secret,
      expiresAtSeconds,
      node: restriction,
    };
  } catch {
    return undefined;
  }
}

/** What is wrong with a token's fields; the same rules on the way out and in. */
function contentProblem(token: JoinToken): string | undefined {
  if (token.addresses.length === 0) return 'it names no address of the master';
  if (token.addresses.length > ADDRESSES_MAX) return `it names over ${ADDRESSES_MAX} addresses`;
  if (!token.addresses.every(isHostPort)) return 'an address in it is not HOST:PORT';
  if (!isName(token.cluster)) return 'its cluster name is not valid';
  if (token.node !== undefined && !isName(token.node)) return 'its node name is not valid';
  if (!isHexOf(token.id, TOKEN_ID_BYTES)) return 'its id is not valid';
  if (!isHexOf(token.authorityFingerprint, FINGERPRINT_BYTES)) {
    return 'its fingerprint is not valid';
  }
  if (token.secret.length !== TOKEN_SECRET_BYTES) return 'its secret has the wrong length';
  if (!Number.isSafeInteger(token.expiresAtSeconds) || token.expiresAtSeconds < 0) {
    return 'its expiry is not valid';
  }
  return undefined;
}

function isHexOf(text: string, bytes: number): boolean {
  return text.length === bytes * 2 && /^[0-9a-f]*$/.test(text);
}

function writeText(body: ByteWriter, text: string): void {
  const bytes = fromText(text);
  body.u8(bytes.length);
  body.text(bytes);
}

/** Names and addresses are ASCII; `contentProblem` refuses whatever else a text holds. */
function readText(body: ByteReader): string {
  return body.text(body.u8());
}

function toBase64Url(bytes: Uint8Array): string {
  return btoa(fromBytes(bytes)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}

/** The caller has checked the alphabet. */
function fromBase64Url(text: string): Uint8Array {
  // A length of 4n+1 encodes no bytes; the odd character is the remainder of a cut paste.
  const whole = text.length % 4 === 1 ? text.slice(0, -1) : text;
  return toBytes(atob(whole.replace(/-/g, '+').replace(/_/g, '/')));
}

/** CRC-32 as in zip and Ethernet: it finds accidents, and is no defence against intent. */
function checksum(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}
