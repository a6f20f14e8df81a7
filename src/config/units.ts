/**
 * The notations of the configuration file: durations, sizes, permission bits and addresses.
 *
 * Each notation is a pair of functions, `parse` and `format`, that undo each other. `parse` gives
 * undefined for what is not in the notation; saying so to the user is the caller's business.
 */

/** Durations: a whole number and one unit. */
export const durationPattern = /^(\d{1,12})(ms|s|m|h|d)$/;

/** Sizes as text: a whole number and a binary unit. */
export const sizePattern = /^(\d{1,15})(B|KiB|MiB|GiB|TiB)$/;

/** Permission bits as text: three or four octal digits. */
export const modePattern = /^[0-7]{3,4}$/;

// Largest first, so that formatting finds the shortest notation.
const durationUnits = [['d', 86_400_000], ['h', 3_600_000], ['m', 60_000], ['s', 1000], [
  'ms',
  1,
]] as const;
const sizeUnits = [
  ['TiB', 2 ** 40],
  ['GiB', 2 ** 30],
  ['MiB', 2 ** 20],
  ['KiB', 2 ** 10],
] as const;

/** Milliseconds of a duration such as "500ms", "8s", "5m", "24h" or "7d". */
export function parseDuration(text: string): number | undefined {
  const [, digits, name] = durationPattern.exec(text) ?? [];
  const unit = durationUnits.find((candidate) => candidate[0] === name);
  return unit === undefined ? undefined : safe(Number(digits) * unit[1]);
}

/** The shortest duration that stands for so many milliseconds. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  const [name, size] = durationUnits.find((unit) => ms % unit[1] === 0) ?? ['ms', 1];
  return `${ms / size}${name}`;
}

/** Bytes of a size such as "64KiB" or "8MiB"; a plain number is bytes already. */
export function parseSize(size: string | number): number | undefined {
  if (typeof size === 'number') return safe(size);
  const [, digits, name] = sizePattern.exec(size) ?? [];
  if (name === 'B') return safe(Number(digits));
  const unit = sizeUnits.find((candidate) => candidate[0] === name);
  return unit === undefined ? undefined : safe(Number(digits) * unit[1]);
}

/** The shortest notation for so many bytes; a plain number where no unit divides it. */
export function formatSize(bytes: number): string | number {
  const unit = sizeUnits.find((candidate) => bytes > 0 && bytes % candidate[1] === 0);
  return unit === undefined ? bytes : `${bytes / unit[1]}${unit[0]}`;
}

/** Permission bits of "0640". */
export function parseMode(text: string): number | undefined {
  return modePattern.test(text) ? Number.parseInt(text, 8) : undefined;
}

/** Permission bits as they stand in the file: "0640". */
export function formatMode(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

// ---------------------------------------------------------------------------------------------

function safe(number: number): number | undefined {
  return Number.isSafeInteger(number) && number >= 0 ? number : undefined;
}
