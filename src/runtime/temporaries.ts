/**
 * Files under a name of muster's own, on their way to the name that they shall have.
 *
 * Needed where a file cannot be written in staging and moved: then it is written beside its place,
 * under a hidden name that scans leave out. A crash can leave such files behind.
 */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import type { BytePath } from '../base/bytes.ts';
import { fileError, saysAbsent } from './file-errors.ts';
import type { RootedDirectory } from './rooted-directory.ts';
import { itself } from './rooted-directory.ts';

/** How the names begin; no managed file may have such a name. */
export const temporaryPrefix = '.muster-tmp-';

/** A name that nothing has. */
export function temporaryName(): string {
  return temporaryPrefix + randomBytes(8).toString('hex');
}

/** Removes what crashes left behind in a directory; gives the number of files removed. */
export async function removeTemporaries(
  root: RootedDirectory,
  directory: BytePath,
): Promise<number> {
  let count = 0;
  const walk = root.walk();
  try {
    const open = walk.directory(directory);
    // Names that are not text come out mangled, but then they do not begin like this.
    const names = fs.readdirSync(itself(open));
    for (const name of names.filter((each) => each.startsWith(temporaryPrefix))) {
      const path = walk.child(open, name);
      if (fs.lstatSync(path, { throwIfNoEntry: false })?.isFile() !== true) continue;
      fs.unlinkSync(path);
      count++;
    }
  } catch (error) {
    if (!saysAbsent(error)) throw fileError('clean up', directory, error, 'writer');
  } finally {
    walk.close();
  }
  return count;
}
