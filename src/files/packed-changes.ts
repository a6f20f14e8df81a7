/**
 * Journalled changes as bytes: hundreds of them are one value in the database.
 *
 * A change is u8 flags, path, set, f64 generation, u8 kind; of what is to be placed the staged
 * name, f64 size, f64 modification time and hash; of what was there the name, hash, f64 size and
 * f64 modification time. Strings are u16 length and bytes; integers are big-endian. These bytes
 * never leave the node.
 */
import { type ByteString, fromText, toText } from '../base/bytes.ts';
import { ByteReader, ByteWriter } from '../base/cursor.ts';
import { invariant } from '../base/errors.ts';
import type { Entry } from './entry.ts';
import type { NewVersion, VersionKind } from './version-store.ts';

/** A change that is about to be made to one path. */
export interface JournalChange {
  /** What is to be placed, and under which name it is staged; undefined for a removal. */
  readonly placement: { readonly stagedName: string; readonly entry: Entry } | undefined;
  /** What is there now, as it will be noted among the versions. */
  readonly version: NewVersion;
}

// What of a change is there.
const PLACEMENT = 1;
const NAME = 2;
const HASH = 4;

/** The kinds by their number: only ever append. */
const kinds: readonly VersionKind[] = ['replaced', 'removed', 'created', 'given-up'];

/** Packs changes, in their order. */
export function packChanges(changes: readonly JournalChange[]): Uint8Array {
  const writer = new ByteWriter(changes.length * 160);
  for (const { placement, version } of changes) {
    const { path, set, generation, kind, name, hash, size, mtimeMs } = version;
    writer.u8(
      (placement === undefined ? 0 : PLACEMENT) | (name === undefined ? 0 : NAME) |
        (hash === undefined ? 0 : HASH),
    );
    put(writer, path);
    put(writer, fromText(set));
    writer.f64(generation);
    writer.u8(kinds.indexOf(kind));
    if (placement !== undefined) {
      put(writer, placement.stagedName);
      writer.f64(placement.entry.size);
      writer.f64(placement.entry.mtimeMs);
      put(writer, placement.entry.hash);
    }
    if (name !== undefined) put(writer, name);
    if (hash !== undefined) put(writer, hash);
    writer.f64(size);
    writer.f64(mtimeMs);
  }
  return writer.finish();
}

/** The changes of packed bytes, in their order. */
export function unpackChanges(bytes: Uint8Array): JournalChange[] {
  const reader = new ByteReader(bytes);
  const changes: JournalChange[] = [];
  while (reader.remaining > 0) changes.push(unpackChange(reader));
  return changes;
}

// ---

function unpackChange(reader: ByteReader): JournalChange {
  const flags = reader.u8();
  const path = take(reader);
  const set = toText(take(reader)) ?? '';
  const generation = reader.f64();
  const kind = kinds[reader.u8()];
  invariant(kind !== undefined, 'a journalled change is of a known kind');
  const placement = (flags & PLACEMENT) === 0 ? undefined : {
    stagedName: take(reader),
    entry: { path, size: reader.f64(), mtimeMs: reader.f64(), hash: take(reader) },
  };
  const name = (flags & NAME) === 0 ? undefined : take(reader);
  const hash = (flags & HASH) === 0 ? undefined : take(reader);
  const size = reader.f64();
  const mtimeMs = reader.f64();
  return { placement, version: { path, set, generation, kind, name, hash, size, mtimeMs } };
}

function put(writer: ByteWriter, text: ByteString): void {
  writer.u16(text.length);
  writer.text(text);
}

function take(reader: ByteReader): ByteString {
  return reader.text(reader.u16());
}
