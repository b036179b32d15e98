/** How times are written. Here and nowhere else a Date is made: from a number, never from the clock. */

/** Times in a list are close together, and a Date costs more than all else of a row. */
let known = { second: 0, text: '1970-01-01T00:00:00.' };

/** ISO 8601 with an offset, as Ironic writes it (`2026-11-20T15:27:32.622000+00:00`); null stays null. */
export function formatTime(ms: number): string;
export function formatTime(ms: number | null): string | null;
export function formatTime(ms: number | null): string | null {
  if (ms === null) return null;
  const second = Math.floor(ms / 1000);
  if (second !== known.second) known = { second, text: new Date(second * 1000).toISOString().slice(0, -4) };
  return `${known.text}${String(1000 + Math.floor(ms - second * 1000)).slice(1)}000+00:00`;
}

/** The ms since the epoch of an ISO 8601 text; undefined for any other. */
export function parseTime(text: unknown): number | undefined {
  if (typeof text !== 'string' || !/^\d{4}-\d\d-\d\dT/.test(text)) return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}
