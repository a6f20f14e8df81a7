/** A long list of agents, page by page, so that nobody ever holds all of it. */
import type { AgentsDocument } from './agent-documents.ts';
import type { OperationContext, OperationRequests, Operations } from './operations.ts';

/** Agents of one page. */
export const pageAgentsMax = 1_000;

/** The pages of a list: at least one, each with the total. */
export async function* agentPages(
  operations: Pick<Operations, 'agentsList'>,
  request: OperationRequests['agentsList'],
  context: OperationContext,
): AsyncGenerator<AgentsDocument, void, void> {
  let left = request.limit ?? Infinity;
  let { after } = request;
  while (true) {
    const limit = Math.min(left, pageAgentsMax);
    const page = await operations.agentsList(
      { ...request, limit, ...(after === undefined ? {} : { after }) },
      context,
    );
    yield page;
    left -= page.agents.length;
    if (page.agents.length < limit || left <= 0) return;
    after = Number(page.agents.at(-1)!.id);
  }
}
