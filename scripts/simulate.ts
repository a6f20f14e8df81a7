/**
 * Runs scenarios of the simulated world: `deno task simulate --seed 42`.
 *
 *   --scenario NAME  only this one (all by default)
 *   --seed N         the first seed (from the time by default)
 *   --runs N         so many seeds, counting up (1 by default)
 *   --trace FILE     writes all that happens in the last run to a file
 *   --list           shows the scenarios
 *
 * Prints one line for each run and, for one that fails, how to repeat it; exits with 1 then.
 */
import { writeFileSync } from 'node:fs';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { describeError } from '../src/base/errors.ts';
import { runScenario, type Scenario, scenarios } from '../test/sim/scenarios.ts';

const { values } = parseArgs({
  options: {
    scenario: { type: 'string' },
    seed: { type: 'string' },
    runs: { type: 'string', default: '1' },
    trace: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
});

async function simulate(scenario: Scenario, seed: number): Promise<boolean> {
  const startMs = performance.now();
  const outcome = await runScenario(scenario, seed, { keepTrace: values.trace !== undefined });
  const seconds = ((performance.now() - startMs) / 1000).toFixed(2);
  const facts =
    `${outcome.eventsCount} events, ${(outcome.virtualMs / 1000).toFixed(1)} s virtual, ` +
    `${seconds} s real, trace ${outcome.traceHash}`;
  console.log(
    `${outcome.error === undefined ? 'ok' : 'FAILED'} ${scenario.name} ${seed} (${facts})`,
  );
  if (values.trace !== undefined) writeFileSync(values.trace, outcome.traceLines.join('\n'));
  if (outcome.error === undefined) return true;
  console.error(`  ${describeError(outcome.error)}`);
  console.error(`  Repeat with: deno task simulate --scenario ${scenario.name} --seed ${seed}`);
  return false;
}

const chosen = scenarios.filter(({ name }) => (values.scenario ?? name) === name);
const firstSeed = Number(values.seed ?? Date.now() % 1_000_000_000);
const runsCount = Number(values.runs);
if (values.list) {
  for (const { name, summary } of scenarios) console.log(`${name}  ${summary}`);
} else if (chosen.length === 0) {
  console.error(`There is no scenario "${values.scenario}"; --list shows those that there are`);
  process.exitCode = 2;
} else if (!Number.isInteger(firstSeed) || !Number.isInteger(runsCount)) {
  console.error('Seed and runs must be whole numbers');
  process.exitCode = 2;
} else {
  for (const scenario of chosen) {
    for (let i = 0; i < runsCount; i++) {
      if (!await simulate(scenario, firstSeed + i)) process.exitCode = 1;
    }
  }
}
