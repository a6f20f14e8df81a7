/**
 * The receiving end of a synchronisation: takes an archive apart while it comes.
 *
 * Contents come before the table that says what they are for, so they are brought into staging first
 * and judged after; nothing is placed from here. What no set of this node has a place for is left
 * out. For a look alone nothing is staged.
 */
import { Mutex } from '../../base/async.ts';
import { type BytePath, concatBytes, displayPath } from '../../base/bytes.ts';
import { ClusterError } from '../../base/errors.ts';
import type { Applier, ApplyFailure, IncomingContent, IncomingStream } from '../../files/apply.ts';
import type { Entry } from '../../files/entry.ts';
import type { SetTable } from '../../files/file-set.ts';
import { failureOf } from '../../files/staging.ts';
import type { Manifest } from '../../files/manifest.ts';
import type { Clock, Hasher, Hashing, Zlib } from '../../ports.ts';
import { tablePath } from '../archive-format.ts';
import { type ArchiveEvent, ArchiveReader } from '../archive-reader.ts';
import { type FileOrders, readOrders } from '../file-table.ts';

/** What taking in needs. */
export interface IntakePorts {
  readonly clock: Clock;
  readonly zlib: Zlib;
  readonly hashing: Hashing;
  readonly sets: SetTable;
  readonly manifest: (set: string) => Manifest;
  /** Where contents go; undefined for a look alone. */
  readonly applier: Applier | undefined;
}

/** Small contents staged together. */
const stagedBytes = 4 * 1024 * 1024;
const stagedCount = 1_000;

/** The longest table: some half a million files. */
const tableBytesMax = 256 * 1024 * 1024;

/** What a member of the archive is for, between its `begin` and its `end`. */
interface OpenMember {
  write(bytes: Uint8Array): Promise<void>;
  end(): Promise<void>;
  discard(): Promise<void>;
}

/** Takes one archive in. */
export class ArchiveIntake {
  /** What has come, as it is. */
  readonly received = new Map<BytePath, Entry>();
  readonly failures: ApplyFailure[] = [];
  readonly #ports: IntakePorts;
  readonly #onBytes: (bytes: number) => void;
  readonly #reader: ArchiveReader;
  readonly #steps = new Mutex();
  #isClosed = false;
  #waiting: IncomingContent[] = [];
  #waitingBytes = 0;
  #member: OpenMember | undefined;
  #orders: FileOrders | undefined;
  #bytesCount = 0;

  /** @param onBytes called with the number of content bytes that have come so far */
  constructor(ports: IntakePorts, onBytes: (bytes: number) => void) {
    this.#ports = ports;
    this.#onBytes = onBytes;
    this.#reader = new ArchiveReader(ports.zlib);
  }

  /** Bytes of contents that have come. */
  get bytesCount(): number {
    return this.#bytesCount;
  }

  /** Takes the next bytes of the archive. @throws ClusterError `corrupt`, `noSpace` or `io` */
  write(bytes: Uint8Array): Promise<void> {
    return this.#whileOpen(async () => {
      for await (const event of this.#reader.push(bytes)) await this.#take(event);
    });
  }

  /** The archive is whole: what is to be done. @throws ClusterError `corrupt` */
  finish(): Promise<FileOrders> {
    return this.#whileOpen(async () => {
      for await (const event of this.#reader.finish()) await this.#take(event);
      await this.#stage();
      if (this.#orders !== undefined) return this.#orders;
      throw new ClusterError('corrupt', 'The archive of the master holds no table');
    });
  }

  /** To be called in any case: nothing is staged any more. What is, is for the caller to drop. */
  close(): Promise<void> {
    return this.#steps.run(async () => {
      this.#isClosed = true;
      this.#reader.close();
      await this.#member?.discard();
      this.#member = undefined;
    });
  }

  #whileOpen<T>(work: () => Promise<T>): Promise<T> {
    return this.#steps.run(() => {
      if (!this.#isClosed) return work();
      throw new ClusterError('aborted', 'Nobody waits for this archive any more');
    });
  }

  async #take(event: ArchiveEvent): Promise<void> {
    switch (event.kind) {
      case 'whole':
        if (event.path === tablePath) await this.#takeTable(event.content);
        else await this.#takeSmall(event.path, event.content);
        break;
      case 'begin':
        this.#member = event.path === tablePath
          ? this.#openTable()
          : await this.#openLarge(event.path);
        break;
      case 'bytes':
        await this.#member?.write(event.bytes);
        break;
      case 'end':
        await this.#member?.end();
        this.#member = undefined;
    }
  }

  async #takeSmall(path: BytePath, bytes: Uint8Array): Promise<void> {
    const { clock, sets, hashing, manifest, applier } = this.#ports;
    const set = sets.setOf(path);
    if (set === undefined) {
      this.#leaveOut(path);
      return;
    }
    const hash = hashing.digest('blake2b', bytes);
    const entry: Entry = { path, size: bytes.length, mtimeMs: clock.nowMs(), hash };
    this.#count(bytes.length);
    this.received.set(path, entry);
    if (applier === undefined) return;
    this.#waiting.push({ set, entry, previous: manifest(set.name).get(path), bytes });
    this.#waitingBytes += bytes.length;
    if (this.#waitingBytes >= stagedBytes || this.#waiting.length >= stagedCount) {
      await this.#stage();
    }
  }

  async #stage(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    if (waiting.length === 0) return;
    for (const failure of await this.#ports.applier?.stageHashed(waiting) ?? []) {
      this.received.delete(failure.path);
      this.failures.push(failure);
    }
  }

  async #takeTable(json: Uint8Array): Promise<void> {
    this.#orders = await readOrders(json, this.#ports.clock);
  }

  #openTable(): OpenMember {
    const pieces: Uint8Array[] = [];
    let length = 0;
    return {
      write: (bytes) => {
        length += bytes.length;
        if (length > tableBytesMax) {
          throw new ClusterError('corrupt', 'The table of the master is too long');
        }
        pieces.push(bytes.slice());
        return Promise.resolve();
      },
      end: () => this.#takeTable(concatBytes(pieces)),
      discard: () => Promise.resolve(),
    };
  }

  async #openLarge(path: BytePath): Promise<OpenMember | undefined> {
    const { sets, manifest, applier, hashing, clock } = this.#ports;
    const set = sets.setOf(path);
    if (set === undefined) {
      this.#leaveOut(path);
      return undefined;
    }
    if (applier === undefined) return this.#measure(path, hashing.create('blake2b'), clock);
    await this.#stage();
    try {
      const previous = manifest(set.name).get(path);
      return this.#staging(await applier.stageUnknown({ set, path, previous }));
    } catch (error) {
      this.failures.push(failureOf(path, error));
      return undefined;
    }
  }

  #staging(stream: IncomingStream): OpenMember {
    return {
      write: (bytes) => {
        this.#count(bytes.length);
        return stream.write(bytes);
      },
      end: async () => {
        const entry = await stream.finish();
        this.received.set(entry.path, entry);
      },
      discard: () => stream.discard(),
    };
  }

  /** A large content that is only looked at. */
  #measure(path: BytePath, hasher: Hasher, clock: Clock): OpenMember {
    let size = 0;
    return {
      write: (bytes) => {
        this.#count(bytes.length);
        size += bytes.length;
        hasher.update(bytes);
        return Promise.resolve();
      },
      end: () => {
        const mtimeMs = clock.nowMs();
        this.received.set(path, { path, size, mtimeMs, hash: hasher.digest() });
        return Promise.resolve();
      },
      discard: () => Promise.resolve(),
    };
  }

  #count(bytes: number): void {
    this.#bytesCount += bytes;
    this.#onBytes(this.#bytesCount);
  }

  #leaveOut(path: BytePath): void {
    const error = new ClusterError(
      'refused',
      `Cannot change "${displayPath(path)}": it belongs to no set of this node`,
    );
    this.failures.push({ path, error });
  }
}
