/**
 * The sample tree as the tests use it: what `scripts/sample-tree.ts` makes, and the rare kinds of
 * files that such trees hold too: an empty one, a large one, those that editors leave behind.
 */
import { join } from 'node:path';
import { sampleFiles, writeSampleTree as writeSample } from '../../scripts/sample-tree.ts';
import { write } from './tree.ts';

/** Files that no set takes, beside those of the sample. */
const leftovers = [
  'etc/rules/local_rules.xml~',
  'etc/rules/.local_rules.xml.swp',
  'etc/decoders/new.tmp',
  'var/db/agents.db',
];

const strangers = new Set([
  ...leftovers,
  ...[...sampleFiles()].filter((file) => !file.isManaged).map((file) => file.path),
]);

/** Whether a file of the sample tree must stay on the master. */
export function isStranger(path: string): boolean {
  return strangers.has(path);
}

/** The mode that a file of the default sets has on a worker. */
export function defaultMode(path: string): number {
  return path === 'etc/client.keys' ? 0o640 : 0o660;
}

/** Writes the tree; gives the number of files that belong to a set. */
export async function writeSampleTree(root: string): Promise<number> {
  const { filesCount } = await writeSample(root);
  const pastMs = Date.UTC(2024, 1, 29, 12, 30, 15, 678);
  write(join(root, 'etc/rules/empty.xml'), '', pastMs);
  write(join(root, 'etc/lists/large.cdb'), 'some key:some value\n'.repeat(150_000), pastMs);
  for (const path of leftovers) write(join(root, path), `stays here: ${path}\n`);
  return filesCount + 2;
}

/** Paths of rule files in the sample tree. */
export const sampleRules: readonly string[] = [...sampleFiles()]
  .map((file) => file.path)
  .filter((path) => path.startsWith('etc/rules/'));
