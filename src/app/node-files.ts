/** Writing the files of a new node: all or none, and never over what is there. */
import { ClusterError } from '../base/errors.ts';
import { parseConfig } from '../config/parse.ts';
import { examinePlace } from '../runtime/machine.ts';
import { fileExists, makeDirectory, removeFile, writeSecretFile } from '../runtime/system.ts';

/** The files of a new node, as pairs of absolute path and text. */
export interface NodeFiles {
  readonly directory: string;
  readonly root: string;
  /** Mode 0600. */
  readonly secrets: readonly (readonly [path: string, text: string])[];
  /** Not secret, but as private as the rest. */
  readonly texts: readonly (readonly [path: string, text: string])[];
  readonly config: readonly [path: string, text: string];
}

/**
 * Makes sure that files can be written, before anything is done that cannot be undone.
 * @throws ClusterError `refused` where one of them exists, `permission` where it cannot be made
 */
export async function mustBeWritable(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    if (await fileExists(path)) {
      throw new ClusterError('refused', `Cannot write "${path}": it exists already`, {
        remedy: 'Choose another directory with --dir, or move the existing node away first',
      });
    }
    if (examinePlace(path, 'write', true).problem !== null) {
      throw new ClusterError('permission', `Cannot write "${path}": this user may not make it`, {
        remedy: 'Choose another directory with --dir, or run this as another user',
      });
    }
  }
}

/** Writes the files of a new node; the configuration last, so that it is never there alone. */
export async function writeNodeFiles(files: NodeFiles): Promise<{ readonly isRootNew: boolean }> {
  const [configFile, configText] = files.config;
  parseConfig({ fileName: configFile, text: configText }); // what is written must be readable
  const all = [...files.texts, ...files.secrets, files.config];
  await mustBeWritable(all.map(([path]) => path));
  await makeDirectory(files.directory, 0o700);
  const isRootNew = !await fileExists(files.root);
  await makeDirectory(files.root, 0o755);
  const written: string[] = [];
  try {
    for (const [path, text] of all) {
      await makeDirectory(path.slice(0, path.lastIndexOf('/')), 0o700);
      await writeSecretFile(path, text);
      written.push(path);
    }
  } catch (error) {
    for (const path of written) await removeFile(path);
    throw error;
  }
  return { isRootNew };
}
