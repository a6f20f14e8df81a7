/**
 * Everything that must hold before a change lands: `npm test`, or some steps of it:
 * `npm test -- unit e2e`.
 *
 * Runs the steps in order, each a child process with a time limit, and goes on after a failed one.
 * A passed step prints one line, a failed one all of its output. The last line is
 * `N passed, N failed`, where a step that runs no tests counts as one. What is not there yet is
 * skipped with a note.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import process from 'node:process';
import { stripVTControlCharacters } from 'node:util';
import { globSync } from 'tinyglobby';
import { packExecutable, writeChecksums } from './build.ts';
import { bunPath, type CommandOptions, denoPath, root, runCommand, toolPath } from './tools.ts';
import { readBunTotals, readDenoTotals, type Totals } from './totals.ts';

/** How a step ended. */
interface Outcome extends Totals {
  /** What to show when it failed. */
  readonly output: string;
  /** Said after the step's name. */
  readonly note?: string;
}

/** One step; `npm test -- a` runs the steps `a` and `a:*`. */
interface Step {
  readonly name: string;
  /** Steps that must have passed; asking for this one asks for them. */
  readonly needs?: readonly string[];
  readonly run: () => Promise<Outcome>;
}

const MINUTE_MS = 60_000;

/** One test may take this long under bun, whose own limit of 5 s is too short for a simulation. */
const TEST_LIMIT_MS = 5 * MINUTE_MS;

/** The stages in order; the steps of one stage run at the same time. */
const STAGES: readonly (readonly Step[])[] = [
  [{ name: 'format', run: () => runTool(denoPath(), ['fmt', '--check']) }],
  [{ name: 'lint', run: () => runTool(toolPath('oxlint'), []) }],
  [{ name: 'types', run: () => runTool(toolPath('tsc'), ['--noEmit']) }],
  [{ name: 'check', run: () => runTool(denoPath(), ['run', '-A', join('scripts', 'check.ts')]) }],
  [
    { name: 'unit:bun', run: () => runBunTests(unitFiles()) },
    { name: 'unit:deno', run: () => runDenoTests(unitFiles()) },
  ],
  [{ name: 'build', run: build }],
  [{ name: 'e2e', needs: ['build'], run: runEndToEnd }],
];

function unitFiles(): string[] {
  return globSync('test/**/*.test.ts', { cwd: root, ignore: 'test/e2e/**' }).sort();
}

async function runTool(command: string, args: readonly string[]): Promise<Outcome> {
  const { output, code, isLate } = await run(command, args, { limitMs: 5 * MINUTE_MS });
  const isPassed = code === 0 && !isLate;
  return { passed: isPassed ? 1 : 0, failed: isPassed ? 0 : 1, skipped: 0, output };
}

async function runBunTests(files: readonly string[], options?: CommandOptions): Promise<Outcome> {
  if (files.length === 0) return skipped('no test files');
  const args = ['test', `--timeout=${TEST_LIMIT_MS}`, ...files.map((file) => `./${file}`)];
  const result = await run(bunPath(), args, { limitMs: 20 * MINUTE_MS, ...options });
  return judge(result, readBunTotals(result.output));
}

async function runDenoTests(files: readonly string[]): Promise<Outcome> {
  if (files.length === 0) return skipped('no test files');
  const others = files.filter((file) => !aloneUnderDeno.includes(file));
  const alone = files.filter((file) => aloneUnderDeno.includes(file)).map((file) => [file]);
  let whole: Outcome = { passed: 0, failed: 0, skipped: 0, output: '' };
  for (const group of [others, ...alone]) whole = sum(whole, await runDenoGroup(group));
  return whole;
}

/**
 * Test files with a process of their own. deno closes some descriptors of HTTP over Unix sockets
 * twice, and so at times those of somebody else; for the same reason the files of a process run
 * one after the other, not in parallel threads that share descriptors.
 */
const aloneUnderDeno = ['test/runtime/control.test.ts'];

async function runDenoGroup(files: readonly string[]): Promise<Outcome> {
  const directory = await mkdtemp(join(tmpdir(), 'muster-test-'));
  try {
    const report = join(directory, 'report.xml');
    const args = ['test', '-A', '--no-check', `--junit-path=${report}`, ...files];
    const result = await run(denoPath(), args, { limitMs: 20 * MINUTE_MS });
    const text = existsSync(report) ? await readFile(report, 'utf8') : '';
    return judge(result, readDenoTotals(text));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function sum(left: Outcome, right: Outcome): Outcome {
  return {
    passed: left.passed + right.passed,
    failed: left.failed + right.failed,
    skipped: left.skipped + right.skipped,
    output: left.output + right.output,
  };
}

async function build(): Promise<Outcome> {
  if (!existsSync(join(root, 'src', 'main.ts'))) return skipped('no src/main.ts');
  const path = await packExecutable();
  await writeChecksums();
  return { passed: 1, failed: 0, skipped: 0, output: '', note: relative(root, path) };
}

function runEndToEnd(): Promise<Outcome> {
  const binary = join(root, 'dist', process.platform === 'win32' ? 'muster.exe' : 'muster');
  const files = globSync('test/e2e/**/*.test.ts', { cwd: root }).sort();
  return runBunTests(files, { env: { MUSTER_BINARY: binary }, limitMs: 40 * MINUTE_MS });
}

// ---

type Result = Awaited<ReturnType<typeof run>>;

async function run(command: string, args: readonly string[], options: CommandOptions) {
  const result = await runCommand(command, args, {
    ...options,
    env: { NO_COLOR: '1', ...options.env },
  });
  // Not every tool heeds NO_COLOR.
  const output = stripVTControlCharacters(result.output);
  const minutes = (options.limitMs ?? 0) / MINUTE_MS;
  const late = result.isLate ? `\nKilled after its limit of ${minutes} minutes\n` : '';
  return { ...result, output: output + late };
}

/** A runner that fails, is killed or says nothing counts as at least one failed test. */
function judge(result: Result, totals: Totals | undefined): Outcome {
  const isBroken = result.code !== 0 || result.isLate || totals === undefined;
  const { passed = 0, failed = 0, skipped = 0 } = totals ?? {};
  const note = `${passed} passed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
  const failedAtLeast = isBroken ? Math.max(failed, 1) : failed;
  return { passed, failed: failedAtLeast, skipped, output: result.output, note };
}

function skipped(note: string): Outcome {
  return { passed: 0, failed: 0, skipped: 0, output: '', note };
}

/** A step that could not even run, or a build that failed. */
function failure(error: unknown): Outcome {
  const output = error instanceof Error ? error.message : String(error);
  return { passed: 0, failed: 1, skipped: 0, output };
}

async function runStep(step: Step, broken: ReadonlySet<string>): Promise<Outcome> {
  const missing = step.needs?.find((name) => broken.has(name));
  const startMs = performance.now();
  const outcome = missing === undefined
    ? await step.run().catch(failure)
    : skipped(`${missing} did not pass`);
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1).padStart(6);
  if (outcome.failed > 0) console.log(`\n--- ${step.name}\n${outcome.output.trimEnd()}\n---`);
  const verdict = outcome.failed > 0 ? 'FAILED' : outcome.passed > 0 ? 'ok' : 'skip';
  const line = `${verdict.padEnd(6)}  ${step.name.padEnd(9)} ${seconds} s  ${outcome.note ?? ''}`;
  console.log(line.trimEnd());
  return outcome;
}

/** The names of the steps that the arguments ask for. */
function requestedSteps(args: readonly string[]): Set<string> {
  const steps = STAGES.flat();
  if (args.length === 0) return new Set(steps.map(({ name }) => name));
  const names = new Set<string>();
  for (const arg of args) {
    const found = steps.filter(({ name }) => name === arg || name.startsWith(`${arg}:`));
    if (found.length === 0) {
      const known = steps.map(({ name }) => name).join(', ');
      throw new Error(`Cannot run step "${arg}": known steps are unit, ${known}`);
    }
    for (const { name, needs } of found) for (const one of [name, ...needs ?? []]) names.add(one);
  }
  return names;
}

async function main(): Promise<void> {
  const names = requestedSteps(process.argv.slice(2));
  const broken = new Set<string>();
  let passed = 0;
  let failed = 0;
  for (const stage of STAGES) {
    await Promise.all(
      stage.filter(({ name }) => names.has(name)).map(async (step) => {
        const outcome = await runStep(step, broken);
        passed += outcome.passed;
        failed += outcome.failed;
        if (outcome.passed === 0 || outcome.failed > 0) broken.add(step.name);
      }),
    );
  }
  console.log(`${passed} passed, ${failed} failed`);
  if (failed > 0) process.exitCode = 1;
}

if (import.meta.main) {
  await main().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 2;
  });
}
