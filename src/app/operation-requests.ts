/** Reading what is asked over the control socket: nothing that arrives there is trusted. */
import { ClusterError } from '../base/errors.ts';
import { flag, list, optional, type Reader, record, text, whole } from '../base/readers.ts';
import type { OperationName, OperationRequests } from '../node/operations.ts';

const day = 86_400_000;

const readers: { readonly [N in OperationName]: Reader<unknown> } = {
  status: record({}),
  sync: record({ dryRun: optional(flag) }),
  check: record({ offline: optional(flag) }),
  approve: record({ set: optional(text(64)) }),
  versions: record({ path: optional(text(4096)) }),
  rollback: record({ generation: optional(whole(1)), version: optional(whole(1)) }),
  token: record({
    addresses: list(text(300), 16),
    ttlMs: optional(whole(1000, 365 * day)),
    uses: optional(whole(1, 100_000)),
    node: optional(text(64)),
  }),
  nodes: record({}),
  revoke: record({ node: text(64) }),
};

/**
 * The request of an operation from a JSON document.
 * @throws ClusterError('protocol') naming what is wrong
 */
export function readOperationRequest<N extends OperationName>(
  name: N,
  body: unknown,
): OperationRequests[N] {
  const read = readers[name](body, name) as Record<string, unknown>;
  const given = Object.entries(read).filter(([, value]) => value !== undefined);
  const request = { ...defaults[name], ...Object.fromEntries(given) };
  if (name === 'rollback' && Object.keys(request).length !== 1) {
    throw new ClusterError('protocol', 'A rollback names either a generation or a version');
  }
  return request as unknown as OperationRequests[N];
}

const defaults: { readonly [N in OperationName]?: object } = {
  sync: { dryRun: false },
  check: { offline: false },
};
