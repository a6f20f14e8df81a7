/**
 * Which files the nodes of a Wazuh cluster keep the same: what `cluster.json` says, as a function of
 * the path. Pure.
 */
import { type BytePath, fromText, toText } from '../base/bytes.ts';
import type { ClusterJson } from './cluster-json.ts';

/** Tells the file sets of a `cluster.json` apart. */
export class SyncedFiles {
  readonly #json: ClusterJson;
  /** Keys of the sets as bytes, in their order. */
  readonly #keys: readonly BytePath[];

  constructor(json: ClusterJson) {
    this.#json = json;
    this.#keys = json.sets.map(({ key }) => fromText(key));
  }

  /** The key of the set that a path belongs to; undefined where nodes do not look at it. */
  keyOf(path: BytePath): string | undefined {
    const name = path.slice(path.lastIndexOf('/') + 1);
    if (this.#isExcluded(name)) return undefined;
    const index = this.#json.sets.findIndex(({ files, isRecursive }, i) => {
      const key = this.#keys[i]!;
      if (!path.startsWith(key)) return false;
      if (!isRecursive && path.length > key.length + name.length) return false;
      return (files.length === 1 && files[0] === 'all') || files.some((file) => isSame(file, name));
    });
    return this.#json.sets[index]?.key;
  }

  #isExcluded(name: BytePath): boolean {
    const { excludedFiles, excludedEndings } = this.#json;
    return excludedFiles.some((file) => isSame(file, name)) ||
      excludedEndings.some((ending) => name.endsWith(fromText(ending)));
  }
}

/**
 * Why real nodes cannot take a file of this name, undefined where they can: an archive with a path
 * that is not UTF-8 is lost as a whole, and a merged file is never put in its place.
 */
export function unsendableReason(path: BytePath): string | undefined {
  if (toText(path) === undefined) return 'its name is not UTF-8';
  const name = path.slice(path.lastIndexOf('/') + 1);
  return name.includes('.merged') ? 'its name is one of a merged file' : undefined;
}

// ---

function isSame(text: string, name: BytePath): boolean {
  return fromText(text) === name;
}
