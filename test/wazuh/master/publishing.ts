/** A simulated machine with a tree, and what a master publishes of it for Wazuh workers. */
import { concatBytes } from '../../../src/base/bytes.ts';
import type { Entry } from '../../../src/files/entry.ts';
import { SetTable } from '../../../src/files/file-set.ts';
import { type Generation, makeGeneration } from '../../../src/files/generation.ts';
import { Manifest } from '../../../src/files/manifest.ts';
import type { HashAlgorithm } from '../../../src/ports.ts';
import { ArchiveBuilder } from '../../../src/wazuh/master/archive-builder.ts';
import { PublishedFilesTable } from '../../../src/wazuh/master/published-files.ts';
import { ArchiveReader } from '../../../src/wazuh/archive-reader.ts';
import { defaultClusterJson } from '../../../src/wazuh/cluster-json.ts';
import type { TableDifference } from '../../../src/wazuh/file-table.ts';
import { SyncedFiles } from '../../../src/wazuh/synced-files.ts';
import { fileSet } from '../../files/material.ts';
import { never } from '../../files/tree-world.ts';
import { simHashing } from '../../sim/hashing.ts';
import { SimNetwork } from '../../sim/network.ts';
import { SimNode } from '../../sim/node.ts';
import { World } from '../../sim/world.ts';
import { simZlib } from '../../sim/zlib.ts';

const mtimeMs = 1_700_000_000_500;

/** A master's tree and its published table. */
export class Publishing {
  readonly world = new World({ seed: 1 });
  readonly node = new SimNode(this.world, new SimNetwork(this.world), { name: 'master' });
  readonly sets: SetTable;
  readonly published: PublishedFilesTable;
  readonly #algorithm: HashAlgorithm;
  readonly #ports = this.node.ports();
  #number = 0;

  constructor(algorithm: HashAlgorithm = 'md5') {
    this.#algorithm = algorithm;
    const sets = [
      fileSet({ name: 'keys', path: 'etc', include: ['client.keys'], recursive: false }),
      fileSet({ name: 'rules', path: 'etc/rules' }),
      fileSet({ name: 'sca', path: 'ruleset/sca' }),
    ];
    this.sets = new SetTable(sets, simHashing, algorithm);
    this.published = new PublishedFilesTable({
      ...this.#ports,
      algorithm,
      sets: this.sets,
      synced: new SyncedFiles(defaultClusterJson),
    });
  }

  logged(): string[] {
    return this.node.records.map(({ text }) => text);
  }

  /** The operator writes these files. */
  write(files: Readonly<Record<string, string>>): void {
    for (const [path, content] of Object.entries(files)) {
      this.node.operator.write(path, content, { mtimeMs });
    }
  }

  /** A generation of these contents, whatever is on the disk. */
  generation(files: Readonly<Record<string, string>>): Generation {
    const bySet = Map.groupBy(
      Object.entries(files).map(([path, content]) => this.#entry(path, content)),
      ({ path }) => this.sets.setOf(path)?.name ?? '',
    );
    const options = { hashing: simHashing, algorithm: this.#algorithm };
    const manifests = new Map(this.sets.sets.map(({ name }) => [
      name,
      Manifest.fromEntries(options, bySet.get(name) ?? []),
    ]));
    return makeGeneration({ number: ++this.#number, createdMs: 0, manifests, ...options });
  }

  follow(generation: Generation): Promise<void> {
    return this.world.settle(this.published.follow(generation, never));
  }

  /** Builds an archive; its members in order, the table as text. */
  async archive(generation: Generation, difference: TableDifference, bytesMax = 1e9) {
    const { contents } = this.published;
    const builder = new ArchiveBuilder({ ...this.#ports, zlib: simZlib, contents }, {
      difference,
      entryOf: (path) => this.published.entryOf(generation, path),
      bytesMax,
    });
    return await this.world.settle(unpacked(builder));
  }

  #entry(path: string, content: string): Entry {
    const bytes = new TextEncoder().encode(content);
    const hash = simHashing.digest(this.#algorithm, bytes);
    return { path, size: bytes.length, mtimeMs, hash };
  }
}

async function unpacked(builder: ArchiveBuilder) {
  const reader = new ArchiveReader(simZlib);
  const members: [path: string, content: string][] = [];
  let path = '';
  let pieces: Uint8Array[] = [];
  const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const take = async (events: ReturnType<ArchiveReader['push']>) => {
    for await (const event of events) {
      if (event.kind === 'whole') members.push([event.path, textOf(event.content)]);
      else if (event.kind === 'begin') [path, pieces] = [event.path, []];
      else if (event.kind === 'bytes') pieces.push(event.bytes);
      else members.push([path, textOf(concatBytes(pieces))]);
    }
  };
  for await (const piece of builder.pieces(never)) await take(reader.push(piece));
  await take(reader.finish());
  return { members, leftOutCount: builder.leftOutCount };
}
