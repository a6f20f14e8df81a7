/**
 * What the last scans found, by directory: the memory that lets an unchanged tree be scanned
 * without reading a single file.
 *
 * Pure data, no I/O.
 */
import type { BytePath, ByteString } from '../base/bytes.ts';
import type { FileFacts } from '../ports.ts';
import type { Entry } from './entry.ts';
import { joinPath, nameOf, parentOf } from './paths.ts';

/** What is known of one managed file. Times are whole milliseconds: not all runtimes give more. */
export interface FileRecord {
  readonly entry: Entry;
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
export function makeRecord(
  path: BytePath,
  facts: FileFacts,
  hash: ByteString,
  checkedMs: number,
  isSettled: boolean,
): FileRecord {
  return {
    entry: { path, size: facts.size, mtimeMs: Math.floor(facts.mtimeMs), hash },
    ctimeMs: Math.floor(facts.ctimeMs),
    inode: facts.inode,
    checkedMs,
    isSettled,
  };
}

/** Whether a file looks exactly as it did when it was recorded. */
export function hasSameFacts(record: FileRecord, facts: FileFacts): boolean {
  return record.entry.size === facts.size &&
    record.entry.mtimeMs === Math.floor(facts.mtimeMs) &&
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

interface Directory {
  readonly files: Map<ByteString, FileRecord>;
  readonly directories: Set<ByteString>;
}

/** Records by directory and name. */
export class ScanIndex {
  readonly #directories = new Map<BytePath, Directory>();
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
  filesIn(directory: BytePath): ReadonlyMap<ByteString, FileRecord> {
    return this.#directories.get(directory)?.files ?? noFiles;
  }

  /** Names of the directories in a directory. */
  directoriesIn(directory: BytePath): ReadonlySet<ByteString> {
    return this.#directories.get(directory)?.directories ?? noNames;
  }

  get(path: BytePath): FileRecord | undefined {
    return this.#directories.get(parentOf(path))?.files.get(nameOf(path));
  }

  /** Records a file. */
  set(record: FileRecord): void {
    const { path } = record.entry;
    const { files } = this.addDirectory(parentOf(path));
    const before = files.size;
    files.set(nameOf(path), record);
    this.#filesCount += files.size - before;
  }

  delete(path: BytePath): void {
    if (this.#directories.get(parentOf(path))?.files.delete(nameOf(path))) this.#filesCount--;
  }

  /** Records that a directory is there, with all above it. */
  addDirectory(directory: BytePath): Directory {
    const known = this.#directories.get(directory);
    if (known !== undefined) return known;
    const made: Directory = { files: new Map(), directories: new Set() };
    this.#directories.set(directory, made);
    if (directory !== '') {
      this.addDirectory(parentOf(directory)).directories.add(nameOf(directory));
    }
    return made;
  }

  /** Forgets a directory that has neither files nor directories left. */
  deleteDirectory(directory: BytePath): void {
    this.#directories.delete(directory);
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
}

// ---

const noFiles: ReadonlyMap<ByteString, FileRecord> = new Map();
const noNames: ReadonlySet<ByteString> = new Set();
