/** What goes wrong, drawn from the seed: each fault is counted, and none begins after the bad times are over. */
import type { Clock, Random } from '@bessemer/ports';

export interface Chaos {
  /** True with probability `chance` while times are bad; then the fault is counted under `name`. */
  strikes(name: string, chance: number): boolean;
  /** Counts a fault that was decided elsewhere. */
  count(name: string): void;
  /** A number from `low` up to `high`. */
  between(low: number, high: number): number;
  pick<T>(list: readonly T[]): T | undefined;
  /**
   * Calls `fn` again and again, `meanMs` apart on average, while times are bad; each call is counted under `name` unless `fn`
   * says false: there was nothing that it could happen to.
   */
  every(name: string, meanMs: number, fn: () => boolean): void;
  readonly isOver: boolean;
  readonly counts: ReadonlyMap<string, number>;
}

export function createChaos(options: {
  readonly clock: Clock;
  readonly random: Random;
  /** Bad times end at this moment of the clock's monotonic time; 0: there are none. */
  readonly untilMs: number;
  /** Names of faults that never happen. */
  readonly without: readonly string[];
  readonly trace: (line: string) => void;
}): Chaos {
  const { clock, random, untilMs } = options;
  const leftOut = new Set(options.without);
  const counts = new Map<string, number>();
  const isOver = (): boolean => clock.monotonicMs() >= untilMs;
  const chaos: Chaos = {
    strikes(name, chance) {
      if (isOver() || random.float() >= chance || leftOut.has(name)) return false;
      chaos.count(name);
      return true;
    },
    count(name) {
      counts.set(name, (counts.get(name) ?? 0) + 1);
      options.trace(`fault ${name}`);
    },
    between: (low, high) => low + random.float() * (high - low),
    pick: (list) => list[Math.floor(random.float() * list.length)],
    every(name, meanMs, fn) {
      if (untilMs === 0 || leftOut.has(name)) return;
      const again = (): void => {
        clock.setTimer(meanMs * (0.2 + 1.6 * random.float()), () => {
          if (isOver()) return;
          if (fn()) chaos.count(name);
          again();
        });
      };
      again();
    },
    get isOver() {
      return isOver();
    },
    counts,
  };
  return chaos;
}
