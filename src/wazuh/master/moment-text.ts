/** Moments as the nodes of a Wazuh cluster write them. Pure. */
import { isoTime } from '../../base/time-text.ts';

/** `2026-11-22T22:03:59.613122Z`; `n/a` where there was none yet. */
export function timeText(ms: number | undefined): string {
  if (ms === undefined) return 'n/a';
  const wholeMs = Math.floor(ms / 1000) * 1000;
  const micros = Math.floor((ms - wholeMs) * 1000);
  return `${isoTime(wholeMs).slice(0, -1)}.${String(micros).padStart(6, '0')}Z`;
}
