/** What was verified is remembered by a keyed hash, so that neither a dump of memory nor timing tells a password or token. */
import { createHmac } from 'node:crypto';
import type { Clock, Random } from '@bessemer/ports';

export interface Remembered<T> {
  get(shown: string): T | undefined;
  set(shown: string, value: T, lifeMs: number): void;
  delete(shown: string): void;
}

/** At most `most` are kept: those set last. */
export function createRemembered<T>(options: { clock: Clock; random: Random; most: number }): Remembered<T> {
  const { clock } = options;
  const key = options.random.bytes(32);
  const nameOf = (shown: string) => createHmac('sha256', key).update(shown).digest('base64');
  const known = new Map<string, { value: T; until: number }>();
  return {
    get(shown) {
      const name = nameOf(shown);
      const found = known.get(name);
      if (!found) return undefined;
      if (clock.monotonicMs() < found.until) return found.value;
      known.delete(name);
      return undefined;
    },
    set(shown, value, lifeMs) {
      const name = nameOf(shown);
      known.delete(name);
      if (known.size >= options.most) known.delete(known.keys().next().value!);
      known.set(name, { value, until: clock.monotonicMs() + lifeMs });
    },
    delete(shown) {
      known.delete(nameOf(shown));
    },
  };
}
