/**
 * `muster token`: one line with which a node can join.
 */
import type { Config } from '../../config/config.ts';
import { defaultPort } from '../../config/default-port.ts';
import { formatAddress, parseAddress } from '../../base/address.ts';
import { durationText } from '../../identity/time-text.ts';
import { isHostPort } from '../../identity/token.ts';
import type { TokenDocument } from '../../node/documents.ts';
import { momentOf } from '../../base/time-text.ts';
import { countOf } from '../amounts.ts';
import { askNode, checkedName, countOption, durationOption, type Handler } from '../context.ts';
import type { Line } from '../styled-text.ts';
import { UsageError } from '../usage-error.ts';

/** Most addresses in one token: more do not fit its format. */
const addressesMax = 8;

export const token: Handler = (context) => {
  const { host, invocation, signal } = context;
  const ttlMs = durationOption(invocation, 'ttl');
  const uses = countOption(invocation, 'uses');
  const node = invocation.value('node');
  if (node !== undefined) checkedName('Option "--node"', node, 'It is the name of the new node');
  const given = invocation.values('address');
  return askNode(context, async (operations, config) => {
    const addresses = given.length > 0
      ? given.map(readAddress)
      : [masterAddress(config, host.hostname)];
    if (addresses.length > addressesMax) {
      throw new UsageError(`A token holds at most ${addressesMax} addresses`);
    }
    const request = {
      addresses,
      ...(ttlMs === undefined ? {} : { ttlMs }),
      ...(uses === undefined ? {} : { uses }),
      ...(node === undefined ? {} : { node }),
    };
    const document = await operations.token(request, { signal });
    return {
      document,
      lines: [document.token],
      isAsked: true,
      notes: hint(document, host.clock.nowMs()),
    };
  });
};

// ---------------------------------------------------------------------------------------------

/** Where a master is reached that listens everywhere: by the name of its machine. */
function masterAddress(config: Config, hostname: string): string {
  const { listen } = config.master;
  const address = parseAddress(listen);
  if (address === undefined || address.port === 0) {
    throw new UsageError(
      `The token has to name a port, and the master listens on "${listen}", on any that is free`,
      'Say where it is reached with --address HOST:PORT',
    );
  }
  const isWildcard = /^(0\.0\.0\.0|[0:]+)$/.test(address.host);
  return isWildcard ? readAddress(formatAddress({ ...address, host: hostname })) : listen;
}

function readAddress(text: string): string {
  const address = parseAddress(text, defaultPort);
  const shown = address === undefined ? text : formatAddress(address);
  if (isHostPort(shown)) return shown;
  throw new UsageError(
    `The address of the master cannot be "${text}"`,
    'Say where it is reached with --address HOST:PORT',
  );
}

function hint(document: TokenDocument, nowMs: number): Line[] {
  const who = document.node === null
    ? `On the new ${document.uses === 1 ? 'node' : 'nodes'}`
    : `On node ${document.node}`;
  const validity = `within ${durationText(momentOf(document.expires) - nowMs)}`;
  const times = document.uses === 1 ? 'once' : countOf(document.uses, 'time');
  return [`${who}, ${validity}, ${times}:`, `  muster join ${document.token}`];
}
