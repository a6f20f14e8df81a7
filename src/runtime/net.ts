/**
 * The Network port over TCP and TLS 1.3, both sides with certificates of the cluster's authority.
 *
 * What TLS proves is proven here: whether the chain leads to our authority and that a protocol was
 * agreed on. Who the peer is and whether it may come in is judged by the caller, from the stream's
 * certificate; a stream without one is nobody's. Names are resolved at each connect, and all their
 * addresses are tried in turn until one leads to a peer that the caller accepts.
 */
import { connect as connectTls } from 'node:tls';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { throwIfAborted } from '../base/async.ts';
import { ClusterError } from '../base/errors.ts';
import type {
  Clock,
  ConnectOptions,
  Listener,
  Logger,
  Network,
  PeerCertificate,
  Stream,
} from '../ports.ts';
import { dialInTurn, type LookUp, readAddress, untilReady } from './dialling.ts';
import { handshakeLimitsDefault } from './handshake-gate.ts';
import type { HandshakeLimits } from './handshake-gate.ts';
import { endpointOf, TlsListener } from './net-listener.ts';
import { SocketStream } from './socket-stream.ts';
import { peerFacts, secureContext } from './tls-credentials.ts';
import type { TlsCredentials } from './tls-credentials.ts';

export type { TlsCredentials } from './tls-credentials.ts';

/** Limits of the network. */
export interface NetworkLimits extends HandshakeLimits {
  /**
   * Time for connecting and shaking hands, ms. The addresses of a name share it, so that one that
   * is silent leaves time for the others. @default 10000
   */
  readonly connectMs: number;
}

/** What the network is made with. */
export interface TlsNetworkOptions {
  /** This node's certificate; undefined before it has joined, when only `anyone` can be reached. */
  readonly credentials: TlsCredentials | undefined;
  /** Application protocols accepted when listening, best first. */
  readonly protocols: readonly string[];
  /** Reads a peer's certificate (DER), which is verified already. */
  readonly readPeer: (der: Uint8Array) => PeerCertificate;
  /** The IP addresses of a host name, best first. @default those that the system finds */
  readonly lookUp?: LookUp;
  readonly limits?: Partial<NetworkLimits>;
  readonly log: Logger;
  readonly clock: Clock;
}

/** Connections over TLS. */
export interface TlsNetwork extends Network {
  /** Uses another certificate for connections made or accepted from now on. */
  reload(credentials: TlsCredentials): void;
  /** Unfinished handshakes of all listeners now. */
  readonly handshakesCount: number;
}

/** Makes the network of this machine. */
export function createTlsNetwork(options: TlsNetworkOptions): TlsNetwork {
  return new SystemNetwork(options);
}

// --- internals -------------------------------------------------------------------------------

class SystemNetwork implements TlsNetwork {
  readonly #options: TlsNetworkOptions;
  readonly #limits: NetworkLimits;
  readonly #listeners = new Set<TlsListener>();
  #credentials: TlsCredentials | undefined;

  constructor(options: TlsNetworkOptions) {
    this.#options = options;
    this.#limits = { ...handshakeLimitsDefault, connectMs: 10_000, ...options.limits };
    this.#credentials = options.credentials;
  }

  get handshakesCount(): number {
    let count = 0;
    for (const listener of this.#listeners) count += listener.handshakesCount;
    return count;
  }

  reload(credentials: TlsCredentials): void {
    this.#credentials = credentials;
    for (const listener of this.#listeners) listener.reload(credentials);
  }

  async listen(text: string, onStream: (stream: Stream) => void): Promise<Listener> {
    const address = readAddress(text);
    const credentials = this.#credentials;
    if (credentials === undefined) throw withoutCertificate(`listen on ${text}`);
    const { protocols, readPeer, log, clock } = this.#options;
    const listener = new TlsListener(
      { credentials, protocols, limits: this.#limits, readPeer, log, clock },
      onStream,
    );
    await listener.listen(address);
    this.#listeners.add(listener);
    return {
      address: listener.address,
      close: () => {
        this.#listeners.delete(listener);
        return listener.close();
      },
    };
  }

  async connect(text: string, options: ConnectOptions): Promise<Stream> {
    const { signal } = options;
    throwIfAborted(signal);
    const tls = this.#tlsOptions(text, options);
    const { clock, lookUp } = this.#options;
    const { connectMs } = this.#limits;
    return await dialInTurn(text, { connectMs, lookUp, signal }, async (target) => {
      const { host, port, timeoutMs } = target;
      const stream = await untilReady(
        connectTls({ ...tls, host, port }),
        'secureConnect',
        { clock, timeoutMs, signal },
        (socket) => this.#toStream(socket, text, options),
      );
      options.judge?.(stream);
      return stream;
    });
  }

  #tlsOptions(address: string, { protocols, trust }: ConnectOptions): ConnectionOptions {
    const shared: ConnectionOptions = {
      ALPNProtocols: [...protocols],
      // A node is who its certificate says; what its host is called does not matter.
      checkServerIdentity: () => undefined,
    };
    if (trust === 'anyone') {
      return { ...secureContext('client', undefined), ...shared, rejectUnauthorized: false };
    }
    if (this.#credentials === undefined) throw withoutCertificate(`connect to ${address}`);
    // Judged by the caller: a peer that is turned away is told why, which TLS has no words for.
    return { ...secureContext('client', this.#credentials), ...shared, rejectUnauthorized: false };
  }

  #toStream(socket: TLSSocket, address: string, { protocols, trust }: ConnectOptions): Stream {
    const protocol = socket.alpnProtocol;
    if (typeof protocol !== 'string' || !protocols.includes(protocol)) {
      throw new ClusterError(
        'incompatible',
        `Cannot talk to ${address}: it agreed on no protocol of muster`,
        {
          remedy:
            'Check that the address is that of a muster node, and update the older of the two',
        },
      );
    }
    const facts = peerFacts(socket, trust === 'cluster', this.#options.readPeer);
    const stream = { remote: endpointOf(socket), protocol, ...facts };
    return new SocketStream(socket, stream, this.#options.clock);
  }
}

function withoutCertificate(purpose: string): ClusterError {
  return new ClusterError('authentication', `Cannot ${purpose}: this node has no certificate`, {
    remedy: 'Run "muster join" on a worker, "muster init" on a master',
  });
}
