/**
 * Generates the WebAssembly program behind `md5-lanes.ts`: MD5 of four contents side by side.
 *
 * Inside one content every step of MD5 waits for the step before it, so a processor that could do
 * several operations at once idles. Across contents nothing waits. A *lane* is one 32-bit quarter
 * of every vector and works on one content; an instruction advances all four lanes.
 *
 * The program has no branch but its loop: `run(blocks)` advances every lane by that many blocks of
 * 64 bytes from where its cursor points. Padding, and which lanes matter, is up to the caller.
 */
import { assembleModule, FunctionBody } from './wasm-assembler.ts';

/**
 * Contents hashed side by side. Measured: two, three or four interleaved sets of vectors are 10 to
 * 20 % slower than one in JavaScriptCore, which runs out of registers and spills.
 */
export const laneCount = 4;
/** Bytes that MD5 takes in at a time. */
export const blockBytes = 64;

const wordBytes = 4;
const vectorBytes = laneCount * wordBytes;

/** Where in memory the program keeps what: all in the first page of 64 KiB. */
export const layout = {
  /** The state: the words a, b, c, d, each as a vector of all lanes. */
  state: 0,
  /** For each lane the address of its next block. */
  cursors: 64,
  /** The 16 words of the present block, each as a vector of all lanes. */
  words: 128,
  /** The first address that is free for contents. */
  contents: 65536,
} as const;

/** Address of one state word (0 to 3 for a to d) of one lane. */
export function stateAddress(lane: number, word: number): number {
  return layout.state + word * vectorBytes + lane * wordBytes;
}

/** Address of the cursor of a lane. */
export function cursorAddress(lane: number): number {
  return layout.cursors + lane * wordBytes;
}

/** The additive constants of RFC 1321: the sines of 1 to 64. */
const sines = Array.from({ length: 64 }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32));

/** How far each step rotates: four amounts for each of the four rounds. */
const rotations = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]] as const;

/** Which word of the block each step of a round takes in. */
const wordOrders = [
  (step: number) => step,
  (step: number) => (5 * step + 1) % 16,
  (step: number) => (3 * step + 5) % 16,
  (step: number) => (7 * step) % 16,
] as const;

/** The locals of the program by their number: the parameter, the i32 ones, the vectors. */
const blocksLeft = 0;
const cursors = [1, 2, 3, 4] as const;
const state = [5, 6, 7, 8] as const;
const rows = [9, 10, 11, 12] as const;
const pairs = [13, 14, 15, 16] as const;
const scratch = 17;
const localCounts = { i32: 4, v128: 13 };

/** The bytes of the module; see `assembleModule` for what it imports and exports. */
export function md5Program(): Uint8Array<ArrayBuffer> {
  const body = new FunctionBody();
  for (const [lane, cursor] of cursors.entries()) {
    body.i32Const(0);
    body.i32Load(cursorAddress(lane));
    body.localSet(cursor);
  }
  body.loop();
  loadState(body);
  transposeBlock(body);
  for (let step = 0; step < 64; step++) emitStep(body, step);
  addToState(body);
  for (const cursor of cursors) {
    body.localGet(cursor);
    body.i32Const(blockBytes);
    body.i32Add();
    body.localSet(cursor);
  }
  body.localGet(blocksLeft);
  body.i32Const(1);
  body.i32Sub();
  body.localTee(blocksLeft);
  body.brIf(0);
  body.end();
  for (const [lane, cursor] of cursors.entries()) {
    body.i32Const(0);
    body.localGet(cursor);
    body.i32Store(cursorAddress(lane));
  }
  body.end();
  return assembleModule(body, localCounts);
}

function loadState(body: FunctionBody): void {
  for (const [word, local] of state.entries()) {
    body.i32Const(0);
    body.v128Load(stateAddress(0, word));
    body.localSet(local);
  }
}

function addToState(body: FunctionBody): void {
  for (const [word, local] of state.entries()) {
    body.i32Const(0);
    body.localGet(local);
    body.i32Const(0);
    body.v128Load(stateAddress(0, word));
    body.i32x4Add();
    body.v128Store(stateAddress(0, word));
  }
}

/**
 * Turns the blocks of the lanes, one below the other, into 16 vectors with the same word of each:
 * a transposition of 4 by 4 words for each quarter of the block. The vectors go to memory, from
 * where each step reads its own: there are more of them than registers, and kept in locals they
 * were spilled so badly that the program took more than twice as long.
 */
function transposeBlock(body: FunctionBody): void {
  for (let quarter = 0; quarter < 4; quarter++) {
    for (const [lane, row] of rows.entries()) {
      body.localGet(cursors[lane]!);
      body.v128Load(quarter * vectorBytes);
      body.localSet(row);
    }
    shuffle(body, rows[0], rows[1], [0, 4, 1, 5], pairs[0]);
    shuffle(body, rows[2], rows[3], [0, 4, 1, 5], pairs[1]);
    shuffle(body, rows[0], rows[1], [2, 6, 3, 7], pairs[2]);
    shuffle(body, rows[2], rows[3], [2, 6, 3, 7], pairs[3]);
    shuffle(body, pairs[0], pairs[1], [0, 1, 4, 5], rows[0]);
    shuffle(body, pairs[0], pairs[1], [2, 3, 6, 7], rows[1]);
    shuffle(body, pairs[2], pairs[3], [0, 1, 4, 5], rows[2]);
    shuffle(body, pairs[2], pairs[3], [2, 3, 6, 7], rows[3]);
    for (const [word, row] of rows.entries()) {
      body.i32Const(0);
      body.localGet(row);
      body.v128Store(wordAddress(quarter * 4 + word));
    }
  }
}

function shuffle(
  body: FunctionBody,
  left: number,
  right: number,
  words: readonly [number, number, number, number],
  target: number,
): void {
  body.localGet(left);
  body.localGet(right);
  body.i32x4Shuffle(...words);
  body.localSet(target);
}

function wordAddress(word: number): number {
  return layout.words + word * vectorBytes;
}

/** One of the 64 steps: a = b + rotate(a + mix(b, c, d) + word + sine). */
function emitStep(body: FunctionBody, step: number): void {
  const round = step >> 4;
  // The four words change places at every step: instead of moving them, they change names.
  const name = (position: number) => state[(position + 64 - step) % 4]!;
  const [a, b, c, d] = [name(0), name(1), name(2), name(3)];
  const rotation = rotations[round]![step % 4]!;

  body.localGet(a);
  body.i32Const(0);
  body.v128Load(wordAddress(wordOrders[round]!(step % 16)));
  body.i32x4Add();
  body.i32x4Const(sines[step]!);
  body.i32x4Add();
  emitMix(body, round, b, c, d);
  body.i32x4Add();
  body.localTee(scratch);
  body.i32Const(rotation);
  body.i32x4Shl();
  body.localGet(scratch);
  body.i32Const(32 - rotation);
  body.i32x4ShrU();
  body.v128Or();
  body.localGet(b);
  body.i32x4Add();
  body.localSet(a);
}

/** The mixing function of a round: F, G, H and I of RFC 1321. */
function emitMix(body: FunctionBody, round: number, b: number, c: number, d: number): void {
  const select = (ones: number, zeros: number, mask: number) => {
    body.localGet(ones);
    body.localGet(zeros);
    body.localGet(mask);
    body.v128Bitselect();
  };
  if (round === 0) return select(c, d, b);
  if (round === 1) return select(b, c, d);
  if (round === 2) {
    body.localGet(b);
    body.localGet(c);
    body.v128Xor();
    body.localGet(d);
    body.v128Xor();
    return;
  }
  body.localGet(d);
  body.v128Not();
  body.localGet(b);
  body.v128Or();
  body.localGet(c);
  body.v128Xor();
}
