/** The operations on agents and groups of a node that is open in this process. */
import { type AgentId, agentIdText } from '../agents/agent.ts';
import { type AgentReport, parseReport } from '../agents/report.ts';
import type { AgentViews } from '../agents/store/views.ts';
import { ClusterError } from '../base/errors.ts';
import {
  agentDocument,
  type AgentShowDocument,
  changeDocument,
  groupDocument,
  type GroupShowDocument,
  type ReportDocument,
  viewDocument,
} from './agent-documents.ts';
import type {
  AgentAdministration,
  AgentSelection,
  AgentSource,
  GroupAdministration,
  GroupSource,
} from './agent-operations.ts';
import { pageAgentsMax } from './agent-pages.ts';
import { schemaVersion } from './documents.ts';
import type { GroupChangeRequest, Operations } from './operations.ts';

/** What either role has. */
export interface AgentAnswerParts {
  readonly role: 'master' | 'worker';
  readonly views: AgentViews;
  readonly source: AgentSource;
  readonly groups: GroupSource;
}

/** What either role answers. */
export function agentAnswers(
  parts: AgentAnswerParts,
): Pick<
  Operations,
  'agentsList' | 'agentsShow' | 'agentsReport' | 'groupsList' | 'groupsShow'
> {
  const { views, source, groups } = parts;
  return {
    agentsList: async ({ after = 0, limit = pageAgentsMax, ...filter }) => {
      const page = await views.page(filter, after, Math.min(limit, pageAgentsMax));
      return { ...headOf(parts, page.total), agents: page.agents.map(agentDocument) };
    },
    agentsShow: ({ id }) => Promise.resolve().then(() => shownAgent(parts, id)),
    agentsReport: ({ reports }) => takeTexts(source, reports),
    groupsList: async (_, { signal }) => {
      const known = await groups.groups(signal);
      const agents = await views.groupCounts();
      const documents = known.map((group) => groupDocument(group, agents));
      return { ...headOf(parts, documents.length), groups: documents };
    },
    groupsShow: ({ name }, { signal }) => shownGroup(parts, name, signal),
  };
}

/** What a master alone has. */
export interface AdministrationParts extends AgentAnswerParts {
  readonly groups: GroupSource & GroupAdministration;
  readonly registry: AgentAdministration;
}

/** What a master alone answers. */
export function administrationAnswers(
  parts: AdministrationParts,
): Pick<
  Operations,
  | 'agentsAdd'
  | 'agentsRemove'
  | 'groupsCreate'
  | 'groupsRemove'
  | 'groupsAssign'
  | 'groupsUnassign'
> {
  const { registry, groups } = parts;
  return {
    agentsAdd: async (addition) => shownAgent(parts, await registry.add(addition)),
    agentsRemove: async ({ ids }) => changeDocument(await registry.remove(ids)),
    groupsCreate: async ({ name }, { signal }) => {
      await groups.createGroup(name, signal);
      return await shownGroup(parts, name, signal);
    },
    groupsRemove: async ({ name, force }, { signal }) => {
      const agents = await groups.removeGroup(name, { isForced: force }, signal);
      return { schema_version: schemaVersion, group: name, agents };
    },
    groupsAssign: async (request, { signal }) =>
      changeDocument(await groups.assign(request.name, selectionOf(request), signal)),
    groupsUnassign: async (request, { signal }) =>
      changeDocument(await groups.unassign(request.name, selectionOf(request), signal)),
  };
}

// ---------------------------------------------------------------------------------------------

function headOf({ role, groups }: AgentAnswerParts, total: number) {
  const { schema_version, ...view } = viewDocument(role, groups.confirmedMs());
  return { schema_version, total, ...view };
}

function shownAgent(parts: AgentAnswerParts, id: AgentId): AgentShowDocument {
  const agent = parts.views.get(id);
  const { role, groups } = parts;
  if (agent !== undefined) {
    return { ...viewDocument(role, groups.confirmedMs()), agent: agentDocument(agent) };
  }
  throw new ClusterError('notFound', `There is no agent ${agentIdText(id)}`);
}

async function shownGroup(
  parts: AgentAnswerParts,
  name: string,
  signal: AbortSignal,
): Promise<GroupShowDocument> {
  const { role, groups, views } = parts;
  await groups.groups(signal);
  const files = await groups.groupFiles(name);
  if (files === undefined) {
    throw new ClusterError('notFound', `There is no group "${name}"`, {
      remedy: 'See "muster groups list"',
    });
  }
  const agents = (await views.groupCounts()).get(name) ?? 0;
  return { ...viewDocument(role, groups.confirmedMs()), group: { name, agents, files } };
}

function selectionOf({ ids, all, from }: GroupChangeRequest): AgentSelection {
  if (ids !== undefined) return { ids };
  if (from !== undefined) return { group: from };
  if (all === true) return { all };
  throw new ClusterError('protocol', 'No agents are named');
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
