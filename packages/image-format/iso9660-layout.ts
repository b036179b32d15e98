/** What writer and reader of ISO 9660 (ECMA-119, 4th edition) share. */

export const ISO_SECTOR_BYTES = 2048;
export const ISO_FIRST_DESCRIPTOR_SECTOR = 16;
export const ISO_STANDARD_ID = 'CD001';
/** Escape sequences of a Joliet supplementary descriptor: UCS-2 level 1, 2, 3. */
export const JOLIET_ESCAPES: readonly string[] = ['%/@', '%/C', '%/E'];

/** A file by its path from the root, parts joined with `/`, no leading slash. */
export interface IsoFile {
  readonly path: string;
  readonly data: Uint8Array;
}

/** Directories below the root may nest this deep (ECMA-119 section 6.8.2.1 allows 8 levels with the root). */
export const ISO_MAX_DEPTH = 7;
export const ISO_MAX_FILES = 4096;
/** What the records of both trees can hold: UTF-16 units for Joliet, UTF-8 bytes beside the other fields of Rock Ridge. */
const MAX_NAME_UNITS = 100;
const MAX_NAME_BYTES = 138;

/** False for names that one of the name forms cannot carry or that would walk out of their directory. */
export function isIsoName(name: string): boolean {
  if (name === '.' || name === '..' || name.length === 0) return false;
  if (name.length > MAX_NAME_UNITS || Buffer.byteLength(name) > MAX_NAME_BYTES) return false;
  for (const char of name) if (char < ' ' || '/\\*:;?\u007f'.includes(char)) return false;
  return name.isWellFormed();
}

export interface CivilTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

/** UTC fields of milliseconds since the epoch, by the proleptic Gregorian calendar, years 1970 to 2155 (one byte in ISO 9660). */
export function civilTime(timeMs: number): CivilTime {
  const seconds = Math.min(Math.max(0, Math.floor(timeMs / 1000)), 5_869_583_999);
  const days = Math.floor(seconds / 86_400);
  const rest = seconds % 86_400;
  // Years are counted from 1 March so that the leap day is the last of its year.
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted % 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const fromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
  return {
    year: era * 400 + yearOfEra + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * fromMarch + 2) / 5) + 1,
    hour: Math.floor(rest / 3600),
    minute: Math.floor(rest / 60) % 60,
    second: rest % 60,
  };
}
