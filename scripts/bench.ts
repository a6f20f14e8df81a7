/**
 * Measures the compiled binary beside rsync and the tools of the system:
 *
 *     npm run bench [-- CASE...] [--rounds N] [--files N] [--quick] [--svg] [--page FILE]
 *
 * Without a case it runs all that do not take long by design, and when that was at full size it
 * writes docs/performance.md and its pictures. Otherwise the tables are only printed, unless --page
 * names a file: of a page that is there, the sections of the cases are replaced. With --svg pictures
 * are drawn without a page as well.
 * --quick is for whoever changes a case: small trees, one round. Packs the binary before, except
 * where MUSTER_BINARY names one. Linux only: what a process took is read from /proc. Nothing else
 * should run on the machine meanwhile; the load is written down.
 *
 * As root it measures on a disk and a loopback device of its own (test/bench/own-surroundings.ts),
 * else as much of that as the machine allows. Everything lies in one temporary directory, below
 * $TMPDIR where that is set; it takes about 20 GB at full size, and is removed at the very end.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import process from 'node:process';
import type { BenchOptions, Case } from '../test/bench/harness.ts';
import type { Measured, PageContent } from '../test/bench/page.ts';
import { runInOwnSurroundings } from '../test/bench/own-surroundings.ts';
import { packExecutable, writeChecksums } from './build.ts';
import { scriptOptions } from './options.ts';
import { dist, root } from './tools.ts';

/** Rounds and files where nothing else is asked for, in full and with --quick. */
const defaults = { rounds: [5, 1], files: [50_000, 2_000] } as const;

/** What the command line asks for. */
interface Request extends BenchOptions {
  readonly names: readonly string[];
  /** Where the page goes; undefined for nowhere. */
  readonly page: string | undefined;
}

async function main(): Promise<void> {
  if (process.platform !== 'linux') throw new Error('Cannot measure here: there is no /proc');
  const request = readRequest();
  const binary = process.env['MUSTER_BINARY'] ?? await pack();
  const code = await runInOwnSurroundings({ MUSTER_BINARY: binary });
  if (code === undefined) await measureCases(request);
  else process.exitCode = code;
}

async function pack(): Promise<string> {
  const path = await packExecutable();
  await writeChecksums();
  return path;
}

async function measureCases(request: Request): Promise<void> {
  // Only now: they look for the binary.
  const { cases } = await import('../test/bench/cases.ts');
  const { machineFacts } = await import('../test/bench/page.ts');
  const { Bench } = await import('../test/bench/harness.ts');
  const chosen = chooseCases(cases, request.names);
  const bench = new Bench(request);
  const interrupt = () => void bench.close().finally(() => process.exit(130));
  process.once('SIGINT', interrupt);
  try {
    const facts = machineFacts(bench.directory);
    const measured = await runCases(bench, chosen);
    await writeResults(request, { facts, measured, order: cases.map(({ name }) => name) });
  } finally {
    process.off('SIGINT', interrupt);
    await bench.close();
  }
}

async function runCases(
  bench: Parameters<Case['run']>[0],
  chosen: readonly Case[],
): Promise<Measured[]> {
  const { circumstances, sectionMarkdown } = await import('../test/bench/page.ts');
  const measured: Measured[] = [];
  for (const { name, summary, run } of chosen) {
    console.error(`${name}: ${summary}`);
    const { roundsCount, filesCount, isQuick } = bench.options;
    const words = ['npm run bench --', name, `--rounds ${roundsCount}`, `--files ${filesCount}`];
    const command = [...words, ...isQuick ? ['--quick'] : []].join(' ');
    const how = { name, command, ...circumstances() };
    measured.push({ ...how, section: await run(bench) });
    console.log(`\n${sectionMarkdown(measured.at(-1)!)}`);
  }
  return measured;
}

async function writeResults(
  { page }: Request,
  content: Omit<PageContent, 'former'>,
): Promise<void> {
  const { performancePage } = await import('../test/bench/page.ts');
  // A picture without a page is for looking at only.
  const directory = page === undefined ? dist : dirname(page);
  for (const { section: { picture } } of content.measured) {
    if (picture !== undefined) save(join(directory, picture.fileName), picture.svg);
  }
  if (page === undefined) return;
  const former = existsSync(page) ? readFileSync(page, 'utf8') : '';
  save(page, performancePage({ ...content, former }));
}

// ---

function readRequest(): Request {
  const { values, positionals } = scriptOptions(import.meta.url, {
    rounds: { type: 'string' },
    files: { type: 'string' },
    quick: { type: 'boolean', default: false },
    svg: { type: 'boolean', default: false },
    page: { type: 'string' },
  }, { allowPositionals: true });
  const kind = values.quick ? 1 : 0;
  const isFull = !values.quick && positionals.length === 0 && values.files === undefined;
  const page = values.page ?? (isFull ? join(root, 'docs', 'performance.md') : undefined);
  return {
    names: positionals,
    roundsCount: positive('rounds', values.rounds, defaults.rounds[kind]),
    filesCount: positive('files', values.files, defaults.files[kind]),
    isQuick: values.quick,
    // A section of a page that comes without its picture would lose the one it had.
    hasPictures: values.svg || page !== undefined,
    page,
  };
}

function positive(name: string, text: string | undefined, byDefault: number): number {
  const value = text === undefined ? byDefault : Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new Error(`Cannot measure with --${name} "${text}": it must be a whole number above 0`);
}

function chooseCases(cases: readonly Case[], names: readonly string[]): readonly Case[] {
  for (const name of names) {
    if (cases.some((one) => one.name === name)) continue;
    const known = cases.map((one) => one.name).join(', ');
    throw new Error(`Cannot measure "${name}": known cases are ${known}`);
  }
  return cases.filter(({ name, isLong = false }) =>
    names.length === 0 ? !isLong : names.includes(name)
  );
}

function save(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  console.error(`Written: ${relative(process.cwd(), path)}`);
}

await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
