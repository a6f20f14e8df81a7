/** Unix sockets of other programs on this machine: a stream of bytes, and a document over HTTP. */
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { withDeadline } from '../base/async.ts';
import { concatBytes, displayText } from '../base/bytes.ts';
import { ClusterError } from '../base/errors.ts';
import type { Clock, Stream } from '../ports.ts';
import { untilReady } from './dialling.ts';
import { systemReason } from './net-errors.ts';
import { SocketStream } from './socket-stream.ts';

/** How long a program on this machine may take to accept a connection, ms. */
const connectMs = 5_000;

/** How a document is asked for. */
export interface LocalQuestion {
  /** Absolute path of the socket. */
  readonly socketPath: string;
  /** Path on the server, `/v1/…`. */
  readonly route: string;
  readonly timeoutMs: number;
  /** The longest document that is taken. */
  readonly bytesMax: number;
}

/** Connects to a socket. @throws ClusterError `unreachable` */
export async function connectLocal(
  path: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<Stream> {
  try {
    return await untilReady(
      connect({ path }),
      'connect',
      { clock, timeoutMs: connectMs, signal },
      (socket) => {
        const shown = { certificate: undefined, rejection: undefined, presentedChain: [] };
        return new SocketStream(socket, { remote: path, protocol: '', ...shown }, clock);
      },
    );
  } catch (error) {
    throw unreachable(path, error as Error);
  }
}

/**
 * Gets a document over HTTP.
 * @throws ClusterError `unreachable`, `timeout`, or `failed` with what the program answered
 */
export function getLocal(clock: Clock, question: LocalQuestion): Promise<Uint8Array> {
  const { socketPath, route, timeoutMs, bytesMax } = question;
  return withDeadline(clock, timeoutMs, `The answer to ${route}`, undefined, async (signal) => {
    const request = httpRequest({ socketPath, path: route, agent: false, signal });
    const answered = once(request, 'response') as Promise<[IncomingMessage]>;
    request.end();
    let response: IncomingMessage;
    try {
      [response] = await answered;
    } catch (error) {
      throw unreachable(socketPath, error as Error);
    }
    // A connection that breaks off later is reported by the reading of the reply.
    request.on('error', () => {});
    const bytes = await readAll(response, bytesMax);
    const { statusCode = 500 } = response;
    if (statusCode < 400) return bytes;
    const text = displayText(new TextDecoder().decode(bytes.subarray(0, 500)));
    throw new ClusterError('failed', `"${socketPath}" answers ${statusCode} to ${route}: ${text}`);
  });
}

// --- internals -------------------------------------------------------------------------------

async function readAll(response: IncomingMessage, bytesMax: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of response as AsyncIterable<Uint8Array>) {
    length += piece.length;
    if (length > bytesMax) {
      throw new ClusterError('failed', `An answer has more than ${bytesMax} bytes`);
    }
    pieces.push(piece);
  }
  return concatBytes([...pieces, new Uint8Array(0)]);
}

function unreachable(path: string, error: Error): ClusterError {
  if (error instanceof ClusterError) return error;
  return new ClusterError('unreachable', `Cannot connect to "${path}": ${systemReason(error)}`, {
    source: error,
    remedy: 'Check that wazuh-db runs, and that muster may use its sockets',
  });
}
