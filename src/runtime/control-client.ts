/**
 * Asking a running node, over its control socket.
 *
 * Errors of the node arrive as the ClusterErrors they were, so that a command line that asks a
 * daemon fails exactly as one that does the work itself.
 */
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { abortReason, linkedController, withDeadline } from '../base/async.ts';
import { ClusterError, readErrorCode } from '../base/errors.ts';
import { systemClock } from './clock.ts';
import { systemCode } from './file-errors.ts';
import { systemReason } from './net-errors.ts';

/** Largest document that is taken: the view of a cluster of a thousand nodes has a megabyte. */
const REPLY_BYTES_MAX = 64 * 1024 * 1024;

/** A request to a node. */
export interface ControlCall {
  /** Path of its control socket. */
  readonly path: string;
  /** @default GET */
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Path and query, for instance `/v1/status`. */
  readonly route: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** In place of `body`: JSON documents, one a line. */
  readonly lines?: string;
  /** Time for the whole reply; for a stream, for its beginning. @default 30000 */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * Asks and returns the JSON document of the reply; undefined where it is empty. Not checked.
 * @throws ClusterError `unreachable` where no node runs, or what the node answered
 */
export function callControl(call: ControlCall): Promise<unknown> {
  return limited(call, async (signal) => {
    try {
      const text = await readText(await open(call, signal));
      return text === '' ? undefined : parse(text);
    } catch (error) {
      throw failureOf(call, error as Error, signal);
    }
  });
}

/**
 * Asks and yields the JSON documents of a stream, as they come.
 * @throws ClusterError like `callControl`, also in the middle of the stream
 */
export async function* streamControl(call: ControlCall): AsyncGenerator<unknown, void, void> {
  const { controller, release } = linkedController(call.signal);
  try {
    const response = await limited(call, () => open(call, controller.signal));
    let rest = '';
    for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) yield throwError(parse(line));
      if (rest.length > REPLY_BYTES_MAX) throw tooLarge();
    }
  } catch (error) {
    throw failureOf(call, error as Error, controller.signal);
  } finally {
    release();
    controller.abort();
  }
}

// --- internals -------------------------------------------------------------------------------

function limited<T>(
  { timeoutMs = 30_000, signal, route }: ControlCall,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return withDeadline(systemClock, timeoutMs, `The answer to ${route}`, signal, work);
}

/** Sends the request; the reply is one of success. */
async function open(call: ControlCall, signal: AbortSignal): Promise<IncomingMessage> {
  const { path, method = 'GET', route, body, lines } = call;
  const text = lines ?? (body === undefined ? undefined : JSON.stringify(body));
  const request = httpRequest({
    socketPath: path,
    method,
    path: route,
    agent: false,
    signal,
    headers: {
      accept: 'application/json',
      ...(text === undefined ? {} : {
        'content-type': lines === undefined ? 'application/json' : 'application/x-ndjson',
        'content-length': new TextEncoder().encode(text).length,
      }),
    },
  });
  const answered = once(request, 'response') as Promise<[IncomingMessage]>;
  request.end(text);
  const [response] = await answered;
  // A connection that breaks off later is reported by the reading of the reply.
  request.on('error', () => {});
  const { statusCode = 500 } = response;
  if (statusCode < 400) return response;
  throwError(parse(await readText(response)));
  throw new ClusterError('failed', `muster answers ${statusCode} to ${route}`);
}

async function readText(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) {
    text += chunk;
    if (text.length > REPLY_BYTES_MAX) throw tooLarge();
  }
  return text;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ClusterError('protocol', 'Cannot read the answer of muster', { cause });
  }
}

/** Throws what the document says went wrong; returns it where it says nothing of the kind. */
function throwError(document: unknown): unknown {
  const error = (document as { readonly error?: unknown } | null | undefined)?.error;
  if (typeof error !== 'object' || error === null) return document;
  const { code, message, remedy } = error as Record<string, unknown>;
  throw new ClusterError(
    readErrorCode(code),
    typeof message === 'string' ? message : 'muster reports an error without a text',
    typeof remedy === 'string' ? { remedy } : {},
  );
}

function tooLarge(): ClusterError {
  return new ClusterError('protocol', `The answer of muster exceeds ${REPLY_BYTES_MAX} bytes`);
}

function failureOf({ path }: ControlCall, error: Error, signal: AbortSignal): Error {
  if (signal.aborted) return abortReason(signal);
  if (error instanceof ClusterError) return error;
  const code = systemCode(error);
  if (code === 'ENOENT' || code === 'ECONNREFUSED') {
    return new ClusterError('unreachable', `No muster runs at "${path}"`, {
      source: error,
      remedy: 'Start it with "muster run", or name its directory with --dir',
    });
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new ClusterError(
      'permission',
      `Cannot open control socket "${path}": permission denied`,
      {
        source: error,
        remedy: 'Run this as root or as the user who runs muster',
      },
    );
  }
  const reason = systemReason(error);
  return new ClusterError('unreachable', `Connection to "${path}" is lost: ${reason}`, {
    source: error,
  });
}
