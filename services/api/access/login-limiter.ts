/** Slows down who guesses: failed log-ins are counted per user and address, per address and per user. */
import { ServiceError } from '@bessemer/core';
import type { Clock } from '@bessemer/ports';

export interface LoginLimiter {
  /**
   * Counts an attempt before it is judged, so that attempts made at once do not all slip through.
   * @throws ServiceError TOO_MANY_REQUESTS with `retryAfterS` in its context.
   */
  begin(address: string, user?: string): Attempt;
}
export interface Attempt {
  /** It was right: it does not count, and what the user failed before from this address is forgotten. */
  succeeded(): void;
  /** It cannot be said whether it was right: it does not count. */
  undecided(): void;
}

interface Failures {
  count: number;
  lastAt: number;
  blockedUntil: number;
}

/** Failures older than this are forgotten. */
const FORGET_MS = 15 * 60_000;
const LONGEST_MS = 5 * 60_000;
const MAX_KEYS = 20_000;
const PER_ADDRESS = 3;
const PER_USER = 10;

/** The network that one party usually has: the address, or the /64 of an IPv6 one. */
export function networkOf(address: string): string {
  const bare = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  if (!bare.includes(':')) return bare;
  const [head = '', tail] = bare.toLowerCase().split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const gap = tail === undefined ? 0 : 8 - left.length - right.length;
  const groups = [...left, ...Array.from({ length: Math.max(gap, 0) }, () => '0'), ...right];
  return `${groups
    .slice(0, 4)
    .map((g) => g.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`;
}

/** `maxFailures` is for a user from one address; then each further failure doubles the wait, from one second to five minutes. */
export function createLoginLimiter(clock: Clock, maxFailures: number): LoginLimiter {
  const known = new Map<string, Failures>();
  const limits = (address: string, user: string | undefined): Array<readonly [key: string, most: number]> => {
    const network = networkOf(address);
    const all: Array<readonly [string, number]> = [[`address ${network}`, maxFailures * PER_ADDRESS]];
    if (user !== undefined) {
      all.push([`both ${network} ${user}`, maxFailures]);
      all.push([`user ${user}`, maxFailures * PER_USER]);
    }
    return all;
  };
  return {
    begin(address, user) {
      const now = clock.monotonicMs();
      const wanted = limits(address, user?.slice(0, 255));
      const waitMs = Math.max(...wanted.map(([key]) => (known.get(key)?.blockedUntil ?? 0) - now));
      if (waitMs > 0) {
        const retryAfterS = Math.ceil(waitMs / 1000);
        throw new ServiceError(
          'TOO_MANY_REQUESTS',
          `Too many failed log-ins: try again in ${retryAfterS} second${retryAfterS === 1 ? '' : 's'}.`,
          { context: { retryAfterS } },
        );
      }
      const counted = wanted.map(([key, most]) => {
        const before = known.get(key);
        const entry: Failures =
          before && now - before.lastAt <= FORGET_MS ? before : { count: 0, lastAt: now, blockedUntil: 0 };
        entry.count++;
        entry.lastAt = now;
        if (entry.count >= most)
          entry.blockedUntil = now + Math.min(1000 * 2 ** Math.min(entry.count - most, 20), LONGEST_MS);
        // Set anew, so that the map stays in the order of the last failure.
        known.delete(key);
        known.set(key, entry);
        return { key, entry, most };
      });
      for (const oldest of known.keys()) {
        if (known.size <= MAX_KEYS) break;
        known.delete(oldest);
      }
      const undo = () => {
        for (const { key, entry, most } of counted) {
          entry.count--;
          if (entry.count < most) entry.blockedUntil = 0;
          if (entry.count <= 0 && known.get(key) === entry) known.delete(key);
        }
      };
      return {
        undecided: undo,
        succeeded() {
          undo();
          known.delete(`both ${networkOf(address)} ${user?.slice(0, 255)}`);
        },
      };
    },
  };
}
