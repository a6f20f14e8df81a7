/**
 * The registry of scenarios: whole runs of a world that can be repeated from a seed.
 *
 * `scripts/simulate.ts` finds them here, and so do tests that run a scenario over many seeds. A
 * scenario throws, or lets the world fail, where something is wrong.
 */
import { clusterScenarios, longScenarios } from '../cluster/scenarios.ts';
import { toyScenarios } from './toy-scenarios.ts';
import { World } from './world.ts';

/** A run that can be repeated. */
export interface Scenario {
  /** By which it is chosen on the command line: words joined by '-'. */
  readonly name: string;
  /** One line: what happens, and what must hold. */
  readonly summary: string;
  /** Sets up the world, runs it, and ends with `world.stop()`. */
  run(world: World): Promise<void>;
}

/** All scenarios; those of a new kind are added here. */
export const scenarios: readonly Scenario[] = [
  ...toyScenarios,
  ...clusterScenarios,
  ...longScenarios,
];

/** What came of a run. */
export interface ScenarioOutcome {
  readonly seed: number;
  readonly error: unknown;
  readonly traceHash: string;
  readonly traceLines: readonly string[];
  readonly eventsCount: number;
  readonly virtualMs: number;
}

/** Runs a scenario from a seed; never throws for what goes wrong in it. */
export async function runScenario(
  scenario: Scenario,
  seed: number,
  options: { readonly keepTrace?: boolean } = {},
): Promise<ScenarioOutcome> {
  const world = new World({ seed, ...options });
  let error: unknown;
  try {
    await scenario.run(world);
  } catch (thrown) {
    error = thrown;
    // The first failure is what counts; stopping a failed world gives back what is real.
    await world.stop().catch(() => {});
  }
  const { traceHash, traceLines, eventsCount, nowMs } = world;
  return { seed, error, traceHash, traceLines, eventsCount, virtualMs: nowMs };
}
