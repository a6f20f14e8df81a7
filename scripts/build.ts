/**
 * Packs muster into executables: `npm run build`, or with options
 *
 *     deno run -A scripts/build.ts [--target TARGET]... [--target all] [--packer bun|deno]
 *
 * Without a target it packs for this machine into dist/muster; with targets, into
 * dist/muster-TARGET each. dist/SHA256SUMS lists every executable in dist. The same source, commit
 * and target give the same bytes.
 *
 * How the binary knows what it is: the packer replaces the name `MUSTER_BUILD` in the source by
 * `{version, commit, target}` (bun's --define); src/runtime/build-info.ts reads it. `deno compile`
 * has no such option, so there package.json is embedded and the commit reads "source".
 *
 * Packing with bun for another machine fetches that machine's bun from the npm registry, once;
 * `deno compile` fetches its base from Deno's own server.
 */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import process from 'node:process';
import { scriptOptions } from './options.ts';
import { bunPath, denoPath, dist, isMusl, root, runCommand } from './tools.ts';

/** Every machine that muster is packed for, with deno's name of it where deno can. */
const TARGETS = {
  'linux-x64': 'x86_64-unknown-linux-gnu',
  // For processors without AVX2.
  'linux-x64-baseline': undefined,
  'linux-arm64': 'aarch64-unknown-linux-gnu',
  'linux-x64-musl': undefined,
  'linux-arm64-musl': undefined,
  'darwin-arm64': 'aarch64-apple-darwin',
  'darwin-x64': 'x86_64-apple-darwin',
  'windows-x64': 'x86_64-pc-windows-msvc',
} as const;

/** A machine that muster can be packed for. */
export type Target = keyof typeof TARGETS;

/** The program that turns the source into an executable. */
export type Packer = 'bun' | 'deno';

/** How to pack. */
export interface PackOptions {
  /** @default 'bun' */
  readonly packer?: Packer;
}

/** Where threads start; packed as a second entry when it exists. */
const WORKER_ENTRY = join(root, 'src', 'runtime', 'worker-entry.ts');

const BUN_FLAGS = [
  '--compile',
  '--minify',
  '--sourcemap=linked',
  // Halves the time to start. With --format=cjs the binary fails at run time.
  '--bytecode',
  '--format=esm',
  // Else all that any command needs is loaded at every start.
  '--splitting',
  // Else the binary runs code that a bunfig.toml in the current directory names.
  '--no-compile-autoload-dotenv',
  '--no-compile-autoload-bunfig',
  // Else the binary loads a native add-on from this machine's node_modules.
  '--external=msgpackr-extract',
  // `new URL('./worker-entry.ts', import.meta.url)` in src/runtime must find the packed entry.
  `--root=${join('src', 'runtime')}`,
];

const DENO_FLAGS = [
  '--no-check',
  ...['read', 'write', 'net', 'env', 'sys', 'run'].map((name) => `--allow-${name}`),
  '--include=package.json',
  // All of node_modules is embedded otherwise: these are tools, 250 MB of them.
  ...['@oven', '@deno', '@oxc-parser', '@oxlint', '@oxlint-tsgolint', '@types', '@typescript']
    .concat('bun', 'deno', 'oxc-parser', 'oxlint', 'oxlint-tsgolint', 'typescript')
    .map((name) => `--exclude=node_modules/${name}`),
];

/**
 * Packs the source into one executable and returns its path.
 *
 * The file appears complete or not at all, so that a running one can be replaced.
 */
export async function packExecutable(target?: Target, options: PackOptions = {}): Promise<string> {
  const packer = options.packer ?? 'bun';
  const suffix = (target ?? hostTarget()).startsWith('windows') ? '.exe' : '';
  const name = ['muster', packer === 'deno' ? 'deno' : '', target ?? ''].filter(Boolean).join('-');
  await mkdir(dist, { recursive: true });
  const staging = await mkdtemp(join(dist, '.staging-'));
  try {
    // Always one name: it is written into the executable and would change its hash.
    const staged = join(staging, `muster${suffix}`);
    const [command, args] = packer === 'bun'
      ? [bunPath(), await bunArguments(target, staged)]
      : [denoPath(), denoArguments(target, staged)];
    const { code, output } = await runCommand(command, args, { limitMs: 300_000 });
    if (code !== 0 || !existsSync(staged)) {
      throw new Error(`Cannot pack "${name}" with ${packer}:\n${output.trim()}`);
    }
    const path = join(dist, name + suffix);
    await rename(staged, path);
    return path;
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** Writes dist/SHA256SUMS over every executable in dist, in the format of sha256sum(1). */
export async function writeChecksums(): Promise<void> {
  const names = (await readdir(dist)).filter((name) => name.startsWith('muster')).sort();
  const lines: string[] = [];
  for (const name of names) {
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(join(dist, name))) hash.update(chunk as Uint8Array);
    lines.push(`${hash.digest('hex')}  ${name}\n`);
  }
  await writeFile(join(dist, 'SHA256SUMS'), lines.join(''));
}

// ---

function hostTarget(): Target {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const target = `${platform}-${process.arch}${isMusl() ? '-musl' : ''}`;
  if (!(target in TARGETS)) throw new Error(`Cannot pack for this machine: "${target}" is unknown`);
  return target as Target;
}

function entries(): string[] {
  const main = join('src', 'main.ts');
  return existsSync(WORKER_ENTRY) ? [main, relative(root, WORKER_ENTRY)] : [main];
}

async function bunArguments(target: Target | undefined, outfile: string): Promise<string[]> {
  const build = {
    version: await packageVersion(),
    commit: await currentCommit(),
    target: target ?? hostTarget(),
  };
  // Without --target the running bun is the base, and nothing is fetched.
  const targetFlags = target === undefined ? [] : [`--target=bun-${target}`];
  const define = `--define=MUSTER_BUILD=${JSON.stringify(build)}`;
  return ['build', ...BUN_FLAGS, ...targetFlags, define, `--outfile=${outfile}`, ...entries()];
}

function denoArguments(target: Target | undefined, output: string): string[] {
  const [main = '', ...workers] = entries();
  const triple = target === undefined ? undefined : TARGETS[target];
  if (target !== undefined && triple === undefined) {
    throw new Error(`Cannot pack for "${target}" with deno: it has no such target`);
  }
  const targetFlags = triple === undefined ? [] : [`--target=${triple}`];
  const includes = workers.map((path) => `--include=${path}`);
  return ['compile', ...DENO_FLAGS, ...includes, ...targetFlags, `--output=${output}`, main];
}

async function packageVersion(): Promise<string> {
  const text = await readFile(join(root, 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

async function currentCommit(): Promise<string> {
  const git = async (...args: string[]) => {
    try {
      const { code, output } = await runCommand('git', args, { limitMs: 10_000 });
      return code === 0 ? output.trim() : undefined;
    } catch {
      // No git on this machine: an unpacked archive is built too.
      return undefined;
    }
  };
  const commit = await git('rev-parse', '--short=12', 'HEAD');
  if (commit === undefined) return 'unknown';
  return await git('status', '--porcelain') === '' ? commit : `${commit}-dirty`;
}

function requestedTargets(names: readonly string[]): (Target | undefined)[] {
  if (names.length === 0) return [undefined];
  const known = Object.keys(TARGETS) as Target[];
  if (names.includes('all')) return known;
  return names.map((name) => {
    const target = known.find((one) => one === name);
    if (target !== undefined) return target;
    throw new Error(`Cannot pack for "${name}": known targets are all, ${known.join(', ')}`);
  });
}

async function main(): Promise<void> {
  const { values } = scriptOptions(import.meta.url, {
    target: { type: 'string', multiple: true, default: [] },
    packer: { type: 'string', default: 'bun' },
  });
  const packer = values.packer;
  if (packer !== 'bun' && packer !== 'deno') {
    throw new Error(`Cannot pack with "${packer}": known packers are bun, deno`);
  }
  for (const target of requestedTargets(values.target)) {
    const startMs = performance.now();
    const path = await packExecutable(target, { packer });
    console.log(`${relative(root, path)}  ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
  }
  await writeChecksums();
}

if (import.meta.main) {
  await main().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  });
}
