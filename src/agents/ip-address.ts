/**
 * Addresses of agents, and subnets: IPv4 and IPv6 as their bytes.
 *
 * An IPv4 address that is written as an IPv6 one (`::ffff:10.0.0.1`) is the IPv4 address.
 */

/** The 4 or 16 bytes of an address. */
type AddressBytes = readonly number[];

/** Addresses with the same beginning. */
export interface Subnet {
  readonly address: AddressBytes;
  /** Bits that an address of it has in common with `address`. */
  readonly prefixBits: number;
}

/** The subnet that a text such as `10.1.0.0/16` or `fd00::/8` names; undefined where it names none. */
export function parseSubnet(text: string): Subnet | undefined {
  const [addressText = '', prefixText, ...rest] = text.split('/');
  const address = parseIp(addressText);
  if (address === undefined || rest.length > 0) return undefined;
  const bitsMax = address.length * 8;
  if (prefixText === undefined) return { address, prefixBits: bitsMax };
  const prefixBits = Number(prefixText);
  if (!/^\d{1,3}$/.test(prefixText) || prefixBits > bitsMax) return undefined;
  return { address, prefixBits };
}

/** Whether an address, as text, belongs to a subnet. What is no address belongs to none. */
export function isInSubnet(text: string, subnet: Subnet): boolean {
  const address = parseIp(text);
  if (address === undefined || address.length !== subnet.address.length) return false;
  for (let i = 0, bits = subnet.prefixBits; bits > 0; i++, bits -= 8) {
    const mask = bits >= 8 ? 0xff : (0xff << (8 - bits)) & 0xff;
    if (((address[i]! ^ subnet.address[i]!) & mask) !== 0) return false;
  }
  return true;
}

// ---------------------------------------------------------------------------------------------

function parseIp(text: string): AddressBytes | undefined {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text);
}

function parseIpv4(text: string): AddressBytes | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part))) return undefined;
  const bytes = parts.map(Number);
  return bytes.every((byte) => byte <= 255) ? bytes : undefined;
}

function parseIpv6(text: string): AddressBytes | undefined {
  const [head = '', tail, ...rest] = text.split('::');
  if (rest.length > 0) return undefined;
  const before = parseGroups(head);
  const after = parseGroups(tail ?? '');
  if (before === undefined || after === undefined) return undefined;
  const missing = 16 - before.length - after.length;
  // "::" stands for one group of zeros at least.
  if (tail === undefined ? missing !== 0 : missing < 2) return undefined;
  const bytes = [...before, ...Array.from({ length: missing }, () => 0), ...after];
  const isMapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff &&
    bytes[11] === 0xff;
  return isMapped ? bytes.slice(12) : bytes;
}

/** The bytes of groups between colons; the last of them may be an IPv4 address. */
function parseGroups(text: string): number[] | undefined {
  if (text === '') return [];
  const bytes: number[] = [];
  const groups = text.split(':');
  for (const [i, group] of groups.entries()) {
    const ipv4 = i === groups.length - 1 ? parseIpv4(group) : undefined;
    if (ipv4 !== undefined) {
      bytes.push(...ipv4);
      continue;
    }
    if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined;
    const value = Number.parseInt(group, 16);
    bytes.push(value >> 8, value & 0xff);
  }
  return bytes;
}
