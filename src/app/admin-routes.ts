/** The admin address: read-only views for monitoring, `/metrics`, `/livez`, `/readyz`. */
import type { StatusDocument } from '../node/documents.ts';
import { metricsText } from '../node/metrics.ts';
import { operationRoutes, type Operations } from '../node/operations.ts';
import type { ControlRoutes } from '../runtime/control-server.ts';

/** The routes of the admin address. */
export function adminRoutes(operations: Operations): ControlRoutes {
  const status = (signal: AbortSignal) => operations.status({}, { signal });
  return {
    [operationRoutes.status]: async ({ signal }) => ({ body: await status(signal) }),
    'GET /livez': () => Promise.resolve({ body: 'ok\n', contentType: 'text/plain' }),
    'GET /readyz': async ({ signal }) => {
      const problem = problemOf(await status(signal));
      return problem === undefined
        ? { body: 'ok\n', contentType: 'text/plain' }
        : { status: 503, body: `not ready: ${problem}\n`, contentType: 'text/plain' };
    },
    'GET /metrics': async ({ signal }) => ({
      body: metricsText(await status(signal)),
      contentType: 'text/plain; version=0.0.4',
    }),
  };
}

/**
 * Why a node is not ready; undefined where it is: a master when it has published, a worker when it
 * is in step with its master.
 */
function problemOf(status: StatusDocument): string | undefined {
  if (status.role === 'master') {
    return status.generation === null ? 'nothing has been published yet' : undefined;
  }
  if (status.master === null) return `not connected: ${status.last_error ?? 'not tried yet'}`;
  if (status.in_sync === true) return undefined;
  const [halt] = status.halted;
  if (halt !== undefined) return `set "${halt.set}" is halted: ${halt.reason}`;
  return status.in_sync === null ? 'no round has ended yet' : 'not in step with the master';
}
