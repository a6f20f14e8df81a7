/** Compression. */

/** Compression of blocks in memory; synchronous, for blocks of at most 1 MiB. */
export interface Compression {
  compress(bytes: Uint8Array): Uint8Array;
  /** @throws ClusterError('corrupt') where the content is longer than `bytesMax` or damaged */
  decompress(bytes: Uint8Array, bytesMax: number): Uint8Array;
}

/**
 * What came of unpacking the zlib stream at the beginning of some bytes: its content and how many
 * of the bytes it took; `cut` where it does not end within them, `long` where its content is longer
 * than was asked for.
 */
export type Inflated = { readonly content: Uint8Array; readonly used: number } | 'cut' | 'long';

/** zlib streams (RFC 1950), for formats that are made of them. */
export interface Zlib {
  /** The stream of a small content; synchronous. */
  deflate(content: Uint8Array): Uint8Array;
  /** Unpacks a small content; synchronous. @throws ClusterError('corrupt') where it is damaged */
  inflate(bytes: Uint8Array, contentBytesMax: number): Inflated;
  /** For a content of any length. */
  deflater(): Deflater;
  /** For a content of any length. */
  inflater(): Inflater;
}

/** Makes one stream, piece by piece. What is given may be changed when the promise has resolved. */
export interface Deflater {
  write(bytes: Uint8Array): Promise<readonly Uint8Array[]>;
  /** Ends the run of what was written: it is not packed together with what follows. */
  flush(): Promise<readonly Uint8Array[]>;
  end(): Promise<readonly Uint8Array[]>;
  /** Gives up; to be called wherever `end` was not. */
  close(): void;
}

/** Unpacks one stream, piece by piece. */
export interface Inflater {
  /**
   * The content of the next bytes. Where the stream ended before their end, `used` says after how
   * many; what is given then comes after nothing.
   * @throws ClusterError('corrupt') where they are damaged
   */
  write(
    bytes: Uint8Array,
  ): Promise<{ readonly pieces: readonly Uint8Array[]; readonly used: number | undefined }>;
  /** The rest of the content. @throws ClusterError('corrupt') where the stream has no end */
  end(): Promise<readonly Uint8Array[]>;
  /** Gives up; to be called wherever neither `used` nor `end` told the end. */
  close(): void;
}
