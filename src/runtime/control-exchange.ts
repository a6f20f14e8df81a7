/**
 * One HTTP request and its reply: limits, JSON both ways, streams of JSON lines, errors.
 *
 * Whatever a handler throws becomes a reply; nothing a client does throws here. A client that goes
 * away ends the work for it by the request's signal.
 */
import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { deferred, untilAborted } from '../base/async.ts';
import { ClusterError, codeOf, describeError } from '../base/errors.ts';
import type { Logger } from '../ports.ts';
import { statusOf } from './control-routes.ts';
import type { ControlReply, ControlRequest, ErrorDocument, Router } from './control-routes.ts';

/** Limits of one request. */
export interface ExchangeLimits {
  /** Largest body of a request, bytes. @default 1 MiB: a report of some thousand agents */
  readonly bodyBytesMax: number;
}

/** An answer that is given without a handler. */
class HttpError extends ClusterError {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    error: ClusterError,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(error.code, error.message, { cause: error.cause, ...remedyOf(error) });
    this.status = status;
    this.headers = headers;
  }
}

/** Answers one request. Never throws. */
export async function exchange(
  request: IncomingMessage,
  response: ServerResponse,
  router: Router,
  limits: ExchangeLimits,
  log: Logger,
): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) {
      gone.abort(new ClusterError('aborted', 'The client has gone away'));
    }
  });
  response.on('error', () => {});
  try {
    const reply = await answer(request, router, limits, gone.signal);
    await send(response, reply, gone.signal);
  } catch (error) {
    if (!gone.signal.aborted) sendError(response, error, log, request);
  }
}

// --- internals -------------------------------------------------------------------------------

async function answer(
  message: IncomingMessage,
  router: Router,
  limits: ExchangeLimits,
  signal: AbortSignal,
): Promise<ControlReply> {
  const method = message.method ?? 'GET';
  // Some clients send whole addresses; what host they ask for does not matter.
  const url = new URL(message.url ?? '/', 'http://muster');
  const found = router.match(method, url.pathname);
  if (found.kind === 'noPath') {
    throw new HttpError(404, new ClusterError('notFound', `There is nothing at ${url.pathname}`));
  }
  if (found.kind === 'noMethod') {
    const allow = found.methods.join(', ');
    const error = new ClusterError('refused', `${url.pathname} takes ${allow}, not ${method}`);
    throw new HttpError(405, error, { allow });
  }
  const body = await readBody(message, limits, signal);
  const request: ControlRequest = {
    method,
    path: url.pathname,
    params: found.params,
    query: url.searchParams,
    body,
    signal,
  };
  return untilAborted(found.handler(request), signal);
}

async function readBody(
  message: IncomingMessage,
  { bodyBytesMax }: ExchangeLimits,
  signal: AbortSignal,
): Promise<unknown> {
  const ended = deferred<void>();
  const chunks: Buffer[] = [];
  let bytesCount = 0;
  message.on('data', (chunk: Buffer) => {
    bytesCount += chunk.length;
    if (bytesCount <= bodyBytesMax) {
      chunks.push(chunk);
      return;
    }
    // The rest is read and dropped, so that the client sees the answer.
    chunks.length = 0;
    const error = new ClusterError('refused', `A request may have ${bodyBytesMax} bytes`);
    ended.reject(new HttpError(413, error, { connection: 'close' }));
  });
  message.on('end', () => ended.resolve());
  message.on('error', (error) => ended.reject(error));
  await untilAborted(ended.promise, signal);
  if (bytesCount === 0) return undefined;
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch (cause) {
    throw new ClusterError('protocol', 'Cannot read the body of the request', { cause });
  }
}

async function send(
  response: ServerResponse,
  reply: ControlReply,
  signal: AbortSignal,
): Promise<void> {
  const { body, contentType } = reply;
  if (isIterable(body)) {
    response.writeHead(reply.status ?? 200, headersOf(contentType ?? 'application/x-ndjson'));
    await sendLines(response, body, signal);
    return;
  }
  if (body === undefined) {
    response.writeHead(reply.status ?? 204, { 'cache-control': 'no-store' });
    response.end();
    return;
  }
  const isText = typeof body === 'string' && contentType !== undefined;
  const text = isText ? body : `${JSON.stringify(body)}\n`;
  response.writeHead(reply.status ?? 200, headersOf(contentType ?? 'application/json'));
  response.end(text);
}

/** Sends one JSON document a line, no faster than the client reads; an error is the last line. */
async function sendLines(
  response: ServerResponse,
  documents: AsyncIterable<unknown>,
  signal: AbortSignal,
): Promise<void> {
  response.flushHeaders();
  const iterator = documents[Symbol.asyncIterator]();
  try {
    while (true) {
      const step = await untilAborted(iterator.next(), signal);
      if (step.done === true) break;
      if (!response.write(`${JSON.stringify(step.value)}\n`)) {
        await once(response, 'drain', { signal });
      }
    }
    response.end();
  } catch (error) {
    // Not awaited: it may be in the middle of something that the signal stops.
    iterator.return?.().catch(() => {});
    if (!signal.aborted) response.end(`${JSON.stringify(documentOf(error))}\n`);
  }
}

function sendError(
  response: ServerResponse,
  error: unknown,
  log: Logger,
  { method, url }: IncomingMessage,
): void {
  const status = error instanceof HttpError ? error.status : statusOf(codeOf(error));
  if (!(error instanceof ClusterError)) {
    log.log('error', `Cannot answer ${method} ${url}: ${describeError(error)}`);
  }
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const headers = error instanceof HttpError ? error.headers : {};
  response.writeHead(status, { ...headersOf('application/json'), ...headers });
  response.end(`${JSON.stringify(documentOf(error))}\n`);
}

function documentOf(error: unknown): ErrorDocument {
  const remedy = error instanceof ClusterError ? error.remedy : undefined;
  return { error: { code: codeOf(error), message: describeError(error), remedy } };
}

function headersOf(contentType: string): Record<string, string> {
  // A browser must not guess what this is, nor keep it.
  return {
    'content-type': contentType,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  };
}

function isIterable(body: unknown): body is AsyncIterable<unknown> {
  return typeof body === 'object' && body !== null && Symbol.asyncIterator in body;
}

function remedyOf({ remedy }: ClusterError): { remedy?: string } {
  return remedy === undefined ? {} : { remedy };
}
