/**
 * What commands ask of the agents and groups of a node beyond reading their tables. Master and
 * worker each do what is theirs; the rest throws ClusterError `refused`, naming the role that does it.
 */
import type { AgentId } from '../agents/agent.ts';
import type { AgentReport } from '../agents/report.ts';

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

/** The agents and groups of a node, as commands change them. */
export interface AgentOperations {
  /**
   * Takes reports, at most some hundred at once; what has no problem is stored when this resolves.
   * Gives what is refused, by the place of its report.
   */
  report(
    reports: readonly AgentReport[],
  ): Promise<readonly { readonly index: number; readonly problem: string }[]>;
  /** Makes an agent exist. @throws ClusterError `refused` where number or name is taken */
  add(agent: AgentAddition): Promise<AgentId>;
  /** Makes agents no longer exist. */
  remove(ids: readonly AgentId[]): Promise<AgentsOutcome>;
  /** @throws ClusterError `refused` where there is such a group, or the name cannot be one */
  createGroup(name: string): Promise<void>;
  /**
   * Takes the group from its agents and removes its directory.
   * @returns how many agents had it
   * @throws ClusterError `notFound`; `refused` where it holds files and is not forced
   */
  removeGroup(name: string, options: { readonly isForced: boolean }): Promise<number>;
  /** Puts a group behind those that agents have. @throws ClusterError `notFound` */
  assign(group: string, agents: AgentSelection, signal: AbortSignal): Promise<AgentsOutcome>;
  /** Takes a group from agents. @throws ClusterError `notFound` */
  unassign(group: string, agents: AgentSelection, signal: AbortSignal): Promise<AgentsOutcome>;
}
