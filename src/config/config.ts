/**
 * The configuration of a node as the rest of the program sees it: complete, checked, with units.
 */
import type { GroupRule } from '../agents/group-rules.ts';
import type { FileSet } from '../files/file-set.ts';
import type { ResolvedTables } from './keys.ts';
import type { StatePaths } from './location.ts';

/** A complete configuration; the fields of its tables are declared in `keys.ts`. */
export interface Config extends ResolvedTables {
  /** In the order of the files; no file belongs to two of them. */
  readonly sets: readonly FileSet[];
  /** In the order of the file. */
  readonly groupRules: readonly GroupRule[];
  /** What lies in the state directory. */
  readonly paths: StatePaths;
  /** The configuration file, an absolute path. */
  readonly file: string;
}

/** A configuration as far as it could be read: what was refused, or is missing, is undefined. */
export type ReadConfig = ReadTables & {
  readonly sets: readonly (FileSet | undefined)[];
  readonly groupRules: readonly (GroupRule | undefined)[];
  readonly file: string;
};

type ReadTables = {
  readonly [Table in keyof ResolvedTables]: {
    readonly [Field in keyof ResolvedTables[Table]]: ResolvedTables[Table][Field] | undefined;
  };
};

/** Where a value comes from. */
export interface Origin {
  readonly source: 'default' | 'file' | 'environment' | 'flag';
  /** `FILE:LINE`, the variable or the option; "" for a default. */
  readonly detail: string;
}

/**
 * Origins by dotted key; those of sets by `sets.NAME.KEY`, those of group rules by
 * `group_rules[N].KEY`.
 */
export type Origins = ReadonlyMap<string, Origin>;

/** A configuration and where each of its values comes from. */
export interface ParsedConfig {
  readonly config: Config;
  readonly origins: Origins;
}
