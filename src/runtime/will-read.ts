/**
 * Telling the system that a file is about to be read, so that the disk begins before anybody waits.
 *
 * No runtime has a call for this; that of the C library is called where there is one and the
 * runtime can call it. Elsewhere nothing is told, and all works as well, but more slowly.
 */
import process from 'node:process';

/** `posix_fadvise`: 0, or the number of an error. */
type Advise = (descriptor: number, offset: number, length: number, advice: number) => number;

/** POSIX_FADV_WILLNEED of Linux, on the processors that muster is packed for. */
const willNeed = 3;

/** What the C library is called, with glibc and with musl. */
const libraries = [
  'libc.so.6',
  `libc.musl-${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}.so.1`,
];

/** Looked up when first needed; null where there is none. */
let advise: Advise | null | undefined;

/**
 * The system may fetch the first bytes of an open file, from now on and without keeping anybody
 * waiting. False where it cannot be told, or does not take it.
 */
export function willRead(descriptor: number, bytes: number): boolean {
  if (advise === undefined) advise = process.platform === 'linux' ? findAdvise() : null;
  return advise?.(descriptor, 0, bytes, willNeed) === 0;
}

// ---

function findAdvise(): Advise | null {
  for (const library of libraries) {
    try {
      const found = adviseOfBun(library) ?? adviseOfDeno(library);
      if (found !== undefined) return found;
    } catch {
      // Not the library of this system.
    }
  }
  return null;
}

function adviseOfBun(library: string): Advise | undefined {
  if (!('Bun' in globalThis)) return undefined;
  const { dlopen } = process.getBuiltinModule('bun:ffi' as 'fs') as unknown as {
    dlopen(this: void, path: string, functions: object): { symbols: { posix_fadvise: Advise } };
  };
  const signature = { args: ['i32', 'i64_fast', 'i64_fast', 'i32'], returns: 'i32' };
  return dlopen(library, { posix_fadvise: signature }).symbols.posix_fadvise;
}

function adviseOfDeno(library: string): Advise | undefined {
  const { Deno } = globalThis as {
    readonly Deno?: {
      readonly permissions: { querySync(wanted: object): { readonly state: string } };
      dlopen(path: string, functions: object): { symbols: { posix_fadvise: Advise } };
    };
  };
  // Without the permission it would ask whoever sits in front of it.
  if (Deno?.permissions.querySync({ name: 'ffi' }).state !== 'granted') return undefined;
  const signature = { parameters: ['i32', 'i64', 'i64', 'i32'], result: 'i32' };
  return Deno.dlopen(library, { posix_fadvise: signature }).symbols.posix_fadvise;
}
