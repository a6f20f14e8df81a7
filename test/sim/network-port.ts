/**
 * The Network and PlainNetwork ports of a simulated node.
 *
 * Connecting is in `dial.ts`; here is the other side, which accepts what has shaken hands.
 */
import { ClusterError } from '../../src/base/errors.ts';
import { formatAddress } from '../../src/base/address.ts';
import type { Listener, Network, PlainNetwork, Stream } from '../../src/ports.ts';
import { Dial, readAddress } from './dial.ts';
import type { SimHost } from './host.ts';
import type { Life } from './life.ts';
import type { SimNetwork } from './network.ts';

/** A machine has one local socket at most; other programs reach it by this port. */
export const localSocketPort = 1;

/** The port of one incarnation on a machine. */
export function networkPort(life: Life, network: SimNetwork, host: SimHost): Network {
  return {
    connect: async (address, options) => {
      return new Dial(life, network, host, address, options).start();
    },
    listen: (address, onStream) =>
      life.operation(`listens on ${address}`, 0, () => {
        return listen(life, network, host, address, onStream);
      }),
  };
}

/** The port for connections without TLS: nobody shows a certificate there. */
export function plainNetworkPort(life: Life, network: SimNetwork, host: SimHost): PlainNetwork {
  return {
    connect: async (address, { signal }) => {
      return new Dial(life, network, host, address, { trust: 'nobody', signal }).start();
    },
    listen: (address, onStream) => networkPort(life, network, host).listen(address, onStream),
    listenLocal: async (path, onStream) => {
      const address = `localhost:${localSocketPort}`;
      const listener = await networkPort(life, network, host).listen(address, onStream);
      return { ...listener, address: path };
    },
  };
}

// ---

function listen(
  life: Life,
  network: SimNetwork,
  host: SimHost,
  address: string,
  onStream: (stream: Stream) => void,
): Listener {
  const wanted = readAddress(address);
  const port = wanted.port === 0 ? network.freePort() : wanted.port;
  if (host.listening.has(port)) {
    throw new ClusterError('failed', `Cannot listen on "${address}": the port is taken`);
  }
  const handle = life.open('listener', `listens on port ${port}`);
  host.listening.set(port, { life, onStream });
  const stop = (): void => {
    host.listening.delete(port);
    life.close(handle);
    forget();
  };
  const forget = life.onEnd(() => host.listening.delete(port));
  return {
    address: formatAddress({ host: wanted.host, port }),
    close: () => life.operation('stops listening', 0, stop),
  };
}
