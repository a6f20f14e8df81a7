/** Reading configuration files from the disk. */
import { glob } from 'tinyglobby';
import { codeOf } from '../base/errors.ts';
import type { ConfigReader } from '../config/load.ts';
import { accountExists } from '../runtime/machine.ts';
import { readTextFile } from '../runtime/system.ts';

/** The configuration files of this machine. */
export const systemConfigReader: ConfigReader = {
  read: async (path) => {
    try {
      return await readTextFile(path);
    } catch (error) {
      if (codeOf(error) === 'notFound') return undefined;
      throw error;
    }
  },
  expand: (patterns, directory) =>
    glob([...patterns], { cwd: directory, absolute: true, dot: false, onlyFiles: true }),
  hasAccount: accountExists,
};
