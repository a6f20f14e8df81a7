/** What a running node knows of itself. */
import type { NodeIdentity } from '../ports.ts';

/** Facts that do not change while the node runs, and the health of its loop. */
export interface NodeFacts {
  readonly identity: NodeIdentity;
  /** Program version. */
  readonly version: string;
  /** Random mark of this run. */
  readonly epoch: string;
  readonly pid: number;
  /** Wall clock, ms since 1970. */
  readonly startedMs: number;
  /** Longest time that anything has held the event loop, ms. */
  longestLoopHoldMs(): number;
}
