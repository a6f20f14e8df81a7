/** The tables of all sets from what was stored of them. */
import { toHex } from '../base/bytes.ts';
import type { Clock } from '../ports.ts';
import type { SetTable } from './file-set.ts';
import { LeafChanges } from './leaf-changes.ts';
import type { StoredLeaves, Tables } from './index-store.ts';
import { Manifest, type ManifestOptions } from './manifest.ts';

/**
 * Makes the tables, with all digests computed. Where the sets choose other files than they did each
 * entry goes to the set that it belongs to now, if to any.
 */
export async function tablesFromStore(
  stored: StoredLeaves,
  sets: SetTable,
  options: ManifestOptions,
  clock: Pick<Clock, 'breathe'>,
): Promise<Tables> {
  const bySet = Map.groupBy(stored.leaves, ({ set }) => set);
  const tables = new Map<string, Manifest>();
  for (const { name } of sets.sets) {
    const leaves = stored.isSameRules ? bySet.get(name) ?? [] : [];
    tables.set(name, Manifest.fromLeaves(options, leaves));
  }
  if (!stored.isSameRules) {
    const changes = new Map(sets.sets.map(({ name }) => [name, new LeafChanges()]));
    for (const leaves of bySet.values()) {
      for (const entry of Manifest.fromLeaves(options, leaves).entries()) {
        const set = sets.setOf(entry.path);
        if (set !== undefined) changes.get(set.name)!.add({ path: entry.path, entry });
      }
      await clock.breathe();
    }
    for (const [name, table] of tables) {
      tables.set(name, await table.withMany(changes.get(name)!, clock));
    }
  }
  for (const table of tables.values()) await table.prepareDigests(clock);
  return tables;
}

/** A text that is the same for the same tables. */
export function digestsOf(tables: Tables): string {
  return [...tables].map(([name, table]) => `${name}=${toHex(table.rootDigest)}`).join(' ');
}
