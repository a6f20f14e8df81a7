/** Reading configuration files from the disk. */
import { codeOf } from '../base/errors.ts';
import type { ConfigReader } from '../config/load.ts';
import { accountExists } from '../runtime/accounts.ts';
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
  expand: async (patterns, directory) => {
    // Loading it takes as long as a short command, and few configurations include other files.
    const { glob } = await import('tinyglobby');
    return await glob([...patterns], {
      cwd: directory,
      absolute: true,
      dot: false,
      onlyFiles: true,
    });
  },
  hasAccount: accountExists,
};
