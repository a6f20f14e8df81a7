/**
 * Bringing contents into staging, each checked against its hash before it can get into the batch.
 *
 * Small files come in whole, many at a time. A large one is streamed; what has come of it outlives
 * a cut and a restart and is taken up again. A content can also come from the tree itself, or from
 * the kept versions.
 */
import { type BytePath, type ByteString, displayPath } from '../base/bytes.ts';
import { codeOf } from '../base/errors.ts';
import type { Clock, FileAttributes, Files, HashAlgorithm, Hashing, SmallFile } from '../ports.ts';
import type { Entry } from './entry.ts';
import type { FileSet } from './file-set.ts';
import { damaged, IncomingFile } from './incoming-file.ts';
import { IncomingStream } from './incoming-stream.ts';
import { type ApplyFailure, failureOf, type Incoming, type Staging } from './staging.ts';
import type { KeptVersion } from './version-store.ts';

/** A file with its whole content. */
export interface IncomingContent extends Incoming {
  readonly bytes: Uint8Array;
}

/** A content of which nothing is known but where it is to go. */
export interface UnknownContent {
  readonly set: FileSet;
  readonly path: BytePath;
  /** As it is now; undefined where nothing is there. */
  readonly previous: Entry | undefined;
}

/** What bringing in needs. */
export interface IntakePorts {
  readonly files: Files;
  readonly clock: Clock;
  readonly hashing: Hashing;
  readonly staging: Staging;
}

/** How contents are checked and what they are to look like. */
export interface IntakeOptions {
  /** The cluster's content hash. */
  readonly algorithm: HashAlgorithm;
  /** Whether files get the modification time that they have on the master. */
  readonly preserveMtime: boolean;
}

/** Bytes that are hashed between two breaths: with one content more, which has at most 1 MiB. */
const hashedBytes = 1024 * 1024;

/** Small contents that are looked at between two breaths. */
const itemsPerBreath = 100;

/** Bytes of a local file copied at a time. */
const copyBytes = 256 * 1024;

/** Brings contents into staging. */
export class Intake {
  readonly #ports: IntakePorts;
  readonly #options: IntakeOptions;

  constructor(ports: IntakePorts, options: IntakeOptions) {
    this.#ports = ports;
    this.#options = options;
  }

  /** Stages whole contents; those that are refused or damaged are left out and returned. */
  async addSmall(items: readonly IncomingContent[]): Promise<ApplyFailure[]> {
    const hashes = await this.#hashesOf(items);
    return await this.#addWhole(
      items,
      ({ bytes, entry }, at) => bytes.length === entry.size && hashes[at] === entry.hash,
    );
  }

  /** The same for contents that their entries were just made from: they are not hashed again. */
  addHashed(items: readonly IncomingContent[]): Promise<ApplyFailure[]> {
    return this.#addWhole(items, () => true);
  }

  /** Starts a content of which nothing is known before it is there. */
  async openUnknown(item: UnknownContent): Promise<IncomingStream> {
    const { files, staging, hashing, clock } = this.#ports;
    const set = staging.admit(item.path, item.set.name);
    const stagedName = staging.openFresh();
    try {
      return new IncomingStream({
        path: item.path,
        hasher: hashing.create(this.#options.algorithm),
        file: await files.stage(stagedName, 0),
        attributes: this.#attributes(set, clock.nowMs()),
        nowMs: () => clock.nowMs(),
        requireSpace: (bytes) => staging.requireSpace(bytes, `"${displayPath(item.path)}"`),
        onEnd: (entry) => {
          staging.closePartial(stagedName);
          if (entry === undefined) return;
          staging.put({ stagedName, entry, set, previous: item.previous });
        },
        drop: (error) => staging.discardAfter(error, [stagedName]),
      });
    } catch (error) {
      staging.closePartial(stagedName);
      throw error;
    }
  }

  // --- downloads and copies ------------------------------------------------------------------

  /** Starts, or takes up again, the download of a large file. */
  async open(item: Incoming): Promise<IncomingFile> {
    const { files, staging, hashing } = this.#ports;
    const { entry, previous } = item;
    const set = staging.admitNew(item);
    const stagedName = staging.openPartial(entry);
    try {
      const present = (await files.staged()).get(stagedName) ?? 0;
      const offset = present <= entry.size ? present : 0;
      await staging.requireSpace(entry.size - offset, `"${displayPath(entry.path)}"`);
      const hasher = hashing.create(this.#options.algorithm);
      if (offset > 0) await files.hashStaged(stagedName, offset, hasher);
      staging.notePartial(stagedName);
      return new IncomingFile({
        entry,
        hasher,
        offset,
        file: await files.stage(stagedName, offset),
        attributes: this.#attributes(set, entry.mtimeMs),
        onEnd: (isWhole) => {
          staging.closePartial(stagedName);
          if (isWhole) staging.put({ stagedName, set, entry, previous });
        },
        drop: (error) => staging.discardAfter(error, [stagedName]),
      });
    } catch (error) {
      staging.closePartial(stagedName);
      throw error;
    }
  }

  /** Stages the content of a file of the tree for another path. */
  async addCopy(source: BytePath, item: Incoming): Promise<void> {
    const file = await this.#ports.files.open(source);
    try {
      const incoming = await this.open(item);
      try {
        for (let at = incoming.offset; at < item.entry.size;) {
          const bytes = await file.read(at, Math.min(copyBytes, item.entry.size - at));
          if (bytes.length === 0) break;
          await incoming.write(bytes);
          at += bytes.length;
          await this.#ports.clock.breathe();
        }
        await incoming.finish();
      } finally {
        await incoming.suspend();
      }
    } finally {
      await file.close();
    }
  }

  /**
   * Stages kept versions; those that are refused, gone or damaged are left out and returned.
   * @param presentAt what the node knows to be at a path now
   */
  async addVersions(
    versions: readonly KeptVersion[],
    presentAt: (path: BytePath) => Entry | undefined,
  ): Promise<ApplyFailure[]> {
    const { files, staging } = this.#ports;
    const failures: ApplyFailure[] = [];
    const copies: Copy[] = [];
    const bytesCount = versions.reduce((sum, version) => sum + version.size, 0);
    await staging.requireSpace(bytesCount, `${versions.length} kept versions`);
    for (const version of versions) {
      const stagedName = staging.freshName();
      try {
        const set = staging.admit(version.path, version.set);
        const attributes = this.#attributes(set, version.mtimeMs);
        await files.stageVersion(version.name, stagedName, attributes);
        copies.push({ version, set, stagedName, previous: presentAt(version.path) });
      } catch (error) {
        const isFull = codeOf(error) === 'noSpace';
        const earlier = isFull ? copies.map((copy) => copy.stagedName) : [];
        await staging.discardAfter(error, [stagedName, ...earlier]);
        if (isFull) throw error;
        failures.push(failureOf(version.path, error));
      }
    }
    return [...failures, ...await this.#checkCopies(copies)];
  }

  // ---

  /** Puts copies of versions into the batch, as far as they are what was kept. */
  async #checkCopies(copies: readonly Copy[]): Promise<ApplyFailure[]> {
    const { files, staging, hashing } = this.#ports;
    const failures: ApplyFailure[] = [];
    const sizes = await files.staged();
    for (const { version, set, stagedName, previous } of copies) {
      const { path, mtimeMs } = version;
      const size = sizes.get(stagedName) ?? 0;
      const hasher = hashing.create(this.#options.algorithm);
      await files.hashStaged(stagedName, size, hasher);
      const entry = { path, size, mtimeMs, hash: hasher.digest() };
      if (version.hash === undefined || version.hash === entry.hash) {
        staging.put({ stagedName, set, entry, previous });
      } else {
        await staging.discardNames([stagedName]);
        failures.push({ path, error: damaged(entry) });
      }
    }
    return failures;
  }

  async #addWhole(
    items: readonly IncomingContent[],
    isRight: (item: IncomingContent, at: number) => boolean,
  ): Promise<ApplyFailure[]> {
    const { files, staging, clock } = this.#ports;
    const failures: ApplyFailure[] = [];
    const right: Incoming[] = [];
    const contents: Uint8Array[] = [];
    const admitted = new Map<BytePath, Incoming>();
    let bytesCount = 0;
    for (const [at, item] of items.entries()) {
      if (at % itemsPerBreath === 0) await clock.breathe();
      const { entry, previous, bytes } = item;
      try {
        const set = staging.admitNew(item, admitted);
        if (!isRight(item, at)) throw damaged(entry);
        admitted.set(entry.path, item);
        right.push({ set, entry, previous });
        contents.push(bytes);
        bytesCount += bytes.length;
      } catch (error) {
        failures.push(failureOf(entry.path, error));
      }
    }
    const names = await staging.namesFor(right);
    const small = right.map(({ set, entry }, at): SmallFile => ({
      name: names[at]!,
      bytes: contents[at]!,
      attributes: this.#attributes(set, entry.mtimeMs),
    }));
    await staging.requireSpace(bytesCount, `${small.length} files`);
    try {
      await files.stageAll(small);
    } catch (error) {
      await staging.discardAfter(error, small.map((file) => file.name));
      throw error;
    }
    for (const [at, item] of right.entries()) staging.put({ ...item, stagedName: names[at]! });
    return failures;
  }

  /** Hashes of whole contents, some of them at a time. */
  async #hashesOf(items: readonly IncomingContent[]): Promise<ByteString[]> {
    const { hashing, clock } = this.#ports;
    const hashes: ByteString[] = [];
    for (let start = 0; start < items.length;) {
      let end = start;
      let bytesCount = 0;
      while (end < items.length && bytesCount < hashedBytes) {
        bytesCount += items[end++]!.bytes.length;
      }
      const contents = items.slice(start, end).map(({ bytes }) => bytes);
      hashes.push(...hashing.digestAll(this.#options.algorithm, contents));
      start = end;
      await clock.breathe();
    }
    return hashes;
  }

  #attributes(set: FileSet, mtimeMs: number): FileAttributes {
    const { mode, owner, group } = set;
    return { mode, owner, group, mtimeMs: this.#options.preserveMtime ? mtimeMs : undefined };
  }
}

// ---

/** A kept version copied into staging. */
interface Copy {
  readonly version: KeptVersion;
  readonly set: FileSet;
  readonly stagedName: string;
  /** What it is to replace. */
  readonly previous: Entry | undefined;
}
