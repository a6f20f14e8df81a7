/**
 * MD5 of many small contents at once, two to three times as fast as one after the other.
 *
 * Contents are read straight into the memory of a WebAssembly program (`md5-program.ts`), which
 * hashes four of them side by side. Where the lanes would not pay, because one content is much
 * longer than the others or is alone, it goes to the ordinary hash. Owns that memory, about
 * 1.3 MB; must not be used by two callers across an `await`.
 */
import { type ByteString, fromBytes } from '../base/bytes.ts';
import {
  blockBytes,
  cursorAddress,
  laneCount,
  layout,
  md5Program,
  stateAddress,
} from './md5-program.ts';

/** The longest content taken in. Longer ones gain nothing from lanes: the disk is the limit. */
export const contentBytesMax = 128 * 1024;

/** Room for contents: enough of them to find four of like length, few enough for the cache. */
const arenaBytes = 1024 * 1024;
/** A lane that is done runs on over whatever follows until the others are: room for that. */
const overrunBytes = contentBytesMax + blockBytes;
const pageBytes = 65536;

/** Advancing all lanes by a block takes as long as this many blocks with the ordinary hash. */
const laneBlockCost = 1.6;

/** MD5's padding: one byte 0x80, zeros, and the length in bits as 8 bytes. */
const paddingBytesMin = 9;

/** What the state of all lanes begins with: each word once for every lane. */
const initialState = Uint32Array.from(
  [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476].flatMap((word) =>
    Array.from({ length: laneCount }, () => word)
  ),
);

/** A content in the arena. */
interface Content {
  readonly address: number;
  readonly length: number;
  readonly blocks: number;
}

/** Collects small contents and hashes them together. */
export class Md5Lanes {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  readonly #run: (blocks: number) => void;
  readonly #digestOne: (bytes: Uint8Array) => ByteString;
  /** One digest, put together from the words of its lane. */
  readonly #digest = new Uint8Array(16);
  #contents: Content[] = [];
  #end: number = layout.contents;

  private constructor(
    memory: WebAssembly.Memory,
    run: (blocks: number) => void,
    digestOne: (bytes: Uint8Array) => ByteString,
  ) {
    const buffer = memory.buffer as ArrayBuffer;
    this.#bytes = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
    this.#run = run;
    this.#digestOne = digestOne;
  }

  /**
   * Compiles the program; undefined where the engine has no WebAssembly SIMD.
   * @param digestOne the ordinary MD5
   */
  static create(digestOne: (bytes: Uint8Array) => ByteString): Md5Lanes | undefined {
    const program = md5Program();
    if (typeof WebAssembly === 'undefined' || !WebAssembly.validate(program)) return undefined;
    const bytes = layout.contents + arenaBytes + overrunBytes;
    const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / pageBytes) });
    const instance = new WebAssembly.Instance(new WebAssembly.Module(program), { env: { memory } });
    return new Md5Lanes(memory, instance.exports['run'] as (blocks: number) => void, digestOne);
  }

  /** Where contents are; the next one is to be put at `end`. */
  get memory(): Uint8Array {
    return this.#bytes;
  }

  /** Where the next content starts. */
  get end(): number {
    return this.#end;
  }

  /**
   * Whether there is room for a content of `length` bytes (at most `contentBytesMax`) before the
   * next `digests()`.
   */
  hasRoom(length: number): boolean {
    return this.#end + blocksOf(length) * blockBytes <= layout.contents + arenaBytes;
  }

  /** Takes in a content that is elsewhere in memory; false where there is no room for it. */
  put(content: Uint8Array): boolean {
    if (!this.hasRoom(content.length)) return false;
    this.#bytes.set(content, this.#end);
    this.add(content.length);
    return true;
  }

  /** Takes in the content that was put at `end`. */
  add(length: number): void {
    const blocks = blocksOf(length);
    const address = this.#end;
    this.#end += blocks * blockBytes;
    this.#bytes.fill(0, address + length, this.#end);
    this.#bytes[address + length] = 0x80;
    this.#view.setUint32(this.#end - 8, length * 8, true);
    this.#contents.push({ address, length, blocks });
  }

  /** The hashes of all contents taken in since the last call, in their order. */
  digests(): ByteString[] {
    const contents = this.#contents;
    const digests = Array.from<ByteString>({ length: contents.length });
    const order = longestFirst(contents);
    for (let at = 0; at < order.length;) {
      const group = order.slice(at, at + laneCount);
      const longest = contents[group[0]!]!;
      let blocks = 0;
      for (const index of group) blocks += contents[index]!.blocks;
      if (longest.blocks * laneBlockCost < blocks) {
        this.#hashGroup(group, digests);
        at += group.length;
      } else {
        const { address, length } = longest;
        digests[group[0]!] = this.#digestOne(this.#bytes.subarray(address, address + length));
        at++;
      }
    }
    this.#contents = [];
    this.#end = layout.contents;
    return digests;
  }

  /** Hashes up to four contents, the longest first, and puts their digests in their places. */
  #hashGroup(group: readonly number[], digests: ByteString[]): void {
    const view = this.#view;
    for (let at = 0; at < initialState.length; at++) {
      view.setUint32(layout.state + at * 4, initialState[at]!, true);
    }
    for (let lane = 0; lane < laneCount; lane++) {
      const index = group[lane];
      // A lane without a content works on the first one; nobody reads what comes of it.
      const address = index === undefined ? layout.contents : this.#contents[index]!.address;
      view.setUint32(cursorAddress(lane), address, true);
    }
    let blocksDone = 0;
    for (let lane = group.length - 1; lane >= 0; lane--) {
      const index = group[lane]!;
      const { blocks } = this.#contents[index]!;
      if (blocks > blocksDone) this.#run(blocks - blocksDone);
      blocksDone = blocks;
      digests[index] = this.#readState(lane);
    }
  }

  #readState(lane: number): ByteString {
    for (let word = 0; word < 4; word++) {
      const at = stateAddress(lane, word);
      for (let i = 0; i < 4; i++) this.#digest[word * 4 + i] = this.#bytes[at + i]!;
    }
    return fromBytes(this.#digest);
  }
}

/** Blocks of a content together with its padding. */
function blocksOf(length: number): number {
  return Math.ceil((length + paddingBytesMin) / blockBytes);
}

/** The places of the contents, those of the longest first. */
function longestFirst(contents: readonly Content[]): number[] {
  // Numbers with the length above the place: they sort natively, without a call for each pair.
  const keys = new Float64Array(contents.length);
  for (let i = 0; i < contents.length; i++) keys[i] = contents[i]!.blocks * 2 ** 20 + i;
  keys.sort().reverse();
  return Array.from(keys, (key) => key % 2 ** 20);
}
