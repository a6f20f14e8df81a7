/**
 * The ports: everything the core needs from the outside world, and nothing else.
 *
 * `src/runtime` implements them on a real machine, `test/sim` in a simulated one. Code outside
 * those two reaches time, chance, network, disk, hashing and processes only through here, which is
 * what makes a whole cluster replay identically from a seed.
 */
import type { Compression, Zlib } from './ports/compression.ts';
import type { Database } from './ports/database.ts';
import type { Files } from './ports/files.ts';
import type { Hashing, SymmetricCrypto } from './ports/hashing.ts';
import type { Logger } from './ports/logger.ts';
import type { Network, PlainNetwork } from './ports/network.ts';
import type { Processes } from './ports/processes.ts';
import type { Clock, Random } from './ports/time.ts';
import type { Watcher } from './ports/watcher.ts';

export type * from './ports/time.ts';
export type * from './ports/logger.ts';
export type * from './ports/network.ts';
export type * from './ports/files.ts';
export type * from './ports/watcher.ts';
export type * from './ports/hashing.ts';
export type * from './ports/compression.ts';
export type * from './ports/database.ts';
export type * from './ports/processes.ts';
export { hashBytes } from './ports/hashing.ts';

/** All ports of a node, as the composition hands them over. */
export interface Ports {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly network: Network;
  readonly plainNetwork: PlainNetwork;
  readonly files: Files;
  readonly watcher: Watcher;
  readonly hashing: Hashing;
  readonly symmetricCrypto: SymmetricCrypto;
  readonly compression: Compression;
  readonly zlib: Zlib;
  readonly database: Database;
  readonly processes: Processes;
}

/** The ports of a node that has no certificate. */
export type PlainPorts = Omit<Ports, 'network'>;
