/**
 * What waits to be sent of a bundle: blocks of any size come in, full frames go out.
 *
 * The same memory is used again and again: new memory for each block is what a large file would
 * cost most, on a runtime that collects it late.
 */

/** Bytes sent at a time: one full frame. */
const pieceBytes = 256 * 1024;

/** Room to begin with, bytes: most bundles are a few small files. */
const roomBytes = 16 * 1024;

/** Gathers blocks and sends them in pieces. */
export class SendBuffer {
  readonly #send: (piece: Uint8Array) => Promise<void>;
  #bytes = new Uint8Array(roomBytes);
  #length = 0;

  /** @param send takes a piece, which is valid until it resolves */
  constructor(send: (piece: Uint8Array) => Promise<void>) {
    this.#send = send;
  }

  /** Adds a block, which may change afterwards. */
  add(block: Uint8Array): void {
    const length = this.#length + block.length;
    if (length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(length, 2 * this.#bytes.length));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(block, this.#length);
    this.#length = length;
  }

  /** Sends what fills a piece; at last the rest as well. */
  async drain(isLast: boolean): Promise<void> {
    let sent = 0;
    while (this.#length - sent >= pieceBytes || (isLast && this.#length > sent)) {
      const piece = this.#bytes.subarray(sent, Math.min(sent + pieceBytes, this.#length));
      sent += piece.length;
      await this.#send(piece);
    }
    if (sent < this.#length) this.#bytes.copyWithin(0, sent, this.#length);
    this.#length -= sent;
  }
}
