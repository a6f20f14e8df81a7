/**
 * Runs scenarios of the simulated world: `deno task simulate --seed 42`.
 *
 *   --scenario NAME  only this one (all by default)
 *   --seed N         the first seed (from the time by default)
 *   --runs N         so many seeds, counting up (1 by default)
 *   --trace FILE     writes all that happens in the last run to a file
 *   --list           shows the scenarios
 *
 * Prints one line for each run and, for one that fails, how to repeat it; exits with 1 then, with 2
 * where it was called wrongly.
 */
import { writeFileSync } from 'node:fs';
import process from 'node:process';
import { describeError } from '../src/base/errors.ts';
import { runScenario, type Scenario, scenarios } from '../test/sim/scenarios.ts';
import { scriptOptions } from './options.ts';

/** One run; whether all held. */
async function simulate(
  scenario: Scenario,
  seed: number,
  traceFile: string | undefined,
): Promise<boolean> {
  const startMs = performance.now();
  const outcome = await runScenario(scenario, seed, { keepTrace: traceFile !== undefined });
  const seconds = ((performance.now() - startMs) / 1000).toFixed(2);
  const facts =
    `${outcome.eventsCount} events, ${(outcome.virtualMs / 1000).toFixed(1)} s virtual, ` +
    `${seconds} s real, trace ${outcome.traceHash}`;
  console.log(
    `${outcome.error === undefined ? 'ok' : 'FAILED'} ${scenario.name} ${seed} (${facts})`,
  );
  if (traceFile !== undefined) writeFileSync(traceFile, outcome.traceLines.join('\n'));
  if (outcome.error === undefined) return true;
  console.error(`  ${describeError(outcome.error)}`);
  console.error(`  Repeat with: deno task simulate --scenario ${scenario.name} --seed ${seed}`);
  return false;
}

async function main(): Promise<void> {
  const { values } = scriptOptions(import.meta.url, {
    scenario: { type: 'string' },
    seed: { type: 'string' },
    runs: { type: 'string', default: '1' },
    trace: { type: 'string' },
    list: { type: 'boolean', default: false },
  });
  if (values.list) {
    for (const { name, summary } of scenarios) console.log(`${name}  ${summary}`);
    return;
  }
  const chosen = scenarios.filter(({ name }) => (values.scenario ?? name) === name);
  if (chosen.length === 0) {
    throw new Error(`There is no scenario "${values.scenario}"; --list shows those that there are`);
  }
  const firstSeed = wholeNumber('seed', values.seed ?? String(Date.now() % 1_000_000_000));
  const runsCount = wholeNumber('runs', values.runs);
  for (const scenario of chosen) {
    for (let i = 0; i < runsCount; i++) {
      if (!await simulate(scenario, firstSeed + i, values.trace)) process.exitCode = 1;
    }
  }
}

function wholeNumber(name: string, text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new Error(`Cannot simulate with --${name} "${text}": it must be a whole number`);
}

await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
});
