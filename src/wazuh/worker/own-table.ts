/**
 * The table that a worker sends: its own files, as far as the cluster keeps them the same. Packed, it
 * is kept while nothing changes: at rest a check costs what it takes to send it.
 */
import { type BytePath, concatBytes, toHex } from '../../base/bytes.ts';
import type { SetTable } from '../../files/file-set.ts';
import type { Manifest } from '../../files/manifest.ts';
import type { Clock, Zlib } from '../../ports.ts';
import { packTable } from '../archive-writer.ts';
import { type FileRow, tablePieces } from '../file-table.ts';
import type { SyncedFiles } from '../synced-files.ts';

/** What the table is made of. */
export interface OwnTablePorts {
  readonly clock: Clock;
  readonly zlib: Zlib;
  readonly sets: SetTable;
  readonly synced: SyncedFiles;
  readonly manifest: (set: string) => Manifest;
}

/** The table of this node. */
export class OwnTable {
  readonly #ports: OwnTablePorts;
  #packed: { readonly digests: string; readonly archive: Uint8Array } | undefined;

  constructor(ports: OwnTablePorts) {
    this.#ports = ports;
  }

  /** The archive that holds the table of the files as they are known now. */
  async archive(): Promise<Uint8Array> {
    const { sets, manifest, zlib } = this.#ports;
    const digests = sets.sets.map(({ name }) => toHex(manifest(name).rootDigest)).join(' ');
    if (this.#packed?.digests === digests) return this.#packed.archive;
    const pieces: Uint8Array[] = [];
    for await (const piece of packTable(zlib, this.#json())) pieces.push(piece);
    const archive = concatBytes(pieces);
    this.#packed = { digests, archive };
    return archive;
  }

  /** The text of the table, piece by piece: as a whole it would be many times its archive. */
  async *#json(): AsyncGenerator<Uint8Array, void, undefined> {
    for (const piece of tablePieces(this.#rows())) {
      yield piece;
      await this.#ports.clock.breathe();
    }
  }

  *#rows(): Generator<readonly [BytePath, FileRow], void, undefined> {
    const { sets, synced, manifest } = this.#ports;
    for (const { name } of sets.sets) {
      for (const { path, mtimeMs, hash } of manifest(name).entries()) {
        const setKey = synced.keyOf(path);
        if (setKey === undefined) continue;
        const isMerged = path.slice(path.lastIndexOf('/') + 1).includes('.merged');
        yield [path, { setKey, mtimeS: mtimeMs / 1000, hash, isMerged }];
      }
    }
  }
}
