/**
 * One pass over the tree, or over a part of it: lists directories, merges what it finds into the
 * index, has read what is new or may have changed.
 *
 * What cannot be looked at is never taken for deleted: its entries stay and a problem tells why. The
 * index is true after every step, so a pass can be stopped anywhere.
 */
import { throwIfAborted } from '../base/async.ts';
import { type BytePath, type ByteString, displayPath, fromText } from '../base/bytes.ts';
import { codeOf, reasonFor } from '../base/errors.ts';
import type { DirectoryItem, DirectoryListing, DirectoryWatch } from '../ports.ts';
import type { SetTable } from './file-set.ts';
import { isBelow, joinPath, nameOf, parentOf, pathProblem, temporaryPrefix } from './paths.ts';
import { type FileRecord, hasSameFacts, type ScanIndex } from './scan-index.ts';
import type { ScanProblem } from './scan-problems.ts';
import { type ReadingContext, ScanReading } from './scan-reading.ts';

/** How far a scan has come. */
export interface ScanProgress {
  readonly directoriesCount: number;
  readonly filesCount: number;
  readonly hashedCount: number;
  readonly hashedBytes: number;
}

/** What a pass works with. */
export interface PassContext extends ReadingContext {
  readonly index: ScanIndex;
  /** Directories that could not be listed when they were last looked at. */
  readonly unlisted: Set<BytePath>;
  readonly sets: SetTable;
  /** Whether a file that looks as it did is taken to have the content that it had. */
  readonly isTrusted: (path: BytePath, record: FileRecord) => boolean;
  /** Told of all directories that the pass comes across; undefined where nobody watches. */
  readonly watch: DirectoryWatch | undefined;
  readonly onProgress: ((progress: ScanProgress) => void) | undefined;
}

/** Names merged between two breaths. */
const mergeCount = 500;

/** Directories still to be looked at; the last one comes next. */
export type Itinerary = BytePath[];

/** One pass over the tree. */
export class ScanPass {
  readonly #context: PassContext;
  readonly #reading: ScanReading;
  #directoriesCount = 0;
  #filesCount = 0;

  constructor(context: PassContext) {
    this.#context = context;
    this.#reading = new ScanReading(context);
  }

  /** How far the pass has come. */
  get progress(): ScanProgress {
    return {
      directoriesCount: this.#directoriesCount,
      filesCount: this.#filesCount,
      hashedCount: this.#reading.hashedCount,
      hashedBytes: this.#reading.hashedBytes,
    };
  }

  /**
   * Goes through directories and all below them while `mayGoOn`. What is left stays in the
   * itinerary, which is worth nothing after an error.
   */
  async goThrough(itinerary: Itinerary, mayGoOn: () => boolean): Promise<void> {
    await this.#walk(itinerary, 'all', mayGoOn);
    await this.#reading.readAll();
  }

  /**
   * Looks at the directories of these paths, below those that are new there, and below those whose
   * own name was given: one of another name may have taken their place.
   */
  async lookAt(paths: ReadonlySet<BytePath>): Promise<void> {
    const { index, sets } = this.#context;
    const roots = sets.roots.filter((root) =>
      [...paths].some((path) => root === path || isBelow(root, path))
    );
    // The listing of the directory above a hinted directory does not tell what is in that one.
    const known = [...paths].filter((path) => index.hasDirectory(path));
    const nearest = [...paths].flatMap((path) => this.#nearestKnown(path) ?? []);
    const directories = new Set([...nearest, ...known]);
    const again = [...roots, ...known.filter((path) => this.#isInRoot(path))].sort();
    for (const [at, directory] of again.entries()) {
      // Sorted, what lies below a directory comes after it.
      if (again.slice(0, at).some((other) => isWithin(directory, other))) continue;
      for (const each of index.subtree(directory)) this.#context.watch?.remove(each);
      await this.#walk([directory], 'all');
    }
    for (const directory of [...directories].sort()) {
      const isInRoot = this.#isInRoot(directory);
      const isSeen = again.some((other) => isWithin(directory, other));
      if (isInRoot && !isSeen) await this.#walk([directory], 'new');
    }
    await this.#reading.readAll();
  }

  /** Reads files again, whatever their facts say. */
  async readAgain(paths: readonly BytePath[]): Promise<void> {
    for (const path of paths) {
      const known = this.#context.index.get(path);
      this.#reading.add(path, known);
      if (this.#reading.isFull) await this.#reading.readAll();
    }
    await this.#reading.readAll();
  }

  // --- walking -------------------------------------------------------------------------------

  async #walk(
    itinerary: Itinerary,
    into: 'all' | 'new',
    mayGoOn: () => boolean = () => true,
  ): Promise<void> {
    const { clock, index, signal, onProgress } = this.#context;
    while (itinerary.length > 0 && mayGoOn()) {
      const at = itinerary.pop()!;
      throwIfAborted(signal);
      const listing = await this.#list(at);
      if (listing !== undefined) {
        // In the same order every time, or two looks at a file could be two sweeps apart.
        for (const found of (await this.#merge(at, listing)).sort()) {
          if (into === 'all' || !index.hasDirectory(found)) itinerary.push(found);
        }
      }
      onProgress?.(this.progress);
      await clock.breathe();
    }
  }

  /** The closest known directory above a path, or the root of a set; undefined outside of all. */
  #nearestKnown(path: BytePath): BytePath | undefined {
    const { index, sets } = this.#context;
    for (let directory = path; directory !== '';) {
      directory = parentOf(directory);
      if (sets.roots.includes(directory)) return directory;
      if (index.hasDirectory(directory)) return directory;
    }
    return undefined;
  }

  /** Whether a directory is one that a full scan looks at; the index knows those above as well. */
  #isInRoot(directory: BytePath): boolean {
    return this.#context.sets.roots.some((root) => isWithin(directory, root));
  }

  async #list(directory: BytePath): Promise<DirectoryListing | undefined> {
    const { tree, watch, problems, unlisted } = this.#context;
    watch?.add(directory);
    try {
      const listing = await tree.list(directory, this.#needsFacts(directory));
      this.#directoriesCount++;
      problems.forget(directory);
      unlisted.delete(directory);
      return listing;
    } catch (error) {
      problems.forget(directory);
      const code = codeOf(error);
      if (code === 'permission' || code === 'io') {
        problems.add(directory, {
          path: directory,
          kind: 'unreadable',
          reason: reasonFor(displayPath(directory), error),
        });
        unlisted.add(directory);
      } else if (code !== 'notFound') {
        throw error;
      } else if (await this.#isGone(directory)) {
        await this.#forgetTree(directory);
      } else {
        unlisted.add(directory);
      }
      return undefined;
    }
  }

  /**
   * Whether a directory that was not found is gone. Not so where something else stands at the root
   * of a set or above it: a link there is no reason to take all files for deleted.
   */
  async #isGone(directory: BytePath): Promise<boolean> {
    const { sets, tree, problems } = this.#context;
    if (!sets.roots.includes(directory)) return true;
    for (let end = 0; end >= 0;) {
      end = directory.indexOf('/', end + 1);
      const path = end < 0 ? directory : directory.slice(0, end);
      try {
        const facts = await tree.facts(path);
        if (facts === undefined) return true;
        if (facts.kind === 'directory') continue;
        problems.add(directory, { path, kind: 'unreadable', reason: standsFor(facts.kind) });
      } catch (error) {
        if (codeOf(error) === 'notFound') return true;
        problems.add(directory, {
          path,
          kind: 'unreadable',
          reason: reasonFor(displayPath(path), error),
        });
      }
      return false;
    }
    const reason = 'appeared or vanished while it was looked at';
    problems.add(directory, { path: directory, kind: 'unreadable', reason });
    return false;
  }

  /** Whether files of a directory may be recognised by their facts. */
  #needsFacts(directory: BytePath): boolean {
    const { index, isCheck } = this.#context;
    return !isCheck && index.filesIn(directory).size > 0;
  }

  // --- merging -------------------------------------------------------------------------------

  /** Takes up a listing; gives the directories in it that lead to managed files. */
  async #merge(directory: BytePath, listing: DirectoryListing): Promise<BytePath[]> {
    const { index, sets, clock } = this.#context;
    const files = index.filesIn(directory);
    const knownCount = files.size;
    let metCount = 0;
    const found: BytePath[] = [];
    const directories = new Set<ByteString>();
    for (const [at, item] of listing.items.entries()) {
      if (at % mergeCount === mergeCount - 1) await clock.breathe();
      const record = item.kind === 'file' ? files.get(item.name) : undefined;
      const path = joinPath(directory, item.name);
      if (record !== undefined) {
        metCount++;
        this.#lookAtFile(path, record, item);
      } else if (item.kind === 'file' && sets.setOf(path) !== undefined) {
        this.#lookAtFile(path, undefined, item);
      } else if (item.kind === 'directory' && sets.isOnTheWay(path)) {
        directories.add(item.name);
        found.push(path);
      } else if (item.kind === 'symlink' || item.kind === 'other') {
        this.#refuse(path, item.kind);
      } else {
        this.#checkName(path);
      }
      if (this.#reading.isFull) await this.#reading.readAll();
    }
    for (const item of listing.unreadable) {
      const path = joinPath(directory, fromText(item.shownName));
      this.#problem(path, 'unreadable', item.reason);
    }
    if (metCount < knownCount) await this.#forgetFiles(directory, listing);
    await this.#forgetDirectories(directory, directories, listing);
    index.addDirectory(directory);
    return found;
  }

  /** Forgets the files that were known in a directory and are not there any more. */
  async #forgetFiles(directory: BytePath, listing: DirectoryListing): Promise<void> {
    const { index, clock, note } = this.#context;
    // A name can turn from a file into a directory.
    const files = listing.items.filter(({ kind }) => kind === 'file').map(({ name }) => name);
    const isThere = hasName(files, listing);
    let lookedAtCount = 0;
    for (const name of index.filesIn(directory).keys()) {
      if (++lookedAtCount % mergeCount === 0) await clock.breathe();
      if (!isThere(name)) note(joinPath(directory, name), undefined);
    }
  }

  /** Forgets what was known below directories that are not there any more. */
  async #forgetDirectories(
    directory: BytePath,
    present: ReadonlySet<ByteString>,
    listing: DirectoryListing,
  ): Promise<void> {
    const isThere = hasName(present, listing);
    for (const name of this.#context.index.directoriesIn(directory)) {
      if (!isThere(name)) await this.#forgetTree(joinPath(directory, name));
    }
  }

  /** A path that no set chooses may be one that no set can choose. */
  #checkName(path: BytePath): void {
    const problem = pathProblem(path);
    if (problem === undefined || nameOf(path).startsWith(temporaryPrefix)) return;
    this.#problem(path, 'name', `the path ${problem}`);
  }

  #refuse(path: BytePath, kind: 'symlink' | 'other'): void {
    const { sets } = this.#context;
    if (sets.setOf(path) === undefined && !sets.isOnTheWay(path)) return;
    // Not something beside the files, but in the place of a whole set.
    if (sets.sets.some((set) => isWithin(sets.directoryOf(set), path))) {
      this.#problem(path, 'unreadable', standsFor(kind));
      return;
    }
    if (kind === 'symlink') this.#problem(path, 'symlink', 'symbolic links are not followed');
    else this.#problem(path, 'special', 'it is neither a file nor a directory');
  }

  #lookAtFile(
    path: BytePath,
    record: FileRecord | undefined,
    { facts }: DirectoryItem,
  ): void {
    this.#filesCount++;
    const isKnown = record?.isSettled === true && facts !== undefined &&
      hasSameFacts(record, facts) && this.#context.isTrusted(path, record);
    if (!isKnown) this.#reading.add(path, record);
  }

  async #forgetTree(top: BytePath): Promise<void> {
    const { index, clock, note, watch, problems, unlisted } = this.#context;
    for (const directory of index.subtree(top)) {
      watch?.remove(directory);
      problems.forget(directory);
      unlisted.delete(directory);
      for (const name of index.filesIn(directory).keys()) {
        note(joinPath(directory, name), undefined);
      }
      index.deleteDirectory(directory);
      await clock.breathe();
    }
  }

  /** Something in the directory of a path. */
  #problem(path: BytePath, kind: ScanProblem['kind'], reason: string): void {
    this.#context.problems.add(parentOf(path), { path, kind, reason });
  }
}

// ---

/** Whether a listing has a name: among these, or among those that could not be looked at. */
function hasName(
  names: Iterable<ByteString>,
  listing: DirectoryListing,
): (name: ByteString) => boolean {
  const present = new Set(names);
  const unreadable = new Set(listing.unreadable.map((item) => item.shownName));
  return (name) => present.has(name) || (unreadable.size > 0 && unreadable.has(displayPath(name)));
}

const kindNames = {
  file: 'a file',
  symlink: 'a symbolic link',
  other: 'a special file',
} as const;

function standsFor(kind: keyof typeof kindNames): string {
  return `${kindNames[kind]} stands where a directory should be`;
}

function isWithin(path: BytePath, root: BytePath): boolean {
  return path === root || isBelow(path, root);
}
