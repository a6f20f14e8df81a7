/**
 * The PlainNetwork port over TCP.
 *
 * Nothing tells here who a peer is, so a connection keeps its place for as long as it lives: a
 * peer, or all that share its address, can take no more than theirs.
 */
import { chownSync, rmSync, statSync } from 'node:fs';
import { connect as connectTcp, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { dirname } from 'node:path';
import process from 'node:process';
import { type Address, formatAddress } from '../base/address.ts';
import type { Clock, Listener, Logger, PlainNetwork, Stream } from '../ports.ts';
import { dialInTurn, type LookUp, readAddress, untilReady } from './dialling.ts';
import { HandshakeGate, originOf } from './handshake-gate.ts';
import { listenOnSocket } from './local-socket.ts';
import { listenError, systemReason } from './net-errors.ts';
import { endpointOf } from './net-listener.ts';
import { SocketStream } from './socket-stream.ts';

/** Limits of the network. */
export interface PlainNetworkLimits {
  /** Connections that one listener holds at once. @default 1024: ten times a large cluster */
  readonly connectionsMax: number;
  /** The same from one address. @default 10: what Wazuh 4.14 masters allow */
  readonly connectionsPerAddressMax: number;
  /** Time for connecting, ms; the addresses of a name share it. @default 10000 */
  readonly connectMs: number;
}

/** What the network is made with. */
export interface PlainNetworkOptions {
  /** @default those that the system finds */
  readonly lookUp?: LookUp;
  readonly limits?: Partial<PlainNetworkLimits>;
  readonly log: Logger;
  readonly clock: Clock;
}

const limitsDefault: PlainNetworkLimits = {
  connectionsMax: 1024,
  connectionsPerAddressMax: 10,
  connectMs: 10_000,
};

/** Makes the network of this machine. */
export function createPlainNetwork(options: PlainNetworkOptions): PlainNetwork {
  const { clock, log, lookUp } = options;
  const limits = { ...limitsDefault, ...options.limits };
  return {
    connect: (text, { signal }) => {
      const { connectMs } = limits;
      return dialInTurn(text, { connectMs, lookUp, signal }, ({ host, port, timeoutMs }) => {
        const socket = connectTcp({ host, port });
        const toStream = (connected: Socket) => streamOf(connected, clock);
        return untilReady(socket, 'connect', { clock, timeoutMs, signal }, toStream);
      });
    },
    listen: (text, onStream) => listen(readAddress(text), onStream, { limits, log, clock }),
    listenLocal: (path, onStream) => listenLocal(path, onStream, { limits, log, clock }),
  };
}

// --- internals -------------------------------------------------------------------------------

interface DoorOptions {
  readonly limits: PlainNetworkLimits;
  readonly log: Logger;
  readonly clock: Clock;
}

function listen(
  address: Address,
  onStream: (stream: Stream) => void,
  { limits, log, clock }: DoorOptions,
): Promise<Listener> {
  const gate = new HandshakeGate({
    handshakesMax: limits.connectionsMax,
    handshakesPerAddressMax: limits.connectionsPerAddressMax,
  });
  const server = createServer((socket) => {
    // Whatever happens to a connection without a place is nobody's business.
    socket.on('error', () => {});
    const origin = originOf(socket.remoteAddress ?? 'unknown');
    const refused = gate.enter(origin);
    if (refused === undefined) {
      socket.once('close', () => gate.leave(origin));
      onStream(streamOf(socket, clock));
    } else {
      socket.destroy();
      const whose = refused === 'tooManyHere' ? '' : ` from ${origin}`;
      log.log('warning', `Dropped connections: too many${whose}`);
    }
  });
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => reject(listenError(formatAddress(address), error));
    server.once('error', fail);
    server.listen(address.port, address.host, () => {
      server.off('error', fail);
      server.on('error', (error) => {
        // Accepting goes on, for instance after a moment without a free file descriptor.
        log.log('error', `Cannot accept a connection: ${systemReason(error)}`);
      });
      const bound = server.address() as AddressInfo;
      resolve({
        address: formatAddress({ host: bound.address, port: bound.port }),
        close: () => {
          // The server reports itself closed only when all its connections are, which are not ours.
          server.close();
          return Promise.resolve();
        },
      });
    });
  });
}

/** What is on this machine is counted in all only: it has no address. */
async function listenLocal(
  path: string,
  onStream: (stream: Stream) => void,
  { limits, clock }: DoorOptions,
): Promise<Listener> {
  const makeServer = () => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      onStream(streamOf(socket, clock));
    });
    server.maxConnections = limits.connectionsMax;
    return server;
  };
  const server = await listenOnSocket(makeServer, {
    path,
    what: 'local socket',
    mode: 0o660,
    directoryMode: 0o770,
  });
  giveToOwnerOf(dirname(path), path);
  return {
    address: path,
    close: () => {
      server.close();
      rmSync(path, { force: true });
      return Promise.resolve();
    },
  };
}

/** What root opens is for those whom the directory belongs to. */
function giveToOwnerOf(directory: string, path: string): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(directory);
  chownSync(path, uid, gid);
}

function streamOf(socket: Socket, clock: Clock): Stream {
  const facts = {
    remote: endpointOf(socket),
    protocol: '',
    certificate: undefined,
    rejection: undefined,
    presentedChain: [],
  };
  return new SocketStream(socket, facts, clock);
}
