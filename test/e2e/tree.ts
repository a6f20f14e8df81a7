/** Trees on the disk: what is in them, byte for byte, and whether one is the mirror of another. */
import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';

/** A file as it lies on the disk. */
export interface FileState {
  readonly size: number;
  /** Permission bits. */
  readonly mode: number;
  readonly mtimeMs: number;
  readonly inode: number;
  /** SHA-256 of the content, hexadecimal. */
  readonly hash: string;
}

/** What a mirror need not have in common with its original. */
export interface MirrorOptions {
  /** Files of the original that do not travel, by relative path. @default none */
  readonly isLeftOut?: (path: string) => boolean;
  /** The mode that a file has on the mirror. @default not looked at */
  readonly modeOf?: (path: string) => number;
}

/** Content of files read at a time, bytes. */
const pieceBytes = 4 * 1024 * 1024;

/** Puts a file in its place whole, as careful programs do, with the directories above it. */
export function write(path: string, content: string | Uint8Array, mtimeMs?: number): void {
  const draft = `${path}.tmp`;
  fs.mkdirSync(dirname(path), { recursive: true });
  fs.writeFileSync(draft, content);
  if (mtimeMs !== undefined) fs.utimesSync(draft, mtimeMs / 1000, mtimeMs / 1000);
  fs.renameSync(draft, path);
}

/**
 * All regular files below a directory, by relative path; each character is a byte of the name. What
 * a node that runs takes away meanwhile is left out.
 */
export function filesBelow(root: string): Map<string, FileState> {
  const files = new Map<string, FileState>();
  const walk = (directory: string): void => {
    const path = Buffer.concat([Buffer.from(`${root}/`), Buffer.from(directory, 'latin1')]);
    for (const name of unlessGone(() => fs.readdirSync(path, { encoding: 'buffer' })) ?? []) {
      const relative = directory + name.toString('latin1');
      const full = Buffer.concat([path, name]);
      const stats = fs.lstatSync(full, { throwIfNoEntry: false });
      if (stats?.isDirectory()) walk(`${relative}/`);
      if (!stats?.isFile()) continue;
      const state = unlessGone(() => stateOf(full, stats));
      if (state !== undefined) files.set(relative, state);
    }
  };
  if (fs.existsSync(root)) walk('');
  return files;
}

/** How a mirror differs from its original, one line each; empty where it does not. */
export function mirrorFaults(
  original: string,
  mirror: string,
  { isLeftOut = () => false, modeOf }: MirrorOptions = {},
): string[] {
  const wanted = [...filesBelow(original)].filter(([path]) => !isLeftOut(path));
  const actual = filesBelow(mirror);
  const faults: string[] = [];
  for (const [path, { hash, mtimeMs }] of wanted) {
    const found = actual.get(path);
    actual.delete(path);
    if (found === undefined) faults.push(`${path}: missing`);
    else if (found.hash !== hash) faults.push(`${path}: other content`);
    else if (found.mtimeMs !== mtimeMs) faults.push(`${path}: ${found.mtimeMs}, not ${mtimeMs}`);
    else if (modeOf !== undefined && found.mode !== modeOf(path)) {
      faults.push(`${path}: mode ${found.mode.toString(8)}, not ${modeOf(path).toString(8)}`);
    }
  }
  return [...faults, ...[...actual.keys()].map((path) => `${path}: not on the original`)];
}

/** Fails where one tree is not the mirror of another. */
export function assertMirror(original: string, mirror: string, options?: MirrorOptions): void {
  assert.deepEqual(mirrorFaults(original, mirror, options), []);
}

/** Names in a directory; none where it does not exist. */
export function namesIn(directory: string): string[] {
  return fs.existsSync(directory) ? fs.readdirSync(directory) : [];
}

/** Fails where a node's state directory holds anything that a finished round leaves no use for. */
export function assertNothingStaged(nodeDirectory: string): void {
  assert.deepEqual(namesIn(join(nodeDirectory, 'staging')), []);
}

// ---

function unlessGone<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function stateOf(path: Buffer, stats: fs.Stats): FileState {
  return {
    size: stats.size,
    mode: stats.mode & 0o7777,
    // Whole milliseconds are what all supported systems keep.
    mtimeMs: Math.floor(stats.mtimeMs),
    inode: stats.ino,
    hash: hashOf(path),
  };
}

function hashOf(path: Buffer): string {
  const hash = createHash('sha256');
  const piece = Buffer.allocUnsafe(pieceBytes);
  const file = fs.openSync(path, 'r');
  try {
    for (let count = -1; count !== 0;) {
      count = fs.readSync(file, piece, 0, pieceBytes, null);
      hash.update(piece.subarray(0, count));
    }
    return hash.digest('hex');
  } finally {
    fs.closeSync(file);
  }
}
