/**
 * What `muster status` shows: how a node is doing, on one screen.
 */
import { momentOf } from '../base/time-text.ts';
import type {
  AgentsStatusDocument,
  PeerDocument,
  SetDocument,
  StatusCountsDocument,
  StatusDocument,
  TaskDocument,
} from '../node/documents.ts';
import { ageText, countOf, countText, sizeText, spanText } from './amounts.ts';
import { type Line, type Span, styled } from './styled-text.ts';
import { type Cell, renderTable } from './table.ts';

/** How the screen is to be drawn. */
export interface StatusView {
  readonly nowMs: number;
  /** Columns that a line may have. */
  readonly columns: number;
  /** A command line to be copied, that concerns the same node. */
  readonly nextCommand: (words: string) => string;
}

/** Clocks that differ by less than this are told the same time: no certificate minds, ms. */
const skewNotedMs = 2000;

/** A certificate with less life than this should have been renewed long ago, ms. */
const expiryNotedMs = 14 * 24 * 60 * 60 * 1000;

/** What holds everything else up for longer is felt by people: the loop never should, ms. */
const loopHoldNotedMs = 250;

/** The screen, line by line. */
export function statusScreen(status: StatusDocument, view: StatusView): Line[] {
  const sections = [
    [...heading(status, view), ...notes(status, view)],
    status.role === 'worker' ? masterTable(status, view) : peerTable(status, view),
    setTable(status.sets, view),
    agentSection(status.agents, view),
    taskTable(status.tasks, view),
    halts(status, view),
  ];
  return sections.filter((lines) => lines.length > 0)
    .flatMap((lines, index) => index === 0 ? lines : ['', ...lines]);
}

// --- the node itself ---------------------------------------------------------------------------

function heading(status: StatusDocument, { nowMs }: StatusView): Line[] {
  const { node, role, cluster, version, pid, started } = status;
  return [
    [styled('bold', node), `, ${role} of cluster "${cluster}"`],
    `muster ${version}, pid ${pid}, up ${spanText(nowMs - momentOf(started))}`,
    role === 'worker' ? workerState(status) : masterState(status),
  ];
}

function workerState(status: StatusDocument): Line {
  const { generation, in_sync: isInSync, last_error: error } = status;
  if (status.master === null) {
    const reason = error === null ? '' : `: ${error}`;
    return [styled('red', 'Not connected'), `${reason}; ${held(status)}`];
  }
  if (generation === null || isInSync === null) {
    return [styled('yellow', 'Not compared yet'), ` with ${status.master.node}`];
  }
  const state = isInSync ? styled('green', 'In sync') : styled('yellow', 'Not in sync');
  return [state, ` with ${status.master.node}, ${held(status)}`];
}

function masterState(status: StatusDocument): Line {
  if (status.generation === null) return [styled('yellow', 'Nothing published yet')];
  const { peers } = status;
  const inSync = peers.filter((peer) => peer.in_sync === true).length;
  return `Serving ${held(status)}; ${countOf(peers.length, 'worker')} connected, ` +
    `${countText(inSync)} in sync`;
}

/** What the node holds: `generation 812: 1,240 files, 12.4 MiB`. */
function held({ generation, files, bytes }: StatusDocument): string {
  if (generation === null) return 'no generation yet';
  return `generation ${generation}: ${countOf(files, 'file')}, ${sizeText(bytes)}`;
}

/** What is out of the ordinary. */
function notes(status: StatusDocument, { nowMs }: StatusView): Line[] {
  const lines: Line[] = [];
  const expiresMs = status.certificate_expires === null
    ? Infinity
    : momentOf(status.certificate_expires);
  const leftMs = expiresMs - nowMs;
  if (leftMs <= 0) {
    lines.push([styled('red', `The certificate expired ${spanText(-leftMs)} ago`)]);
  } else if (leftMs < expiryNotedMs) {
    lines.push([styled('yellow', `The certificate expires in ${spanText(leftMs)}`)]);
  }
  for (const other of [...status.master === null ? [] : [status.master], ...status.peers]) {
    const skewMs = other.clock_skew_ms ?? 0;
    if (Math.abs(skewMs) < skewNotedMs) continue;
    const direction = skewMs > 0 ? 'ahead' : 'behind';
    lines.push([
      styled('yellow', `The clock of ${other.node} is ${spanText(Math.abs(skewMs))} ${direction}`),
    ]);
  }
  const holdMs = status.longest_loop_hold_ms;
  if (holdMs > loopHoldNotedMs) {
    lines.push([styled('yellow', `Everything stood still for ${spanText(holdMs)} once`)]);
  }
  return lines;
}

// --- tables ------------------------------------------------------------------------------------

function masterTable(status: StatusDocument, { nowMs, columns }: StatusView): Line[] {
  const { master } = status;
  if (master === null) return [];
  return renderTable(
    titles('MASTER', 'ADDRESS', 'VERSION', 'CONNECTED', 'ROUND TRIP'),
    [[
      master.node,
      master.address,
      master.version,
      spanText(nowMs - momentOf(master.connected_since)),
      master.round_trip_ms === null ? '-' : spanText(master.round_trip_ms),
    ]],
    columns,
  );
}

function peerTable(status: StatusDocument, { nowMs, columns }: StatusView): Line[] {
  if (status.peers.length === 0) return [];
  return renderTable(
    titles('WORKER', 'ADDRESS', 'VERSION', 'CONNECTED', 'HEARD', 'GENERATION', 'STATE'),
    status.peers.map((peer) => [
      peer.node,
      peer.address,
      peer.protocol === 'wazuh' ? `Wazuh ${peer.version}` : peer.version,
      spanText(nowMs - momentOf(peer.connected_since)),
      ageText(nowMs - peer.last_heard_ms_ago, nowMs),
      peer.generation === null ? '-' : String(peer.generation),
      peerState(peer),
    ]),
    columns,
  );
}

function peerState(peer: PeerDocument): Span {
  if (peer.halted.length > 0) return styled('red', 'halted');
  if (peer.in_sync === null) return styled('dim', 'unknown');
  return peer.in_sync ? styled('green', 'in sync') : styled('yellow', 'behind');
}

function setTable(sets: readonly SetDocument[], { columns }: StatusView): Line[] {
  if (sets.length === 0) return [];
  return renderTable(
    [
      { title: 'SET' },
      { title: 'FILES', isNumber: true },
      { title: 'SIZE', isNumber: true },
      { title: 'STATE' },
      { title: 'PATH' },
    ],
    sets.map(({ name, path, files, bytes, halted }): Cell[] => [
      name,
      countText(files),
      sizeText(bytes),
      halted === null ? 'ok' : styled('red', 'halted'),
      path === '' ? '.' : path,
    ]),
    columns,
  );
}

/** Nothing where there are no agents: not everybody has some. */
function agentSection(agents: AgentsStatusDocument, { columns }: StatusView): Line[] {
  const { total, by_status: all, by_node: nodes, groups, unconfirmed, refused } = agents;
  const notes: Line[] = [];
  if (unconfirmed > 0) {
    notes.push(`${countOf(unconfirmed, 'agent')} not yet confirmed by the master`);
  }
  if (refused > 0) {
    notes.push([styled('yellow', countOf(refused, 'agent')), ' not known to the master']);
  }
  if (total === 0 && nodes.length === 0) return notes;
  const rows = nodes.map((node): Cell[] => [node.node, ...countCells(node)]);
  const table = renderTable(
    [
      { title: 'AGENTS OF' },
      { title: 'ACTIVE', isNumber: true },
      { title: 'DISCONNECTED', isNumber: true },
      { title: 'PENDING', isNumber: true },
      { title: 'NEVER', isNumber: true },
    ],
    [...rows, [`all ${countText(total)}`, ...countCells(all)]],
    columns,
  );
  return [...table, `${countOf(groups, 'group')} of agents`, ...notes];
}

function countCells(counts: StatusCountsDocument): Cell[] {
  const { active, disconnected, pending, never_connected: never } = counts;
  return [active, disconnected, pending, never].map(countText);
}

function taskTable(tasks: readonly TaskDocument[], { nowMs, columns }: StatusView): Line[] {
  // One for each of a hundred workers would hide all else: of these, those that are in trouble.
  const shown = tasks.filter((task) => task.worker === null || task.failures_in_a_row > 0);
  if (shown.length === 0) return [];
  return renderTable(
    titles('TASK', 'STATE', 'LAST SUCCESS', 'TOOK', 'RESULT'),
    shown.map((task) => [
      task.worker === null ? task.name : `${task.name} ${task.worker}`,
      taskState(task),
      task.last_success === null ? 'never' : ageText(momentOf(task.last_success), nowMs),
      task.last_duration_ms === null ? '-' : spanText(task.last_duration_ms),
      (task.failures_in_a_row > 0 ? task.last_error : task.last_summary) ?? '',
    ]),
    columns,
  );
}

function taskState({ running, failures_in_a_row: failures }: TaskDocument): Cell {
  if (failures > 0) return styled('red', `failed ${countText(failures)}x`);
  return running ? 'running' : 'waiting';
}

function titles(...names: readonly string[]) {
  return names.map((title) => ({ title }));
}

// --- halts -------------------------------------------------------------------------------------

function halts(status: StatusDocument, { nowMs, nextCommand }: StatusView): Line[] {
  const own = status.halted.flatMap(({ set, reason, since }): Line[] => [
    [
      styled('red', `Set "${set}" is halted`),
      ` since ${spanText(nowMs - momentOf(since))}: ${reason}`,
    ],
    `  To let it through: ${nextCommand(`approve ${set}`)}`,
  ]);
  const others = status.peers.flatMap(({ node, halted }) =>
    halted.flatMap(({ set, reason }): Line[] => [
      [styled('red', `Set "${set}" is halted on ${node}`), `: ${reason}`],
      `  To let it through, on ${node}: muster approve ${set}`,
    ])
  );
  return [...own, ...others];
}
