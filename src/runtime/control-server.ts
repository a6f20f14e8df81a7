/**
 * The control socket of a running node, and its read-only twin for monitoring.
 *
 * Both speak HTTP/1.1 with JSON, so that `curl --unix-socket` will do. The socket belongs to the
 * user who runs muster; whoever may open it may do everything. The admin address may be open to a
 * whole network, so that it only answers and never changes anything.
 */
import { chmodSync, lstatSync, mkdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { dirname } from 'node:path';
import process from 'node:process';
import { ClusterError, invariant } from '../base/errors.ts';
import { formatAddress, parseAddress } from '../base/address.ts';
import type { Listener, Logger } from '../ports.ts';
import type { BodyLimits } from './control-body.ts';
import { exchange } from './control-exchange.ts';
import { Router } from './control-routes.ts';
import type { ControlRoutes } from './control-routes.ts';
import { systemCode } from './file-errors.ts';
import { listenError } from './net-errors.ts';

export type {
  ControlHandler,
  ControlReply,
  ControlRequest,
  ControlRoutes,
  ControlStreamHandler,
} from './control-routes.ts';

/** Longest path of a Unix socket, bytes: what the operating systems have room for. */
const SOCKET_PATH_BYTES_MAX = process.platform === 'darwin' ? 103 : 107;

/** Time for a request to arrive, ms: they are small, and come from this machine or the next. */
const REQUEST_MS = 5000;

/** Those whose body is a stream have no end; a minute of silence in it means that nobody is there. */
const BODY_LIMITS: BodyLimits = {
  documentBytesMax: 1024 * 1024,
  documentMs: REQUEST_MS,
  streamIdleMs: 60_000,
};

/** Connections at once: far more than there are operators and monitors. */
const CONNECTIONS_MAX = 64;

/** What the control socket is opened with. */
export interface ControlOptions {
  /** Path of the Unix socket. */
  readonly path: string;
  readonly routes: ControlRoutes;
  readonly log: Logger;
}

/** What the admin address is opened with. */
export interface AdminOptions {
  /** `host:port`; port 0 takes any free one. */
  readonly address: string;
  /** Only `GET` routes. */
  readonly routes: ControlRoutes;
  readonly log: Logger;
}

/**
 * Opens the control socket, for the owner only. A socket that a dead process left is replaced.
 * @throws ClusterError `locked` where another process answers on it
 */
export async function serveControl(options: ControlOptions): Promise<Listener> {
  const { path, routes, log } = options;
  checkPath(path);
  mkdirSync(dirname(path), { recursive: true, mode: 0o750 });
  let server = serverFor(routes, log);
  try {
    await listen(server, path, { path });
  } catch (error) {
    if (!(error instanceof ClusterError) || systemCode(error.source) !== 'EADDRINUSE') throw error;
    await removeStale(path);
    server = serverFor(routes, log);
    await listen(server, path, { path });
  }
  chmodSync(path, 0o600);
  return {
    address: path,
    close: async () => {
      await close(server);
      rmSync(path, { force: true });
    },
  };
}

/** Opens the admin address. */
export async function serveAdmin(options: AdminOptions): Promise<Listener> {
  const address = parseAddress(options.address);
  if (address === undefined) {
    throw new ClusterError('configuration', `Cannot use address "${options.address}"`, {
      remedy: 'Write HOST:PORT, or [IPV6]:PORT',
    });
  }
  invariant(
    [...new Router(options.routes).methods].every((method) => method === 'GET'),
    'the admin address changes nothing',
  );
  const server = serverFor(options.routes, options.log);
  await listen(server, options.address, address);
  const bound = server.address() as AddressInfo;
  return {
    address: formatAddress({ host: bound.address, port: bound.port }),
    close: () => close(server),
  };
}

// --- internals -------------------------------------------------------------------------------

function serverFor(routes: ControlRoutes, log: Logger): Server {
  const router = new Router(routes);
  const server = createServer({
    headersTimeout: REQUEST_MS,
    // Bodies have their own limits.
    requestTimeout: 0,
    keepAliveTimeout: REQUEST_MS,
  });
  server.maxConnections = CONNECTIONS_MAX;
  server.on('request', (request, response) => {
    void exchange(request, response, router, BODY_LIMITS, log);
  });
  return server;
}

function listen(
  server: Server,
  name: string,
  where: { readonly path: string } | { readonly host: string; readonly port: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(listenError(name, error)));
    server.listen({ ...where }, () => {
      server.removeAllListeners('error');
      server.on('error', () => {});
      resolve();
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

function checkPath(path: string): void {
  const bytesCount = new TextEncoder().encode(path).length;
  if (bytesCount <= SOCKET_PATH_BYTES_MAX) return;
  throw new ClusterError(
    'configuration',
    `Cannot open control socket "${path}": its path has ${bytesCount} bytes, ` +
      `${SOCKET_PATH_BYTES_MAX} are possible`,
    { remedy: 'Use a state directory with a shorter path, or set the path of the socket' },
  );
}

/** Removes a socket that nobody listens on. */
async function removeStale(path: string): Promise<void> {
  if (!lstatSync(path).isSocket()) {
    throw new ClusterError('refused', `Cannot open control socket "${path}": it is a file`, {
      remedy: 'Move that file away',
    });
  }
  if (await isAnswered(path)) {
    throw new ClusterError('locked', `Another muster answers on "${path}"`, {
      remedy: 'Stop it, or use another state directory',
    });
  }
  rmSync(path);
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    const settle = (is: boolean) => (): void => {
      resolve(is);
      socket.destroy();
    };
    socket.once('connect', settle(true));
    // One whose queue is full, or that belongs to somebody else, is alive.
    socket.once('error', (error) => settle(systemCode(error) !== 'ECONNREFUSED')());
  });
}
