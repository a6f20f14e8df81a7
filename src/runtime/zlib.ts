/**
 * The port `Zlib` on a real machine: the runtime's own zlib.
 *
 * Level 1 throughout: what is packed is sent once and unpacked at once.
 */
import { constants, createDeflate, createInflate, deflateSync, inflateSync } from 'node:zlib';
import { ClusterError } from '../base/errors.ts';
import type { Deflater, Inflated, Inflater, Zlib } from '../ports.ts';

const level = 1;

/** Room for contents in one piece: most files of a configuration are shorter. */
const chunkBytes = 4096;

/** Makes the zlib streams. */
export function createZlib(): Zlib {
  return {
    deflate: (content) => plain(deflateSync(content, { level })),
    inflate,
    deflater: () => new StreamDeflater(),
    inflater: () => new StreamInflater(),
  };
}

function inflate(bytes: Uint8Array, contentBytesMax: number): Inflated {
  try {
    // With `info` the runtime tells how many bytes the stream took; its types do not know.
    const { buffer, engine } = inflateSync(bytes, {
      info: true,
      // It takes no limit of 0.
      maxOutputLength: contentBytesMax + 1,
      chunkSize: chunkBytes,
    }) as unknown as { buffer: Uint8Array; engine: { bytesWritten: number } };
    if (buffer.length > contentBytesMax) return 'long';
    return { content: plain(buffer), used: engine.bytesWritten };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'Z_BUF_ERROR') return 'cut';
    if (code === 'ERR_BUFFER_TOO_LARGE') return 'long';
    throw damaged(error);
  }
}

function damaged(cause: unknown): ClusterError {
  return new ClusterError('corrupt', 'A zlib stream is damaged', { cause });
}

/** The part of a zlib engine of the runtime that is used here. */
interface Engine {
  readonly bytesWritten: number;
  write(bytes: Uint8Array, done: () => void): unknown;
  end(): unknown;
  destroy(): unknown;
  on(event: 'data', listener: (piece: Uint8Array) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/** An engine, one step at a time: what it gave until a step was done. */
class SteppedEngine {
  readonly #engine: Engine;
  #pieces: Uint8Array[] = [];
  #hasEnded = false;
  #error: Error | undefined;
  #settle: () => void = () => {};

  constructor(engine: Engine) {
    this.#engine = engine;
    engine.on('data', (piece) => this.#pieces.push(plain(piece)));
    engine.on('end', () => {
      this.#hasEnded = true;
      this.#settle();
    });
    engine.on('error', (error) => {
      this.#error = error;
      this.#settle();
    });
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Runs a step until it calls back, the stream has ended, or it has failed. */
  async step(begin: (done: () => void) => void): Promise<readonly Uint8Array[]> {
    await new Promise<void>((resolve) => {
      this.#settle = resolve;
      if (this.#hasEnded || this.#error !== undefined) resolve();
      else begin(resolve);
    });
    if (this.#error !== undefined) throw damaged(this.#error);
    const pieces = this.#pieces;
    this.#pieces = [];
    return pieces;
  }

  write(bytes: Uint8Array): Promise<readonly Uint8Array[]> {
    return this.step((done) => this.#engine.write(bytes, done));
  }

  /** Resolves when all has come out. */
  end(): Promise<readonly Uint8Array[]> {
    return this.step(() => this.#engine.end());
  }

  close(): void {
    this.#engine.destroy();
  }
}

class StreamDeflater implements Deflater {
  readonly #deflate = createDeflate({ level });
  readonly #engine = new SteppedEngine(this.#deflate);

  write(bytes: Uint8Array): Promise<readonly Uint8Array[]> {
    return this.#engine.write(bytes);
  }

  flush(): Promise<readonly Uint8Array[]> {
    return this.#engine.step((done) => this.#deflate.flush(constants.Z_SYNC_FLUSH, done));
  }

  end(): Promise<readonly Uint8Array[]> {
    return this.#engine.end();
  }

  close(): void {
    this.#engine.close();
  }
}

class StreamInflater implements Inflater {
  readonly #inflate = createInflate();
  readonly #engine = new SteppedEngine(this.#inflate);
  #fed = 0;

  async write(bytes: Uint8Array) {
    this.#fed += bytes.length;
    const pieces = await this.#engine.write(bytes);
    if (!this.#engine.hasEnded) return { pieces, used: undefined };
    return { pieces, used: bytes.length - (this.#fed - this.#inflate.bytesWritten) };
  }

  end(): Promise<readonly Uint8Array[]> {
    return this.#engine.end();
  }

  close(): void {
    this.#engine.close();
  }
}

/** The same bytes as a plain array: not of the runtime's own class. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}
