/**
 * What a simulated disk is made of: inodes with contents and times, and the walk along a path that
 * follows no symbolic link.
 */
import type { BytePath, ByteString } from '../../src/base/bytes.ts';
import { toHex } from '../../src/base/bytes.ts';
import type { FileFacts, FileKind } from '../../src/ports.ts';
import { simHashing } from './hashing.ts';

/** A file, directory or link on a simulated disk, whatever names it has. */
export interface Inode {
  readonly number: number;
  readonly kind: FileKind;
  readonly body: FileBody;
  readonly children: Map<ByteString, Inode>;
  /** Where a symbolic link points to; nobody follows it. */
  readonly target: string;
  /** In how many directories it is. */
  linksCount: number;
  mode: number;
  owner: string | undefined;
  group: string | undefined;
  mtimeMs: number;
  ctimeMs: number;
}

/** The bytes of a file, with what of them would survive a crash. */
export class FileBody {
  #bytes = new Uint8Array(0);
  #size = 0;
  #durable = new Uint8Array(0);
  #version = 0;
  #hash = '';
  #hashVersion = -1;

  get size(): number {
    return this.#size;
  }

  /** MD5 of the content, in hexadecimal; costs nothing while that does not change. */
  hash(): string {
    if (this.#hashVersion !== this.#version) {
      this.#hash = toHex(simHashing.digest('md5', this.view()));
      this.#hashVersion = this.#version;
    }
    return this.#hash;
  }

  /** The content; valid until the next change. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#size);
  }

  /** Cuts or writes; a gap before `offset` reads as zeros. */
  write(offset: number, bytes: Uint8Array): void {
    const end = offset + bytes.length;
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.#bytes.length * 2));
      grown.set(this.view());
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, offset);
    this.#size = Math.max(this.#size, end);
    this.#version++;
  }

  truncate(size: number): void {
    this.#bytes.fill(0, size, this.#size);
    this.#size = Math.min(this.#size, size);
    this.#version++;
  }

  replace(bytes: Uint8Array): void {
    this.#bytes = bytes.slice();
    this.#size = bytes.length;
    this.#version++;
  }

  /** Makes the present content survive a crash. */
  flush(): void {
    this.#durable = this.view().slice();
  }

  /** The content that was flushed last. */
  durable(): Uint8Array {
    return this.#durable;
  }
}

/** Where a path leads. */
export type Found =
  | { readonly kind: 'found'; readonly inode: Inode; readonly parent: Inode; readonly name: string }
  /** The directory is there, the name is not. */
  | { readonly kind: 'free'; readonly parent: Inode; readonly name: string }
  /** A directory on the way is not there; this part of the path is the first that is missing. */
  | { readonly kind: 'missing'; readonly at: BytePath }
  /** This part of the path is no directory: a symbolic link, or a file. */
  | { readonly kind: 'blocked'; readonly at: BytePath; readonly by: FileKind };

/** Walks along a path; the last part is not looked into. */
export function walk(root: Inode, path: BytePath): Found {
  if (path === '') return { kind: 'found', inode: root, parent: root, name: '' };
  const parts = path.split('/');
  const name = parts.pop()!;
  let parent = root;
  for (const [i, part] of parts.entries()) {
    const next = parent.children.get(part);
    const at = (): BytePath => parts.slice(0, i + 1).join('/');
    if (next === undefined) return { kind: 'missing', at: at() };
    if (next.kind !== 'directory') return { kind: 'blocked', at: at(), by: next.kind };
    parent = next;
  }
  const inode = parent.children.get(name);
  return inode === undefined
    ? { kind: 'free', parent, name }
    : { kind: 'found', inode, parent, name };
}

/** All paths below a directory with what is there, directories before what is in them. */
export function* allBelow(directory: Inode, prefix = ''): Generator<[BytePath, Inode]> {
  for (const [name, inode] of directory.children) {
    const path = prefix + name;
    yield [path, inode];
    if (inode.kind === 'directory') yield* allBelow(inode, `${path}/`);
  }
}

/** The facts of an inode as the ports give them. */
export function factsOf(inode: Inode): FileFacts {
  const { kind, mtimeMs, ctimeMs, number, mode } = inode;
  return { kind, size: inode.body.size, mtimeMs, ctimeMs, inode: number, mode };
}

/** Whether nothing that can be seen from outside differs. */
export function sameFacts(left: FileFacts, right: FileFacts): boolean {
  return left.inode === right.inode && left.size === right.size &&
    left.mtimeMs === right.mtimeMs && left.ctimeMs === right.ctimeMs;
}
