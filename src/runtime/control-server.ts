/**
 * The control socket of a running node, and its read-only twin for monitoring.
 *
 * Both speak HTTP/1.1 with JSON, so that `curl --unix-socket` will do. The socket belongs to the
 * user who runs muster; whoever may open it may do everything. The admin address may be open to a
 * whole network, so that it only answers and never changes anything.
 */
import { rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ClusterError, invariant } from '../base/errors.ts';
import { formatAddress, parseAddress } from '../base/address.ts';
import type { Listener, Logger } from '../ports.ts';
import type { BodyLimits } from './control-body.ts';
import { exchange } from './control-exchange.ts';
import { Router } from './control-routes.ts';
import type { ControlRoutes } from './control-routes.ts';
import { listen, listenOnSocket } from './local-socket.ts';

export type {
  ControlHandler,
  ControlReply,
  ControlRequest,
  ControlRoutes,
  ControlStreamHandler,
} from './control-routes.ts';
import { loopWoke } from './loop-watch.ts';

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
  const server = await listenOnSocket(() => serverFor(routes, log), {
    path,
    what: 'control socket',
    mode: 0o600,
    directoryMode: 0o750,
  });
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
    loopWoke();
    void exchange(request, response, router, BODY_LIMITS, log);
  });
  return server;
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
