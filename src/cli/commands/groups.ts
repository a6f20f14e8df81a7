/**
 * `muster groups`: the groups of agents, and which agents have them.
 */
import type { GroupsDocument, GroupShowDocument } from '../../node/agent-documents.ts';
import type { GroupChangeRequest } from '../../node/operations.ts';
import { countOf, countText, sizeText } from '../amounts.ts';
import { askNode, type Handler, nextCommand } from '../context.ts';
import type { Invocation } from '../arguments.ts';
import type { Line } from '../styled-text.ts';
import { renderTable } from '../table.ts';
import { UsageError } from '../usage-error.ts';
import { agentIdOf, changeReport, groupNameOf, viewNotes } from './agents.ts';

export const groupsList: Handler = (context) =>
  askNode(context, async (operations) => {
    const { host, invocation, output, signal } = context;
    const document = await operations.groupsList({}, { signal });
    const isEmpty = document.groups.length === 0;
    const hint = `There is no group: ${nextCommand(invocation, 'groups create default')}`;
    return {
      document,
      lines: isEmpty ? [] : groupTable(document, output.columns),
      isAsked: true,
      notes: [...isEmpty ? [hint] : [], ...viewNotes(document, host.clock.nowMs())],
    };
  });

export const groupsShow: Handler = (context) => {
  const { host, signal } = context;
  const name = groupOf(context.invocation);
  return askNode(context, async (operations) => {
    const document = await operations.groupsShow({ name }, { signal });
    return {
      document,
      lines: groupLines(document),
      isAsked: true,
      notes: viewNotes(document, host.clock.nowMs()),
    };
  });
};

export const groupsCreate: Handler = (context) => {
  const name = groupOf(context.invocation);
  return askNode(context, async (operations) => {
    const document = await operations.groupsCreate({ name }, { signal: context.signal });
    return { document, lines: [`Created group "${name}"`] };
  });
};

export const groupsRemove: Handler = (context) => {
  const { invocation, signal } = context;
  const request = { name: groupOf(invocation), force: invocation.has('force') };
  return askNode(context, async (operations) => {
    const document = await operations.groupsRemove(request, { signal });
    const had = document.agents === 0 ? '' : `, which ${countOf(document.agents, 'agent')} had`;
    return { document, lines: [`Removed group "${document.group}"${had}`] };
  });
};

export const groupsAssign: Handler = (context) => {
  const request = changeRequest(context.invocation);
  return askNode(context, async (operations) => {
    const document = await operations.groupsAssign(request, { signal: context.signal });
    const { changed, unchanged } = document;
    const had = unchanged === 0 ? '' : `, ${countText(unchanged)} had it already`;
    const line = `Group "${request.name}" was given to ${countOf(changed, 'agent')}${had}`;
    return changeReport('groups assign', document, [line]);
  });
};

export const groupsUnassign: Handler = (context) => {
  const request = changeRequest(context.invocation);
  return askNode(context, async (operations) => {
    const document = await operations.groupsUnassign(request, { signal: context.signal });
    const { changed, unchanged } = document;
    const had = unchanged === 0 ? '' : `, ${countText(unchanged)} did not have it`;
    const line = `Group "${request.name}" was taken from ${countOf(changed, 'agent')}${had}`;
    return changeReport('groups unassign', document, [line]);
  });
};

// ---------------------------------------------------------------------------------------------

function groupOf(invocation: Invocation): string {
  return groupNameOf(invocation.words[0] ?? '');
}

/** @throws UsageError unless the agents are named in exactly one way */
function changeRequest(invocation: Invocation): GroupChangeRequest {
  const name = groupOf(invocation);
  const ids = invocation.words.slice(1).map(agentIdOf);
  const from = invocation.value('from-group');
  const isAll = invocation.has('all-agents');
  const waysCount = [ids.length > 0, from !== undefined, isAll].filter(Boolean).length;
  if (waysCount !== 1) {
    throw new UsageError(
      waysCount === 0 ? 'No agents are named' : 'Agents are named in more than one way',
      'Give their numbers, or --from-group GROUP, or --all-agents',
    );
  }
  if (isAll) return { name, all: true };
  return from === undefined ? { name, ids } : { name, from: groupNameOf(from) };
}

function groupTable({ groups }: GroupsDocument, columns: number): Line[] {
  return renderTable(
    [
      { title: 'GROUP' },
      { title: 'AGENTS', isNumber: true },
      { title: 'FILES', isNumber: true },
      { title: 'SIZE', isNumber: true },
    ],
    groups.map(({ name, agents, files, bytes }) => [
      name,
      countText(agents),
      countText(files),
      sizeText(bytes),
    ]),
    columns,
  );
}

function groupLines({ group: { name, agents, files } }: GroupShowDocument): Line[] {
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  return [
    `${name}: ${countOf(agents, 'agent')}, ${countOf(files.length, 'file')}, ${sizeText(bytes)}`,
    ...files.map(({ path, size }) => `  ${path} (${sizeText(size)})`),
  ];
}
