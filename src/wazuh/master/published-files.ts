/**
 * What a master has published, as workers of the Wazuh protocol compare it: a file table with BLAKE2b
 * hashes for each generation.
 *
 * The hashes of the cluster are of another kind as a rule. The BLAKE2b hash of a content is computed
 * once, in the background after the generation that brought it, from the very bytes that have the
 * published hash: what has changed meanwhile is left open, and looked at again.
 */
import { Latest, Mutex } from '../../base/async.ts';
import { type BytePath, type ByteString, displayPath } from '../../base/bytes.ts';
import type { Entry } from '../../files/entry.ts';
import type { SetTable } from '../../files/file-set.ts';
import type { Generation } from '../../files/generation.ts';
import { changesBetween } from '../../files/table-difference.ts';
import type { Clock, HashAlgorithm, Hashing, Logger, TreeReader } from '../../ports.ts';
import type { FileRow, FileTable } from '../file-table.ts';
import { type SyncedFiles, unsendableReason } from '../synced-files.ts';
import { PublishedContents } from './published-contents.ts';

/** The published table of one generation. */
export interface PublishedFiles {
  readonly generation: Generation;
  readonly table: FileTable;
  /** Published paths whose contents could not be had: they are neither sent nor removed. */
  readonly open: ReadonlySet<BytePath>;
}

/** What the table is made with. */
export interface PublishedFilesPorts {
  readonly clock: Clock;
  readonly hashing: Hashing;
  readonly files: TreeReader;
  readonly log: Logger;
  /** The master's sets. */
  readonly sets: SetTable;
  /** The cluster's hash. */
  readonly algorithm: HashAlgorithm;
  readonly synced: SyncedFiles;
}

/** Hashes kept beyond those of the present files before they are forgotten. */
const staleHashesMax = 10_000;

/** The published table, from generation to generation. */
export class PublishedFilesTable {
  /** Undefined until the table of a first generation is there. */
  readonly latest = new Latest<PublishedFiles | undefined>(undefined);
  readonly contents: PublishedContents;
  readonly #ports: PublishedFilesPorts;
  readonly #mutex = new Mutex();
  /** BLAKE2b hashes by the hash of the cluster. */
  #hashes = new Map<ByteString, ByteString>();
  #wanted: Generation | undefined;
  /** Paths that were said to be left out. */
  readonly #told = new Set<BytePath>();

  constructor(ports: PublishedFilesPorts) {
    this.#ports = ports;
    this.contents = new PublishedContents(ports);
  }

  /** Brings the table to a generation, or a later one that comes meanwhile. */
  follow(generation: Generation, signal: AbortSignal): Promise<void> {
    this.#wanted = generation;
    return this.#mutex.run(async () => {
      const { latest } = this;
      const wanted = this.#wanted;
      if (wanted === undefined) return;
      const { generation: had, open } = latest.value ?? {};
      if (wanted.number === had?.number && open?.size === 0) return;
      latest.publish(await this.#tableOf(wanted, signal));
    });
  }

  /** Looks again at what could not be had. */
  async retry(signal: AbortSignal): Promise<void> {
    const wanted = this.#wanted;
    const isBehind = this.latest.value?.generation !== wanted ||
      (this.latest.value?.open.size ?? 0) > 0;
    if (wanted !== undefined && isBehind) await this.follow(wanted, signal);
  }

  /** The entry of a path in a generation. */
  entryOf(generation: Generation, path: BytePath): Entry | undefined {
    const set = this.#ports.sets.setOf(path);
    return set === undefined ? undefined : generation.manifests.get(set.name)?.get(path);
  }

  /** Whether a worker's file of this path is to be as on the master: there, or not. */
  isMirrored(path: BytePath): boolean {
    const { sets, synced } = this.#ports;
    return sets.setOf(path) !== undefined && synced.keyOf(path) !== undefined &&
      unsendableReason(path) === undefined;
  }

  // ---

  async #tableOf(generation: Generation, signal: AbortSignal): Promise<PublishedFiles> {
    const before = this.latest.value;
    const table = new Map(before?.table);
    const open = new Set<BytePath>();
    const unknown: { entry: Entry; key: string }[] = [];
    for await (const [path, entry] of this.#changes(before, generation)) {
      const key = this.#keyOf(path);
      const hash = entry === undefined ? undefined : this.#hashOf(entry);
      if (entry === undefined || key === undefined) table.delete(path);
      else if (hash !== undefined) table.set(path, rowOf(entry, key, hash));
      else unknown.push({ entry, key });
    }
    const entries = unknown.map(({ entry }) => entry);
    const hashes = await this.contents.hash(entries, 'blake2b', signal);
    for (const [i, { entry, key }] of unknown.entries()) {
      const hash = hashes[i];
      if (hash === undefined) {
        table.delete(entry.path);
        open.add(entry.path);
        continue;
      }
      this.#hashes.set(entry.hash, hash);
      table.set(entry.path, rowOf(entry, key, hash));
    }
    if (this.#hashes.size > table.size + staleHashesMax) this.#forget(generation, table);
    return { generation, table, open };
  }

  /** What differs from the present table, or may: paths with their entries. */
  async *#changes(before: PublishedFiles | undefined, generation: Generation) {
    const { clock } = this.#ports;
    for (const [name, manifest] of generation.manifests) {
      const known = before?.generation.manifests.get(name);
      if (known === undefined) {
        let count = 0;
        for (const entry of manifest.entries()) {
          yield [entry.path, entry] as const;
          if (++count % 100 === 0) await clock.breathe();
        }
        continue;
      }
      for (const { path, entry } of await changesBetween(known, manifest, clock)) {
        yield [path, entry] as const;
      }
    }
    for (const path of before?.open ?? []) yield [path, this.entryOf(generation, path)] as const;
  }

  #hashOf({ hash }: Entry): ByteString | undefined {
    return this.#ports.algorithm === 'blake2b' ? hash : this.#hashes.get(hash);
  }

  #keyOf(path: BytePath): string | undefined {
    const key = this.#ports.synced.keyOf(path);
    const reason = key === undefined ? undefined : unsendableReason(path);
    if (reason === undefined) return key;
    if (!this.#told.has(path) && this.#told.size < 1000) {
      this.#told.add(path);
      const text = `"${
        displayPath(path)
      }" is not sent to workers of the Wazuh protocol: ${reason}.`;
      this.#ports.log.log('warning', text);
    }
    return undefined;
  }

  /** Keeps the hashes of what is published now. */
  #forget(generation: Generation, table: FileTable): void {
    const kept = new Map<ByteString, ByteString>();
    for (const [path, { hash }] of table) {
      const entry = this.entryOf(generation, path);
      if (entry !== undefined) kept.set(entry.hash, hash);
    }
    this.#hashes = kept;
  }
}

function rowOf(entry: Entry, setKey: string, hash: ByteString): FileRow {
  return { setKey, mtimeS: entry.mtimeMs / 1000, hash, isMerged: false };
}
