/** The operations of a node whose daemon runs: asked over its control socket. */
import {
  type OnProgress,
  type OperationAnswers,
  type OperationName,
  operationRoutes,
  type Operations,
  type SyncProgress,
} from '../node/operations.ts';
import { callControl, type ControlCall, streamControl } from '../runtime/control-client.ts';

/** Operations that may take long: no time limit but that of the caller's signal, ms. */
const longMs = 24 * 60 * 60 * 1000;

const longOperations: ReadonlySet<OperationName> = new Set(['sync', 'check', 'rollback']);

interface OperationContext {
  readonly signal: AbortSignal;
  readonly onProgress?: OnProgress;
}

/** The operations of the daemon behind a control socket. */
export function remoteOperations(socket: string): Operations {
  const names = Object.keys(operationRoutes) as OperationName[];
  const operations = names.map((name) => {
    const [method, route] = operationRoutes[name].split(' ') as ['GET' | 'POST', string];
    const ask = (request: unknown, context: OperationContext) => {
      const { signal, onProgress } = context;
      const call: ControlCall = {
        path: socket,
        method,
        route,
        signal,
        ...(method === 'POST' ? { body: request } : {}),
        ...(longOperations.has(name) ? { timeoutMs: longMs } : {}),
      };
      return onProgress === undefined ? callControl(call) : askStreaming(call, onProgress);
    };
    return [name, ask];
  });
  return Object.fromEntries(operations) as unknown as Operations;
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
