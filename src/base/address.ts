/** Network addresses as people write them: `host:port`, `[v6]:port`. */

/** A network address, taken apart. */
export interface Address {
  /** A host name, an IPv4 address or an IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
}

/** Takes apart "host:port" or "[v6]:port"; without a port `defaultPort` counts, if there is one. */
export function parseAddress(text: string, defaultPort?: number): Address | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+(?:%[\w.-]+)?)\]|([^\s:[\]/@]+))(?::(\d{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const [, v6, name, digits] = match;
  const port = digits === undefined ? defaultPort : Number(digits);
  if (port === undefined || port > 65535) return undefined;
  if (v6 !== undefined) return v6.includes(':') ? { host: v6, port } : undefined;
  // A number alone is a port without its host, however a system would read it as an address.
  return name === undefined || /^\d+$/.test(name) ? undefined : { host: name, port };
}

/** Puts an address together: IPv6 addresses get brackets. */
export function formatAddress(address: Address): string {
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}
