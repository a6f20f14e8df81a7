/**
 * Recordings of real nodes on the wire, where they are at hand: in the directory that the
 * environment variable MUSTER_VECTORS names, or in `../shared/vectors` beside the repository.
 * They are too long to be part of it; tests that want them are skipped without. A few of their
 * frames are always there, as recording `standing` in `vectors/`: a first synchronisation, agents,
 * keep-alive, refused hellos, a divided message.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { concatBytes } from '../../src/base/bytes.ts';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = resolve(here, '../..');
const directory = join(
  process.env['MUSTER_VECTORS'] ?? join(root, '../shared/vectors'),
  'wazuh-4.14',
);

/** Options for a test that needs the recordings: skipped with a note where they are not there. */
export const needsRecordings = existsSync(directory)
  ? {}
  : { skip: `no recordings in ${directory}: set MUSTER_VECTORS` };

export const recordingKey = '9d273b53510fef702b54a92e9cffc82e';
export const wrongKey = 'a'.repeat(32);

/** One frame as it went over the wire, and what it held. */
export interface RecordedFrame {
  readonly connection: number;
  readonly sender: 'master' | 'worker';
  /** The command that it answers; undefined for a request. */
  readonly answers: string | undefined;
  readonly command: string;
  readonly isDivided: boolean;
  readonly counter: number;
  readonly wire: Uint8Array;
  /** What was encrypted; undefined in a part that others follow, and where it is no good token. */
  readonly plain: Uint8Array | undefined;
  readonly isBadToken: boolean;
}

interface Line {
  readonly conn: number;
  readonly dir: 'worker>master' | 'master>worker';
  readonly kind: 'request' | 'response' | 'eof';
  readonly re?: string;
  readonly cmd: string;
  readonly flag: string;
  readonly counter: number;
  readonly plain_b64?: string | null;
  readonly wire_b64: string;
  readonly decrypt_error?: boolean | string;
}

/** The frames of a recording, in the order in which they were seen. */
export function recordedFrames(name: string): RecordedFrame[] {
  const path = name === 'standing' ? join(here, 'vectors') : directory;
  const text = readFileSync(join(path, `${name}.jsonl`), 'utf8');
  return text.trim().split('\n').flatMap((line) => {
    const read = JSON.parse(line) as Line;
    if (read.kind === 'eof') return [];
    const isBadToken = Boolean(read.decrypt_error);
    const hasPlain = typeof read.plain_b64 === 'string' && read.flag !== 'd' && !isBadToken;
    return [{
      connection: read.conn,
      sender: read.dir === 'worker>master' ? 'worker' : 'master',
      answers: read.kind === 'response' ? read.re ?? '' : undefined,
      command: read.cmd,
      isDivided: read.flag === 'd',
      counter: read.counter,
      wire: bytesOf(read.wire_b64),
      plain: hasPlain ? bytesOf(read.plain_b64 ?? '') : undefined,
      isBadToken,
    }];
  });
}

/** The frames that one end sent over one connection, grouped. */
export function recordedStreams(name: string): RecordedFrame[][] {
  const streams = Map.groupBy(
    recordedFrames(name),
    ({ connection, sender }) => `${connection} ${sender}`,
  );
  return [...streams.values()];
}

/** All bytes that one end sent. */
export function wireOf(frames: readonly RecordedFrame[]): Uint8Array {
  return concatBytes(frames.map(({ wire }) => wire));
}

function bytesOf(base64: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64, 'base64'));
}

/** A tree as it was recorded: contents and modification times by path. */
export function recordedTree(name: string): Readonly<Record<string, RecordedFile>> {
  const text = readFileSync(join(directory, 'session.trees.json'), 'utf8');
  const trees = JSON.parse(text) as Record<string, Record<string, RecordedTreeFile>>;
  return Object.fromEntries(
    Object.entries(trees[name] ?? {}).map(([path, { content_b64, mtime }]) => [
      path,
      { content: bytesOf(content_b64), mtimeMs: mtime * 1000 },
    ]),
  );
}

/** A file of a recorded tree. */
export interface RecordedFile {
  readonly content: Uint8Array;
  readonly mtimeMs: number;
}

interface RecordedTreeFile {
  readonly content_b64: string;
  readonly mtime: number;
}
