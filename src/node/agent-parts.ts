/**
 * What both roles have of agents: the stores, and the keys file that says which agents exist.
 */
import { AgentValues } from '../agents/store/values.ts';
import { FactsStore } from '../agents/store/facts.ts';
import { type RegistrationListener, Registrations } from '../agents/store/registrations.ts';
import { AgentViews } from '../agents/store/views.ts';
import { KeysFollower } from '../agents/keys-follower.ts';
import { ReportIntake } from '../agents/report-intake.ts';
import { type ByteString, fromBytes, fromText, toHex } from '../base/bytes.ts';
import { describeError } from '../base/errors.ts';
import type { Config } from '../config/config.ts';
import type { Manifest } from '../files/manifest.ts';
import type { HashAlgorithm, Logger, PlainPorts } from '../ports.ts';
import type { SetTable } from '../files/file-set.ts';
import type { NodeFacts } from './node-facts.ts';

/** The agents of a node. */
export interface AgentParts {
  readonly values: AgentValues;
  readonly facts: FactsStore;
  readonly registrations: Registrations;
  readonly keys: KeysFollower;
  /** Takes in what agents report to this node. */
  readonly intake: ReportIntake;
  /** What is known of agents, for people. */
  readonly views: AgentViews;
  /** Names this node's tables of agents: made with them, and lost with them. */
  readonly epoch: string;
}

/** What the agents of a node are made of. */
export interface AgentSetting {
  readonly config: Config;
  readonly node: NodeFacts;
  readonly algorithm: HashAlgorithm;
}

/** Opens the stores. Their listener hears of agents that come and go. */
export function openAgentParts(
  ports: PlainPorts,
  setting: AgentSetting,
  listener: RegistrationListener,
): AgentParts {
  const { clock, database, hashing, files } = ports;
  const { config, node, algorithm } = setting;
  const values = new AgentValues(database);
  const epoch = epochOf(values, ports);
  const facts = new FactsStore(database);
  const registrations = new Registrations({ clock, database }, listener);
  const log = ports.log.child('Agents');
  return {
    values,
    facts,
    registrations,
    views: new AgentViews({ clock, database }),
    epoch,
    keys: new KeysFollower({ clock, files, hashing, log, registrations, values }, {
      path: fromText(config.agents.keysFile),
      algorithm,
    }),
    intake: new ReportIntake({ clock, database }, facts, {
      node: node.identity.node,
      epoch,
      role: node.identity.role,
    }),
  };
}

/** The hash of the keys file in some tables; undefined where they do not hold it. */
export function keysHash(
  config: Config,
  sets: SetTable,
  manifest: (set: string) => Manifest | undefined,
): ByteString | undefined {
  const path = fromText(config.agents.keysFile);
  const set = sets.setOf(path);
  return set === undefined ? undefined : manifest(set.name)?.get(path)?.hash;
}

/** What following the applied keys file takes. */
export interface AppliedKeysPorts {
  readonly log: Logger;
  readonly sets: SetTable;
  /** The table of a set as it is on this node's disk. */
  readonly actual: (set: string) => Manifest;
}

/**
 * A worker's round of integrity is over, after which these sets are as on the master: the agents of
 * the keys file exist if its set is one of them. The files are in step whatever comes of this, so
 * that a failure is logged, and the next round tries again.
 * @returns whether other registrations were taken up
 */
export async function followAppliedKeys(
  { keys }: AgentParts,
  { log, sets, actual }: AppliedKeysPorts,
  config: Config,
  isInStep: (set: string) => boolean,
): Promise<boolean> {
  const { keysFile } = config.agents;
  const set = sets.setOf(fromText(keysFile));
  if (set === undefined || !isInStep(set.name)) return false;
  try {
    return await keys.follow(keysHash(config, sets, actual));
  } catch (error) {
    log.log('error', `Cannot take up the agents of "${keysFile}": ${describeError(error)}`);
    return false;
  }
}

/** Name of the value that holds the epoch. */
const epochName = 'agents.epoch';

function epochOf(values: AgentValues, { random }: PlainPorts): string {
  const known = values.get(epochName);
  if (known !== undefined) return known;
  const epoch = toHex(fromBytes(random.bytes(8)));
  values.set(epochName, epoch);
  return epoch;
}
