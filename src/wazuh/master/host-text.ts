/** The host and the port of a peer, as the nodes of a Wazuh cluster show them. */
import { parseAddress } from '../../base/address.ts';

/** Host without brackets, and port; of a text that is no address the whole, and 0. */
export function hostAndPort(remote: string): readonly [host: string, port: number] {
  const address = parseAddress(remote);
  return address === undefined ? [remote, 0] : [address.host, address.port];
}
