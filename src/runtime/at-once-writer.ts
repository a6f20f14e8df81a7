/**
 * Writing to standard output and standard error without the runtime's streams: these take longer to
 * load than everything else that the shortest commands do.
 *
 * Only where that waits for nobody: for files, and for a pipe as long as it has room. What it does
 * not take is left to the caller, and from then on everything.
 */
import * as fs from 'node:fs';

const { O_WRONLY, O_NONBLOCK } = fs.constants;

const encoder = new TextEncoder();
const nothing = new Uint8Array(0);

/** Writes to one descriptor of the process for as long as that can be done at once. */
export class AtOnceWriter {
  readonly #descriptor: number;
  /** Where to write to; null where that is not possible, or not any more. */
  #outlet: number | null | undefined;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /** Gives what has not been written. */
  write(text: string): Uint8Array {
    const bytes = encoder.encode(text);
    this.#outlet ??= outletOf(this.#descriptor) ?? null;
    if (this.#outlet === null) return bytes;
    let count = 0;
    try {
      while (count < bytes.length) count += fs.writeSync(this.#outlet, bytes, count);
      return nothing;
    } catch {
      // The pipe is full, or nobody reads it any more: the stream will find out.
      this.#outlet = null;
      return bytes.subarray(count);
    }
  }
}

/** Whether a descriptor may be a terminal: asking the runtime loads its streams. */
export function mayBeTerminal(descriptor: number): boolean {
  try {
    const stats = fs.fstatSync(descriptor);
    return stats.isCharacterDevice() && !isNull(stats);
  } catch {
    return true;
  }
}

// ---

function outletOf(descriptor: number): number | undefined {
  try {
    const stats = fs.fstatSync(descriptor);
    if (stats.isFile() || isNull(stats)) return descriptor;
    // Opened once more, so that not to wait is not forced upon all who have the same pipe.
    if (stats.isFIFO()) return fs.openSync(`/proc/self/fd/${descriptor}`, O_WRONLY | O_NONBLOCK);
  } catch {
    // No system with /proc, or a closed descriptor.
  }
  return undefined;
}

function isNull(stats: fs.Stats): boolean {
  return stats.isCharacterDevice() &&
    stats.rdev === fs.statSync('/dev/null', { throwIfNoEntry: false })?.rdev;
}
