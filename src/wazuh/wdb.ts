/**
 * The text protocol of a Wazuh node's own database, `queue/db/wdb`. Pure.
 *
 *     length, u32 little-endian │ text
 *
 * in both directions, many requests one after the other. An answer is a status word and, behind a
 * space, what it is about. A request that is too long makes the database stop listening for good.
 */
import { type ByteString, fromBytes, toText } from '../base/bytes.ts';
import { ByteWriter } from '../base/cursor.ts';
import { ClusterError, ProtocolError } from '../base/errors.ts';
import type { AgentGroups } from './agent-groups.ts';
import { type Json, spacedJson } from './json.ts';

/** Longest request and longest answer, bytes of text. */
export const wdbBytesMax = 65_536;

const lengthBytes = 4;

/** An answer that is none of `err`. */
export interface WdbAnswer {
  /** `due`: there is more, to be asked for again. */
  readonly status: 'ok' | 'due' | 'ign' | 'unk';
  readonly payload: string;
}

/** The bytes of a request. @throws Error where it is too long for the database */
export function encodeWdbRequest(request: string): Uint8Array {
  const text = new TextEncoder().encode(request);
  if (text.length > wdbBytesMax) {
    throw new Error(`Cannot ask the database with ${text.length} bytes: ${wdbBytesMax} at most`);
  }
  const bytes = new Uint8Array(lengthBytes + text.length);
  new DataView(bytes.buffer).setUint32(0, text.length, true);
  bytes.set(text, lengthBytes);
  return bytes;
}

/** Cuts answers out of chunks as they arrive. */
export class WdbDecoder {
  #bytes = new ByteWriter();

  /**
   * The answers that a chunk completes.
   * @throws ProtocolError `frameTooLarge`, from the length alone
   */
  *push(chunk: Uint8Array): Generator<ByteString, void, undefined> {
    this.#bytes.bytes(chunk);
    const held = this.#bytes.view();
    const view = new DataView(held.buffer, held.byteOffset, held.byteLength);
    let at = 0;
    try {
      while (held.length - at >= lengthBytes) {
        const end = at + lengthBytes + view.getUint32(at, true);
        if (end - at - lengthBytes > wdbBytesMax) {
          throw new ProtocolError('frameTooLarge', 'The database announces too long an answer');
        }
        if (end > held.length) return;
        const answer = fromBytes(held, at + lengthBytes, end);
        at = end;
        yield answer;
      }
    } finally {
      this.#bytes = new ByteWriter();
      this.#bytes.bytes(held.subarray(at));
    }
  }
}

const statuses = ['ok', 'due', 'ign', 'unk'] as const;

/**
 * What an answer says.
 * @throws ClusterError('failed') with the text of an `err`; ProtocolError for what is no answer
 */
export function readWdbAnswer(answer: ByteString): WdbAnswer {
  const text = toText(answer);
  if (text === undefined) throw new ProtocolError('malformed', 'The database answers no text');
  const space = text.indexOf(' ');
  const word = space < 0 ? text : text.slice(0, space);
  const payload = space < 0 ? '' : text.slice(space + 1);
  if (word === 'err') {
    throw new ClusterError('failed', `Error 2003 - Error in wazuhdb request: ${payload}`);
  }
  const status = statuses.find((known) => known === word);
  if (status === undefined) {
    throw new ProtocolError('malformed', 'The database answers with an unknown word');
  }
  return { status, payload };
}

/** An agent that the database does not know is left out, as real nodes do. */
export function isForeignKeyFailure(error: unknown): boolean {
  return error instanceof ClusterError &&
    error.message.includes('Cannot execute Global database query; FOREIGN KEY constraint failed');
}

/** Requests that a node of a cluster makes. */
export const wdbRequests = {
  /** Groups that changed since this was asked last, with the hash over all: they are marked synced. */
  changedGroups: (): string =>
    groupsRequest({ condition: 'sync_status', set_synced: true, get_global_hash: true }),
  /** Groups of all agents above an id. */
  allGroups: (lastId: number): string =>
    groupsRequest({
      condition: 'all',
      set_synced: false,
      get_global_hash: false,
      last_id: lastId,
    }),
  /** The hash over all groups, and no groups. */
  groupsHash: (): string => groupsRequest({ get_global_hash: true }),
  /** Takes over groups that the master sent. */
  setGroups: (agents: readonly AgentGroups[]): string => {
    const data = agents.map(({ id, name, groups }) => ({ id, name, groups }));
    return `global set-agent-groups ${
      JSON.stringify({ mode: 'override', sync_status: 'synced', data })
    }`;
  },
  recalculateHashes: (): string => 'global recalculate-agent-group-hashes',
} as const;

function groupsRequest(conditions: Readonly<Record<string, Json>>): string {
  return `global sync-agent-groups-get ${spacedJson(conditions)}`;
}
