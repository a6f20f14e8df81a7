/** Agents that an operator adds on the master and takes away again, beside those of the keys file. */
import { type AgentId, agentIdMax, agentIdText, textColumns } from '../agents/agent.ts';
import { parseSubnet } from '../agents/ip-address.ts';
import type { Registrations } from '../agents/store/registrations.ts';
import { ClusterError } from '../base/errors.ts';
import { inTransaction, slices, transactionRowsMax } from '../base/transaction.ts';
import type { Clock, Database } from '../ports.ts';
import type {
  AgentAddition,
  AgentAdministration,
  AgentsOutcome,
  RefusedAgent,
} from './agent-operations.ts';

/** What it works with. */
export interface AgentRegistryPorts {
  readonly clock: Pick<Clock, 'breathe'>;
  readonly database: Pick<Database, 'exec' | 'flush'>;
  readonly registrations: Registrations;
  /** Whether the numbers of the keys file are known: not before the first publication. */
  readonly areKeysKnown: () => boolean;
  /** Called when agents have come or gone. */
  readonly onChange: () => void;
}

/** The address of an agent that may have any. */
const anyAddress = 'any';

/** Adds and removes agents. */
export class AgentRegistry implements AgentAdministration {
  readonly #ports: AgentRegistryPorts;
  readonly #keysFile: string;

  /** @param keysFile relative to the managed tree; for messages */
  constructor(ports: AgentRegistryPorts, keysFile: string) {
    this.#ports = ports;
    this.#keysFile = keysFile;
  }

  async add({ id: wanted, name, ip = anyAddress }: AgentAddition): Promise<AgentId> {
    checkName(name);
    checkAddress(ip);
    const { database, registrations, areKeysKnown, onChange } = this.#ports;
    if (wanted === undefined && !areKeysKnown()) {
      throw new ClusterError('refused', `The numbers of ${this.#keysFile} are not known yet`, {
        remedy: 'Start the master with "muster run" first, or give the agent a number',
      });
    }
    const id = inTransaction(database, () => {
      const free = wanted ?? registrations.nextId();
      if (registrations.get(free) !== undefined) {
        throw new ClusterError('refused', `There is an agent ${agentIdText(free)} already`, {
          remedy: 'Leave the number out, and it gets the next one',
        });
      }
      if (free > agentIdMax) throw new ClusterError('refused', 'There is no number left');
      registrations.add({ id: free, name, ip, source: 'command' });
      return free;
    });
    await database.flush();
    onChange();
    return id;
  }

  async remove(ids: readonly AgentId[]): Promise<AgentsOutcome> {
    const { database, clock, onChange } = this.#ports;
    const refused: RefusedAgent[] = [];
    const wanted = new Set(ids);
    for (const slice of slices(wanted, transactionRowsMax)) {
      inTransaction(database, () => {
        for (const id of slice) {
          const problem = this.#removeOne(id);
          if (problem !== undefined) refused.push({ id, problem });
        }
      });
      await clock.breathe();
    }
    await database.flush();
    const changed = wanted.size - refused.length;
    if (changed > 0) onChange();
    return { changed, unchanged: 0, refused };
  }

  #removeOne(id: AgentId): string | undefined {
    const { registrations } = this.#ports;
    const registration = registrations.get(id);
    if (registration === undefined) return 'there is no such agent';
    if (registration.source === 'keys') return `remove it from ${this.#keysFile}`;
    registrations.remove(id);
    return undefined;
  }
}

// ---------------------------------------------------------------------------------------------

/** As the keys file could hold it, so that the agent may move there. */
function checkName(name: string): void {
  const isUsable = /^[^\s\p{C}!#][^\s\p{C}]*$/u.test(name) && name.length <= textColumns.name;
  if (isUsable) return;
  throw new ClusterError('refused', `An agent cannot have the name "${name}"`, {
    remedy: `It has 1 to ${textColumns.name} characters, no blanks, and does not begin with ! or #`,
  });
}

function checkAddress(ip: string): void {
  if (ip === anyAddress || parseSubnet(ip) !== undefined) return;
  throw new ClusterError('refused', `An agent cannot have the address "${ip}"`, {
    remedy: 'Write an address such as 10.0.0.7, a subnet such as 10.0.0.0/24, or any',
  });
}
