/**
 * Groups of agents in the Wazuh protocol: what a master sends about them, and the arithmetic of the
 * hashes by which a worker sees whether it has the same. Pure.
 */
import { type ByteString, fromText, toBytes, toHex } from '../base/bytes.ts';
import { list, optional, type Reader, record, text, whole } from '../base/readers.ts';
import type { Hashing } from '../ports.ts';
import { compactJson, parseJson } from './json.ts';

/** The groups of one agent, in order of priority. */
export interface AgentGroups {
  readonly id: number;
  /** A worker that does not know the agent makes one of this name. */
  readonly name: string;
  readonly groups: readonly string[];
}

/** A piece of what a master sends. */
export interface GroupsChunk {
  readonly agents: readonly AgentGroups[];
  /**
   * The hash over the groups of all agents, 40 digits: in the last piece of an incremental send. Null
   * where no agent has any: nodes send that too.
   */
  readonly globalHash: string | null | undefined;
}

/** The hash of the groups of an agent: 8 hexadecimal digits; undefined where it has none. */
export function groupHash(hashing: Hashing, groups: readonly string[]): string | undefined {
  if (groups.length === 0) return undefined;
  return toHex(hashing.digest('sha256', toBytes(fromText(groups.join(',')))).slice(0, 4));
}

/**
 * The hash over the groups of all agents, 40 hexadecimal digits; undefined where none has any.
 * @param hashes those of agents with ids above 0, in the order of the ids
 */
export function globalGroupsHash(
  hashing: Hashing,
  hashes: Iterable<string | undefined>,
): string | undefined {
  let joined: ByteString = '';
  for (const hash of hashes) joined += hash ?? '';
  return joined === '' ? undefined : toHex(hashing.digest('sha1', toBytes(joined)));
}

/** The JSON text that a master sends about groups. */
export function writeGroups(chunks: readonly GroupsChunk[]): Uint8Array {
  return compactJson({
    set_data_command: 'global set-agent-groups',
    payload: { mode: 'override', sync_status: 'synced' },
    // Each piece is a text in the text: the answer of a database, as it came.
    chunks: chunks.map(({ agents, globalHash }) =>
      JSON.stringify([{
        data: agents.map(({ id, name, groups }) => ({ id, name, groups })),
        ...(globalHash === undefined ? {} : { hash: globalHash }),
      }])
    ),
  });
}

/** What a master sent about groups. @throws ProtocolError `malformed` */
export function readGroups(bytes: Uint8Array): GroupsChunk[] {
  const { chunks } = message(parseJson(bytes, 'Groups of agents'), 'groups');
  return chunks.map((chunk) => {
    const [first] = answers(parseJson(toBytes(fromText(chunk)), 'Groups of agents'), 'chunk');
    return { agents: first?.data ?? [], globalHash: first?.hash };
  });
}

// ---

const chunksMax = 100_000;

const message: Reader<{ readonly chunks: readonly string[] }> = record({
  chunks: list(text(1024 * 1024), chunksMax),
});

const globalHash: Reader<string | null | undefined> = (value, where) =>
  value === null ? null : optional(text(64))(value, where);

const answers = list(
  record({
    data: list(
      record({
        id: whole(0, 2 ** 31 - 1),
        name: text(256),
        groups: list(text(255), 128),
      }),
      65_536,
    ),
    hash: globalHash,
  }),
  1,
);
