/** The control socket of a daemon: the operations of its node as HTTP and JSON. */
import { ClusterError } from '../base/errors.ts';
import { deferred } from '../base/async.ts';
import {
  type OnProgress,
  type OperationName,
  operationRoutes,
  type Operations,
} from '../node/operations.ts';
import type { ControlHandler, ControlRequest, ControlRoutes } from '../runtime/control-server.ts';
import { readOperationRequest } from './operation-requests.ts';

/** All operations of a node as routes. */
export function controlRoutes(operations: Operations): ControlRoutes {
  const names = Object.keys(operationRoutes) as OperationName[];
  return Object.fromEntries(
    names.map((name) => [operationRoutes[name], handler(operations, name)]),
  );
}

function handler(operations: Operations, name: OperationName): ControlHandler {
  const call = operations[name] as (
    request: unknown,
    context: { signal: AbortSignal; onProgress?: OnProgress },
  ) => Promise<unknown>;
  return (request) => {
    const asked = readOperationRequest(name, request.body ?? {});
    const { signal } = request;
    if (!request.query.has('progress')) {
      return call(asked, { signal }).then((body) => ({ body }));
    }
    return Promise.resolve({
      body: withProgress(request, (onProgress) => call(asked, { signal, onProgress })),
    });
  };
}

/** One line `{"progress": …}` now and then, and one `{"result": …}` at the end. */
async function* withProgress(
  request: ControlRequest,
  work: (onProgress: OnProgress) => Promise<unknown>,
): AsyncGenerator<unknown> {
  let latest: unknown;
  let news = deferred<void>();
  let outcome: { result: unknown } | { error: unknown } | undefined;
  const done = work((progress) => {
    latest = progress;
    news.resolve();
  });
  done.then(
    (result) => outcome = { result },
    (error: unknown) => outcome = { error },
  ).finally(() => news.resolve());
  while (outcome === undefined) {
    await news.promise;
    news = deferred();
    if (request.signal.aborted) throw new ClusterError('aborted', 'The client went away');
    if (latest !== undefined) yield { progress: latest };
    latest = undefined;
  }
  yield { result: await done };
}
