/**
 * The sending end of an archive: packs members one by one.
 *
 * Real nodes take an archive apart at every member separator, also at one within packed content,
 * and then give up the whole archive. A content that packs badly stands in its stream as it is: so
 * one that holds the separator is packed with a seam within it.
 */
import { type BytePath, concatBytes, toBytes } from '../base/bytes.ts';
import type { Deflater, Zlib } from '../ports.ts';
import { indexOfSeparator, memberSeparator, pathSeparator, tablePath } from './archive-format.ts';

/**
 * A file as member of an archive, with the separator behind it; undefined where its content holds
 * a separator: then by `packLarge`. For small contents.
 */
export function packSmall(
  zlib: Zlib,
  path: BytePath,
  content: Uint8Array,
): Uint8Array | undefined {
  if (indexOfSeparator(content, memberSeparator) >= 0) return undefined;
  return concatBytes([toBytes(path), pathSeparator, zlib.deflate(content), memberSeparator]);
}

/** A file of any length as member of an archive, with the separator behind it, piece by piece. */
export async function* packLarge(
  zlib: Zlib,
  path: BytePath,
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield concatBytes([toBytes(path), pathSeparator]);
  yield* packed(zlib, content);
  yield memberSeparator;
}

/** The table, as the last member; nothing follows it. */
export async function* packTable(
  zlib: Zlib,
  json: Uint8Array | AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield concatBytes([toBytes(tablePath), pathSeparator]);
  yield* packed(zlib, json instanceof Uint8Array ? [json] : json);
}

async function* packed(
  zlib: Zlib,
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const deflater = zlib.deflater();
  try {
    /** The end of the last piece, in which a separator may begin. */
    let carried: Uint8Array = new Uint8Array(0);
    for await (const piece of content) {
      const joined = concatBytes([carried, piece]);
      const kept = Math.min(joined.length, memberSeparator.length - 1);
      const { from, pieces } = await packedWithSeams(deflater, joined);
      yield* pieces;
      const end = Math.max(from, joined.length - kept);
      yield* await deflater.write(joined.subarray(from, end));
      carried = new Uint8Array(joined.subarray(end));
    }
    yield* await deflater.write(carried);
    yield* await deflater.end();
  } finally {
    deflater.close();
  }
}

/** Packs all up to the middle of the last separator in some bytes; gives where that is. */
async function packedWithSeams(deflater: Deflater, bytes: Uint8Array) {
  const pieces: Uint8Array[] = [];
  let from = 0;
  for (;;) {
    const at = indexOfSeparator(bytes, memberSeparator, from);
    if (at < 0) return { from, pieces };
    const middle = at + memberSeparator.length / 2;
    pieces.push(...await deflater.write(bytes.subarray(from, middle)));
    pieces.push(...await deflater.flush());
    from = middle;
  }
}
