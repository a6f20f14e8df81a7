/**
 * `muster init`: makes a master.
 */
import { defaultPort } from '../../config/default-port.ts';
import { tables } from '../../config/keys.ts';
import { formatAddress, parseAddress } from '../../base/address.ts';
import { defaultRoot } from '../command-table.ts';
import { checkedName, type Handler, newRootNotes, pathOption, shellWord } from '../context.ts';
import type { InitDocument } from '../documents.ts';
import { versioned } from '../output.ts';
import { UsageError } from '../usage-error.ts';

export const init: Handler = async (context) => {
  const { host, invocation, signal } = context;
  const name = invocation.value('name') ?? host.hostname;
  const node = checkedName('The name of the node', name, 'Give another one with --name');
  const cluster = checkedName(
    'The name of the cluster',
    invocation.value('cluster') ?? tables.node.keys.cluster.default as string,
    'Give another one with --cluster',
  );
  const directory = pathOption(context, 'dir', '.');
  const listen = listenAddress(invocation.value('listen'));
  const root = pathOption(context, 'root', defaultRoot);
  const isWholeTree = invocation.has('whole-tree');
  const request = { directory, node, cluster, listen, root, isWholeTree, signal };
  const made = await host.initMaster(request);
  const document: InitDocument = versioned({
    node,
    cluster,
    role: 'master',
    config: made.configFile,
    authority_fingerprint: made.authorityFingerprint,
  });
  const config = shellWord(made.configFile);
  return {
    document,
    lines: [
      `Master "${node}" of cluster "${cluster}" is ready.`,
      `Configuration: ${made.configFile}`,
      `Authority:     ${made.authorityFingerprint}`,
    ],
    notes: [
      ...newRootNotes(root, made.isRootNew),
      '',
      'Next, start it, and make a token for each worker:',
      `  muster run --config ${config}`,
      `  muster token --config ${config}`,
    ],
  };
};

function listenAddress(text: string | undefined): string {
  const byDefault = tables.master.keys.listen.default as string;
  const address = parseAddress(text ?? byDefault, defaultPort);
  if (address !== undefined) return formatAddress(address);
  throw new UsageError(
    `Option "--listen" cannot be "${text}"`,
    `It is HOST:PORT, such as ${byDefault} or [::]:${defaultPort}`,
  );
}
