/** What a node of either role tells programs on its machine about itself. */
import { type BytePath, type ByteString, toHex } from '../../base/bytes.ts';
import type { Answer } from '../connection.ts';
import { type Json, spacedJson } from '../json.ts';
import { pathToText } from '../path-text.ts';

/** The section of the configuration about the cluster, but for the key. */
export type SectionJson = Readonly<Record<string, Json>>;

/** The directories of the ruleset, of which `get_hash` tells. */
const rulesetKeys = ['etc/rules/', 'etc/decoders/', 'etc/lists/'];

const encoder = new TextEncoder();

/** What `get_config` is answered. */
export function sectionAnswer(section: SectionJson): Answer {
  return () => Promise.resolve(encoder.encode(spacedJson(section)));
}

/** What `get_hash` is answered: the BLAKE2b hashes of the ruleset's files, by path. */
export function rulesetHashes(
  rows: Iterable<readonly [BytePath, { readonly setKey: string; readonly hash: ByteString }]>,
): Uint8Array {
  const hashes: Record<string, string> = {};
  for (const [path, { setKey, hash }] of rows) {
    if (rulesetKeys.includes(setKey)) hashes[pathToText(path)] = toHex(hash);
  }
  return encoder.encode(spacedJson(hashes));
}
