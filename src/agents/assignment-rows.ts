/**
 * Packed assignments, as they are hashed and sent.
 *
 * Integers are big-endian. A row is u32 number of the agent, u8 flags (1: the agent was removed,
 * 2: it is from the keys file, 4: it has a name), then, where it has one, u16 length and the UTF-8
 * bytes of the name, then, where it was not removed, u16 length and the groups, separated by commas.
 */
import { type ByteString, fromBytes, fromText, toText } from '../base/bytes.ts';
import { ByteReader, type ByteWriter } from '../base/cursor.ts';
import { ProtocolError } from '../base/errors.ts';
import { type AgentId, agentIdMax, groupsMax, isGroupName, textColumns } from './agent.ts';

/** What the master says of an agent: that it exists, and its groups. */
export interface Assignment {
  readonly id: AgentId;
  readonly name: string | null;
  /** Whether the keys file says that it exists, not an operator. */
  readonly isFromKeys: boolean;
  /** In their order, separated by commas; null where the agent was removed. */
  readonly groups: string | null;
}

/** The most bytes that a packed row can have. */
export const assignmentBytesMax = 4 + 1 + 2 + 4 * textColumns.name + 2 + 0xffff;

const REMOVED = 1;
const FROM_KEYS = 2;
const NAMED = 4;

/** Groups as a list. */
export function groupList(groups: string): string[] {
  return groups === '' ? [] : groups.split(',');
}

/** Appends a row. */
export function packAssignment(writer: ByteWriter, row: Assignment): void {
  const { id, name, isFromKeys, groups } = row;
  writer.u32(id);
  writer.u8(
    (groups === null ? REMOVED : 0) | (isFromKeys ? FROM_KEYS : 0) | (name === null ? 0 : NAMED),
  );
  if (name !== null) {
    const bytes = fromText(name);
    writer.u16(bytes.length);
    writer.text(bytes);
  }
  if (groups !== null) {
    writer.u16(groups.length);
    writer.text(groups);
  }
}

/** Reads rows that a peer packed. */
export class AssignmentReader {
  readonly #reader: ByteReader;
  /** All bytes: slices of one text cost less than many small ones. */
  readonly #text: ByteString;
  /** Many agents have the same groups: each text is looked at once. */
  readonly #known = new Set<string>(['']);

  constructor(bytes: Uint8Array) {
    this.#reader = new ByteReader(bytes);
    this.#text = fromBytes(bytes);
  }

  /** Where the next row begins. */
  get position(): number {
    return this.#reader.position;
  }

  /**
   * The next row; undefined after the last.
   * @throws ProtocolError `malformed`
   */
  next(): Assignment | undefined {
    const reader = this.#reader;
    if (reader.remaining === 0) return undefined;
    const id = reader.u32();
    if (id < 1 || id > agentIdMax) throw malformed('names an agent that cannot be');
    const flags = reader.u8();
    const name = (flags & NAMED) === 0 ? null : this.#name();
    const groups = (flags & REMOVED) === 0 ? this.#groups() : null;
    return { id, name, isFromKeys: (flags & FROM_KEYS) !== 0, groups };
  }

  /** @throws ProtocolError `malformed` */
  #name(): string {
    const name = toText(this.#slice());
    if (name === undefined || name.length > textColumns.name) {
      throw malformed('has a name that cannot be');
    }
    return name;
  }

  #groups(): string {
    const groups = this.#slice();
    if (this.#known.has(groups)) return groups;
    const names = groupList(groups);
    if (names.length > groupsMax || !names.every(isGroupName)) {
      throw malformed('has groups that cannot be');
    }
    this.#known.add(groups);
    return groups;
  }

  #slice(): ByteString {
    const length = this.#reader.u16();
    const start = this.#reader.skip(length);
    return this.#text.slice(start, start + length);
  }
}

function malformed(problem: string): ProtocolError {
  return new ProtocolError('malformed', `An assignment ${problem}`);
}
