/** The logs of commands and of the daemon. */
import type { Config } from '../config/config.ts';
import { systemClock } from '../runtime/clock.ts';
import { createLog, type Log } from '../runtime/log.ts';
import { isColorWanted, standardError } from '../runtime/system.ts';

/** Joining reports by its outcome; what the network has to say on the way goes nowhere. */
export const quietLog: Log = createLog({
  file: undefined,
  level: 'error',
  format: 'text',
  terminal: false,
  color: false,
  clock: systemClock,
});

/** The log that a configuration asks for; of a one-shot command the terminal gets only errors. */
export function openLog(
  config: Config,
  environment: Readonly<Record<string, string | undefined>>,
  options: { readonly isDaemon: boolean },
): Log {
  const { file, level, format } = config.log;
  return createLog({
    file,
    level,
    format,
    terminal: options.isDaemon,
    color: isColorWanted('auto', standardError, environment),
    clock: systemClock,
  });
}
