/** Keeps what repeats from filling the history: strangers choose how often they ask, and only so many events are kept. Pure. */

export interface EventGateOptions {
  /** Of one key, at most one in this time. */
  readonly perKeyMs: number;
  /** Of all keys together, at most this many in `windowMs`; without it each key counts for itself only. */
  readonly most?: number;
  readonly windowMs?: number;
}

/** Keys remembered; the one that was let through longest ago goes first. */
const MAX_KEYS = 10_000;

/** @returns whether an event of this key may be stored now, `nowMs` being time that never goes back. */
export function createEventGate({ perKeyMs, most = Number.POSITIVE_INFINITY, windowMs = perKeyMs }: EventGateOptions) {
  const lastMs = new Map<string, number>();
  let windowFromMs = Number.NEGATIVE_INFINITY;
  let inWindow = 0;
  return (key: string, nowMs: number): boolean => {
    if (nowMs - (lastMs.get(key) ?? Number.NEGATIVE_INFINITY) < perKeyMs) return false;
    if (nowMs - windowFromMs >= windowMs) {
      windowFromMs = nowMs;
      inWindow = 0;
    }
    if (inWindow >= most) return false;
    inWindow++;
    lastMs.delete(key);
    lastMs.set(key, nowMs);
    if (lastMs.size > MAX_KEYS) lastMs.delete(lastMs.keys().next().value!);
    return true;
  };
}
