/**
 * Unix sockets that a node listens on: one that a dead process left is replaced, one that somebody
 * answers on is not.
 */
import { chmodSync, lstatSync, mkdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import type { Server } from 'node:net';
import { dirname } from 'node:path';
import process from 'node:process';
import { ClusterError } from '../base/errors.ts';
import { systemCode } from './file-errors.ts';
import { listenError } from './net-errors.ts';

/** Longest path of a Unix socket, bytes: what the operating systems have room for. */
const SOCKET_PATH_BYTES_MAX = process.platform === 'darwin' ? 103 : 107;

/** How a socket is to be. */
export interface LocalSocketOptions {
  readonly path: string;
  /** What it is called in errors: `control socket`. */
  readonly what: string;
  /** Permission bits of the socket. */
  readonly mode: number;
  /** Permission bits of directories that have to be made. */
  readonly directoryMode: number;
}

/**
 * Listens; gives the server that does.
 * @throws ClusterError `locked` where another process answers on the socket
 */
export async function listenOnSocket<S extends Server>(
  makeServer: () => S,
  options: LocalSocketOptions,
): Promise<S> {
  const { path, mode, directoryMode } = options;
  checkPath(options);
  mkdirSync(dirname(path), { recursive: true, mode: directoryMode });
  let server = makeServer();
  try {
    await listen(server, path, { path });
  } catch (error) {
    if (!(error instanceof ClusterError) || systemCode(error.source) !== 'EADDRINUSE') throw error;
    await removeStale(options);
    server = makeServer();
    await listen(server, path, { path });
  }
  chmodSync(path, mode);
  return server;
}

/** Listens at an address, or on a socket. */
export function listen(
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

// --- internals -------------------------------------------------------------------------------

function checkPath({ path, what }: LocalSocketOptions): void {
  const bytesCount = new TextEncoder().encode(path).length;
  if (bytesCount <= SOCKET_PATH_BYTES_MAX) return;
  throw new ClusterError(
    'configuration',
    `Cannot open ${what} "${path}": its path has ${bytesCount} bytes, ` +
      `${SOCKET_PATH_BYTES_MAX} are possible`,
    { remedy: 'Use a state directory with a shorter path, or set the path of the socket' },
  );
}

/** Removes a socket that nobody listens on. */
async function removeStale({ path, what }: LocalSocketOptions): Promise<void> {
  if (!lstatSync(path).isSocket()) {
    throw new ClusterError('refused', `Cannot open ${what} "${path}": it is a file`, {
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
