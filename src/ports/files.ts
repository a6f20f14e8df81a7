/** Reading and changing the managed tree. */
import type { BytePath, ByteString } from '../base/bytes.ts';
import type { HashAlgorithm, Hasher } from './hashing.ts';

/** What a directory entry is. */
export type FileKind = 'file' | 'directory' | 'symlink' | 'other';

/** What the file system knows about one file. */
export interface FileFacts {
  readonly kind: FileKind;
  /** Bytes. */
  readonly size: number;
  /** Modification time, milliseconds since 1970 with what fraction the runtime gives. */
  readonly mtimeMs: number;
  /** Time of the last change of content or attributes, like `mtimeMs`. */
  readonly ctimeMs: number;
  readonly inode: number;
  /** Permission bits. */
  readonly mode: number;
}

/** One name in a directory. */
export interface DirectoryItem {
  readonly name: ByteString;
  readonly kind: FileKind;
  /** Undefined where it is a file whose facts were not asked for. */
  readonly facts: FileFacts | undefined;
}

/** A name in a directory that could not be looked at, with the reason. */
export interface UnreadableItem {
  /** For people: the name may be one that the runtime cannot represent. */
  readonly shownName: string;
  readonly reason: string;
}

/** The contents of one directory. */
export interface DirectoryListing {
  readonly items: readonly DirectoryItem[];
  readonly unreadable: readonly UnreadableItem[];
}

/** The hash of one file, or why there is none. `changed`: written to while it was read. */
export type HashOutcome =
  | { readonly kind: 'hashed'; readonly hash: ByteString; readonly facts: FileFacts }
  | { readonly kind: 'changed' | 'vanished' }
  | { readonly kind: 'unreadable'; readonly reason: string };

/** A file opened for reading. */
export interface OpenFile {
  readonly facts: FileFacts;
  /**
   * Up to `length` bytes from `offset`; fewer only at the end of the file. They are put at the
   * beginning of `memory`, which has room for them; without it they are valid until the next call,
   * since the same memory is used again.
   */
  read(offset: number, length: number, memory?: Uint8Array): Promise<Uint8Array>;
  /** Facts as they are now, to tell whether the file changed while it was read. */
  currentFacts(): Promise<FileFacts>;
  close(): Promise<void>;
}

/**
 * Reading the managed tree. Paths are relative to the root; no symbolic link is followed at any
 * depth, not even one that appears in mid-operation: such a path reads as `notFound`.
 *
 * All verbs throw ClusterError `notFound`, `permission` or `io`, with the path in the message.
 */
export interface TreeReader {
  /**
   * What is in a directory; '' is the root itself.
   * @param needsFacts whether the facts of regular files are wanted: without them a name costs a
   *   fraction. @default true
   */
  list(directory: BytePath, needsFacts?: boolean): Promise<DirectoryListing>;
  /** Facts of one path, the link itself where it is one; undefined where nothing is there. */
  facts(path: BytePath): Promise<FileFacts | undefined>;
  /** Hashes of many files, in order. Never holds the loop; small files go several at a time. */
  hash(
    paths: readonly BytePath[],
    algorithm: HashAlgorithm,
    signal: AbortSignal,
  ): Promise<HashOutcome[]>;
  /**
   * Reads many small files whole, in order. In place of a content there is a ClusterError: the usual
   * ones, or `changed` for a file of more than `bytesMax` bytes.
   */
  readAll(paths: readonly BytePath[], bytesMax: number): Promise<(Uint8Array | Error)[]>;
  /** Opens a regular file. */
  open(path: BytePath): Promise<OpenFile>;
}

/** What a placed file shall look like; decided by the receiver's configuration alone. */
export interface FileAttributes {
  /** Permission bits, e.g. 0o640. */
  readonly mode: number;
  /** User and group name; undefined leaves the file with whoever runs muster. */
  readonly owner: string | undefined;
  readonly group: string | undefined;
  /** Modification time to set; undefined leaves the time of writing. */
  readonly mtimeMs: number | undefined;
}

/** A file being written in staging. */
export interface StagedFile {
  write(bytes: Uint8Array): Promise<void>;
  /** Sets the attributes and closes; the content is durable only after `flushStaged`. */
  finish(attributes: FileAttributes): Promise<void>;
  /** Closes and keeps what was written, to be resumed later. */
  suspend(): Promise<void>;
}

/**
 * Changing the managed tree. Names in staging and versions are plain names that the caller makes
 * up (letters, digits, '-', '.'); a name in staging may also be `DIRECTORY/NAME`, of a plain name
 * and any one of printable ASCII: such a directory comes and goes with its files. Paths are confined
 * to the root like those of `TreeReader`, and a path that leads through a symbolic link throws
 * `refused`.
 *
 * Verbs throw ClusterError `noSpace`, `permission`, `refused`, `notFound` or `io`.
 */
export interface TreeWriter {
  /** Opens a staged file for writing from `offset` on; 0 starts it anew. */
  stage(name: string, offset: number): Promise<StagedFile>;
  /** Writes many small files into staging at once, each as by `stage`, `write` and `finish`. */
  stageAll(files: readonly SmallFile[]): Promise<void>;
  /** Names in staging with their sizes. */
  staged(): Promise<ReadonlyMap<string, number>>;
  /** Hash of the first `size` bytes of a staged file, fed into a running hasher. */
  hashStaged(name: string, size: number, hasher: Hasher): Promise<void>;
  /** Makes the contents of staged files durable. */
  flushStaged(names: readonly string[]): Promise<void>;
  /** Removes staged files; those that are not there are no error. */
  discardStaged(names: readonly string[]): Promise<void>;
  /**
   * Moves staged files to their paths, creating missing directories, replacing what is there. All
   * files of one directory of staging that go to one directory of the tree under the same names may
   * go there in one step, where nothing is yet.
   * One outcome for each, in order: the facts of the placed file, or the error that kept it out.
   */
  place(
    moves: readonly Placement[],
  ): Promise<(FileFacts | Error)[]>;
  /**
   * Keeps the present contents of paths under names in versions, by hard link where possible.
   * One outcome for each, in order: the facts of what was kept, undefined where nothing is at the
   * path, or the error that prevented it.
   */
  keepVersions(files: readonly KeptFile[]): Promise<(FileFacts | Error | undefined)[]>;
  /** Copies a kept version into staging. */
  stageVersion(versionName: string, name: string, attributes: FileAttributes): Promise<void>;
  discardVersions(versionNames: readonly string[]): Promise<void>;
  /** Names of the kept versions. */
  versions(): Promise<readonly string[]>;
  /** Removes a regular file; false where it is not there. */
  remove(path: BytePath): Promise<boolean>;
  /**
   * Removes what a crash may have left in a directory: files being copied to their places, which
   * happens where staging lies in another file system. Gives their number.
   */
  removeTemporaries(directory: BytePath): Promise<number>;
  /** Removes a directory if it is empty; false where it is not, or not there. */
  removeDirectory(path: BytePath): Promise<boolean>;
  /** Makes the names in these directories durable. */
  flushDirectories(paths: readonly BytePath[]): Promise<void>;
  /** Free bytes in the file system of staging. */
  freeBytes(): Promise<number>;
}

/** A small file to stage in one go. */
export interface SmallFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly attributes: FileAttributes;
}

/** One move from staging into the tree. */
export interface Placement {
  readonly name: string;
  readonly path: BytePath;
  /** Permission bits of directories that have to be created on the way. */
  readonly directoryMode: number;
  /**
   * Nothing is expected at the path: where something stands there after all, it stays, and the
   * outcome is an OccupiedError. @default false
   */
  readonly isNew?: boolean;
}

/** A file of the tree whose present content is to be kept. */
export interface KeptFile {
  readonly path: BytePath;
  readonly versionName: string;
}

/** Reading and changing the managed tree. */
export type Files = TreeReader & TreeWriter;
