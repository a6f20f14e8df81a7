/**
 * The port `SymmetricCrypto` on a real machine: the runtime's own AES and HMAC.
 */
import { createCipheriv, createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto';
import { ClusterError } from '../base/errors.ts';
import type { SymmetricCrypto } from '../ports.ts';

const cipherName = 'aes-128-cbc';

/**
 * Makes the crypto.
 * @throws ClusterError('configuration') where the runtime has been denied the algorithms (FIPS)
 */
export function createSymmetricCrypto(): SymmetricCrypto {
  try {
    encrypt(new Uint8Array(16), new Uint8Array(16), new Uint8Array(0));
  } catch (cause) {
    throw new ClusterError('configuration', `This machine's crypto lacks ${cipherName}`, { cause });
  }
  return { authenticate, areEqual, encrypt, decrypt };
}

function authenticate(key: Uint8Array, bytes: Uint8Array): Uint8Array {
  return plain(createHmac('sha256', key).update(bytes).digest());
}

function areEqual(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && timingSafeEqual(left, right);
}

function encrypt(key: Uint8Array, iv: Uint8Array, content: Uint8Array): Uint8Array {
  const cipher = createCipheriv(cipherName, key, iv);
  return joined(cipher.update(content), cipher.final());
}

function decrypt(key: Uint8Array, iv: Uint8Array, encrypted: Uint8Array): Uint8Array | undefined {
  const decipher = createDecipheriv(cipherName, key, iv);
  const head = decipher.update(encrypted);
  try {
    return joined(head, decipher.final());
  } catch {
    return undefined;
  }
}

function joined(head: Uint8Array, tail: Uint8Array): Uint8Array {
  if (tail.length === 0) return plain(head);
  const whole = new Uint8Array(head.length + tail.length);
  whole.set(head);
  whole.set(tail, head.length);
  return whole;
}

/** The same bytes as a plain array: not of the runtime's own class. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}
