/**
 * What both roles stand on: the database, the file sets, the scanner with its index, the halts.
 */
import { agentMigrations, laterAgentMigrations } from '../agents/store/schema.ts';
import { migrate } from '../base/migrations.ts';
import type { Config } from '../config/config.ts';
import { applyMigrations, laterApplyMigrations } from '../files/apply.ts';
import { SetTable } from '../files/file-set.ts';
import type { GuardConfig } from '../files/guard.ts';
import { haltMigrations, Halts } from '../files/halts.ts';
import {
  directoryMigrations,
  indexMigrations,
  IndexStore,
  leafMigrations,
} from '../files/index-store.ts';
import { LocalTree } from '../files/local-tree.ts';
import { lossMigrations, RecentLosses } from '../files/recent-losses.ts';
import { Scanner } from '../files/scan.ts';
import { versionMigrations } from '../files/version-store.ts';
import { identityMigrations } from '../identity/node-registry.ts';
import type { HashAlgorithm, PlainPorts } from '../ports.ts';

/**
 * All tables of `muster.db`, in the order in which they came to be. Databases in use remember how
 * many of these they have: only ever append.
 */
const migrations: readonly string[] = [
  ...indexMigrations,
  ...haltMigrations,
  ...identityMigrations,
  ...applyMigrations,
  ...versionMigrations,
  ...agentMigrations,
  ...lossMigrations,
  ...laterApplyMigrations,
  ...leafMigrations,
  ...directoryMigrations,
  ...laterAgentMigrations,
];

/** The stores of a node. */
export interface Storage {
  readonly sets: SetTable;
  readonly algorithm: HashAlgorithm;
  readonly index: IndexStore;
  readonly halts: Halts;
  readonly losses: RecentLosses;
  readonly tree: LocalTree;
}

/** How the stores are opened. */
export interface StorageOptions {
  /** Hash of file contents. */
  readonly algorithm: HashAlgorithm;
}

/** Opens the stores and takes up what was known before. */
export async function openStorage(
  ports: PlainPorts,
  config: Config,
  { algorithm }: StorageOptions,
): Promise<Storage> {
  const { clock, database, hashing, files } = ports;
  const { racyWindowMs, rehashEveryMs, intervalMs, sweepEveryMs } = config.localIntegrity;
  migrate(database, migrations);
  const sets = new SetTable(config.sets, hashing, algorithm);
  const index = new IndexStore({ clock, database, hashing }, sets, { algorithm });
  const scanner = new Scanner(
    { tree: files, clock, log: ports.log, hashing },
    sets,
    { algorithm, racyWindowMs, rehashEveryMs },
    index,
  );
  await scanner.load();
  const tree = new LocalTree({ clock }, scanner, { fullEveryMs: intervalMs, sweepEveryMs });
  const halts = new Halts({ clock, database });
  const losses = new RecentLosses({ clock, database });
  return { sets, algorithm, index, halts, losses, tree };
}

/** The guard's settings as the files layer wants them. */
export function guardConfigOf(config: Config): GuardConfig {
  const { emptied, shrinkShareMax } = config.guard;
  return { isEmptiedHalted: emptied, shrinkShareMax };
}
