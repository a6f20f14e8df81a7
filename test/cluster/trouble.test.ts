/**
 * The guarantees under faults, from seeds: a fixed list, so that what once failed is tried for
 * ever, and some fresh ones, so that every run looks somewhere new.
 */
import { describe, test } from 'node:test';
import { runScenario } from '../sim/scenarios.ts';
import { clusterScenarios } from './scenarios.ts';

const fixedSeeds = Array.from({ length: 12 }, (_, i) => i + 1);

/** Different in every run of the tests; the failure names the seed and how to repeat it. */
const freshSeeds = Array.from({ length: 4 }, (_, i) => (Date.now() + i * 7919) % 1_000_000_000);

describe('a cluster under faults', () => {
  for (const scenario of clusterScenarios) {
    for (const seed of [...fixedSeeds, ...freshSeeds]) {
      test(`${scenario.name} holds from seed ${seed}`, async () => {
        const { error } = await runScenario(scenario, seed);
        if (error === undefined) return;
        const repeat = `npm run simulate -- --scenario ${scenario.name} --seed ${seed}`;
        throw new Error(`Repeat with: ${repeat}`, { cause: error });
      });
    }
  }
});
