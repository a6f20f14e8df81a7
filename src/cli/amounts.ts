/**
 * Numbers, sizes, spans of time and moments as people read them in a narrow column.
 */

/** A whole number in groups of three digits: `1,240`. */
export function countText(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** A number with the thing counted: `1 file`, `1,240 files`. */
export function countOf(count: number, thing: string): string {
  return `${countText(count)} ${thing}${count === 1 ? '' : 's'}`;
}

const sizeUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** A size in three digits or so: `812 B`, `1.2 KiB`, `96.4 MiB`, `512 GiB`. */
export function sizeText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // Beyond 999 of one unit the next one is shorter.
  while (value >= 999.5 && unit < sizeUnits.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value.toFixed(unit === 0 || value >= 99.95 ? 0 : 1)} ${sizeUnits[unit]}`;
}

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/** A span of time in at most two units: `12 ms`, `8.2 s`, `5 min 3 s`, `3 h 12 min`, `61 d`. */
export function spanText(ms: number): string {
  if (ms < second) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 9.95 * second) return `${(ms / second).toFixed(1)} s`;
  if (ms < minute) return `${Math.floor(ms / second)} s`;
  if (ms < hour) return twoUnits(ms, minute, 'min', second, 's');
  if (ms < day) return twoUnits(ms, hour, 'h', minute, 'min');
  // Of many days nobody wants the hours.
  if (ms >= 10 * day) return `${countText(Math.floor(ms / day))} d`;
  return twoUnits(ms, day, 'd', hour, 'h');
}

function twoUnits(
  ms: number,
  large: number,
  largeName: string,
  small: number,
  smallName: string,
): string {
  const rest = Math.floor((ms % large) / small);
  const whole = `${Math.floor(ms / large)} ${largeName}`;
  return rest === 0 ? whole : `${whole} ${rest} ${smallName}`;
}

/** How long ago a moment was: `12 s ago`. Moments that are still to come are `now`. */
export function ageText(momentMs: number, nowMs: number): string {
  return momentMs >= nowMs ? 'now' : `${spanText(nowMs - momentMs)} ago`;
}
