/**
 * Which build of muster this is.
 *
 * The packer (scripts/build.ts) replaces the name `MUSTER_BUILD` by an object literal; run from
 * source, the version comes from the package.json beside `src`. Reads nothing at import.
 */
import { readFileSync } from 'node:fs';
import process from 'node:process';

/** Identity of the running program, as printed by `muster version --json`. */
export interface BuildInfo {
  /** Version of package.json, e.g. `1.2.0`. */
  readonly version: string;
  /** Commit it was built from, with `-dirty` after uncommitted changes; `source` when not built. */
  readonly commit: string;
  /** The JavaScript runtime inside. */
  readonly runtime: 'bun' | 'deno' | 'node';
  /** Version of that runtime. */
  readonly runtimeVersion: string;
  /** Platform it was built for, e.g. `linux-x64-musl`; when not built, the one it runs on. */
  readonly target: string;
}

declare const MUSTER_BUILD: Pick<BuildInfo, 'version' | 'commit' | 'target'> | undefined;

/** Tells which build is running. */
export function buildInfo(): BuildInfo {
  const build = typeof MUSTER_BUILD === 'undefined' ? undefined : MUSTER_BUILD;
  return {
    version: build?.version ?? sourceVersion(),
    commit: build?.commit ?? 'source',
    ...currentRuntime(),
    target: build?.target ?? `${process.platform}-${process.arch}`,
  };
}

// ---

function sourceVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function currentRuntime(): Pick<BuildInfo, 'runtime' | 'runtimeVersion'> {
  for (const runtime of ['bun', 'deno'] as const) {
    const runtimeVersion = process.versions[runtime];
    if (runtimeVersion !== undefined) return { runtime, runtimeVersion };
  }
  return { runtime: 'node', runtimeVersion: process.versions.node };
}
