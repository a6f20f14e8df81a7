/** Writes phrases of the original's log. */
import type { Logger } from '../ports.ts';
import type { Phrase } from './log-phrases.ts';

/** Writes a phrase; the logger has the tag already. */
export function logPhrase(log: Logger, { level, subtag, text }: Phrase): void {
  log.child(subtag).log(level, text);
}
