/** The control socket of a daemon: the operations of its node as HTTP and JSON. */
import { ClusterError } from '../base/errors.ts';
import { deferred } from '../base/async.ts';
import type { AgentsDocument } from '../node/agent-documents.ts';
import { agentPages, pageAgentsMax } from '../node/agent-pages.ts';
import {
  type OnProgress,
  type OperationContext,
  type OperationName,
  operationRoutes,
  type Operations,
} from '../node/operations.ts';
import { takeReports } from '../node/report-stream.ts';
import { systemClock } from '../runtime/clock.ts';
import type {
  ControlHandler,
  ControlReply,
  ControlRequest,
  ControlRoutes,
  ControlStreamHandler,
} from '../runtime/control-server.ts';
import { readOperationQuery, readOperationRequest } from './operation-requests.ts';

/** All operations of a node as routes. */
export function controlRoutes(operations: Operations): ControlRoutes {
  const names = Object.keys(operationRoutes) as OperationName[];
  return {
    ...Object.fromEntries(names.map((name) => [operationRoutes[name], handler(operations, name)])),
    [operationRoutes.agentsList]: (request) => listAgents(operations, request),
    [operationRoutes.agentsReport]: reportTaker(operations),
    'DELETE /v1/agents/:id': async ({ params, signal }) => {
      const request = readOperationRequest('agentsRemove', { ids: [params['id']] });
      return { body: await operations.agentsRemove(request, { signal }) };
    },
  };
}

function handler(operations: Operations, name: OperationName): ControlHandler {
  const call = operations[name] as (
    request: unknown,
    context: OperationContext,
  ) => Promise<unknown>;
  return async (request) => {
    const { signal } = request;
    const isProgressWanted = request.query.has('progress');
    const asked = readRequest(name, request);
    if (!isProgressWanted) return { body: await call(asked, { signal }) };
    return { body: withProgress(request, (onProgress) => call(asked, { signal, onProgress })) };
  };
}

function readRequest<N extends OperationName>(
  name: N,
  { method, params, query, body }: ControlRequest,
) {
  if (method !== 'POST') return readOperationQuery(name, params, query);
  const isObject = typeof body === 'object' && body !== null && !Array.isArray(body);
  return readOperationRequest(name, isObject ? { ...body, ...params } : body ?? params);
}

// --- agents ------------------------------------------------------------------------------------

/** A list of any length: sent page by page. */
async function listAgents(operations: Operations, request: ControlRequest): Promise<ControlReply> {
  const { signal } = request;
  const asked = readRequest('agentsList', request);
  const pages = agentPages(operations, asked, { signal });
  const first = await pages.next();
  if (first.done === true) throw new ClusterError('failed', 'A list has no beginning');
  const isAll = first.value.agents.length < pageAgentsMax || asked.limit === pageAgentsMax;
  return isAll ? { body: first.value } : { pieces: listPieces(first.value, pages) };
}

/** A document whose list goes on over several pages, as text. */
async function* listPieces(
  first: AgentsDocument,
  pages: AsyncIterable<AgentsDocument>,
): AsyncGenerator<string, void, void> {
  const text = JSON.stringify({ ...first, agents: [] });
  yield `${text.slice(0, text.lastIndexOf(']'))}${itemsText(first)}`;
  for await (const page of pages) {
    if (page.agents.length > 0) yield `,${itemsText(page)}`;
  }
  yield ']}\n';
}

function itemsText({ agents }: AgentsDocument): string {
  return agents.map((agent) => JSON.stringify(agent)).join(',');
}

/** Reports of any number, taken in while they arrive. */
function reportTaker(operations: Operations): ControlStreamHandler {
  return {
    takeStream: async ({ chunks, signal }) => ({
      body: await takeReports(
        systemClock,
        chunks,
        (reports) => operations.agentsReport({ reports }, { signal }),
        { batchesAtOnce },
      ),
    }),
  };
}

/** Batches of reports under way: they share the flushes of the disk. */
const batchesAtOnce = 16;

// --- progress ----------------------------------------------------------------------------------

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
