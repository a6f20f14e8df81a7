/**
 * Moments as machines and people read them: RFC 3339 in UTC, without asking what time it is.
 */

const dayMs = 86_400_000;

/** A moment, to the second: `2026-11-23T09:27:05Z`. */
export function isoTime(ms: number): string {
  const days = Math.floor(ms / dayMs);
  const { year, month, day } = civilDate(days);
  const seconds = Math.floor((ms - days * dayMs) / 1000);
  const time = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return `${padded(year, 4)}-${padded(month, 2)}-${padded(day, 2)}T` +
    `${time.map((part) => padded(part, 2)).join(':')}Z`;
}

/** The same, or null where there is no moment. */
export function isoTimeOrNull(ms: number | undefined): string | null {
  return ms === undefined ? null : isoTime(ms);
}

const isoPattern = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d+)?Z$/;

/** Milliseconds since 1970 of a moment in a document, `2026-11-23T09:27:05Z`; NaN for others. */
export function momentOf(text: string): number {
  const fields = isoPattern.exec(text)?.slice(1).map(Number);
  if (fields === undefined) return NaN;
  const [year = 0, month = 0, date = 0, hours = 0, minutes = 0, seconds = 0] = fields;
  return daysOf(year, month, date) * dayMs + ((hours * 60 + minutes) * 60 + seconds) * 1000;
}

/**
 * The Gregorian date of a number of days since 1970-01-01, by eras of 400 years that begin in
 * March, so that the leap day is the last of its year.
 */
function civilDate(days: number): { year: number; month: number; day: number } {
  const shifted = days + 719_468; // days since 0000-03-01
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra -
    (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1;
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day };
}

function padded(value: number, digits: number): string {
  return String(value).padStart(digits, '0');
}

/** Days since 1970-01-01 of a Gregorian date, counted by years that begin in March. */
function daysOf(year: number, month: number, date: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const leaps = Math.floor(shifted / 4) - Math.floor(shifted / 100) + Math.floor(shifted / 400);
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + date - 1;
  return shifted * 365 + leaps + dayOfYear - 719_468;
}
