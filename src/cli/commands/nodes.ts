/**
 * `muster nodes`: who belongs to the cluster.
 */
import type { NodesDocument } from '../../node/documents.ts';
import { momentOf } from '../../base/time-text.ts';
import { spanText } from '../amounts.ts';
import { askNode, type Handler } from '../context.ts';
import { type Line, styled } from '../styled-text.ts';
import { type Cell, renderTable } from '../table.ts';

export const nodesList: Handler = (context) =>
  askNode(context, async (operations) => {
    const { host, output, signal } = context;
    const document = await operations.nodes({}, { signal });
    const isEmpty = document.nodes.length === 0;
    return {
      document,
      lines: isEmpty ? [] : nodeTable(document, host.clock.nowMs(), output.columns),
      isAsked: true,
      notes: isEmpty ? ['No node has joined yet: "muster token" lets one in'] : [],
    };
  });

export const nodesRevoke: Handler = (context) =>
  askNode(context, async (operations) => {
    const [node = ''] = context.invocation.words;
    const document = await operations.revoke({ node }, { signal: context.signal });
    return { document, lines: [`Revoked "${node}": its certificates are no longer accepted`] };
  });

function nodeTable(document: NodesDocument, nowMs: number, columns: number): Line[] {
  return renderTable(
    ['NODE', 'ROLE', 'STATE', 'JOINED', 'CERTIFICATE'].map((title) => ({ title })),
    document.nodes.map((node) => [
      node.name,
      node.role,
      stateOf(node),
      node.joined.slice(0, 10),
      certificateOf(node, nowMs),
    ]),
    columns,
  );
}

type NodeDocument = NodesDocument['nodes'][number];

function stateOf({ connected, revoked, role }: NodeDocument): Cell {
  if (revoked !== null) return styled('red', `revoked ${revoked.slice(0, 10)}`);
  if (connected) return styled('green', 'connected');
  // The master never connects to itself.
  return role === 'master' ? '' : styled('dim', 'away');
}

function certificateOf(node: NodeDocument, nowMs: number): Cell {
  if (node.revoked !== null) return '';
  if (node.certificate_expires === null) return styled('dim', 'none: Wazuh');
  const leftMs = momentOf(node.certificate_expires) - nowMs;
  return leftMs > 0
    ? `${spanText(leftMs)} left`
    : styled('red', `expired ${spanText(-leftMs)} ago`);
}
