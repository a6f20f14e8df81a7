/**
 * `muster run`: the daemon, in the foreground.
 */
import { type Handler, loadNodeConfig } from '../context.ts';

export const run: Handler = async (context) => {
  await context.host.runDaemon(await loadNodeConfig(context), context.signal);
  return undefined;
};
