/**
 * `muster agents list` and `show`: which agents there are, and what is known of them.
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
  AgentsDocument,
  AgentShowDocument,
  ViewDocument,
} from '../../node/agent-documents.ts';
import { agentPages } from '../../node/agent-pages.ts';
import type { OperationRequests } from '../../node/operations.ts';
import { ageText, countOf, countText } from '../amounts.ts';
import type { Invocation } from '../arguments.ts';
import { askNode, type Context, countOption, type Handler } from '../context.ts';
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
