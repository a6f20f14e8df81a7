/**
 * The ports: everything the core needs from the outside world, and nothing else.
 *
 * `src/runtime` implements them on a real machine, `test/sim` in a simulated one. Code outside
 * those two reaches time, chance, network, disk, hashing and processes only through here, which is
 * what makes a whole cluster replay identically from a seed.
 */
import type { BytePath, ByteString } from './base/bytes.ts';

// --- time and chance -------------------------------------------------------------------------

/** Time. */
export interface Clock {
  /** Wall-clock time, milliseconds since 1970; may jump. For records, never for durations. */
  nowMs(): number;
  /** Milliseconds since some fixed moment, with fractions; never goes back. */
  monotonicMs(): number;
  /** Resolves after `ms`; rejects with the signal's reason when that is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /**
   * Gives other tasks a turn if this one has held the loop for long (8 ms on a real machine), and
   * costs next to nothing otherwise. To be awaited inside every loop whose length the data decide.
   */
  breathe(): Promise<void>;
}

/** Chance. */
export interface Random {
  /** Uniform in [0, 1). */
  float(): number;
  /** Unpredictable bytes. */
  bytes(count: number): Uint8Array;
}

// --- logging ---------------------------------------------------------------------------------

/** How important a log line is. */
export type LogLevel = 'debug' | 'info' | 'warning' | 'error';

/** Values that belong to a log line, for JSON output; the text is complete without them. */
export type LogFacts = Readonly<Record<string, string | number | boolean | undefined>>;

/** Where a part of the program logs to. */
export interface Logger {
  log(level: LogLevel, text: string, facts?: LogFacts): void;
  /** A logger whose lines carry one more `[tag]`. */
  child(tag: string): Logger;
}

// --- network ---------------------------------------------------------------------------------

/** Who a node is, as its certificate says. */
export interface NodeIdentity {
  readonly cluster: string;
  readonly node: string;
  readonly role: 'master' | 'worker';
}

/** What is known of a peer's certificate after a TLS handshake. */
export interface PeerCertificate {
  /** Undefined where the certificate names no muster identity. */
  readonly identity: NodeIdentity | undefined;
  /** Serial number, lower-case hexadecimal. */
  readonly serial: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** A duplex stream of bytes to a peer. */
export interface Stream {
  /** Host and port of the other end, for logs. */
  readonly remote: string;
  /** The application protocol agreed on in the handshake; "" where there was none. */
  readonly protocol: string;
  /** The peer's certificate, verified against the cluster's authority; undefined if it had none. */
  readonly certificate: PeerCertificate | undefined;
  /**
   * Why a certificate that was shown was not accepted: the TLS library's code, for instance
   * `CERT_HAS_EXPIRED`. Undefined where none was shown, or where `certificate` is there.
   */
  readonly rejection?: string | undefined;
  /**
   * The certificates that the peer showed (DER), its own first, whether accepted or not; for those
   * who judge them on their own: joining, and telling a refused peer why.
   */
  readonly presentedChain?: readonly Uint8Array[];
  /** What arrives; ends when the peer ends, throws `unreachable` when the connection is lost. */
  readonly readable: AsyncIterable<Uint8Array>;
  /** Resolves when the bytes have left for the network: back-pressure. They must not change. */
  write(bytes: Uint8Array): Promise<void>;
  /** Sends what was written, then ends. */
  close(): void;
  /** Drops the connection at once. */
  abort(): void;
}

/** Something that accepts connections. */
export interface Listener {
  /** Host and port bound; the port is the real one where 0 was asked for. */
  readonly address: string;
  close(): Promise<void>;
}

/** How to reach a peer and whom to trust there. */
export interface ConnectOptions {
  /** Application protocols offered, best first. */
  readonly protocols: readonly string[];
  /**
   * `cluster`: the peer sees our certificate, and the stream has its own one only where that is a
   * master's of our authority. To be looked at before anything is sent.
   * `anyone`: nothing is checked by the network; for joining, where the caller checks.
   */
  readonly trust: 'cluster' | 'anyone';
  /**
   * Judges who answered at one address of a name: by throwing it refuses, and the next address is
   * tried. Ends the stream that it refuses.
   */
  readonly judge?: (stream: Stream) => void;
  readonly signal: AbortSignal;
}

/** Connections between nodes. */
export interface Network {
  /**
   * Opens a connection; the address is resolved anew at each call, and where a name has several,
   * they are tried in turn.
   * @throws ClusterError `unreachable`, `authentication`, `incompatible` or `timeout`, and what
   * `judge` throws
   */
  connect(address: string, options: ConnectOptions): Promise<Stream>;
  /**
   * Accepts connections and hands over those that finished the handshake in time. Limits on
   * unfinished handshakes are kept here.
   */
  listen(address: string, onStream: (stream: Stream) => void): Promise<Listener>;
}

/** Connections without TLS, for protocols that bring their own protection. */
export interface PlainNetwork {
  /**
   * Opens a connection; names are treated as by `Network`.
   * @throws ClusterError `unreachable` or `timeout`
   */
  connect(address: string, options: { readonly signal: AbortSignal }): Promise<Stream>;
  /**
   * Accepts connections and hands them over at once. How many there may be, in all and from one
   * address, is limited here; how long one may be silent is for who takes them.
   */
  listen(address: string, onStream: (stream: Stream) => void): Promise<Listener>;
  /**
   * Accepts connections of programs on this machine, on a Unix socket that its user and group may
   * open; directories are made on the way, and a socket that a dead process left is replaced.
   * @param path absolute
   */
  listenLocal(path: string, onStream: (stream: Stream) => void): Promise<Listener>;
}

// --- files -----------------------------------------------------------------------------------

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

/** Tells about changes on the disk. A hint only: it may miss some, and may be wrong. */
export interface Watcher {
  /**
   * Begins to watch. Of the `tops` (directories relative to the root, none below another) it
   * notices by itself when they, or directories above them, come, go or are replaced; in them, and
   * in all below, what has been added. The listener gets the path that changed, or undefined where
   * only a full scan can tell; all directories have to be added again then.
   */
  watch(tops: readonly BytePath[], listener: (path: BytePath | undefined) => void): TreeWatch;
}

/** The directories of a tree that are watched, each without what is below it. */
export interface TreeWatch extends DirectoryWatch {
  /** Whether all directories that were added are watched. */
  readonly isWhole: boolean;
  close(): void;
}

/** Whom a walk tells which directories there are. */
export interface DirectoryWatch {
  /**
   * Watches a directory that is not watched yet. Called before the directory is listed, so that no
   * change is missed between the two.
   */
  add(directory: BytePath): void;
  /** Watches a directory no more. */
  remove(directory: BytePath): void;
}

// --- hashing and compression -----------------------------------------------------------------

/** Content hashes that a cluster can use. */
export type HashAlgorithm = 'md5' | 'sha256' | 'blake2b';

/** Bytes of a hash. */
export const hashBytes: Readonly<Record<HashAlgorithm, number>> = {
  md5: 16,
  sha256: 32,
  blake2b: 64,
};

/** A hash being computed. */
export interface Hasher {
  update(bytes: Uint8Array): void;
  /** The hash; the hasher is used up by this. */
  digest(): ByteString;
}

/** All hashes there are: some that only protocols of others want. */
export type DigestAlgorithm = HashAlgorithm | 'sha1';

/** Hashing of bytes in memory; synchronous. */
export interface Hashing {
  create(algorithm: DigestAlgorithm): Hasher;
  digest(algorithm: DigestAlgorithm, bytes: Uint8Array): ByteString;
  /** The hashes of contents, in order: for many small ones a fraction of what `digest` takes. */
  digestAll(algorithm: DigestAlgorithm, contents: readonly Uint8Array[]): ByteString[];
  /**
   * Makes hashers of 8 bytes (XXH64): several times as fast as the others, and no proof of anything.
   * Made ready when first asked for.
   */
  fingerprints(): Promise<() => Hasher>;
}

/**
 * AES-128 in CBC mode with PKCS #7 padding, and HMAC-SHA256; in memory, synchronous. For protocols
 * that are encrypted message by message. Keys and initialisation vectors have 16 bytes.
 */
export interface SymmetricCrypto {
  /** The HMAC-SHA256 of some bytes. */
  authenticate(key: Uint8Array, bytes: Uint8Array): Uint8Array;
  /** Whether two codes are equal, in a time that does not tell where they differ. */
  areEqual(left: Uint8Array, right: Uint8Array): boolean;
  encrypt(key: Uint8Array, iv: Uint8Array, content: Uint8Array): Uint8Array;
  /** Undefined where the length or the padding is wrong. */
  decrypt(key: Uint8Array, iv: Uint8Array, encrypted: Uint8Array): Uint8Array | undefined;
}

/** Compression of blocks in memory; synchronous, for blocks of at most 1 MiB. */
export interface Compression {
  compress(bytes: Uint8Array): Uint8Array;
  /** @throws ClusterError('corrupt') where the content is longer than `bytesMax` or damaged */
  decompress(bytes: Uint8Array, bytesMax: number): Uint8Array;
}

/**
 * What came of unpacking the zlib stream at the beginning of some bytes: its content and how many
 * of the bytes it took; `cut` where it does not end within them, `long` where its content is longer
 * than was asked for.
 */
export type Inflated = { readonly content: Uint8Array; readonly used: number } | 'cut' | 'long';

/** zlib streams (RFC 1950), for formats that are made of them. */
export interface Zlib {
  /** The stream of a small content; synchronous. */
  deflate(content: Uint8Array): Uint8Array;
  /** Unpacks a small content; synchronous. @throws ClusterError('corrupt') where it is damaged */
  inflate(bytes: Uint8Array, contentBytesMax: number): Inflated;
  /** For a content of any length. */
  deflater(): Deflater;
  /** For a content of any length. */
  inflater(): Inflater;
}

/** Makes one stream, piece by piece. What is given may be changed when the promise has resolved. */
export interface Deflater {
  write(bytes: Uint8Array): Promise<readonly Uint8Array[]>;
  /** Ends the run of what was written: it is not packed together with what follows. */
  flush(): Promise<readonly Uint8Array[]>;
  end(): Promise<readonly Uint8Array[]>;
  /** Gives up; to be called wherever `end` was not. */
  close(): void;
}

/** Unpacks one stream, piece by piece. */
export interface Inflater {
  /**
   * The content of the next bytes. Where the stream ended before their end, `used` says after how
   * many; what is given then comes after nothing.
   * @throws ClusterError('corrupt') where they are damaged
   */
  write(
    bytes: Uint8Array,
  ): Promise<{ readonly pieces: readonly Uint8Array[]; readonly used: number | undefined }>;
  /** The rest of the content. @throws ClusterError('corrupt') where the stream has no end */
  end(): Promise<readonly Uint8Array[]>;
  /** Gives up; to be called wherever neither `used` nor `end` told the end. */
  close(): void;
}

// --- database and processes ------------------------------------------------------------------

/** A value in a database column. */
export type SqlValue = null | number | bigint | string | Uint8Array;

/** A prepared statement, positional parameters only. */
export interface Statement {
  run(...values: SqlValue[]): { changes: number | bigint };
  get(...values: SqlValue[]): Record<string, SqlValue> | undefined;
  all(...values: SqlValue[]): Record<string, SqlValue>[];
}

/** The part of an SQLite connection that the stores use; synchronous but for flushing. */
export interface Database {
  exec(sql: string): void;
  prepare(sql: string): Statement;
  /**
   * What was committed before this call outlives a power failure once this resolves. A crash of the
   * program alone loses nothing that was committed.
   */
  flush(): Promise<void>;
  close(): void;
}

/** Runs commands of the operator's (hooks). */
export interface Processes {
  run(
    command: readonly string[],
    options: {
      readonly environment: Readonly<Record<string, string>>;
      /** What the command reads on standard input. @default nothing */
      readonly input?: string;
      readonly timeoutMs: number;
      readonly signal: AbortSignal;
    },
  ): Promise<{ readonly exitCode: number; readonly output: string }>;
}

/** All ports of a node, as the composition hands them over. */
export interface Ports {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly network: Network;
  readonly plainNetwork: PlainNetwork;
  readonly files: Files;
  readonly watcher: Watcher;
  readonly hashing: Hashing;
  readonly symmetricCrypto: SymmetricCrypto;
  readonly compression: Compression;
  readonly zlib: Zlib;
  readonly database: Database;
  readonly processes: Processes;
}

/** The ports of a node that has no certificate. */
export type PlainPorts = Omit<Ports, 'network'>;
