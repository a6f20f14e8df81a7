/**
 * The small files of muster's own: configuration, certificates and keys.
 *
 * A secret is never readable by others, not even for a moment, never there in part, and never takes
 * the place of another file unless that is asked for.
 */
import { link, lstat, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fromBytes, fromText, toHex } from '../base/bytes.ts';
import { ClusterError } from '../base/errors.ts';
import { fileError, saysAbsent, systemCode } from './file-errors.ts';
import { systemRandom } from './random.ts';

/** Largest text that is read: a configuration or a certificate has some KiB. */
const TEXT_BYTES_MAX = 16 * 1024 * 1024;

/** Reads a UTF-8 text. */
export async function readTextFile(path: string): Promise<string> {
  try {
    const { size } = await lstat(path);
    if (size > TEXT_BYTES_MAX) throw new Error(`it has more than ${TEXT_BYTES_MAX} bytes`);
    return await readFile(path, 'utf8');
  } catch (error) {
    throw fileError('read', fromText(path), error, 'reader');
  }
}

/**
 * Writes a file that only its owner can read, at once or not at all, and durably.
 * @param options.replace whether a file of that name is replaced. @default false
 * @throws ClusterError('refused') where there is a file already
 */
export async function writeSecretFile(
  path: string,
  text: string,
  options: { readonly replace?: boolean } = {},
): Promise<void> {
  const temporary = `${path}.${toHex(fromBytes(systemRandom.bytes(6)))}.tmp`;
  try {
    await writeDurably(temporary, text);
    if (options.replace === true) await rename(temporary, path);
    // Unlike a rename, a link never replaces what is there.
    else await link(temporary, path);
    await flushDirectory(dirname(path));
  } catch (error) {
    if (systemCode(error) === 'EEXIST') {
      throw new ClusterError('refused', `Cannot write "${path}": it exists already`, {
        source: error,
      });
    }
    throw fileError('write', fromText(path), error, 'writer');
  } finally {
    await rm(temporary, { force: true });
  }
}

/**
 * Makes a directory with all above it; one that is there is left as it is.
 * @param mode permission bits of what is made
 */
export async function makeDirectory(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode });
  } catch (error) {
    throw fileError('make directory', fromText(path), error, 'writer');
  }
}

/** Whether there is anything of that name, a broken link included. */
export async function fileExists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (saysAbsent(error) || systemCode(error) === 'ENOTDIR') return false;
    throw fileError('look at', fromText(path), error, 'reader');
  }
}

/** Removes a file; one that is not there is no error. */
export async function removeFile(path: string): Promise<void> {
  try {
    await rm(path, { force: true });
  } catch (error) {
    throw fileError('remove', fromText(path), error, 'writer');
  }
}

// --- internals -------------------------------------------------------------------------------

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function flushDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
