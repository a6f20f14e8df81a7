/**
 * The directories right below one directory, as the tables of files tell: those that hold files, at
 * whatever depth. Follows the tables at the cost of what changes in them.
 */
import { type BytePath, type ByteString, fromText } from '../base/bytes.ts';
import type { Clock } from '../ports.ts';
import type { Entry } from './entry.ts';
import type { FileSet } from './file-set.ts';
import type { Manifest } from './manifest.ts';
import { isBelow } from './paths.ts';
import { changesBetween } from './table-difference.ts';

/** What is below a directory. */
export interface DirectoryContent {
  readonly files: number;
  readonly bytes: number;
}

/** What a step of following has found. */
export interface NamesChange {
  readonly appeared: readonly ByteString[];
  readonly vanished: readonly ByteString[];
}

const nothing: DirectoryContent = { files: 0, bytes: 0 };

/** Names of directories. */
export class DirectoryNames {
  readonly #clock: Pick<Clock, 'breathe'>;
  readonly #prefix: BytePath;
  readonly #sets: readonly FileSet[];
  readonly #contents = new Map<ByteString, DirectoryContent>();
  readonly #tables = new Map<string, Manifest>();

  /** @param sets of which those matter that may have files below the directory */
  constructor(
    ports: { readonly clock: Pick<Clock, 'breathe'> },
    directory: BytePath,
    sets: readonly FileSet[],
  ) {
    this.#clock = ports.clock;
    this.#prefix = `${directory}/`;
    this.#sets = sets.filter((set) => {
      const path = fromText(set.path);
      return path === directory || isBelow(path, directory) ||
        (set.recursive && isBelow(directory, path));
    });
  }

  /** Whether there is such a directory. */
  has(name: ByteString): boolean {
    return this.#contents.has(name);
  }

  /** All names, in no order, with what is below each. */
  get contents(): ReadonlyMap<ByteString, DirectoryContent> {
    return this.#contents;
  }

  /** The files below one directory, in no order; paths are relative to it. */
  async filesOf(name: ByteString): Promise<Entry[]> {
    const prefix = `${this.#prefix}${name}/`;
    const files: Entry[] = [];
    for (const table of this.#tables.values()) {
      for (const entries of table.entriesWithPrefix(prefix)) {
        for (const entry of entries) {
          files.push({ ...entry, path: entry.path.slice(prefix.length) });
        }
        await this.#clock.breathe();
      }
    }
    return files;
  }

  /** Goes on to the present tables; one call at a time. */
  async follow(table: (set: string) => Manifest | undefined): Promise<NamesChange> {
    const steps = new Map<ByteString, DirectoryContent>();
    for (const { name } of this.#sets) {
      const after = table(name);
      if (after === undefined) continue;
      await this.#step(this.#tables.get(name), after, steps);
      this.#tables.set(name, after);
    }
    return this.#apply(steps);
  }

  /** Counts by how much each directory has grown or shrunk. */
  async #step(
    before: Manifest | undefined,
    after: Manifest,
    steps: Map<ByteString, DirectoryContent>,
  ): Promise<void> {
    const note = (entry: Entry | undefined, sign: 1 | -1) => {
      const name = entry === undefined ? undefined : this.#nameIn(entry.path);
      if (entry === undefined || name === undefined) return;
      const { files, bytes } = steps.get(name) ?? nothing;
      steps.set(name, { files: files + sign, bytes: bytes + sign * entry.size });
    };
    if (before === undefined) {
      for (const entries of after.entriesWithPrefix(this.#prefix)) {
        for (const entry of entries) note(entry, 1);
        await this.#clock.breathe();
      }
      return;
    }
    for (const { path, entry } of await changesBetween(before, after, this.#clock)) {
      note(before.get(path), -1);
      note(entry, 1);
    }
  }

  #apply(steps: ReadonlyMap<ByteString, DirectoryContent>): NamesChange {
    const appeared: ByteString[] = [];
    const vanished: ByteString[] = [];
    for (const [name, step] of steps) {
      const before = this.#contents.get(name) ?? nothing;
      const after = { files: before.files + step.files, bytes: before.bytes + step.bytes };
      if (after.files > 0) this.#contents.set(name, after);
      else this.#contents.delete(name);
      if (before.files === 0 && after.files > 0) appeared.push(name);
      if (before.files > 0 && after.files === 0) vanished.push(name);
    }
    return { appeared, vanished };
  }

  /** The directory that a path leads through; undefined where it does not. */
  #nameIn(path: BytePath): ByteString | undefined {
    if (!path.startsWith(this.#prefix)) return undefined;
    const end = path.indexOf('/', this.#prefix.length);
    return end < 0 ? undefined : path.slice(this.#prefix.length, end);
  }
}
