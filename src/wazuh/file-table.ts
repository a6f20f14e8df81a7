/**
 * File tables: what an integrity check of the Wazuh protocol compares, and what follows from it.
 * Pure.
 *
 * A worker sends its whole table; the master answers with what the worker lacks, has too much, and
 * has in another form. Files are the same where their hashes are: modification times travel, and
 * decide nothing.
 */
import { type BytePath, type ByteString, fromHex, fromText, toHex } from '../base/bytes.ts';
import { ByteWriter } from '../base/cursor.ts';
import { ProtocolError } from '../base/errors.ts';
import { dictionary, flag, number, optional, type Reader, record, text } from '../base/readers.ts';
import { pathConflicts } from '../files/path-conflicts.ts';
import { parentOf } from '../files/paths.ts';
import { compactJson, type Json, parseJson, parseJsonValue } from './json.ts';
import { JsonCursor, membersInParts } from './json-cursor.ts';
import { pathFromText, pathToText } from './path-text.ts';

/** What a table says about one file. */
export interface FileRow {
  /** Key of the file set, with a slash at its end: `etc/shared/`. */
  readonly setKey: string;
  /** Modification time, seconds since 1970 with fraction. */
  readonly mtimeS: number;
  /** BLAKE2b of the content, 64 bytes. */
  readonly hash: ByteString;
  /** Whether it is one of several files merged into one; no set of 4.14 has such. */
  readonly isMerged: boolean;
}

/** The files of a node, by their paths relative to its root. */
export type FileTable = ReadonlyMap<BytePath, FileRow>;

/** What makes the files of a worker those of its master. */
export interface TableDifference {
  readonly missing: FileTable;
  /** Rows of the worker. */
  readonly extra: FileTable;
  /** In both, with different contents; rows of the master. */
  readonly shared: FileTable;
}

/** What a master asks of a worker; it need not say more about a file than these. */
export interface FileOrder {
  readonly setKey: string;
  /** Undefined where the master did not say. */
  readonly hash: ByteString | undefined;
  readonly isMerged: boolean;
}

/** What a worker is to make of its files. */
export interface FileOrders {
  readonly missing: ReadonlyMap<BytePath, FileOrder>;
  readonly extra: ReadonlyMap<BytePath, FileOrder>;
  readonly shared: ReadonlyMap<BytePath, FileOrder>;
}

const encoder = new TextEncoder();

/** Bytes of a piece of a table: some hundred rows. */
const pieceBytes = 64 * 1024;

/** Rows that are read in one go. */
const rowsAtOnce = 500;

/** Most files in a table. */
export const filesMax = 1_000_000;

/** What makes the files of a worker those of the master. */
export function compareTables(master: FileTable, worker: FileTable): TableDifference {
  const missing = new Map<BytePath, FileRow>();
  const shared = new Map<BytePath, FileRow>();
  for (const [path, row] of master) {
    const own = worker.get(path);
    if (own === undefined) missing.set(path, row);
    else if (own.hash !== row.hash) shared.set(path, row);
  }
  const extra = new Map<BytePath, FileRow>();
  for (const [path, row] of worker) if (!master.has(path)) extra.set(path, row);
  return { missing, extra, shared };
}

/**
 * A difference without the files that would have to be where others still are, or below them: a
 * worker removes after it has put in place, and fails to put anything in the place of something else.
 */
export function withoutConflicts({ missing, extra, shared }: TableDifference): TableDifference {
  const conflicts = pathConflicts(missing, extra);
  if (conflicts.coming.size === 0) return { missing, extra, shared };
  const possible = new Map([...missing].filter(([path]) => !conflicts.coming.has(path)));
  return { missing: possible, extra, shared };
}

/** Whether there is nothing to do. */
export function isSame({ missing, extra, shared }: TableDifference): boolean {
  return missing.size + extra.size + shared.size === 0;
}

/** Whether a table has a file in each directory that one of these is in. */
export function hasDirectoriesOf(files: FileTable, table: FileTable): boolean {
  const wanted = new Set<BytePath>();
  for (const path of files.keys()) wanted.add(parentOf(path));
  for (const path of table.keys()) {
    if (wanted.size === 0) break;
    wanted.delete(parentOf(path));
  }
  return wanted.size === 0;
}

/** The JSON text of a table. */
export function writeTable(table: FileTable): Uint8Array {
  return compactJson(tableJson(table));
}

/**
 * The same in pieces, for a table that is not held as a whole. A piece is valid until the next. Put
 * together from texts, a long table would leave behind many times its length.
 */
export function* tablePieces(
  rows: Iterable<readonly [BytePath, FileRow]>,
): Generator<Uint8Array, void, undefined> {
  const writer = new ByteWriter(pieceBytes + 4096);
  writer.text('{');
  let separator = '';
  for (const [path, row] of rows) {
    writer.text(separator);
    separator = ',';
    putText(writer, path);
    putRow(writer, row);
    if (writer.length < pieceBytes) continue;
    yield writer.view();
    writer.reset();
  }
  writer.text('}');
  yield writer.view();
}

/** The JSON text of a difference. */
export function writeDifference({ missing, extra, shared }: TableDifference): Uint8Array {
  return compactJson({
    missing: tableJson(missing),
    extra: tableJson(extra),
    shared: tableJson(shared),
  });
}

/**
 * The JSON text of a difference, piece by piece: nothing is held up by a long one. A piece is valid
 * until the next.
 */
export function* differencePieces(
  { missing, extra, shared }: TableDifference,
): Generator<Uint8Array, void, undefined> {
  const tables = Object.entries({ missing, extra, shared });
  for (const [i, [name, table]] of tables.entries()) {
    yield encoder.encode(`${i === 0 ? '{' : ','}"${name}":`);
    yield* tablePieces(table);
  }
  yield encoder.encode('}');
}

/** The table in a JSON text. @throws ProtocolError `malformed` */
export function readTable(bytes: Uint8Array): FileTable {
  return byPath(rows(parseJson(bytes, 'A file table'), 'files'));
}

/** The same for a long one, with the loop free in between. @throws ProtocolError `malformed` */
export async function readLongTable(
  bytes: Uint8Array,
  clock: { breathe(): Promise<void> },
): Promise<FileTable> {
  const table = new Map<BytePath, FileRow>();
  for (const part of membersInParts(bytes, rowsAtOnce)) {
    for (const [path, row] of readTable(part)) table.set(path, row);
    if (table.size > filesMax) throw new ProtocolError('malformed', 'A file table is too long');
    await clock.breathe();
  }
  return table;
}

/**
 * The orders in a JSON text, read with the loop free in between: they may be many.
 * @throws ProtocolError `malformed`
 */
export async function readOrders(
  bytes: Uint8Array,
  clock: { breathe(): Promise<void> },
): Promise<FileOrders> {
  const cursor = new JsonCursor(bytes);
  const found = new Map<string, Map<BytePath, FileOrder>>();
  let count = 0;
  for (const key of cursor.keys()) {
    if (!['missing', 'extra', 'shared'].includes(key)) {
      cursor.skip();
      continue;
    }
    const orders = new Map<BytePath, FileOrder>();
    found.set(key, orders);
    for (const written of cursor.members()) {
      orders.set(readPath(parseJsonValue(written, what)), readOrder(cursor));
      if (++count > filesMax) throw new ProtocolError('malformed', `${what} is too long`);
      if (count % rowsAtOnce === 0) await clock.breathe();
    }
  }
  cursor.end();
  const [missing, extra, shared] = ['missing', 'extra', 'shared'].map((key) => found.get(key));
  if (missing !== undefined && extra !== undefined && shared !== undefined) {
    return { missing, extra, shared };
  }
  throw new ProtocolError(
    'malformed',
    'A file table does not say what is missing, extra and shared',
  );
}

// ---

const setKeyLengthMax = 4096;

const hash: Reader<ByteString> = (value, where) => {
  const bytes = typeof value === 'string' ? fromHex(value) : undefined;
  if (bytes?.length === 64) return bytes;
  throw new ProtocolError('malformed', `"${where}" is not a BLAKE2b hash`);
};

const rowShape = record({
  mod_time: number,
  cluster_item_key: text(setKeyLengthMax),
  merged: flag,
  hash,
});

const row: Reader<FileRow> = (value, where) => {
  const read = rowShape(value, where);
  return {
    setKey: read.cluster_item_key,
    mtimeS: read.mod_time,
    hash: read.hash,
    isMerged: read.merged,
  };
};

const setKeyText = text(setKeyLengthMax);
const optionalFlag = optional(flag);
const optionalHash = optional(hash);

/**
 * The order that begins here. Member by member: parsed as a whole, a hundred thousand of them would
 * leave behind many times what is wanted of them.
 */
function readOrder(cursor: JsonCursor): FileOrder {
  let setKey: string | undefined;
  let isMerged: boolean | undefined;
  let bytes: ByteString | undefined;
  for (const key of cursor.keys()) {
    const value = cursor.value();
    if (key === 'cluster_item_key') setKey = setKeyText(parseJsonValue(value, what), key);
    else if (key === 'hash') bytes = optionalHash(parseJsonValue(value, what), key);
    else if (key === 'merged') isMerged = optionalFlag(parseJsonValue(value, what), key);
  }
  if (setKey === undefined) throw new ProtocolError('malformed', `${what} has a file of no set`);
  return { setKey, hash: bytes, isMerged: isMerged ?? false };
}

/** What is read here, for errors. */
const what = 'A file table';

const rows = dictionary(row, filesMax);

function byPath<T>(read: ReadonlyMap<string, T>): ReadonlyMap<BytePath, T> {
  const found = new Map<BytePath, T>();
  for (const [key, value] of read) found.set(readPath(key), value);
  return found;
}

function readPath(key: unknown): BytePath {
  const path = typeof key === 'string' ? pathFromText(key) : undefined;
  if (path !== undefined) return path;
  throw new ProtocolError('malformed', 'A path in a file table is no text');
}

function tableJson(table: FileTable): Json {
  return Object.fromEntries(
    Array.from(table, ([path, row]) => [
      pathToText(path),
      rowJson(row),
    ]),
  );
}

/** What of a path JSON writes as it is. */
const plainPath = /^[ !#-[\]-~]*$/;

/** A path as JSON. */
function putText(writer: ByteWriter, path: BytePath): void {
  if (plainPath.test(path)) {
    writer.text('"');
    writer.text(path);
    writer.text('"');
  } else writer.text(fromText(JSON.stringify(pathToText(path))));
}

/** A row as JSON, behind its path. */
function putRow(writer: ByteWriter, { mtimeS, setKey, isMerged, hash: bytes }: FileRow): void {
  writer.text(':{"mod_time":');
  writer.text(String(mtimeS));
  writer.text(',"cluster_item_key":');
  putText(writer, fromText(setKey));
  writer.text(isMerged ? ',"merged":true,"hash":"' : ',"merged":false,"hash":"');
  writer.hex(bytes);
  writer.text('"}');
}

function rowJson({ mtimeS, setKey, isMerged, hash: bytes }: FileRow): Json {
  return { mod_time: mtimeS, cluster_item_key: setKey, merged: isMerged, hash: toHex(bytes) };
}
