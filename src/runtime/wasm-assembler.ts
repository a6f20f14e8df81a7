/**
 * A very small assembler for WebAssembly: one exported function over one imported memory.
 *
 * It knows just the instructions that `md5-lanes.ts` needs, each as a method with the name it has
 * in the specification, and lays out the module around them. It checks nothing: a wrong program is
 * refused by the engine when the module is compiled.
 */

/** Byte offset that a load or store adds to the address on the stack. */
type Offset = number;

const VALUE_I32 = 0x7f;
const VALUE_V128 = 0x7b;
const BLOCK_WITHOUT_RESULT = 0x40;
const SIMD_PREFIX = 0xfd;
/** Alignment is only promised to the engine, as a power of two; 0 promises nothing. */
const UNALIGNED = 0;

/** How a module begins: its magic number and version 1. */
const magic = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

/** Collects the instructions of a function. */
export class FunctionBody {
  readonly #code: number[] = [];

  /** The instructions so far. */
  get code(): readonly number[] {
    return this.#code;
  }

  localGet(index: number): void {
    this.#emit(0x20, ...unsigned(index));
  }

  localSet(index: number): void {
    this.#emit(0x21, ...unsigned(index));
  }

  localTee(index: number): void {
    this.#emit(0x22, ...unsigned(index));
  }

  i32Const(value: number): void {
    this.#emit(0x41, ...signed(value));
  }

  i32Load(offset: Offset): void {
    this.#emit(0x28, UNALIGNED, ...unsigned(offset));
  }

  i32Store(offset: Offset): void {
    this.#emit(0x36, UNALIGNED, ...unsigned(offset));
  }

  i32Add(): void {
    this.#emit(0x6a);
  }

  i32Sub(): void {
    this.#emit(0x6b);
  }

  v128Load(offset: Offset): void {
    this.#simd(0, UNALIGNED, ...unsigned(offset));
  }

  v128Store(offset: Offset): void {
    this.#simd(11, UNALIGNED, ...unsigned(offset));
  }

  /** Puts four equal 32-bit words on the stack. */
  i32x4Const(word: number): void {
    const bytes = [word & 255, (word >>> 8) & 255, (word >>> 16) & 255, word >>> 24];
    this.#simd(12, ...bytes, ...bytes, ...bytes, ...bytes);
  }

  /** Picks four 32-bit words: 0 to 3 from the first operand, 4 to 7 from the second. */
  i32x4Shuffle(...words: readonly [number, number, number, number]): void {
    this.#simd(13, ...words.flatMap((word) => [0, 1, 2, 3].map((byte) => word * 4 + byte)));
  }

  v128Not(): void {
    this.#simd(0x4d);
  }

  v128Or(): void {
    this.#simd(0x50);
  }

  v128Xor(): void {
    this.#simd(0x51);
  }

  /** From the operands `ones`, `zeros`, `mask`: bits of `ones` where the mask is 1, else `zeros`. */
  v128Bitselect(): void {
    this.#simd(0x52);
  }

  i32x4Shl(): void {
    this.#simd(0xab);
  }

  i32x4ShrU(): void {
    this.#simd(0xad);
  }

  i32x4Add(): void {
    this.#simd(0xae);
  }

  /** Begins a loop; `brIf(0)` inside jumps back to here. */
  loop(): void {
    this.#emit(0x03, BLOCK_WITHOUT_RESULT);
  }

  brIf(depth: number): void {
    this.#emit(0x0d, ...unsigned(depth));
  }

  end(): void {
    this.#emit(0x0b);
  }

  #simd(opcode: number, ...operands: number[]): void {
    this.#emit(SIMD_PREFIX, ...unsigned(opcode), ...operands);
  }

  #emit(...bytes: number[]): void {
    for (const byte of bytes) this.#code.push(byte);
  }
}

/** The locals of a function with one i32 parameter, which is local 0. */
export interface LocalCounts {
  /** Locals 1 to `i32`. */
  readonly i32: number;
  /** Those after them. */
  readonly v128: number;
}

/**
 * The bytes of a module that imports the memory `env.memory` and exports one function, `run`,
 * taking one i32 and returning nothing.
 */
export function assembleModule(body: FunctionBody, locals: LocalCounts): Uint8Array<ArrayBuffer> {
  const declared = [2, ...unsigned(locals.i32), VALUE_I32, ...unsigned(locals.v128), VALUE_V128];
  const content = [...declared, ...body.code];
  const type = [0x60, 1, VALUE_I32, 0];
  const memoryImport = [...text('env'), ...text('memory'), 2, 0, 1];
  const functionExport = [...text('run'), 0, 0];
  return Uint8Array.from([
    ...magic,
    ...section(1, [1, ...type]),
    ...section(2, [1, ...memoryImport]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...functionExport]),
    ...section(10, [1, ...unsigned(content.length), ...content]),
  ]);
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...unsigned(content.length), ...content];
}

function text(name: string): number[] {
  return [name.length, ...Array.from(name, (character) => character.charCodeAt(0))];
}

/** LEB128: seven bits to a byte, lowest first, the top bit says that more follow. */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value >>> 0;
  while (rest > 127) {
    bytes.push((rest & 127) | 128);
    rest >>>= 7;
  }
  return [...bytes, rest];
}

/** Signed LEB128: ends where the rest is only the sign, and the sign bit of the byte tells it. */
function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value | 0;
  while (rest < -64 || rest > 63) {
    bytes.push((rest & 127) | 128);
    rest >>= 7;
  }
  return [...bytes, rest & 127];
}
