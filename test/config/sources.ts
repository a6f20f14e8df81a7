/** What the tests of the configuration start from: small files, and values made from a seed. */
import { parseConfig } from '../../src/config/parse.ts';
import { ConfigError, type Problem } from '../../src/config/problems.ts';
import type { Config } from '../../src/config/config.ts';

export const fileName = '/srv/muster/muster.toml';

/** A complete worker; more tables may follow. */
export const workerText = `[node]
name = "worker-1"
role = "worker"
root = "/var/ossec"
[worker]
master = ["10.0.0.1:1517"]
`;

export const masterText = `[node]
name = "master-1"
role = "master"
root = "/var/ossec"
`;

/** The configuration of a file with nothing around it. */
export function configOf(text: string): Config {
  return parseConfig({ fileName, text }).config;
}

/** The problems of what must not be a configuration. */
export function problemsOf(run: () => unknown): readonly Problem[] {
  try {
    run();
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  throw new Error('No ConfigError was thrown');
}

/** Numbers in [0, 1) from a seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
