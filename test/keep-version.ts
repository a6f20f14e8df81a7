/** Keeps one file at a time, for tests. */
import type { FileFacts, TreeWriter } from '../src/ports.ts';

/** As `TreeWriter.keepVersions`, for one file; throws what prevented it. */
export async function keepVersion(
  files: Pick<TreeWriter, 'keepVersions'>,
  path: string,
  versionName: string,
): Promise<FileFacts | undefined> {
  const [outcome] = await files.keepVersions([{ path, versionName }]);
  if (outcome instanceof Error) throw outcome;
  return outcome;
}
