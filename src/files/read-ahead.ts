/** Reads an open file mostly in order: while a piece is worked on, the next one is being read. */
import type { OpenFile } from '../ports.ts';

/** Bytes read at a time: on another thread, whatever the disk does. */
const pieceBytes = 1024 * 1024;

interface Piece {
  readonly start: number;
  readonly bytes: Uint8Array;
}

/** Reads one file for one reader. */
export class ReadAhead {
  readonly #file: OpenFile;
  #present: Piece | undefined;
  #next: Promise<Piece> | undefined;
  /** Memory that nothing is being read into. */
  readonly #free: Uint8Array[] = [];

  constructor(file: OpenFile) {
    this.#file = file;
  }

  /**
   * Bytes from an offset on: at least one and at most `length`; none at the end of the file. They
   * are valid until the next call.
   */
  async read(offset: number, length: number): Promise<Uint8Array> {
    const piece = await this.#pieceAt(offset);
    const start = offset - piece.start;
    return piece.bytes.subarray(start, Math.min(start + length, piece.bytes.length));
  }

  /** Waits until nothing is being read; to be called before the file is closed. */
  async settle(): Promise<void> {
    await this.#next?.catch(() => {});
    this.#next = undefined;
  }

  async #pieceAt(offset: number): Promise<Piece> {
    const present = this.#present;
    if (present !== undefined && isWithin(present, offset)) return present;
    const next = this.#next;
    this.#next = undefined;
    this.#present = undefined;
    if (present !== undefined) this.#free.push(memoryOf(present));
    let piece = await next;
    if (piece === undefined || !isWithin(piece, offset)) {
      if (piece !== undefined) this.#free.push(memoryOf(piece));
      piece = await this.#fill(offset);
    }
    this.#present = piece;
    const start = piece.start + piece.bytes.length;
    if (piece.bytes.length > 0 && start < this.#file.facts.size) {
      const ahead = this.#fill(start);
      // Heard by who comes to it, or by nobody.
      ahead.catch(() => {});
      this.#next = ahead;
    }
    return piece;
  }

  async #fill(start: number): Promise<Piece> {
    const memory = this.#free.pop() ?? new Uint8Array(pieceBytes);
    return { start, bytes: await this.#file.read(start, pieceBytes, memory) };
  }
}

// ---------------------------------------------------------------------------------------------

function isWithin({ start, bytes }: Piece, offset: number): boolean {
  return offset >= start && offset < start + bytes.length;
}

/** The whole of the memory that a piece is the beginning of. */
function memoryOf({ bytes }: Piece): Uint8Array {
  return new Uint8Array(bytes.buffer, 0, pieceBytes);
}
