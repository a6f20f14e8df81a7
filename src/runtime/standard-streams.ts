/**
 * Standard output and standard error: data goes to the one, messages to the other.
 *
 * A reader that hangs up (`muster status | head -1`) is no error: what it does not want is dropped.
 * Nothing here ends the process, so that everything written reaches a slow pipe: set
 * `process.exitCode` and return, `process.exit` would cut the output off.
 */
import process from 'node:process';
import { deferred } from '../base/async.ts';

type Standard = 'stdout' | 'stderr';

const broken = new Set<Standard>();
const watched = new Set<Standard>();

/** Writes data; resolves when the reader may be given more. */
export function writeOutput(text: string): Promise<void> {
  return write('stdout', text);
}

/** Writes a message, without waiting. */
export function writeMessage(text: string): void {
  void write('stderr', text);
}

/** Whether somebody still reads the standard output. */
export function isOutputRead(): boolean {
  return !broken.has('stdout');
}

// --- internals -------------------------------------------------------------------------------

function write(name: Standard, text: string): Promise<void> {
  const stream = process[name];
  if (!watched.has(name)) {
    watched.add(name);
    // Without a listener, a pipe that its reader has closed would end the process.
    stream.on('error', () => void broken.add(name));
  }
  if (broken.has(name)) return Promise.resolve();
  const written = deferred<void>();
  try {
    stream.write(text, () => written.resolve());
  } catch {
    broken.add(name);
    written.resolve();
  }
  return written.promise;
}
