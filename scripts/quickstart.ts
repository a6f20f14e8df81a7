/**
 * The main job, shown: `npm run quickstart`.
 *
 *     deno run -A scripts/quickstart.ts [--keep] [--binary FILE]
 *
 * Packs the executable, makes a master and two workers on this machine in a temporary directory,
 * and lets them do what muster is for, with nothing but the commands that anybody would type:
 * everything after a `$` was run as it stands there, and what follows is what it printed. Each step
 * is checked; the first that does not hold ends the demonstration with exit code 1, and then the
 * directory stays, with the logs. Otherwise it is removed, except with --keep.
 */
import { appendFileSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import process from 'node:process';
import { packExecutable } from './build.ts';
import { scriptOptions } from './options.ts';
import { freePort, Playground } from './playground.ts';
import { sampleFiles, type SampleTotals, writeSampleTree } from './sample-tree.ts';

const workers = ['worker-1', 'worker-2'] as const;

/** The file that is changed on the master. */
const changedPath = 'etc/shared/default/agent.conf';

/** What a daemon that was asked to stop ends with: 128 + SIGTERM. */
const stoppedCode = 143;

/** Fields of `muster status --json` that are looked at here. */
interface Status {
  readonly in_sync: boolean | null;
  readonly peers: readonly { readonly node: string; readonly in_sync: boolean | null }[];
}

async function demonstrate(world: Playground, binary: string): Promise<void> {
  const tree = await prepare(world, binary);
  await makeMaster(world);
  await makeWorkers(world);
  await firstSynchronisation(world, tree);
  await oneChange(world);
  await tampering(world);
  await finalState(world);
}

// --- the steps -----------------------------------------------------------------------------------

async function prepare(world: Playground, binary: string): Promise<SampleTotals> {
  heading('A master and two workers on this machine');
  const tree = await writeSampleTree(world.path('master', 'tree'));
  say(`Executable   ${binary}`);
  say(`Directory    ${world.directory}`);
  say(
    `Sample tree  ${tree.filesCount} files, ${mebibytes(tree.bytes)}, below master/tree: ` +
      'agent keys, rules, decoders, SCA policies, lists, group files',
  );
  return tree;
}

async function makeMaster(world: Playground): Promise<void> {
  heading('Make a master and start it');
  const listen = `127.0.0.1:${await freePort()}`;
  await run(world, `init --dir master --name master --listen ${listen} --root master/tree`);
  await start(world, 'master', /\[Local integrity\] Finished/);
}

async function makeWorkers(world: Playground): Promise<void> {
  heading('Make a token, join two workers with it');
  const token = await run(world, 'token --dir master --uses 2 --quiet', { variable: 'TOKEN' });
  for (const [index, name] of workers.entries()) {
    const quiet = index === 0 ? '' : ' --quiet';
    await run(world, `join $TOKEN --dir ${name} --name ${name} --root ${name}/tree${quiet}`, {
      replace: ['$TOKEN', token],
    });
  }
}

async function firstSynchronisation(world: Playground, tree: SampleTotals): Promise<void> {
  heading('Start the workers: the first synchronisation');
  const startMs = performance.now();
  const times = await Promise.all(workers.map(async (name) => {
    const line = await start(world, name, /\[Integrity check\] Finished/);
    expect(line.includes(`create: ${tree.filesCount} `), `${name} creates all files: ${line}`);
    return performance.now() - startMs;
  }));
  for (const [index, name] of workers.entries()) {
    expectSameTree(world, name);
    const took = `${Math.round(times[index]!)} ms after it was started`;
    say(`${name}: ${tree.filesCount} files, byte for byte those of the master, ${took}`);
  }
}

async function oneChange(world: Playground): Promise<void> {
  heading('Change one file on the master');
  const text = '<!-- changed on the master -->\n';
  const paths = workers.map((name) => world.path(name, 'tree', changedPath));
  prompt(`echo '${text.trim()}' >> master/tree/${changedPath}`);
  const startMs = performance.now();
  appendFileSync(world.path('master', 'tree', changedPath), text);
  const wanted = readFileSync(world.path('master', 'tree', changedPath));
  const arrivals = new Map<string, number>();
  await world.until('the change on both workers', () => {
    for (const [index, name] of workers.entries()) {
      if (arrivals.has(name) || !readFileSync(paths[index]!).equals(wanted)) continue;
      arrivals.set(name, performance.now() - startMs);
    }
    return arrivals.size === workers.length ? arrivals : undefined;
  });
  for (const name of workers) {
    say(`${name}: has it ${Math.round(arrivals.get(name)!)} ms after the write`);
    expectSameTree(world, name);
  }
}

async function tampering(world: Playground): Promise<void> {
  heading('Tamper with a file of a worker');
  say('A running worker would repair it at once, so worker-2 is stopped first.');
  await stop(world, 'worker-2');
  const path = `worker-2/tree/${changedPath}`;
  await run(world, 'check --dir worker-2', { code: 0 });
  tamper(world.path(path));
  say(`One byte of ${path} is changed; its size and its time are as before.`);
  const found = await run(world, 'check --dir worker-2', { code: 4 });
  expect(found.includes(changedPath), 'check names the file');
  await run(world, 'sync --once --dir worker-2', { code: 0 });
  await run(world, 'check --dir worker-2', { code: 0 });
  expectSameTree(world, 'worker-2');
}

async function finalState(world: Playground): Promise<void> {
  heading('The cluster as its master sees it');
  await start(world, 'worker-2', /Connected to master/);
  await world.until('both workers in sync', async () => {
    const { output } = await world.run(['status', '--dir', 'master', '--json']);
    const { peers } = JSON.parse(output) as Status;
    const inSync = peers.filter((peer) => peer.in_sync === true);
    return inSync.length === workers.length ? peers : undefined;
  });
  await run(world, 'status --dir master');
  heading('Stop');
  for (const name of [...workers, 'master']) await stop(world, name);
}

// --- what the steps are made of ------------------------------------------------------------------

/** Runs a command line of muster and shows both; gives what it printed. */
async function run(
  world: Playground,
  line: string,
  options: {
    /** @default 0 */
    readonly code?: number;
    /** Shown as `NAME=$(…)`, with what is printed not shown. */
    readonly variable?: string;
    /** A word that stands for another, as the shell would put it in. */
    readonly replace?: readonly [word: string, value: string];
  } = {},
): Promise<string> {
  const { variable, replace, code: wanted } = options;
  prompt(variable === undefined ? `muster ${line}` : `${variable}=$(muster ${line})`);
  const words = line.split(' ').map((word) => word === replace?.[0] ? replace[1] : word);
  const { code, output } = await world.run(words);
  if (variable === undefined || code !== 0) block(output);
  if (wanted !== undefined) say(`exit code ${code}`);
  expect(code === (wanted ?? 0), `"muster ${line}" ends with ${wanted ?? 0}, not with ${code}`);
  return output.trim();
}

/** Starts a daemon, waits for a line in its log, and shows it. */
async function start(world: Playground, name: string, pattern: RegExp): Promise<string> {
  prompt(`muster run --dir ${name} &`);
  const from = world.log(name).length;
  await world.start(name);
  const line = await world.logLine(name, pattern, from);
  block(line);
  return line;
}

async function stop(world: Playground, name: string): Promise<void> {
  prompt(`kill ${world.pidOf(name)}   # ${name}`);
  const startMs = performance.now();
  const code = await world.stop(name);
  say(`ended after ${Math.round(performance.now() - startMs)} ms, exit code ${code}`);
  expect(code === stoppedCode, `${name} ends with ${stoppedCode} when it is asked to stop`);
}

/** Changes one byte; size and modification time stay. */
function tamper(path: string): void {
  const { atimeMs, mtimeMs } = statSync(path);
  const bytes = readFileSync(path);
  const middle = Math.floor(bytes.length / 2);
  bytes[middle] = bytes[middle]! ^ 1;
  writeFileSync(path, bytes);
  utimesSync(path, atimeMs / 1000, mtimeMs / 1000);
}

/** The files of the sets are the master's, and those that the sets leave out are not there. */
function expectSameTree(world: Playground, name: string): void {
  for (const { path, isManaged } of sampleFiles()) {
    const file = world.path(name, 'tree', path);
    const isThere = statSync(file, { throwIfNoEntry: false }) !== undefined;
    expect(isThere === isManaged, `${name} has the managed files and no other: ${path}`);
    if (!isManaged) continue;
    const isSame = readFileSync(file).equals(readFileSync(world.path('master', 'tree', path)));
    expect(isSame, `${path} is the same on the master and on ${name}`);
  }
}

function expect(condition: boolean, text: string): void {
  if (!condition) throw new Error(`Expected: ${text}`);
}

// --- the screen ----------------------------------------------------------------------------------

const isColored = process.stdout.isTTY === true && process.env['NO_COLOR'] === undefined &&
  process.env['TERM'] !== 'dumb';

function styled(code: number, text: string): string {
  return isColored ? `\x1b[${code}m${text}\x1b[0m` : text;
}

function heading(text: string): void {
  console.log(`\n${styled(1, text)}`);
}

function prompt(command: string): void {
  console.log(`  ${styled(36, `$ ${command}`)}`);
}

/** What a program printed. */
function block(output: string): void {
  if (output.trim() === '') return;
  const lines = output.trimEnd().split('\n');
  for (const line of lines) console.log(line === '' ? '' : `  ${styled(2, line)}`);
}

/** A remark of ours. */
function say(text: string): void {
  console.log(`  ${styled(32, '-')} ${text}`);
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

// ---

async function main(): Promise<void> {
  const { values } = scriptOptions(import.meta.url, {
    keep: { type: 'boolean', default: false },
    binary: { type: 'string' },
  });
  // The user's own muster has no say here.
  for (const name of Object.keys(process.env)) {
    if (name.startsWith('MUSTER_')) delete process.env[name];
  }
  const startMs = performance.now();
  const binary = values.binary === undefined ? await packExecutable() : resolve(values.binary);
  const world = await Playground.open(binary);
  const interruption = interrupted();
  let isKept = values.keep;
  try {
    await Promise.race([demonstrate(world, relative(process.cwd(), binary)), interruption.promise]);
    const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
    console.log(`\nAll of it held, in ${seconds} s.`);
  } catch (error) {
    isKept ||= process.exitCode === undefined;
    throw error;
  } finally {
    interruption.release();
    await world.close({ isKept });
    const { directory } = world;
    const logs = join(directory, '{master,worker-1,worker-2}', 'logs', 'cluster.log');
    console.log(isKept ? `Logs: ${logs}` : `${directory} was removed; --keep leaves it there.`);
  }
}

/** Rejects when somebody presses Ctrl-C. */
function interrupted(): { readonly promise: Promise<never>; readonly release: () => void } {
  let onSignal = () => {};
  const promise = new Promise<never>((_, reject) => {
    onSignal = () => {
      process.exitCode = 130;
      reject(new Error('Interrupted'));
    };
  });
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  const release = () => {
    process.removeListener('SIGINT', onSignal);
    process.removeListener('SIGTERM', onSignal);
  };
  return { promise, release };
}

await main().then(
  () => process.exit(),
  (error: unknown) => {
    console.error(`\nFAILED  ${error instanceof Error ? error.message : String(error)}`);
    // What was interrupted may still wait for something.
    process.exit(process.exitCode ?? 1);
  },
);
