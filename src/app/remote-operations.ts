/** The operations of a node whose daemon runs: asked over its control socket. */
import {
  type OnProgress,
  type OperationAnswers,
  type OperationContext,
  type OperationName,
  operationRoutes,
  type Operations,
  type SyncProgress,
} from '../node/operations.ts';
import { callControl, type ControlCall, streamControl } from '../runtime/control-client.ts';

/** Operations that may take long: no time limit but that of the caller's signal, ms. */
const longMs = 24 * 60 * 60 * 1000;

const longOperations: ReadonlySet<OperationName> = new Set([
  'sync',
  'check',
  'rollback',
  'agentsRemove',
  'groupsCreate',
  'groupsRemove',
  'groupsAssign',
  'groupsUnassign',
]);

/** The operations of the daemon behind a control socket. */
export function remoteOperations(socket: string): Operations {
  const names = Object.keys(operationRoutes) as OperationName[];
  const operations = names.map((name) => {
    const ask = (request: object, { signal, onProgress }: OperationContext) => {
      const call: ControlCall = {
        path: socket,
        signal,
        ...addressOf(name, request),
        ...(longOperations.has(name) ? { timeoutMs: longMs } : {}),
      };
      return onProgress === undefined ? callControl(call) : askStreaming(call, onProgress);
    };
    return [name, ask];
  });
  return Object.fromEntries(operations) as unknown as Operations;
}

type Address = Pick<ControlCall, 'method' | 'route' | 'body' | 'lines'>;

/** Where and how an operation is asked; see `operationRoutes`. */
function addressOf(name: OperationName, request: object): Address {
  const [method, path] = operationRoutes[name].split(' ') as ['GET' | 'POST' | 'DELETE', string];
  const rest = new Map<string, unknown>(Object.entries(request));
  const route = path.replaceAll(/:(\w+)/g, (_, field: string) => {
    const value = wordOf(rest.get(field));
    rest.delete(field);
    return encodeURIComponent(value);
  });
  if (name === 'agentsReport') return { method, route, lines: linesOf(rest.get('reports')) };
  if (method === 'POST') return { method, route, body: Object.fromEntries(rest) };
  const query = new URLSearchParams();
  for (const [key, value] of rest) if (value !== undefined) query.set(key, wordOf(value));
  return { method, route: query.size === 0 ? route : `${route}?${query.toString()}` };
}

/** A text, a number or a truth value as part of an address. */
function wordOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Ends of lines within a JSON text are blanks between its words, and can be written as such. */
function linesOf(reports: unknown): string {
  return (reports as readonly string[]).map((report) => report.replaceAll('\n', ' ')).join('\n');
}

async function askStreaming(
  call: ControlCall,
  onProgress: OnProgress,
): Promise<OperationAnswers[OperationName]> {
  const lines = streamControl({ ...call, route: `${call.route}?progress=1` });
  let result: unknown;
  for await (const line of lines as AsyncIterable<{ progress?: SyncProgress; result?: unknown }>) {
    if (line.progress !== undefined) onProgress(line.progress);
    if (line.result !== undefined) result = line.result;
  }
  return result as OperationAnswers[OperationName];
}
