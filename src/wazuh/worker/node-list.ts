/** What a master tells of the nodes of its cluster. Pure. */
import { list, record, text } from '../../base/readers.ts';
import { parseJson } from '../json.ts';

const nodes = record({
  items: list(
    record({ name: text(256), type: text(64), version: text(64), ip: text(256) }),
    100_000,
  ),
});

/** The version of the master among the nodes. @throws ProtocolError `malformed` */
export function masterVersionIn(bytes: Uint8Array): string | undefined {
  return masterIn(bytes)?.version;
}

/** The master among the nodes. @throws ProtocolError `malformed` */
export function masterIn(
  bytes: Uint8Array,
): { readonly name: string; readonly version: string } | undefined {
  const { items } = nodes(parseJson(bytes, 'The list of nodes'), 'nodes');
  return items.find(({ type }) => type === 'master');
}
