/**
 * The published assignments of agents to groups, as workers of the Wazuh protocol get them: since a
 * snapshot or all, in pieces that their databases take, with the hash over all agents.
 */
import { agentIdText } from '../../agents/agent.ts';
import { AssignmentReader, groupList } from '../../agents/assignment-rows.ts';
import type { GroupDifference, GroupPublication } from '../../agents/group-publication.ts';
import type { Assignments } from '../../agents/store/assignments.ts';
import { fromText } from '../../base/bytes.ts';
import type { Clock, Hashing } from '../../ports.ts';
import {
  type AgentGroups,
  globalGroupsHash,
  groupHash,
  type GroupsChunk,
} from '../agent-groups.ts';

/** What is to be sent. */
export interface GroupsMessage {
  /** The snapshot that the worker then has. */
  readonly snapshot: number;
  /** At least one. */
  readonly chunks: readonly GroupsChunk[];
  readonly agentsCount: number;
}

/** What the groups are read with. */
export interface PublishedGroupsPorts {
  readonly clock: Clock;
  readonly hashing: Hashing;
  readonly publication: GroupPublication;
  readonly assignments: Assignments;
}

/** Bytes of the agents of a piece: a worker's database takes 64 KiB with what stands around it. */
const chunkBytesMax = 60_000;

/** How often a state that changes meanwhile is read again before it is sent without a hash. */
const attemptsMax = 5;

/** The published groups. */
export class PublishedGroups {
  readonly #ports: PublishedGroupsPorts;
  #hash: { readonly snapshot: number; readonly hash: string | null } | undefined;

  constructor(ports: PublishedGroupsPorts) {
    this.#ports = ports;
  }

  /** What was published after a snapshot, everything after 0; with the hash over all agents. */
  async since(snapshot: number): Promise<GroupsMessage> {
    for (let attempt = 1;; attempt++) {
      const difference = await this.#difference(snapshot);
      const { number } = difference.target;
      const { snapshot: hashed, hash } = await this.#hashOfAll();
      const isSame = hashed === number;
      if (isSame || attempt === attemptsMax) {
        return messageOf(difference, isSame ? hash : undefined);
      }
    }
  }

  /** Everything, without a hash. */
  async all(): Promise<GroupsMessage> {
    return messageOf(await this.#ports.publication.whole(), undefined);
  }

  // ---

  async #difference(snapshot: number): Promise<GroupDifference> {
    const { publication } = this.#ports;
    return await publication.since(snapshot) ?? await publication.whole();
  }

  /** The hash over the groups of all agents, computed once for each snapshot. */
  async #hashOfAll() {
    const { assignments, publication, clock, hashing } = this.#ports;
    const snapshot = publication.latest.value?.number ?? 0;
    if (this.#hash?.snapshot === snapshot) return this.#hash;
    const hashes = new Map<string, string>();
    const ofAgents: string[] = [];
    for (let rows = assignments.after(0); rows.length > 0;) {
      for (const { groups } of rows) {
        if (groups === null || groups === '') continue;
        const known = hashes.get(groups) ?? groupHash(hashing, groupList(groups)) ?? '';
        hashes.set(groups, known);
        ofAgents.push(known);
      }
      await clock.breathe();
      rows = assignments.after(rows.at(-1)!.id);
    }
    const found = { snapshot, hash: globalGroupsHash(hashing, ofAgents) ?? null };
    // What changed while it was read is in no snapshot yet, and would not be in the hash of this one.
    const isSettled = assignments.pending(1).length === 0 &&
      publication.latest.value?.number === snapshot;
    if (!isSettled) return { ...found, snapshot: -1 };
    this.#hash = found;
    return found;
  }
}

// ---

function messageOf(
  { target, parts }: GroupDifference,
  globalHash: string | null | undefined,
): GroupsMessage {
  const chunks: GroupsChunk[] = [];
  let agents: AgentGroups[] = [];
  let [bytesCount, agentsCount] = [0, 0];
  for (const part of parts) {
    const reader = new AssignmentReader(part.rows);
    for (let row = reader.next(); row !== undefined; row = reader.next()) {
      // Which agents are gone is said by the keys file: groups tell of those that are there.
      if (row.groups === null) continue;
      const groups = groupList(row.groups);
      const agent = { id: row.id, name: row.name ?? agentIdText(row.id), groups };
      const length = fromText(JSON.stringify(agent)).length + 1;
      if (bytesCount + length > chunkBytesMax && agents.length > 0) {
        chunks.push({ agents, globalHash: undefined });
        [agents, bytesCount] = [[], 0];
      }
      agents.push(agent);
      bytesCount += length;
      agentsCount++;
    }
  }
  if (agents.length > 0 || chunks.length === 0 || globalHash !== undefined) {
    chunks.push({ agents, globalHash });
  }
  return { snapshot: target.number, chunks, agentsCount };
}
