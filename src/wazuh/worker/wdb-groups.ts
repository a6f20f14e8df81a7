/** Groups of agents in the database of a Wazuh installation. */
import { fromText, toBytes } from '../../base/bytes.ts';
import { describeError } from '../../base/errors.ts';
import { ClusterError } from '../../base/errors.ts';
import { list, type Reader, record } from '../../base/readers.ts';
import type { AgentGroups } from '../agent-groups.ts';
import { parseJson } from '../json.ts';
import { isForeignKeyFailure, type WdbAnswer, wdbBytesMax, wdbRequests } from '../wdb.ts';
import type { GroupsStore } from './agent-groups.ts';

/** Asks the database. */
export type AskWdb = (request: string) => Promise<WdbAnswer>;

/** Keeps groups in the database. */
export class WdbGroups implements GroupsStore {
  readonly #ask: AskWdb;

  constructor(ask: AskWdb) {
    this.#ask = ask;
  }

  async apply(agents: readonly AgentGroups[]): Promise<void> {
    const problems: string[] = [];
    for (const request of requestsFor(agents)) {
      try {
        await this.#ask(request);
      } catch (error) {
        // As real nodes: an agent that the database does not know is no problem of the master's.
        if (!isForeignKeyFailure(error)) problems.push(describeError(error));
      }
    }
    if (problems.length > 0) throw new ClusterError('failed', problems.join('; '));
  }

  /** The database keeps what it has; its hashes are made anew, as real workers have it do. */
  async keepOnly(): Promise<void> {
    await this.#ask(wdbRequests.recalculateHashes());
  }

  async globalHash(): Promise<string | undefined> {
    const { payload } = await this.#ask(wdbRequests.groupsHash());
    const [first] = answer(
      parseJson(toBytes(fromText(payload)), 'An answer of the database'),
      'answer',
    );
    return first?.hash;
  }
}

// ---

const hash: Reader<string | undefined> = (value) => typeof value === 'string' ? value : undefined;

const answer = list(record({ hash }), 16);

/** As few requests as the database takes. */
function* requestsFor(agents: readonly AgentGroups[]): Generator<string> {
  if (agents.length === 0) return;
  const request = wdbRequests.setGroups(agents);
  if (agents.length === 1 || fromText(request).length <= wdbBytesMax) {
    yield request;
    return;
  }
  const middle = agents.length >> 1;
  yield* requestsFor(agents.slice(0, middle));
  yield* requestsFor(agents.slice(middle));
}
