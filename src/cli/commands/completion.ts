/**
 * `muster completion`: scripts for shells.
 */
import { completionScript, type Shell } from '../completion.ts';
import type { Handler } from '../context.ts';

export const completion: Handler = async ({ invocation, output }) => {
  // The table of commands lets nothing else through.
  output.text(completionScript(invocation.words[0] as Shell));
  return undefined;
};
