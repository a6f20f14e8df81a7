/**
 * `muster agents`: which agents there are, what is known of them, and adding and removing some.
 */
import {
  type AgentId,
  type ConnectionStatus,
  connectionStatuses,
  groupNameExpected,
  isGroupName,
  parseAgentId,
} from '../../agents/agent.ts';
import { isoTime, momentOf } from '../../base/time-text.ts';
import type {
  AgentDocument,
  AgentsChangeDocument,
  AgentsDocument,
  AgentShowDocument,
  ViewDocument,
} from '../../node/agent-documents.ts';
import { agentPages } from '../../node/agent-pages.ts';
import type { OperationRequests } from '../../node/operations.ts';
import { ageText, countOf, countText } from '../amounts.ts';
import type { Invocation } from '../arguments.ts';
import { askNode, type Context, countOption, type Handler } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Report } from '../output.ts';
import { type Line, type Span, styled } from '../styled-text.ts';
import { type Cell, GrowingTable } from '../table.ts';
import { UsageError } from '../usage-error.ts';

export const agentsList: Handler = (context) =>
  askNode(context, async (operations) => {
    const request = listRequest(context.invocation);
    const pages = agentPages(operations, request, { signal: context.signal });
    await (context.output.isJson ? writeDocument(context, pages) : writeTable(context, pages));
    return undefined;
  });

export const agentsShow: Handler = (context) => {
  const { host, invocation, signal } = context;
  const id = agentIdOf(invocation.words[0] ?? '');
  return askNode(context, async (operations) => {
    const document = await operations.agentsShow({ id }, { signal });
    return {
      document,
      lines: agentLines(document, host.clock.nowMs()),
      isAsked: true,
      notes: viewNotes(document, host.clock.nowMs()),
    };
  });
};

export const agentsAdd: Handler = (context) => {
  const { host, invocation, signal } = context;
  const [word] = invocation.words;
  const name = invocation.value('name');
  const ip = invocation.value('ip');
  if (name === undefined) {
    throw new UsageError('An agent needs a name', 'Give it with --name NAME');
  }
  const request = {
    name,
    ...(word === undefined ? {} : { id: agentIdOf(word) }),
    ...(ip === undefined ? {} : { ip }),
  };
  return askNode(context, async (operations) => {
    const document = await operations.agentsAdd(request, { signal });
    const { agent } = document;
    return {
      document,
      lines: [`Added agent ${agent.id}, ${agent.name}`],
      notes: viewNotes(document, host.clock.nowMs()),
    };
  });
};

export const agentsRemove: Handler = (context) => {
  const ids = context.invocation.words.map(agentIdOf);
  return askNode(context, async (operations) => {
    const document = await operations.agentsRemove({ ids }, { signal: context.signal });
    const { changed } = document;
    return changeReport('agents remove', document, [`Removed ${countOf(changed, 'agent')}`]);
  });
};

/** What there is to say of a change to several agents; the lines tell what has changed. */
export function changeReport(
  command: string,
  document: AgentsChangeDocument,
  lines: readonly Line[],
): Report {
  const { changed, unchanged, refused } = document;
  if (refused.length === 0) return { document, lines };
  const isNothingDone = changed + unchanged === 0;
  const [first] = refused;
  return {
    document,
    lines: isNothingDone ? [] : lines,
    notes: refused.map(({ id, problem }) => [
      styled('red', 'muster:'),
      ` agent ${id}: ${problem}`,
    ]),
    exitCode: isNothingDone ? exitCodes.failure : exitCodes.partly,
    brief: `${command}: ${countOf(refused.length, 'agent')} refused, ` +
      `agent ${first?.id}: ${first?.problem}`,
  };
}

/** @throws UsageError where it is no number of an agent */
export function agentIdOf(word: string): AgentId {
  const id = parseAgentId(word);
  if (id !== undefined) return id;
  throw new UsageError(`An agent cannot have the number "${word}"`, 'Write it as 007 or 7');
}

/** @throws UsageError where it cannot be the name of a group */
export function groupNameOf(word: string): string {
  if (isGroupName(word)) return word;
  throw new UsageError(`A group cannot have the name "${word}"`, `Its name ${groupNameExpected}`);
}

/** What has to be said of a view that is not the master's. */
export function viewNotes({ view, confirmed }: ViewDocument, nowMs: number): Line[] {
  if (view === 'master') return [];
  const age = confirmed === null
    ? 'the master has not confirmed its groups yet'
    : `the master confirmed its groups ${ageText(momentOf(confirmed), nowMs)}`;
  return [[styled('dim', `This is the view of a worker; ${age}`)]];
}

// --- list --------------------------------------------------------------------------------------

function listRequest(invocation: Invocation): OperationRequests['agentsList'] {
  const given = (option: string) => invocation.value(option);
  const [status, node, group, platform] = ['status', 'node', 'group', 'os'].map(given);
  const limit = countOption(invocation, 'limit');
  return {
    ...(status === undefined ? {} : { status: connectionStatusOf(status) }),
    ...(node === undefined ? {} : { node }),
    ...(group === undefined ? {} : { group: groupNameOf(group) }),
    ...(platform === undefined ? {} : { platform }),
    ...(limit === undefined ? {} : { limit }),
  };
}

function connectionStatusOf(word: string): ConnectionStatus {
  // The table of commands lets no other through.
  return connectionStatuses.find((status) => status === word) ?? 'active';
}

async function writeDocument(
  { output }: Context,
  pages: AsyncGenerator<AgentsDocument, void, void>,
): Promise<void> {
  const first = await pages.next();
  if (first.done === true) return;
  const { agents, ...head } = first.value;
  await output.documentWithList(head, 'agents', lists(agents, pages));
}

async function* lists(first: readonly AgentDocument[], pages: AsyncIterable<AgentsDocument>) {
  yield first;
  for await (const { agents } of pages) yield agents;
}

const columns = ['ID', 'NAME', 'IP', 'STATUS', 'NODE', 'OS', 'HEARD', 'GROUPS'];

async function writeTable(
  { host, output }: Context,
  pages: AsyncIterable<AgentsDocument>,
): Promise<void> {
  const nowMs = host.clock.nowMs();
  const table = new GrowingTable(columns.map((title) => ({ title })), output.columns);
  let shownCount = 0;
  let last: AgentsDocument | undefined;
  for await (const page of pages) {
    if (page.agents.length > 0) {
      output.lines(table.add(page.agents.map((agent) => row(agent, nowMs))));
    }
    shownCount += page.agents.length;
    last = page;
  }
  if (last === undefined || output.isQuiet) return;
  output.notes([...countNotes(last.total, shownCount), ...viewNotes(last, nowMs)]);
}

function countNotes(total: number, shownCount: number): Line[] {
  if (total === 0) return ['There is no such agent'];
  return shownCount < total ? [`${countText(shownCount)} of ${countOf(total, 'agent')}`] : [];
}

function row(agent: AgentDocument, nowMs: number): Cell[] {
  const { id, name, ip, node_name: node, groups } = agent;
  const heard = agent.last_keepalive;
  return [
    id,
    name,
    ip ?? '-',
    statusSpan(agent.connection_status),
    node ?? '-',
    systemText(agent) || '-',
    heard === null ? 'never' : ageText(heard * 1000, nowMs),
    groups.join(','),
  ];
}

function statusSpan(status: ConnectionStatus): Span {
  switch (status) {
    case 'active':
      return styled('green', status);
    case 'disconnected':
      return styled('red', status);
    case 'pending':
      return styled('yellow', status);
    case 'never_connected':
      return styled('dim', status);
  }
}

function systemText({ os_name: name, os_platform: platform, os_version: version }: AgentDocument) {
  return [name ?? platform, version].filter((text) => text !== null && text !== '').join(' ');
}

// --- show --------------------------------------------------------------------------------------

/** One line for every column that says something. */
function agentLines({ agent }: AgentShowDocument, nowMs: number): Line[] {
  const { groups, labels, ...columnsOfAgent } = agent;
  const rows: (readonly [string, string])[] = [];
  for (const [name, value] of Object.entries(columnsOfAgent)) {
    if (value !== null && value !== '') rows.push([name, valueText(name, value, nowMs)]);
  }
  rows.push(['groups', groups.join(',')]);
  for (const [key, value] of Object.entries(labels)) rows.push([`labels.${key}`, value]);
  const width = Math.max(...rows.map(([name]) => name.length)) + 2;
  return rows.map(([name, value]) => [styled('bold', name.padEnd(width)), value]);
}

const moments: ReadonlySet<string> = new Set(['last_keepalive', 'disconnection_time', 'date_add']);

function valueText(name: string, value: string | number, nowMs: number): string {
  if (typeof value === 'string' || !moments.has(name)) return String(value);
  // 0 stands for a moment that has not been.
  return value === 0 ? '-' : `${isoTime(value * 1000)} (${ageText(value * 1000, nowMs)})`;
}
