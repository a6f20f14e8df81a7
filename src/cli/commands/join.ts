/**
 * `muster join`: makes a worker.
 */
import { isoTime } from '../../base/time-text.ts';
import { decodeToken } from '../../identity/token.ts';
import { defaultRoot } from '../command-table.ts';
import { checkedName, type Handler, newRootNotes, pathOption, shellWord } from '../context.ts';
import type { JoinDocument } from '../documents.ts';
import { versioned } from '../output.ts';
import { UsageError } from '../usage-error.ts';

/** The variable that may hold the token. */
const tokenVariable = 'MUSTER_TOKEN';

export const join: Handler = async (context) => {
  const { host, invocation, signal } = context;
  const text = invocation.words[0] ?? host.environment[tokenVariable] ?? '';
  if (text === '') {
    throw new UsageError(
      `"muster join" needs TOKEN, or $${tokenVariable}`,
      'Run "muster token" on the master to get one',
    );
  }
  const token = decodeToken(text);
  const name = invocation.value('name') ?? token.node ?? host.hostname;
  const node = checkedName('The name of the node', name, 'Give another one with --name');
  if (token.node !== undefined && token.node !== node) {
    throw new UsageError(
      `The token is for node "${token.node}", not for "${node}"`,
      'Leave out --name, or have a token made for this node',
    );
  }
  const directory = pathOption(context, 'dir', '.');
  const root = pathOption(context, 'root', defaultRoot);
  const joined = await host.joinCluster({ token, directory, node, root, signal });
  const { cluster } = token;
  const { configFile, master, address } = joined;
  const document: JoinDocument = versioned({
    node,
    cluster,
    role: 'worker',
    config: configFile,
    master,
    address,
    certificate_expires: isoTime(joined.certificateNotAfterMs),
  });
  const config = shellWord(configFile);
  return {
    document,
    lines: [
      `Worker "${node}" has joined cluster "${cluster}", master ${master} at ${address}.`,
      `Configuration: ${configFile}`,
    ],
    notes: [
      ...newRootNotes(root, joined.isRootNew),
      '',
      'Next, see what would change, and start it:',
      `  muster sync --once --dry-run --config ${config}`,
      `  muster run --config ${config}`,
    ],
  };
};
