/**
 * The listening end of the network: a TLS server that strangers can neither fill nor stall.
 *
 * Every accepted connection holds one place until its handshake is over; beyond the limits it is
 * dropped at once. Whose handshake is not over in time is dropped too. A peer with a bad
 * certificate or none gets through to the application, which tells it why it is not let in.
 */
import { createServer } from 'node:tls';
import type { Server, TLSSocket } from 'node:tls';
import type { AddressInfo, Socket } from 'node:net';
import { formatAddress } from '../base/address.ts';
import type { Address } from '../base/address.ts';
import type { Clock, Listener, Logger, PeerCertificate, Stream } from '../ports.ts';
import { systemCode } from './file-errors.ts';
import { HandshakeGate, originOf, plainIp } from './handshake-gate.ts';
import type { HandshakeLimits } from './handshake-gate.ts';
import { loopWoke } from './loop-watch.ts';
import { listenError, systemReason } from './net-errors.ts';
import { SocketStream } from './socket-stream.ts';
import { peerFacts, secureContext } from './tls-credentials.ts';
import type { TlsCredentials } from './tls-credentials.ts';

/** What a listener is made with. */
export interface ListenerOptions {
  readonly credentials: TlsCredentials;
  /** Application protocols accepted, best first. */
  readonly protocols: readonly string[];
  readonly limits: HandshakeLimits;
  readonly readPeer: (der: Uint8Array) => PeerCertificate;
  readonly log: Logger;
  readonly clock: Clock;
}

interface Handshake {
  readonly socket: Socket;
  readonly origin: string;
  readonly timer: AbortController;
}

/** A listening TLS server. */
export class TlsListener implements Listener {
  readonly #server: Server;
  readonly #options: ListenerOptions;
  readonly #onStream: (stream: Stream) => void;
  readonly #gate: HandshakeGate;
  /** Unfinished handshakes by the address and port of the peer. */
  readonly #handshakes = new Map<string, Handshake>();
  #address = '';

  constructor(options: ListenerOptions, onStream: (stream: Stream) => void) {
    this.#options = options;
    this.#onStream = onStream;
    this.#gate = new HandshakeGate(options.limits);
    this.#server = createServer({
      ...secureContext('server', options.credentials),
      requestCert: true,
      rejectUnauthorized: false,
      ALPNProtocols: [...options.protocols],
      // Our own deadline comes first: it starts when the connection is accepted, on every runtime.
      handshakeTimeout: options.limits.handshakeMs + 60_000,
    });
    this.#server.on('connection', (socket: Socket) => this.#begin(socket));
    this.#server.on('secureConnection', (socket) => this.#finish(socket));
    this.#server.on('tlsClientError', (error, socket) => this.#refuse(error, socket));
  }

  get address(): string {
    return this.#address;
  }

  /** Unfinished handshakes now. */
  get handshakesCount(): number {
    return this.#gate.count;
  }

  /** Binds the address. */
  listen(address: Address): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => reject(listenError(formatAddress(address), error));
      this.#server.once('error', fail);
      this.#server.listen(address.port, address.host, () => {
        this.#server.off('error', fail);
        this.#server.on('error', (error) => {
          // Accepting goes on, for instance after a moment without a free file descriptor.
          this.#options.log.log('error', `Cannot accept a connection: ${systemReason(error)}`);
        });
        const bound = this.#server.address() as AddressInfo;
        this.#address = formatAddress({ host: bound.address, port: bound.port });
        resolve();
      });
    });
  }

  /** Shows another certificate from now on; connections that exist are not touched. */
  reload(credentials: TlsCredentials): void {
    this.#server.setSecureContext(secureContext('server', credentials));
  }

  close(): Promise<void> {
    // The server reports itself closed only when all its connections are, which are not ours.
    this.#server.close();
    for (const { socket } of this.#handshakes.values()) socket.destroy();
    return Promise.resolve();
  }

  // --- internals -----------------------------------------------------------------------------

  #begin(socket: Socket): void {
    loopWoke();
    // Whatever happens to a connection without a place is nobody's business.
    socket.on('error', () => {});
    const { remoteAddress } = socket;
    if (remoteAddress === undefined) {
      socket.destroy();
      return;
    }
    const origin = originOf(remoteAddress);
    const refused = this.#gate.enter(origin);
    if (refused !== undefined) {
      socket.destroy();
      const whose = refused === 'tooManyHere' ? '' : ` of ${origin}`;
      this.#options.log.log(
        'warning',
        `Dropped connections: too many unfinished handshakes${whose}`,
      );
      return;
    }
    this.#watch(socket, origin);
  }

  /** Keeps the place of a connection until its handshake is over. */
  #watch(socket: Socket, origin: string): void {
    const name = endpointOf(socket);
    const timer = new AbortController();
    const handshake: Handshake = { socket, origin, timer };
    this.#release(name, this.#handshakes.get(name));
    this.#handshakes.set(name, handshake);
    socket.once('close', () => this.#release(name, handshake));
    const { clock, limits, log } = this.#options;
    clock.sleep(limits.handshakeMs, timer.signal).then(() => {
      log.log('debug', `No handshake within ${limits.handshakeMs} ms: ${name}`);
      socket.destroy();
    }, () => {});
  }

  #release(name: string, handshake: Handshake | undefined): void {
    if (handshake === undefined || this.#handshakes.get(name) !== handshake) return;
    this.#handshakes.delete(name);
    this.#gate.leave(handshake.origin);
    handshake.timer.abort();
  }

  #finish(socket: TLSSocket): void {
    const remote = endpointOf(socket);
    this.#release(remote, this.#handshakes.get(remote));
    const protocol = socket.alpnProtocol;
    const { clock, log, readPeer } = this.#options;
    // The handshake succeeds as well where the peer offers no protocol at all.
    if (typeof protocol !== 'string') {
      socket.on('error', () => {});
      socket.destroy();
      log.log('info', `Dropped ${remote}: it names no protocol`);
      return;
    }
    const facts = { remote, protocol, ...peerFacts(socket, true, readPeer) };
    this.#onStream(new SocketStream(socket, facts, clock));
  }

  #refuse(error: Error, socket: TLSSocket): void {
    // The library leaves it open: see the silent client in the tests.
    socket.destroy();
    const from = plainIp(socket.remoteAddress ?? 'a peer');
    // Port scans and health checks hang up; only a real misunderstanding is worth a line.
    const level = systemCode(error)?.startsWith('ERR_SSL_') ? 'info' : 'debug';
    this.#options.log.log(level, `TLS handshake with ${from} failed: ${error.message}`);
  }
}

/** Address and port of the other end. */
export function endpointOf(socket: Socket): string {
  return formatAddress({
    host: plainIp(socket.remoteAddress ?? 'unknown'),
    port: socket.remotePort ?? 0,
  });
}
