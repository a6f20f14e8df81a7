/** Names of tasks: what an archive is for. Both ends give such names, and take any. */
import { type ByteString, fromBytes, toHex } from '../base/bytes.ts';
import type { Random } from '../ports.ts';

/** A random name in the form of a UUID of version 4. */
export function newTaskName(random: Random): ByteString {
  const bytes = random.bytes(16).slice();
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const digits = toHex(fromBytes(bytes));
  const at = [0, 8, 12, 16, 20, 32];
  return at.slice(1).map((end, i) => digits.slice(at[i], end)).join('-');
}
