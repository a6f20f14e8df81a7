/**
 * The receiving end of an archive: takes it apart while it comes, however it is cut into chunks.
 *
 * It holds one small file at most, and believes nothing: what breaks the format or a limit is a
 * `ClusterError('corrupt')`. Paths are passed on as they are: to be judged by whoever writes them.
 */
import { type BytePath, concatBytes, displayPath, fromBytes } from '../base/bytes.ts';
import { ClusterError } from '../base/errors.ts';
import type { Inflater, Zlib } from '../ports.ts';
import { indexOfSeparator, memberSeparator, pathSeparator } from './archive-format.ts';

/** What an archive may hold. */
export interface ArchiveLimits {
  readonly membersMax: number;
  readonly pathBytesMax: number;
  /** Content of one member. */
  readonly memberBytesMax: number;
  /** Contents of all members; real nodes stop at 1 GiB too. */
  readonly contentBytesMax: number;
  /** How many times longer than the archive the contents may be, beyond the first 64 MiB. */
  readonly expansionMax: number;
}

/** Generous for any real cluster, and a bound to what a peer can cost. */
export const archiveLimits: ArchiveLimits = {
  membersMax: 1_000_000,
  pathBytesMax: 4096,
  memberBytesMax: 1024 ** 3,
  contentBytesMax: 1024 ** 3,
  expansionMax: 200,
};

/** What arrives. A small content comes `whole`, a large one in pieces between `begin` and `end`. */
export type ArchiveEvent =
  | { readonly kind: 'whole'; readonly path: BytePath; readonly content: Uint8Array }
  | { readonly kind: 'begin'; readonly path: BytePath }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'end' };

/** Contents that come `whole` are no longer than this. */
const smallContentBytes = 1024 * 1024;

/** Packed contents that are longer are unpacked as they come. */
const heldBytesMax = 64 * 1024;

/** Beyond so much content the expansion is looked at: below it costs nobody anything. */
const expansionFloorBytes = 64 * 1024 * 1024;

/** What is unpacked in one go: at most a thousand times more comes out of it. */
const sliceBytes = 32 * 1024;

const noBytes = new Uint8Array(0);

/** Takes an archive apart. To be closed where it is not read to its end. */
export class ArchiveReader {
  readonly #zlib: Zlib;
  readonly #limits: ArchiveLimits;
  #state: 'path' | 'content' | 'stream' | 'separator' = 'path';
  /** Bytes that could not be used yet. */
  #held: Uint8Array = noBytes;
  /** The chunk with what was held before it, and how far it is used. */
  #bytes: Uint8Array = noBytes;
  #at = 0;
  #isLast = false;
  #path: BytePath = '';
  /** Bytes that have to be there before a content is tried again. */
  #wanted = 0;
  #inflater: Inflater | undefined;
  #membersCount = 0;
  #memberBytes = 0;
  #contentBytes = 0;
  #packedBytes = 0;

  constructor(zlib: Zlib, limits: ArchiveLimits = archiveLimits) {
    this.#zlib = zlib;
    this.#limits = limits;
  }

  /** Bytes held until more come. */
  get buffered(): number {
    return this.#held.length;
  }

  /**
   * What the next chunk brings. The events must be taken to the end before the next chunk.
   * @throws ClusterError('corrupt')
   */
  async *push(chunk: Uint8Array): AsyncGenerator<ArchiveEvent, void, undefined> {
    this.#packedBytes += chunk.length;
    this.#bytes = this.#held.length === 0 ? chunk : concatBytes([this.#held, chunk]);
    this.#at = 0;
    yield* this.#advance();
    // A copy: the chunk itself may be large, and is not ours.
    this.#held = new Uint8Array(this.#bytes.subarray(this.#at));
    this.#bytes = noBytes;
  }

  /**
   * What there is left when all chunks have come.
   * @throws ClusterError('corrupt') where the archive is not complete
   */
  async *finish(): AsyncGenerator<ArchiveEvent, void, undefined> {
    this.#isLast = true;
    yield* this.push(noBytes);
    if (this.#state !== 'separator' || this.#held.length > 0) {
      throw corrupt(this.#membersCount === 0 ? 'it is empty' : 'it ends too early');
    }
  }

  /** Gives up what is being unpacked. */
  close(): void {
    this.#inflater?.close();
    this.#inflater = undefined;
  }

  async *#advance(): AsyncGenerator<ArchiveEvent, void, undefined> {
    for (;;) {
      switch (this.#state) {
        case 'path':
          if (!this.#takePath()) return;
          break;
        case 'content': {
          const event = this.#takeContent();
          if (event === undefined) return;
          yield event;
          break;
        }
        case 'stream': {
          const { pieces, hasEnded } = await this.#takeSlice();
          for (const bytes of pieces) yield { kind: 'bytes', bytes };
          if (hasEnded) yield this.#endStream();
          else if (this.#at === this.#bytes.length) return;
          break;
        }
        case 'separator':
          if (!this.#takeSeparator()) return;
      }
    }
  }

  #takePath(): boolean {
    const { pathBytesMax, membersMax } = this.#limits;
    const searched = this.#bytes.subarray(
      this.#at,
      this.#at + pathBytesMax + pathSeparator.length,
    );
    const length = indexOfSeparator(searched, pathSeparator);
    if (length < 0) {
      if (searched.length < pathBytesMax + pathSeparator.length) return false;
      throw corrupt(`a path is longer than ${pathBytesMax} bytes`);
    }
    if (++this.#membersCount > membersMax) throw corrupt(`it has more than ${membersMax} members`);
    this.#path = fromBytes(searched, 0, length);
    this.#at += length + pathSeparator.length;
    this.#memberBytes = 0;
    this.#wanted = 1;
    this.#state = 'content';
    return true;
  }

  /** A small content whole, or the beginning of a large one; undefined where more has to come. */
  #takeContent(): ArchiveEvent | undefined {
    const packed = this.#bytes.subarray(this.#at);
    if (packed.length < this.#wanted && !this.#isLast) return undefined;
    const inflated = this.#inflate(packed);
    if (inflated === 'long' || (inflated === 'cut' && packed.length > heldBytesMax)) {
      this.#inflater = this.#zlib.inflater();
      this.#state = 'stream';
      return { kind: 'begin', path: this.#path };
    }
    if (inflated === 'cut') {
      if (this.#isLast) throw corrupt(`${this.#shownPath()} is cut`);
      // Twice as much: the work stays in proportion, however small the chunks are.
      this.#wanted = packed.length * 2;
      return undefined;
    }
    this.#count(inflated.content.length);
    this.#at += inflated.used;
    this.#state = 'separator';
    return { kind: 'whole', path: this.#path, content: inflated.content };
  }

  #inflate(packed: Uint8Array) {
    try {
      return this.#zlib.inflate(packed, smallContentBytes);
    } catch (cause) {
      throw corrupt(`${this.#shownPath()} is damaged`, cause);
    }
  }

  async #takeSlice() {
    const inflater = this.#inflater;
    if (inflater === undefined) throw new Error('Invariant broken: a stream has an inflater');
    const slice = this.#bytes.subarray(this.#at, this.#at + sliceBytes);
    try {
      const { pieces, used } = slice.length === 0 && this.#isLast
        ? { pieces: await inflater.end(), used: 0 }
        : slice.length === 0
        ? { pieces: [], used: undefined }
        : await inflater.write(slice);
      for (const piece of pieces) this.#count(piece.length);
      this.#at += used ?? slice.length;
      return { pieces, hasEnded: used !== undefined };
    } catch (cause) {
      this.close();
      if (cause instanceof ArchiveFault) throw cause;
      throw corrupt(`${this.#shownPath()} is damaged or cut`, cause);
    }
  }

  #endStream(): ArchiveEvent {
    this.close();
    this.#state = 'separator';
    return { kind: 'end' };
  }

  #takeSeparator(): boolean {
    const rest = this.#bytes.subarray(this.#at, this.#at + memberSeparator.length);
    for (let i = 0; i < rest.length; i++) {
      if (rest[i] !== memberSeparator[i]) {
        throw corrupt(`${this.#shownPath()} is not followed by a separator`);
      }
    }
    if (rest.length < memberSeparator.length) return false;
    this.#at += memberSeparator.length;
    this.#state = 'path';
    return true;
  }

  #count(bytesCount: number): void {
    const { memberBytesMax, contentBytesMax, expansionMax } = this.#limits;
    this.#memberBytes += bytesCount;
    this.#contentBytes += bytesCount;
    if (this.#memberBytes > memberBytesMax) {
      throw corrupt(`${this.#shownPath()} is longer than ${memberBytesMax} bytes`);
    }
    if (this.#contentBytes > contentBytesMax) {
      throw corrupt(`it holds more than ${contentBytesMax} bytes`);
    }
    if (
      this.#contentBytes > expansionFloorBytes &&
      this.#contentBytes > expansionMax * this.#packedBytes
    ) {
      throw corrupt(`it holds more than ${expansionMax} times its own length`);
    }
  }

  #shownPath(): string {
    return `"${displayPath(this.#path)}"`;
  }
}

/** The archive breaks its format or a limit. */
class ArchiveFault extends ClusterError {}

function corrupt(reason: string, cause?: unknown): ArchiveFault {
  return new ArchiveFault('corrupt', `Cannot unpack an archive: ${reason}`, { cause });
}
