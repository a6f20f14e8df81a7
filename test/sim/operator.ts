/**
 * The hand of the test on a simulated disk: what an operator, an editor or an intruder does there.
 *
 * All of it happens at once, is durable at once, and asks no permission. What was put at a path is
 * noted on the disk (`planted`), so that checkers know it for deliberate.
 */
import { type BytePath, concatBytes } from '../../src/base/bytes.ts';
import type { FileKind } from '../../src/ports.ts';
import type { SimDisk } from './disk.ts';
import { allBelow, type Found, type Inode, walk } from './inode.ts';
import type { World } from './world.ts';

/** How the operator writes. */
export interface OperatorWrite {
  /** A new file under the old name, as editors do it, in place of a change in place. */
  readonly isReplacing?: boolean;
  /** Modification time to set. @default now */
  readonly mtimeMs?: number;
  readonly mode?: number;
}

/** Edits the managed tree of a disk. */
export class SimOperator {
  readonly #disk: SimDisk;

  constructor(disk: SimDisk) {
    this.#disk = disk;
  }

  /** Writes a file, with the directories on the way. */
  write(path: BytePath, content: string | Uint8Array, options: OperatorWrite = {}): void {
    if (options.isReplacing) this.remove(path);
    const inode = this.#file(path);
    this.#disk.edit(inode, (body) => body.replace(bytesOf(content)));
    if (options.mtimeMs !== undefined) inode.mtimeMs = this.#disk.rounded(options.mtimeMs);
    if (options.mode !== undefined) inode.mode = options.mode;
    this.#settled(path, inode);
  }

  /** Writes a file bit by bit: empties it, then appends a part every so often. */
  writeSlowly(world: World, path: BytePath, parts: readonly string[], everyMs: number): void {
    this.write(path, '');
    for (const [i, part] of parts.entries()) {
      world.after(everyMs * (i + 1), `operator appends to ${path}`, () => {
        const before = this.read(path) ?? new Uint8Array(0);
        this.write(path, concatBytes([before, bytesOf(part)]));
      });
    }
  }

  /** Changes a content of the same size and puts the modification time back. */
  tamper(path: BytePath, content: string | Uint8Array): void {
    const inode = this.#existing(path);
    const { mtimeMs } = inode;
    this.write(path, content, { mtimeMs });
  }

  /** Changes a content behind the file system's back: no time tells of it, nor does a watcher. */
  rot(path: BytePath, content: string | Uint8Array): void {
    const inode = this.#existing(path);
    const { mtimeMs, ctimeMs } = inode;
    this.#disk.edit(inode, (body) => body.replace(bytesOf(content)));
    inode.mtimeMs = mtimeMs;
    inode.ctimeMs = ctimeMs;
    this.#note(path, inode);
  }

  /** Sets the modification time. */
  touch(path: BytePath, mtimeMs: number): void {
    const inode = this.#existing(path);
    inode.mtimeMs = this.#disk.rounded(mtimeMs);
    inode.ctimeMs = this.#disk.stampMs();
    this.#disk.changed(path);
  }

  /** Makes a directory with those above it; what is in the way is removed. */
  makeDirectory(path: BytePath): void {
    const found = walk(this.#disk.root, path);
    if (found.kind === 'found' && found.inode.kind === 'directory') return;
    if (found.kind === 'found') this.remove(path);
    if (found.kind === 'blocked') this.remove(found.at);
    this.#make(path, 'directory');
    this.#disk.changed(path);
  }

  /** Makes a symbolic link; what was there is removed. */
  symlink(path: BytePath, target: string): void {
    this.remove(path);
    this.#make(path, 'symlink', target);
    this.#disk.changed(path);
  }

  /** Removes a path with all below it; nothing where it is not there. */
  remove(path: BytePath): void {
    const found = walk(this.#disk.root, path);
    if (found.kind !== 'found') return;
    for (const name of found.inode.children.keys()) this.remove(`${path}/${name}`);
    this.#unlink(path, found);
  }

  /** Moves a file or a whole directory. */
  rename(from: BytePath, to: BytePath): void {
    this.remove(to);
    const source = walk(this.#disk.root, from);
    if (source.kind !== 'found') throw new Error(`There is no "${from}" on ${this.#disk.name}`);
    this.#make(to, source.inode.kind, '', source.inode);
    this.#unlink(from, source);
    this.#settled(to, source.inode);
    for (const [below, inode] of allBelow(source.inode, `${to}/`)) this.#settled(below, inode);
  }

  /** The content of a file; undefined where there is none. */
  read(path: BytePath): Uint8Array | undefined {
    const found = walk(this.#disk.root, path);
    if (found.kind !== 'found' || found.inode.kind !== 'file') return undefined;
    return found.inode.body.view().slice();
  }

  /** All regular files with the hashes of their contents, sorted by path. */
  snapshot(): Map<BytePath, string> {
    const files = [...allBelow(this.#disk.root)].filter(([, inode]) => inode.kind === 'file');
    files.sort(([left], [right]) => (left < right ? -1 : 1));
    return new Map(files.map(([path, inode]) => [path, inode.body.hash()]));
  }

  #unlink(path: BytePath, found: Extract<Found, { readonly kind: 'found' }>): void {
    this.#disk.bind(found.parent, found.name, undefined);
    this.#disk.flushNames(new Set([found.parent]));
    this.#disk.changed(path);
  }

  #existing(path: BytePath): Inode {
    const found = walk(this.#disk.root, path);
    if (found.kind !== 'found') throw new Error(`There is no "${path}" on ${this.#disk.name}`);
    return found.inode;
  }

  #file(path: BytePath): Inode {
    const found = walk(this.#disk.root, path);
    if (found.kind === 'found' && found.inode.kind === 'file') return found.inode;
    if (found.kind === 'found') this.remove(path);
    return this.#make(path, 'file');
  }

  #make(path: BytePath, kind: FileKind, target = '', existing?: Inode): Inode {
    const disk = this.#disk;
    const parentPath = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    this.makeDirectory(parentPath);
    const place = walk(disk.root, path);
    if (place.kind !== 'free') throw new Error(`Cannot make "${path}": ${place.kind}`);
    const inode = existing ?? disk.makeInode(kind, kind === 'directory' ? 0o755 : 0o644, target);
    disk.bind(place.parent, place.name, inode);
    disk.flushNames(new Set([place.parent]));
    return inode;
  }

  #settled(path: BytePath, inode: Inode): void {
    this.#note(path, inode);
    this.#disk.changed(path);
  }

  #note(path: BytePath, inode: Inode): void {
    if (inode.kind !== 'file') return;
    this.#disk.flush(inode);
    const known = this.#disk.planted.get(path) ?? new Set();
    this.#disk.planted.set(path, known.add(inode.body.hash()));
  }
}

/** In what two trees differ, as lines for people; empty where they are the same. */
export function treeDifferences(
  left: ReadonlyMap<BytePath, string>,
  right: ReadonlyMap<BytePath, string>,
): string[] {
  const lines: string[] = [];
  for (const path of [...new Set([...left.keys(), ...right.keys()])].sort()) {
    if (!right.has(path)) lines.push(`only left: ${path}`);
    else if (!left.has(path)) lines.push(`only right: ${path}`);
    else if (left.get(path) !== right.get(path)) lines.push(`differs: ${path}`);
  }
  return lines;
}

// ---

function bytesOf(content: string | Uint8Array): Uint8Array {
  return typeof content === 'string' ? new TextEncoder().encode(content) : content;
}
