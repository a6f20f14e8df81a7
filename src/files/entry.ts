/**
 * One managed file as the nodes talk about it, and changes of such.
 */
import type { BytePath, ByteString } from '../base/bytes.ts';

/** Facts about one managed file that both ends share. */
export interface Entry {
  readonly path: BytePath;
  /** Bytes. */
  readonly size: number;
  /** Modification time on the master, milliseconds since 1970; not part of any digest. */
  readonly mtimeMs: number;
  /** Content hash by the cluster's algorithm, as a byte string. */
  readonly hash: ByteString;
}

/** A change of one entry: `entry` is what is there now, undefined where the file is gone. */
export interface EntryChange {
  readonly path: BytePath;
  readonly entry: Entry | undefined;
}
