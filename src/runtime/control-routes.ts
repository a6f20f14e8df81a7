/**
 * The table of routes of an HTTP server of ours, and the meaning of errors in HTTP.
 *
 * A route is `METHOD /path`; a segment `:name` matches anything but a slash and is handed to the
 * handler decoded. The first route that matches is taken.
 */
import { ClusterError } from '../base/errors.ts';
import type { ErrorCode } from '../base/errors.ts';

/** What a handler gets. */
export interface ControlRequest {
  readonly method: string;
  readonly path: string;
  /** Values of the `:name` segments. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** The JSON document that was sent; undefined where there was none. Not checked. */
  readonly body: unknown;
  /** Aborted when the client goes away before the reply is complete. */
  readonly signal: AbortSignal;
}

/** What a handler answers. */
export interface ControlReply {
  /** @default 200, or 204 without a body */
  readonly status?: number;
  /**
   * Sent as JSON; an async iterable as one JSON document a line, as they come; a string as it is
   * where `contentType` is given.
   */
  readonly body?: unknown;
  /** In place of `body`: text that is sent as it is, as it comes. */
  readonly pieces?: AsyncIterable<string>;
  /** @default application/json, or application/x-ndjson for an iterable */
  readonly contentType?: string;
}

/** Answers requests. What it throws is answered as an error. */
export type ControlHandler = (request: ControlRequest) => Promise<ControlReply>;

/** A request whose body is no document, but bytes of any number. */
export interface ControlStreamRequest extends Omit<ControlRequest, 'body'> {
  /** What is sent, as it arrives; not read any faster than it is taken. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** Answers requests with a body of any size. */
export interface ControlStreamHandler {
  takeStream(request: ControlStreamRequest): Promise<ControlReply>;
}

/** Handlers by route. */
export type ControlRoutes = Readonly<Record<string, ControlHandler | ControlStreamHandler>>;

/** How an error travels over the control socket. */
export interface ErrorDocument {
  readonly error: {
    readonly code: ErrorCode;
    readonly message: string;
    readonly remedy?: string | undefined;
  };
}

interface Route {
  readonly method: string;
  readonly segments: readonly string[];
  readonly handler: ControlHandler | ControlStreamHandler;
}

/** What a request is for. */
export type Match =
  | {
    readonly kind: 'found';
    readonly handler: ControlHandler | ControlStreamHandler;
    readonly params: Record<string, string>;
  }
  | { readonly kind: 'noPath' }
  | { readonly kind: 'noMethod'; readonly methods: readonly string[] };

const statuses: Readonly<Partial<Record<ErrorCode, number>>> = {
  protocol: 400,
  configuration: 400,
  authentication: 401,
  refused: 403,
  notFound: 404,
  unknownMessage: 404,
  changed: 409,
  halted: 409,
  locked: 409,
  stale: 409,
  superseded: 409,
  hook: 502,
  incompatible: 502,
  unreachable: 502,
  aborted: 503,
  busy: 503,
  timeout: 504,
  noSpace: 507,
};

/** The HTTP status of a failure. */
export function statusOf(code: ErrorCode): number {
  return statuses[code] ?? 500;
}

/** Finds the handlers of requests. */
export class Router {
  readonly #routes: readonly Route[];

  constructor(routes: ControlRoutes) {
    this.#routes = Object.entries(routes).map(([route, handler]) => {
      const [method = '', path = ''] = route.split(' ');
      return { method, segments: path.split('/'), handler };
    });
  }

  /** Methods that are in use. */
  get methods(): ReadonlySet<string> {
    return new Set(this.#routes.map(({ method }) => method));
  }

  /** Finds the handler of a request; `HEAD` is answered by what answers `GET`. */
  match(method: string, path: string): Match {
    const wanted = method === 'HEAD' ? 'GET' : method;
    const segments = path.split('/');
    const methods: string[] = [];
    for (const route of this.#routes) {
      const params = paramsOf(route.segments, segments);
      if (params === undefined) continue;
      if (route.method === wanted) return { kind: 'found', handler: route.handler, params };
      methods.push(route.method);
    }
    return methods.length === 0 ? { kind: 'noPath' } : { kind: 'noMethod', methods };
  }
}

function paramsOf(
  pattern: readonly string[],
  segments: readonly string[],
): Record<string, string> | undefined {
  if (pattern.length !== segments.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index]!;
    if (part.startsWith(':') && segment !== '') params[part.slice(1)] = decodeSegment(segment);
    else if (part !== segment) return undefined;
  }
  return params;
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (cause) {
    throw new ClusterError('protocol', `Cannot read path segment "${segment}"`, { cause });
  }
}
