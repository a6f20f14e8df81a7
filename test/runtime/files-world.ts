/** A managed tree on the real disk with a state directory, and something outside to leave alone. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock, FileAttributes, FileFacts, HashOutcome } from '../../src/ports.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { type DiskFiles, openFiles } from '../../src/runtime/files.ts';
import { createHashing } from '../../src/runtime/hashing.ts';

/** Attributes that leave a file with whoever runs the test. */
export const plain: FileAttributes = {
  mode: 0o640,
  owner: undefined,
  group: undefined,
  mtimeMs: undefined,
};

/** A tree to work on. */
export interface FilesWorld {
  readonly files: DiskFiles;
  readonly root: string;
  readonly state: string;
  /** A directory beside the root. */
  readonly outside: string;
  readonly warnings: string[];
  /** Writes a file below the root, as somebody else would. */
  readonly write: (path: string, content: string | Uint8Array) => void;
  /** What a file below the root holds; undefined where none is. */
  readonly text: (path: string) => string | undefined;
  /** Stages a content and places it, as a worker does. */
  readonly place: (path: string, content: string) => Promise<FileFacts | Error>;
  readonly hash: (...paths: string[]) => Promise<HashOutcome[]>;
}

/** What may differ in a world. */
export interface FilesWorldOptions {
  readonly clock?: Pick<Clock, 'monotonicMs' | 'breathe'>;
  /** Where to keep the state directory. @default beside the root */
  readonly stateParent?: string;
  /** Where to keep the root. @default a new directory among the temporary files */
  readonly rootParent?: string;
  /** @default what this process has really read */
  readonly diskReads?: () => number;
}

const cleanups: (() => unknown)[] = [];

/**
 * Removes all that was made. Each test file has to say `after(cleanUp)` itself: one runtime loads
 * this module once for all of them.
 */
export function cleanUp(): void {
  while (cleanups.length > 0) cleanups.pop()!();
}

/** Something to be done when all tests of the file have ended; the last first. */
export function whenDone(cleanup: () => unknown): void {
  cleanups.push(cleanup);
}

/** A directory that is removed in the end. */
export function temporaryDirectory(parent: string = tmpdir()): string {
  const path = fs.realpathSync(fs.mkdtempSync(join(parent, 'muster-test-')));
  whenDone(() => fs.rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Makes a tree with files to work on. */
export async function makeFilesWorld(options: FilesWorldOptions = {}): Promise<FilesWorld> {
  const parent = options.rootParent ?? temporaryDirectory();
  const [root, outside] = [join(parent, 'root'), join(parent, 'outside')];
  const state = join(options.stateParent ?? parent, 'state');
  fs.mkdirSync(root);
  fs.mkdirSync(outside);
  const warnings: string[] = [];
  const files = await openFiles({
    root,
    stateDirectory: state,
    clock: options.clock ?? systemClock,
    hashing: await createHashing(),
    onWarning: (text) => void warnings.push(text),
    ...(options.diskReads === undefined ? {} : { diskReads: options.diskReads }),
  });
  whenDone(() => files.close());
  return {
    files,
    root,
    state,
    outside,
    warnings,
    write: (path, content) => {
      const target = join(root, path);
      fs.mkdirSync(join(target, '..'), { recursive: true });
      fs.writeFileSync(target, content);
    },
    text: (path) => {
      const target = join(root, path);
      return fs.existsSync(target) ? fs.readFileSync(target, 'utf8') : undefined;
    },
    place: async (path, content) => {
      const bytes = new TextEncoder().encode(content);
      await files.stageAll([{ name: 'single', bytes, attributes: plain }]);
      return (await files.place([{ name: 'single', path, directoryMode: 0o750 }]))[0]!;
    },
    hash: (...paths) => files.hash(paths, 'md5', new AbortController().signal),
  };
}

/** Mounts a small file system in memory at a new directory; undefined where that is not allowed. */
export function mountSmallDisk(bytes: number): string | undefined {
  const path = temporaryDirectory();
  const run = (command: string, ...args: string[]) => spawnSync(command, args).status === 0;
  if (!run('mount', '-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', path)) return undefined;
  whenDone(() => run('umount', '--lazy', path));
  return path;
}

/** Whether this runtime can represent file names that are not UTF-8. */
export function hasByteNames(): boolean {
  const directory = temporaryDirectory();
  fs.writeFileSync(Buffer.from(`${directory}/\xff`, 'latin1'), '');
  return fs.readdirSync(directory, { encoding: 'buffer' })[0]!.length === 1;
}

/** All names below a directory, sorted. Links are names like others. */
export function namesBelow(directory: string, prefix = ''): string[] {
  return fs.readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const name = prefix + entry.name;
    if (!entry.isDirectory()) return [name];
    return [name, ...namesBelow(join(directory, entry.name), `${name}/`)];
  }).sort();
}
