/**
 * One HTTP request and its reply: limits, JSON both ways, streams of JSON lines, errors.
 *
 * Whatever a handler throws becomes a reply; nothing a client does throws here. A client that goes
 * away ends the work for it by the request's signal.
 */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { untilAborted } from '../base/async.ts';
import { ClusterError, codeOf, describeError } from '../base/errors.ts';
import type { Logger } from '../ports.ts';
import { type BodyLimits, BodyStream, BodyTooLargeError, readDocument } from './control-body.ts';
import { statusOf } from './control-routes.ts';
import type { ControlReply, ErrorDocument, Router } from './control-routes.ts';

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
  limits: BodyLimits,
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
  limits: BodyLimits,
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
  const { handler, params } = found;
  const asked = { method, path: url.pathname, params, query: url.searchParams, signal };
  if (typeof handler !== 'function') {
    const stream = new BodyStream(message, limits, signal);
    try {
      const request = { ...asked, chunks: stream.chunks() };
      return await untilAborted(handler.takeStream(request), signal);
    } finally {
      await stream.drop();
    }
  }
  const body = await readDocument(message, limits, signal);
  return untilAborted(handler({ ...asked, body }), signal);
}

async function send(
  response: ServerResponse,
  reply: ControlReply,
  signal: AbortSignal,
): Promise<void> {
  const { body, pieces, contentType } = reply;
  if (pieces !== undefined) {
    response.writeHead(reply.status ?? 200, headersOf(contentType ?? 'application/json'));
    await sendPieces(response, pieces, signal);
    response.end();
    return;
  }
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
  try {
    await sendPieces(response, linesOf(documents), signal);
    response.end();
  } catch (error) {
    if (!signal.aborted) response.end(`${JSON.stringify(documentOf(error))}\n`);
  }
}

async function* linesOf(documents: AsyncIterable<unknown>): AsyncGenerator<string> {
  for await (const document of documents) yield `${JSON.stringify(document)}\n`;
}

/** Sends pieces of text as they come, no faster than the client reads. */
async function sendPieces(
  response: ServerResponse,
  pieces: AsyncIterable<string>,
  signal: AbortSignal,
): Promise<void> {
  const iterator = pieces[Symbol.asyncIterator]();
  try {
    while (true) {
      const step = await untilAborted(iterator.next(), signal);
      if (step.done === true) return;
      if (!response.write(step.value)) await once(response, 'drain', { signal });
    }
  } catch (error) {
    // Not awaited: it may be in the middle of something that the signal stops.
    iterator.return?.().catch(() => {});
    throw error;
  }
}

function sendError(
  response: ServerResponse,
  error: unknown,
  log: Logger,
  { method, url, complete }: IncomingMessage,
): void {
  if (!(error instanceof ClusterError)) {
    log.log('error', `Cannot answer ${method} ${url}: ${describeError(error)}`);
  }
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.writeHead(httpStatusOf(error), {
    ...headersOf('application/json'),
    ...(error instanceof HttpError ? error.headers : {}),
    // What is still to come of the request is not waited for.
    ...(complete ? {} : { connection: 'close' }),
  });
  response.end(`${JSON.stringify(documentOf(error))}\n`);
}

function httpStatusOf(error: unknown): number {
  if (error instanceof HttpError) return error.status;
  return error instanceof BodyTooLargeError ? 413 : statusOf(codeOf(error));
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
