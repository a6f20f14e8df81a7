/**
 * How large the archives for one worker may be: as large as it takes in time. Pure.
 */

/** The largest archive, and the size below which the limit is not lowered; bytes. */
export const archiveBytesMax = 1024 ** 3;
export const archiveBytesMin = 30 * 1024 ** 2;

/** How much the limit is lowered when a worker gave up, and what quick sending is short of. */
const tolerance = 0.2;
const growth = 1.25;

/** How long a worker waits for an archive, ms. */
const patienceMs = 120_000;

/** The limit for one worker; it follows what became of the archives before. */
export class ArchiveLimit {
  #bytes = archiveBytesMax;

  /** Bytes of the next archive. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The worker gave up after so many bytes. */
  cancelled(bytesCount: number): void {
    this.#bytes = Math.max(archiveBytesMin, Math.floor(bytesCount * (1 - tolerance)));
  }

  /** The worker took an archive in this time. */
  sent(durationMs: number): void {
    if (durationMs >= patienceMs * (1 - tolerance)) return;
    this.#bytes = Math.min(archiveBytesMax, Math.floor(this.#bytes * growth));
  }
}
