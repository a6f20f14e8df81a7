/** The database of a node. */

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
