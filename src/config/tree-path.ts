/** Paths in the managed tree, as they are written in the configuration. */
import { fromText } from '../base/bytes.ts';
import { pathProblem } from '../files/paths.ts';
import { ValueProblem } from './key.ts';

/**
 * A path relative to the root in its normal form; "" is the root itself.
 * @throws ValueProblem
 */
export function treePath(path: string): string {
  if (path.startsWith('/')) {
    throw new ValueProblem('must be relative to the root, without a leading "/"');
  }
  const normal = path.split('/').filter((part) => part !== '' && part !== '.').join('/');
  const problem = normal === '' ? undefined : pathProblem(fromText(normal));
  if (problem !== undefined) throw new ValueProblem(`cannot be: "${normal}" ${problem}`);
  return normal;
}
