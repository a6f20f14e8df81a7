/**
 * Directories that a batch brings along: their files are staged together, under the names that they
 * will have, so that the directory can be moved to its place as a whole. For a first copy that is
 * one move for hundreds of files.
 */
import { type BytePath } from '../base/bytes.ts';
import type { TreeReader } from '../ports.ts';
import { nameOf, parentOf } from './paths.ts';

/** Fewer new files in a directory are as cheap one by one. */
const filesCountMin = 2;

/** Names that every runtime keeps exactly, and that are no trouble in a list of staged files. */
const plainName = /^[\x20-\x7e]+$/;

/** Finds out which directories are new, and names them in staging. */
export class NewDirectories {
  readonly #files: Pick<TreeReader, 'facts'>;
  readonly #freshName: () => string;
  /** Names in staging by path in the tree; undefined for a directory that is there already. */
  readonly #names = new Map<BytePath, string | undefined>();

  /** @param freshName makes up a name that nothing in staging has */
  constructor(files: Pick<TreeReader, 'facts'>, freshName: () => string) {
    this.#files = files;
    this.#freshName = freshName;
  }

  /** Looks at the directories of files that are about to be staged, once for each batch. */
  async look(paths: Iterable<BytePath>): Promise<void> {
    const counts = new Map<BytePath, number>();
    for (const path of paths) {
      const directory = parentOf(path);
      counts.set(directory, (counts.get(directory) ?? 0) + 1);
    }
    for (const [directory, count] of counts) {
      if (this.#names.has(directory) || count < filesCountMin) continue;
      const isNew = directory !== '' && await this.#files.facts(directory) === undefined;
      this.#names.set(directory, isNew ? this.#freshName() : undefined);
    }
  }

  /** The name in staging for a file of a new directory; undefined for any other. */
  stagedName(path: BytePath): string | undefined {
    const directory = this.#names.get(parentOf(path));
    const name = nameOf(path);
    return directory === undefined || !plainName.test(name) ? undefined : `${directory}/${name}`;
  }

  /** The batch ends: what is new now may be there afterwards. */
  clear(): void {
    this.#names.clear();
  }
}
