/**
 * What the last scans found, by directory: the memory that lets an unchanged tree be scanned
 * without reading a single file. The contents of the files are in the manifests.
 *
 * Pure data, no I/O.
 */
import type { BytePath, ByteString } from '../base/bytes.ts';
import { ByteWriter } from '../base/cursor.ts';
import type { FileFacts } from '../ports.ts';
import { joinPath, nameOf, parentOf } from './paths.ts';
import { countRecords, packRecords, unpackRecords } from './scan-records.ts';

/** What is known of one managed file. Times are whole milliseconds: not all runtimes give more. */
export interface FileRecord {
  readonly size: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly inode: number;
  /** When the content was last read, by the wall clock. */
  readonly checkedMs: number;
  /**
   * Whether equal facts mean equal content. Not so for a file that was read so soon after its last
   * change that another one may have left the same times.
   */
  readonly isSettled: boolean;
}

/** Makes a record of a file that was just read. */
export function makeRecord(facts: FileFacts, checkedMs: number, isSettled: boolean): FileRecord {
  return {
    size: facts.size,
    mtimeMs: Math.floor(facts.mtimeMs),
    ctimeMs: Math.floor(facts.ctimeMs),
    inode: facts.inode,
    checkedMs,
    isSettled,
  };
}

/** Whether a file looks exactly as it did when it was recorded. */
export function hasSameFacts(record: FileRecord, facts: FileFacts): boolean {
  return record.size === facts.size &&
    record.mtimeMs === Math.floor(facts.mtimeMs) &&
    record.ctimeMs === Math.floor(facts.ctimeMs) &&
    record.inode === facts.inode;
}

/**
 * Whether a file was read so close to its last change that its times may not tell the next one.
 * It was read some time between `fromMs` and `toMs`. Times far ahead of that tell well enough: a
 * change would set them to the present.
 */
export function isRacy(
  facts: FileFacts,
  fromMs: number,
  toMs: number,
  racyWindowMs: number,
): boolean {
  const isNear = (timeMs: number): boolean =>
    timeMs >= fromMs - racyWindowMs - 1 && timeMs <= toMs + racyWindowMs;
  return isNear(facts.ctimeMs) || isNear(facts.mtimeMs);
}

/** The files of one directory, as they are stored. */
export interface PackedDirectory {
  readonly path: BytePath;
  /** Without any where the directory has no files, or is gone. */
  readonly files: Uint8Array;
}

/** Files by name. */
type Files = ReadonlyMap<ByteString, FileRecord>;

interface Directory {
  /** Records as they were when they were packed; not true any more where there are `files`. */
  packed: Uint8Array;
  /** What has changed since is in here. */
  files: Map<ByteString, FileRecord> | undefined;
  filesCount: number;
  readonly directories: Set<ByteString>;
}

/** Records by directory and name. */
export class ScanIndex {
  readonly #directories = new Map<BytePath, Directory>();
  /** Directories whose files have changed since `takeChanged`. */
  #changed = new Set<BytePath>();
  /** Whose records were unpacked last: what is asked for mostly is there again. */
  #unpacked: { readonly of: Directory; readonly files: Map<ByteString, FileRecord> } | undefined;
  readonly #scratch = new ByteWriter(4096);
  #filesCount = 0;

  /** How many files are recorded. */
  get filesCount(): number {
    return this.#filesCount;
  }

  /** How many directories have been seen, with those above them. */
  get directoriesCount(): number {
    return this.#directories.size;
  }

  /** Whether the directory has been seen. */
  hasDirectory(directory: BytePath): boolean {
    return this.#directories.has(directory);
  }

  /** Records of the files in a directory. */
  filesIn(directory: BytePath): Files {
    const found = this.#directories.get(directory);
    return found === undefined ? noFiles : this.#filesOf(found);
  }

  /** Names of the directories in a directory. */
  directoriesIn(directory: BytePath): ReadonlySet<ByteString> {
    return this.#directories.get(directory)?.directories ?? noNames;
  }

  get(path: BytePath): FileRecord | undefined {
    return this.filesIn(parentOf(path)).get(nameOf(path));
  }

  /** Records a file. */
  set(path: BytePath, record: FileRecord): void {
    const parent = parentOf(path);
    const directory = this.#addDirectory(parent);
    this.#change(parent, directory).set(nameOf(path), record);
    this.#count(directory);
  }

  delete(path: BytePath): void {
    const parent = parentOf(path);
    const directory = this.#directories.get(parent);
    const name = nameOf(path);
    if (directory === undefined || !this.#filesOf(directory).has(name)) return;
    this.#change(parent, directory).delete(name);
    this.#count(directory);
  }

  /** Records that a directory is there, with all above it. */
  addDirectory(directory: BytePath): void {
    this.#addDirectory(directory);
  }

  /** Forgets a directory that has neither files nor directories left. */
  deleteDirectory(directory: BytePath): void {
    this.#directories.delete(directory);
    this.#changed.add(directory);
    this.#directories.get(parentOf(directory))?.directories.delete(nameOf(directory));
  }

  /** The directory and all below it that are known; what is below comes before what is above. */
  subtree(directory: BytePath): BytePath[] {
    const found = this.#directories.has(directory) ? [directory] : [];
    for (let at = 0; at < found.length; at++) {
      const above = found[at]!;
      for (const name of this.directoriesIn(above)) found.push(joinPath(above, name));
    }
    return found.reverse();
  }

  /** All directories that have been seen. */
  directories(): Iterable<BytePath> {
    return this.#directories.keys();
  }

  // --- packed ----------------------------------------------------------------------------------

  /** Takes up what was stored of a directory, about which nothing is known yet. */
  load({ path, files }: PackedDirectory): void {
    const directory = this.#addDirectory(path);
    directory.packed = files;
    this.#count(directory, countRecords(files));
  }

  /** Notes that all directories are to be stored anew. */
  changeAll(): void {
    for (const path of this.#directories.keys()) this.#changed.add(path);
  }

  /** The directories that have changed since this was asked last. */
  takeChanged(): ReadonlySet<BytePath> {
    const changed = this.#changed;
    this.#changed = new Set();
    return changed;
  }

  /** Notes that directories could not be stored. */
  giveBackChanged(changed: ReadonlySet<BytePath>): void {
    for (const path of changed) this.#changed.add(path);
  }

  /** A directory as it is to be stored. */
  pack(path: BytePath): PackedDirectory {
    const directory = this.#directories.get(path);
    if (directory === undefined) return { path, files: nothing };
    if (directory.files !== undefined) {
      directory.packed = packRecords(directory.files, this.#scratch);
      directory.files = undefined;
    }
    return { path, files: directory.packed };
  }

  // ---

  #addDirectory(path: BytePath): Directory {
    const known = this.#directories.get(path);
    if (known !== undefined) return known;
    const made: Directory = {
      packed: nothing,
      files: undefined,
      filesCount: 0,
      directories: new Set(),
    };
    this.#directories.set(path, made);
    if (path !== '') this.#addDirectory(parentOf(path)).directories.add(nameOf(path));
    return made;
  }

  #filesOf(directory: Directory): Files {
    if (directory.files !== undefined) return directory.files;
    if (directory.packed.length === 0) return noFiles;
    if (this.#unpacked?.of !== directory) {
      this.#unpacked = { of: directory, files: unpackRecords(directory.packed) };
    }
    return this.#unpacked.files;
  }

  /** The files of a directory, to be changed. */
  #change(path: BytePath, directory: Directory): Map<ByteString, FileRecord> {
    this.#changed.add(path);
    if (directory.files !== undefined) return directory.files;
    const isUnpacked = this.#unpacked?.of === directory;
    directory.files = isUnpacked ? this.#unpacked!.files : unpackRecords(directory.packed);
    this.#unpacked = undefined;
    return directory.files;
  }

  #count(directory: Directory, count = directory.files?.size ?? 0): void {
    this.#filesCount += count - directory.filesCount;
    directory.filesCount = count;
  }
}

// ---

const nothing = new Uint8Array(0);
const noFiles: Files = new Map();
const noNames: ReadonlySet<ByteString> = new Set();
