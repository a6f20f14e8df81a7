/**
 * Announcements: a small change is sent to the workers before they ask.
 *
 * Mostly a worker has what was published last, so that the master knows what it will want: the rows
 * that changed, and then their contents. Both go out with the news of the generation, made once for
 * all workers, and a worker that has the state which they lead away from needs to ask nothing. One
 * that has another state asks as ever. Nothing is believed that an answer would not be: the changes
 * have to lead to the digest that was announced, and contents are held against their hashes.
 */
import { type ByteString, concatBytes } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { BundleReader } from '../../files/bundle.ts';
import type { Entry, EntryChange } from '../../files/entry.ts';
import { type Changes, type Generation, packDelta, readDelta } from '../../files/generation.ts';
import type { Publication } from '../../files/publication.ts';
import type { Clock, Compression } from '../../ports.ts';
import type { Session } from '../../session/session.ts';
import type { PayloadOf } from '../../wire/messages.ts';
import { type Comparison, type LocalState, truthOf } from './compare.ts';
import { ContentServer, type TransferOptions, type TransferPorts } from './content-server.ts';
import type { SetDifference } from './judging.ts';
import type { ContentSink, WantedContent } from './transfer.ts';

/** What the master sends. */
export type Announcement = PayloadOf<'integrity.announced'>;

/** Larger changes are not announced: their rows, bytes. */
const changesBytesMax = 16 * 1024;

/** Contents go along where all of them together have at most so many bytes. */
const contentsBytesMax = 64 * 1024;

// --- the master's end ------------------------------------------------------------------------

/** Makes announcements. */
export class Announcer {
  readonly #publication: Publication;
  readonly #server: ContentServer;

  constructor(ports: TransferPorts, publication: Publication, options: TransferOptions) {
    this.#publication = publication;
    this.#server = new ContentServer(ports, options);
  }

  /** What to send of the latest generation; undefined where workers had better ask. */
  async make(generation: Generation): Promise<Announcement | undefined> {
    const step = this.#publication.history.lastStep;
    if (step === undefined || step.toNumber !== generation.number) return undefined;
    const { sets } = this.#publication;
    const announced = sets.sets.map((set) => {
      const manifest = generation.manifests.get(set.name)!;
      const digest = manifest.rootDigest;
      return {
        name: set.name,
        rules: sets.rulesDigest(set),
        from: step.roots.get(set.name),
        digest,
        entriesCount: manifest.count,
        isApproved: this.#publication.isApproved(set.name, digest),
      };
    });
    const names = announced.map(({ name }) => name);
    const changes = step.changesCount * rowBytesMin > changesBytesMax
      ? undefined
      : packDelta(step.changes, names);
    if (changes === undefined || changes.length > changesBytesMax) return undefined;
    const contents = await this.#contents(comingEntries(step.changes, names));
    return { generation: generation.number, sets: announced, changes, contents };
  }

  /** A bundle with all of the contents, or undefined. */
  async #contents(entries: readonly Entry[]): Promise<Uint8Array | undefined> {
    if (entries.length === 0 || bytesOf(entries) > contentsBytesMax) return undefined;
    const asked = entries.map((entry) => ({
      item: { setIndex: 0, path: entry.path, hash: entry.hash, offset: 0 },
      entry,
    }));
    const { pieces, isComplete } = await this.#server.build(asked);
    return isComplete ? concatBytes(pieces) : undefined;
  }
}

/** So short is hardly a row: more changes than would fit then need not be packed. */
const rowBytesMin = 8;

// --- the worker's end ------------------------------------------------------------------------

/** What the master has announced last, as long as it was not used. */
export class Announcements {
  #latest: { readonly session: Session; readonly announcement: Announcement } | undefined;

  /** An announcement has come. */
  put(session: Session, announcement: Announcement): void {
    this.#latest = { session, announcement };
  }

  /** Takes the last one out, if it came in this session. */
  take(session: Session): Announcement | undefined {
    const latest = this.#latest;
    this.#latest = undefined;
    return latest?.session === session ? latest.announcement : undefined;
  }
}

/** What a worker knows without having asked. */
export interface Announced {
  readonly comparison: Comparison;
  readonly contents: AnnouncedContents | undefined;
}

/**
 * What an announcement says to this worker; undefined where it does not apply to what is here.
 * @throws ProtocolError where it contradicts itself
 */
export async function readAnnouncement(
  ports: { readonly clock: Pick<Clock, 'breathe'>; readonly compression: Compression },
  announcement: Announcement,
  local: LocalState,
): Promise<Announced | undefined> {
  const names = announcement.sets.map(({ name }) => name);
  const changes = readDelta(announcement.changes, names, local.algorithm);
  const digests = new Map<string, ByteString>();
  const differences: SetDifference[] = [];
  for (const set of local.sets.sets) {
    const announced = announcement.sets.find(({ name }) => name === set.name);
    if (announced === undefined || announced.rules !== local.sets.rulesDigest(set)) {
      return undefined; // the answer will say what is wrong
    }
    const { digest, from, entriesCount, isApproved } = announced;
    digests.set(set.name, digest);
    const { rootDigest } = local.manifest(set.name);
    if (rootDigest === digest) continue;
    if (rootDigest !== from) return undefined;
    const ofSet: readonly EntryChange[] = changes.get(set.name) ?? [];
    differences.push({
      set: set.name,
      digest,
      wantedCount: entriesCount,
      isApproved,
      changes: ofSet,
    });
  }
  const comparison = {
    generation: announcement.generation,
    differences,
    digests,
    excluded: [],
  };
  await truthOf(ports.clock, comparison, local);
  const { contents } = announcement;
  if (contents === undefined || differences.length === 0) {
    return { comparison, contents: undefined };
  }
  const entries = comingEntries(changes, names);
  return { comparison, contents: new AnnouncedContents(ports.compression, contents, entries) };
}

/** Contents that came with an announcement. */
export class AnnouncedContents {
  readonly #byHash = new Map<ByteString, Uint8Array>();

  /**
   * @param entries those whose contents are in the bundle, in its order
   * @throws ProtocolError where the bundle has anything else
   */
  constructor(compression: Compression, bundle: Uint8Array, entries: readonly Entry[]) {
    if (bytesOf(entries) > contentsBytesMax) throw misfit('larger than any may be');
    const reader = new BundleReader({ compression, itemsCount: entries.length });
    let parts: Uint8Array[] = [];
    for (const event of reader.push(bundle)) {
      const { size, hash } = entries[event.item]!;
      if (event.kind === 'begin' && event.length === size) parts = [];
      else if (event.kind === 'bytes') parts.push(event.bytes.slice());
      else if (event.kind === 'end' && event.isComplete) this.#byHash.set(hash, concatBytes(parts));
      else throw misfit('not those of its rows');
    }
    if (!reader.isFinished) throw misfit('fewer than its rows');
  }

  /** Whether all of these are here. */
  has(wanted: readonly WantedContent[]): boolean {
    return wanted.every(({ entry, offset }) => offset === 0 && this.#byHash.has(entry.hash));
  }

  /** Hands contents to the sink as a transfer would. Their hashes are the sink's to check. */
  async handTo(wanted: readonly WantedContent[], sink: ContentSink): Promise<void> {
    for (const item of wanted) {
      const bytes = this.#byHash.get(item.entry.hash)!;
      await sink.begin(item);
      if (bytes.length > 0) await sink.bytes(item, bytes);
      await sink.end(item);
    }
  }
}

// ---------------------------------------------------------------------------------------------

/** The entries whose contents belong to some changes, in the order of the packed changes. */
function comingEntries(changes: Changes, names: readonly string[]): Entry[] {
  const coming: Entry[] = [];
  for (const name of names) {
    for (const { entry } of changes.get(name) ?? []) {
      if (entry !== undefined) coming.push(entry);
    }
  }
  return coming;
}

function bytesOf(entries: readonly Entry[]): number {
  return entries.reduce((sum, { size }) => sum + size, 0);
}

function misfit(what: string): ProtocolError {
  return new ProtocolError('unexpected', `The contents of an announcement are ${what}`);
}
