/** The operations on agents and groups of a node that is open in this process. */
import { parseReport } from '../agents/report.ts';
import type { AgentId } from '../agents/agent.ts';
import type { AgentReport } from '../agents/report.ts';
import type { AgentViews } from '../agents/store/views.ts';
import { ClusterError } from '../base/errors.ts';
import {
  agentDocument,
  type AgentShowDocument,
  type ReportDocument,
  unknownAgentText,
  viewDocument,
} from './agent-documents.ts';
import type { AgentSource } from './agent-operations.ts';
import { pageAgentsMax } from './agent-pages.ts';
import { schemaVersion } from './documents.ts';
import type { Operations } from './operations.ts';

/** What answers are made of. */
export interface AgentAnswerParts {
  readonly role: 'master' | 'worker';
  readonly views: AgentViews;
  readonly source: AgentSource;
}

/** What either role answers about agents. */
export function agentAnswers(
  parts: AgentAnswerParts,
): Pick<Operations, 'agentsList' | 'agentsShow' | 'agentsReport'> {
  const { role, views, source } = parts;
  const view = () => viewDocument(role, undefined);
  return {
    agentsList: async ({ after = 0, limit = pageAgentsMax, ...filter }) => {
      const page = await views.page(filter, after, Math.min(limit, pageAgentsMax));
      const { schema_version, ...seen } = view();
      return { schema_version, total: page.total, ...seen, agents: page.agents.map(agentDocument) };
    },
    agentsShow: ({ id }) => Promise.resolve().then(() => shown(parts, id)),
    agentsReport: ({ reports }) => takeTexts(source, reports),
  };
}

function shown({ role, views }: AgentAnswerParts, id: AgentId): AgentShowDocument {
  const agent = views.get(id);
  if (agent === undefined) throw new ClusterError('notFound', unknownAgentText(id));
  return { ...viewDocument(role, undefined), agent: agentDocument(agent) };
}

/** Takes in the reports that can be read, and says what is wrong with the others. */
async function takeTexts(
  source: AgentSource,
  texts: readonly string[],
): Promise<ReportDocument> {
  const reports: AgentReport[] = [];
  const lines: number[] = [];
  const refused: { readonly line: number; readonly problem: string }[] = [];
  for (const [index, text] of texts.entries()) {
    const { report, problem } = parseReport(text);
    if (report === undefined) {
      refused.push({ line: index + 1, problem });
    } else {
      reports.push(report);
      lines.push(index + 1);
    }
  }
  for (const { index, problem } of await source.report(reports)) {
    refused.push({ line: lines[index]!, problem });
  }
  return {
    schema_version: schemaVersion,
    accepted: texts.length - refused.length,
    refused_count: refused.length,
    refused: refused.toSorted((left, right) => left.line - right.line),
  };
}
