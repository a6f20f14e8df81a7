/**
 * Moments and durations as people read them, in messages about validity.
 *
 * Always in UTC and said so: the two ends of a connection may be in different zones, and the
 * point of such a message is often that their clocks disagree. Pure: nothing here asks for "now".
 */
import { isoTime } from '../base/time-text.ts';

/** A moment, to the minute: `2026-11-23 09:27 UTC`. */
export function utcText(ms: number): string {
  return `${isoTime(ms).slice(0, 16).replace('T', ' ')} UTC`;
}

const UNITS: readonly (readonly [name: string, seconds: number])[] = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
];

/** A duration in its largest fitting unit, rounded up: `3 minutes`, `1 day`. */
export function durationText(ms: number): string {
  const seconds = Math.max(1, Math.ceil(ms / 1000));
  // Two of a unit at least, so that "1 day" never stands for 25 hours.
  const [name, size] = UNITS.find(([, size]) => seconds >= 2 * size) ?? ['second', 1];
  const count = Math.ceil(seconds / size);
  return `${count} ${name}${count === 1 ? '' : 's'}`;
}
