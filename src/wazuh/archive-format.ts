/**
 * Archives of the Wazuh protocol: files with the table that tells about them, in one sequence. Pure.
 *
 *     archive = { path `|//@@//|` zlib-stream `|@@//@@|` } table
 *     table   = `files_metadata.json` `|//@@//|` zlib-stream
 *
 * No lengths and no escaping. A path that `files/paths.ts` lets pass holds neither separator, since
 * both have an empty component. A zlib stream knows its own end; who reads an archive by looking for
 * separators, as real nodes do, is misled by one within a stream.
 */
import { toBytes } from '../base/bytes.ts';

/** Between the path of a member and its content. */
export const pathSeparator = toBytes('|//@@//|');

/** Between two members. */
export const memberSeparator = toBytes('|@@//@@|');

/** The path of the table. */
export const tablePath = 'files_metadata.json';

/** Where a separator begins in some bytes from a position on; -1 where it does not. */
export function indexOfSeparator(bytes: Uint8Array, separator: Uint8Array, from = 0): number {
  for (let at = from;;) {
    at = bytes.indexOf(separator[0]!, at);
    if (at < 0 || at + separator.length > bytes.length) return -1;
    let i = 1;
    while (i < separator.length && bytes[at + i] === separator[i]) i++;
    if (i === separator.length) return at;
    at++;
  }
}
