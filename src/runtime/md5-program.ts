/**
 * Generates the WebAssembly program behind `md5-lanes.ts`: MD5 over 16 contents side by side.
 *
 * Inside one content every step of MD5 waits for the step before it, so a processor that could do
 * several operations at once idles. Across contents nothing waits. A *lane* is one 32-bit quarter
 * of a vector and works on one content; a *chain* is the four lanes of one set of vectors; the
 * steps of several chains are interleaved so that the processor always has something to do.
 *
 * The program has no branches but its loop: `run(blocks)` advances every lane by that many blocks
 * of 64 bytes from where its cursor points. Padding, and which lanes matter, is up to the caller.
 */
import { assembleModule, FunctionBody } from './wasm-assembler.ts';

/** Lanes of a vector. */
const lanesPerChain = 4;
/** Chains interleaved. Measured: 2 chains give two thirds of the speed of 4, 5 give no more. */
const chains = 4;

/** Contents hashed side by side. */
export const laneCount = chains * lanesPerChain;
/** Bytes that MD5 takes in at a time. */
export const blockBytes = 64;

const vectorBytes = 16;

/** Where in memory the program keeps what. All of it fits into the first page of 64 KiB. */
export const layout = {
  /** The state: for each chain the words a, b, c, d, each as a vector of its four lanes. */
  state: 0,
  /** For each lane the address of its next block. */
  cursors: 512,
  /** For each chain the 16 words of the present block, transposed into vectors. */
  words: 1024,
  /** The first address that is free for contents. */
  contents: 65536,
} as const;

/** Address of one state word (0 to 3 for a to d) of one lane. */
export function stateAddress(lane: number, word: number): number {
  const chain = Math.floor(lane / lanesPerChain);
  return layout.state + (chain * 4 + word) * vectorBytes + (lane % lanesPerChain) * 4;
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

/** The locals of the program by their number. */
const locals = (() => {
  let next = 0;
  const take = () => next++;
  const takeMany = (count: number) => Array.from({ length: count }, take);
  const blocks = take();
  const cursors = takeMany(laneCount);
  const states = Array.from({ length: chains }, () => takeMany(4));
  const rows = takeMany(4);
  const pairs = takeMany(4);
  const counts = { i32: cursors.length, v128: next - 1 - cursors.length };
  return { blocks, cursors, states, rows, pairs, counts };
})();

/** The bytes of the module; see `assembleModule` for what it imports and exports. */
export function md5Program(): Uint8Array<ArrayBuffer> {
  const body = new FunctionBody();
  for (const [lane, cursor] of locals.cursors.entries()) {
    body.i32Const(0);
    body.i32Load(layout.cursors + lane * 4);
    body.localSet(cursor);
  }
  body.loop();
  for (let chain = 0; chain < chains; chain++) {
    loadState(body, chain);
    transposeBlock(body, chain);
  }
  for (let step = 0; step < 64; step++) {
    for (let chain = 0; chain < chains; chain++) emitStep(body, chain, step);
  }
  for (let chain = 0; chain < chains; chain++) addToState(body, chain);
  for (const cursor of locals.cursors) {
    body.localGet(cursor);
    body.i32Const(blockBytes);
    body.i32Add();
    body.localSet(cursor);
  }
  body.localGet(locals.blocks);
  body.i32Const(1);
  body.i32Sub();
  body.localTee(locals.blocks);
  body.brIf(0);
  body.end();
  for (const [lane, cursor] of locals.cursors.entries()) {
    body.i32Const(0);
    body.localGet(cursor);
    body.i32Store(layout.cursors + lane * 4);
  }
  body.end();
  return assembleModule(body, locals.counts);
}

function loadState(body: FunctionBody, chain: number): void {
  for (const [word, state] of locals.states[chain]!.entries()) {
    body.i32Const(0);
    body.v128Load(stateAddress(chain * lanesPerChain, word));
    body.localSet(state);
  }
}

function addToState(body: FunctionBody, chain: number): void {
  for (const [word, state] of locals.states[chain]!.entries()) {
    const address = stateAddress(chain * lanesPerChain, word);
    body.i32Const(0);
    body.localGet(state);
    body.i32Const(0);
    body.v128Load(address);
    body.i32x4Add();
    body.v128Store(address);
  }
}

/**
 * Turns the blocks of four lanes, one below the other, into 16 vectors with the same word of each:
 * a 4 by 4 transposition for each quarter of the block. The vectors go to memory, from where each
 * step reads its own: there are more of them than registers, and one engine spills badly.
 */
function transposeBlock(body: FunctionBody, chain: number): void {
  const { rows, pairs, cursors } = locals;
  const shuffle = (
    left: number,
    right: number,
    words: readonly [number, number, number, number],
  ) => {
    body.localGet(left);
    body.localGet(right);
    body.i32x4Shuffle(...words);
  };
  for (let quarter = 0; quarter < 4; quarter++) {
    for (let lane = 0; lane < lanesPerChain; lane++) {
      body.localGet(cursors[chain * lanesPerChain + lane]!);
      body.v128Load(quarter * vectorBytes);
      body.localSet(rows[lane]!);
    }
    for (const half of [0, 1]) {
      shuffle(rows[0]!, rows[1]!, half === 0 ? [0, 4, 1, 5] : [2, 6, 3, 7]);
      body.localSet(pairs[half * 2]!);
      shuffle(rows[2]!, rows[3]!, half === 0 ? [0, 4, 1, 5] : [2, 6, 3, 7]);
      body.localSet(pairs[half * 2 + 1]!);
    }
    for (let word = 0; word < 4; word++) {
      const half = word >> 1;
      body.i32Const(0);
      shuffle(
        pairs[half * 2]!,
        pairs[half * 2 + 1]!,
        word % 2 === 0 ? [0, 1, 4, 5] : [2, 3, 6, 7],
      );
      body.v128Store(wordAddress(chain, quarter * 4 + word));
    }
  }
}

function wordAddress(chain: number, word: number): number {
  return layout.words + (chain * 16 + word) * vectorBytes;
}

/** One of the 64 steps: a = b + rotate(a + mix(b, c, d) + word + sine). */
function emitStep(body: FunctionBody, chain: number, step: number): void {
  const round = step >> 4;
  // The four words change places at every step: instead of moving them, they change names.
  const name = (position: number) => locals.states[chain]![(position + 64 - step) % 4]!;
  const [a, b, c, d] = [name(0), name(1), name(2), name(3)];
  const scratch = locals.rows[chain % 4]!;
  const rotation = rotations[round]![step % 4]!;

  body.localGet(a);
  body.i32Const(0);
  body.v128Load(wordAddress(chain, wordOrders[round]!(step % 16)));
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

/** The mixing function of a round, as RFC 1321 calls them F, G, H and I. */
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
