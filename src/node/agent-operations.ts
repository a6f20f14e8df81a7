/**
 * What commands ask of the agents and groups of a node beyond reading their tables.
 */
import type { AgentId } from '../agents/agent.ts';
import type { AgentReport } from '../agents/report.ts';

/** A report that was not taken in, by its place among those that were handed over. */
export interface RefusedReport {
  readonly index: number;
  readonly problem: string;
}

/** A file of a group. */
export interface GroupFile {
  /** Relative to the directory of the group; for people. */
  readonly path: string;
  readonly size: number;
}

/** A group that exists. */
export interface GroupFacts {
  readonly name: string;
  /** Its files. */
  readonly files: number;
  readonly bytes: number;
}

/** What either role does for its agents. */
export interface AgentSource {
  /**
   * Takes reports, at most some thousand at once; those that have no problem are stored when this
   * resolves.
   */
  report(reports: readonly AgentReport[]): Promise<readonly RefusedReport[]>;
}

/** The groups of a node. */
export interface GroupSource {
  /** The groups that exist, in the order of their names. */
  groups(signal: AbortSignal): Promise<readonly GroupFacts[]>;
  /** How many there were at the last look. */
  readonly groupsCount: number;
  /** The files of a group; undefined where there is none such. */
  groupFiles(name: string): Promise<readonly GroupFile[] | undefined>;
  /**
   * On a worker: when it last had the groups that the master had, ms since 1970; undefined before
   * the first time, and on the master.
   */
  confirmedMs(): number | undefined;
}

/** An agent that an operator adds. */
export interface AgentAddition {
  /** The next free number where it is left out. */
  readonly id?: AgentId;
  readonly name: string;
  readonly ip?: string;
}

/** Agents that are to get a group, or to lose it. */
export type AgentSelection =
  | { readonly ids: readonly AgentId[] }
  /** All agents, or all of a group. */
  | { readonly all: true }
  | { readonly group: string };

/** An agent for which an operation did nothing, and why. */
export interface RefusedAgent {
  readonly id: AgentId;
  readonly problem: string;
}

/** What became of an operation on several agents. */
export interface AgentsOutcome {
  /** Agents for which something has changed. */
  readonly changed: number;
  /** Agents for which it was so already. */
  readonly unchanged: number;
  readonly refused: readonly RefusedAgent[];
}

/** What a master alone does with agents. */
export interface AgentAdministration {
  /** Makes an agent exist. @throws ClusterError `refused` where the number is taken */
  add(agent: AgentAddition): Promise<AgentId>;
  /** Makes agents no longer exist. */
  remove(ids: readonly AgentId[]): Promise<AgentsOutcome>;
}

/** What a master alone does with groups. */
export interface GroupAdministration {
  /** @throws ClusterError `refused` where there is such a group, or the name cannot be one */
  createGroup(name: string, signal: AbortSignal): Promise<void>;
  /**
   * Takes the group from its agents and removes its directory.
   * @returns how many agents had it
   * @throws ClusterError `notFound`; `refused` where it holds files and is not forced
   */
  removeGroup(
    name: string,
    options: { readonly isForced: boolean },
    signal: AbortSignal,
  ): Promise<number>;
  /** Puts a group behind those that agents have. @throws ClusterError `notFound` */
  assign(group: string, agents: AgentSelection, signal: AbortSignal): Promise<AgentsOutcome>;
  /** Takes a group from agents. @throws ClusterError `notFound` */
  unassign(group: string, agents: AgentSelection, signal: AbortSignal): Promise<AgentsOutcome>;
}
