/**
 * File sets: which files are managed, and what the receiver makes of them.
 *
 * `SetTable.setOf` is THE choke point: whether a path may be read, sent, written or deleted, and
 * with which owner and mode, is a function of the path and of the configuration of the node that
 * asks, and of nothing that a peer says. No other code decides about that.
 *
 * Paths of sets and patterns are Unicode text in the configuration and become bytes in here.
 */
import { type BytePath, type ByteString, fromText, toBytes } from '../base/bytes.ts';
import { ClusterError } from '../base/errors.ts';
import type { HashAlgorithm, Hashing } from '../ports.ts';
import { isBelow, parentOf, pathBytesMax, pathProblem } from './paths.ts';
import { compileDescent, compilePatterns, type PathTest, patternProblem } from './patterns.ts';

/** A part of the managed tree and how it is treated; the configuration resolves to this. */
export interface FileSet {
  /** Unique among the sets of a node, and the same on all nodes. */
  readonly name: string;
  /** Directory relative to the root, '' for the root itself. Unicode text. */
  readonly path: string;
  /** Patterns of the files chosen, relative to `path`. */
  readonly include: readonly string[];
  /** Patterns left out; one that fits a directory leaves out all below it. */
  readonly exclude: readonly string[];
  /** Whether `defaultExclude` is left out as well. */
  readonly excludeDefaults: boolean;
  /** Whether files in directories below `path` belong to the set. */
  readonly recursive: boolean;
  /** Permission bits of placed files. */
  readonly mode: number;
  /** Permission bits of directories that have to be created. */
  readonly directoryMode: number;
  /** User that placed files belong to; undefined is whoever runs muster. */
  readonly owner: string | undefined;
  readonly group: string | undefined;
  /** Whether directories that a change has emptied are removed. */
  readonly prune: boolean;
  /** Names of files that do not keep a directory then; what any set chooses keeps it. Unicode text. */
  readonly pruneFiles: readonly string[];
  /** Whether its files must not shrink much nor vanish: see `guard.ts`. */
  readonly keyFile: boolean;
  /** Largest share of its files that one round may delete, 0 to 1. */
  readonly deletionsShareMax: number;
  /** Largest number of its files that one round may delete. */
  readonly deletionsMax: number;
}

/**
 * Left out of every set with `excludeDefaults`: leftovers of editors, temporary and lock files,
 * and the two files of a Wazuh manager that belong to one node alone.
 */
export const defaultExclude = [
  '**/*~',
  '**/*.tmp',
  '**/*.lock',
  '**/*.swp',
  '**/ar.conf',
  '**/ossec.conf',
] as const;

/** Bytes of directory names that `SetTable` remembers: some 10,000 directories. */
const rememberedBytesMax = 1024 * 1024;

/** The sets of a node. */
export class SetTable {
  /** In the order of the configuration: of two sets that choose a path the first has it. */
  readonly sets: readonly FileSet[];
  /** Directories that together hold all files of all sets; none is inside another. */
  readonly roots: readonly BytePath[];
  readonly #rules: readonly SetRules[];
  readonly #hashing: Hashing;
  readonly #algorithm: HashAlgorithm;
  /** Which sets can have files right in a directory, for directories asked about lately. */
  readonly #remembered = new Map<BytePath, readonly SetRules[]>();
  #rememberedBytes = 0;

  /** @throws ClusterError `configuration` where a path or a pattern of a set is not valid */
  constructor(sets: readonly FileSet[], hashing: Hashing, algorithm: HashAlgorithm) {
    this.sets = sets;
    this.#rules = sets.map(compileSet);
    this.#hashing = hashing;
    this.#algorithm = algorithm;
    const paths = [...new Set(this.#rules.map((rules) => rules.path))].sort();
    this.roots = paths.filter((path) => !paths.some((other) => isBelow(path, other)));
  }

  /** The set that a file belongs to; undefined where it is not managed here. */
  setOf(path: BytePath): FileSet | undefined {
    const directory = parentOf(path);
    const found = this.#rulesWithin(directory);
    // The directory is known to be sound; of the path there remains what follows it.
    if (found.length === 0 || path.length > pathBytesMax) return undefined;
    const name = directory === '' ? path : path.slice(directory.length + 1);
    if (pathProblem(name) !== undefined) return undefined;
    for (const rules of found) {
      const inner = innerPath(rules, path);
      if (rules.isIncluded(inner) && !rules.isExcluded(inner)) return rules.set;
    }
    return undefined;
  }

  /**
   * Whether a walk has to enter a directory: some file in it or below it may belong to a set.
   * True for every directory that holds, at any depth, a file for which `setOf` knows a set.
   */
  isOnTheWay(directory: BytePath): boolean {
    if (directory === '') return this.sets.length > 0;
    if (pathProblem(directory) !== undefined) return false;
    return this.#rules.some((rules) =>
      rules.path === directory || isBelow(rules.path, directory) ||
      (reaches(rules, directory) && rules.leadsOn(innerPath(rules, directory)))
    );
  }

  /** The directory of a set, as the bytes that it is on the disk. */
  directoryOf(set: FileSet): BytePath {
    return this.#rulesOf(set).path;
  }

  /**
   * 16 bytes that are equal on two nodes only if both choose the same files for the set. Counts
   * the set's own rules and those of earlier sets that can take files away from it; neither the
   * order of patterns nor anything about owners and modes.
   */
  rulesDigest(set: FileSet): ByteString {
    const own = this.#rulesOf(set);
    const earlier = this.#rules.slice(0, this.#rules.indexOf(own))
      .filter((rules) => canShare(rules, own))
      .map(({ set }) => canonicalRules(set));
    const text = JSON.stringify(['muster rules 1', canonicalRules(set), sortedUnique(earlier)]);
    return this.#hashing.digest(this.#algorithm, toBytes(fromText(text))).slice(0, 16);
  }

  #rulesOf(set: FileSet): SetRules {
    const rules = this.#rules.find((rules) => rules.set.name === set.name);
    if (rules === undefined) throw new ClusterError('notFound', `There is no set "${set.name}"`);
    return rules;
  }

  #rulesWithin(directory: BytePath): readonly SetRules[] {
    const known = this.#remembered.get(directory);
    if (known !== undefined) return known;
    const isSound = directory === '' || pathProblem(directory) === undefined;
    const found = isSound
      ? this.#rules.filter((rules) => rules.path === directory || reaches(rules, directory))
      : [];
    // Paths come from peers as well, who must not make this grow.
    if (this.#rememberedBytes > rememberedBytesMax) {
      this.#remembered.clear();
      this.#rememberedBytes = 0;
    }
    this.#remembered.set(directory, found);
    this.#rememberedBytes += directory.length + 64;
    return found;
  }
}

// ---------------------------------------------------------------------------------------------

/** A set, compiled. Tests take paths relative to the directory of the set. */
interface SetRules {
  readonly set: FileSet;
  readonly path: BytePath;
  readonly isIncluded: PathTest;
  readonly isExcluded: PathTest;
  readonly leadsOn: PathTest;
}

function compileSet(set: FileSet): SetRules {
  const path = fromText(set.path);
  const problem = path === '' ? undefined : pathProblem(path);
  if (problem !== undefined) {
    throw new ClusterError('configuration', `Path "${set.path}" of set "${set.name}" ${problem}`);
  }
  for (const pattern of [...set.include, ...set.exclude]) {
    const problem = patternProblem(pattern);
    if (problem === undefined) continue;
    throw new ClusterError(
      'configuration',
      `Pattern "${pattern}" of set "${set.name}" ${problem}`,
    );
  }
  return {
    set,
    path,
    isIncluded: compilePatterns(set.include),
    isExcluded: compilePatterns(wholeExclude(set)),
    leadsOn: compileDescent(set.include),
  };
}

/** All that a set leaves out. */
function wholeExclude(set: FileSet): readonly string[] {
  return set.excludeDefaults ? [...defaultExclude, ...set.exclude] : set.exclude;
}

/** The part of a path that is below the directory of the set. */
function innerPath(rules: SetRules, path: BytePath): BytePath {
  return rules.path === '' ? path : path.slice(rules.path.length + 1);
}

/** Whether a set may have files right in a directory below its own. */
function reaches(rules: SetRules, directory: BytePath): boolean {
  if (!rules.set.recursive || !isBelow(directory, rules.path)) return false;
  const inner = innerPath(rules, directory);
  for (let end = inner.indexOf('/'); end >= 0; end = inner.indexOf('/', end + 1)) {
    if (rules.isExcluded(inner.slice(0, end))) return false;
  }
  return !rules.isExcluded(inner);
}

/** Whether there are directories in which both sets may have files. */
function canShare(left: SetRules, right: SetRules): boolean {
  return left.path === right.path ||
    (left.set.recursive && isBelow(right.path, left.path)) ||
    (right.set.recursive && isBelow(left.path, right.path));
}

/** The rules of a set as text that is the same wherever the rules are the same. */
function canonicalRules(set: FileSet): string {
  return JSON.stringify({
    path: set.path,
    include: sortedUnique(set.include),
    exclude: sortedUnique(wholeExclude(set)),
    recursive: set.recursive,
  });
}

function sortedUnique(texts: readonly string[]): string[] {
  return [...new Set(texts)].sort();
}
