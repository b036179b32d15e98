/** What is done again and again: each task alone, the next time only after it has ended, with a seeded start so that many do not beat together. */
import { coerceError } from '@bessemer/core';
import type { Clock, Log, Random, Timer } from '@bessemer/ports';

export interface Periodic {
  readonly name: string;
  readonly intervalMs: number;
  readonly run: () => Promise<unknown>;
}

/** Starts the periodics; `stop` resolves when none is under way. */
export function startPeriodics(
  periodics: readonly Periodic[],
  deps: { readonly clock: Clock; readonly random: Random; readonly log: Log },
): { stop(): Promise<void> } {
  let isStopped = false;
  const timers = new Map<string, Timer>();
  const under = new Map<string, Promise<void>>();

  function schedule(periodic: Periodic, delayMs: number): void {
    if (isStopped) return;
    const timer = deps.clock.setTimer(
      delayMs,
      () => {
        const work = periodic
          .run()
          .then(
            () => undefined,
            (error: unknown) =>
              deps.log.error('a periodic task failed', { task: periodic.name, error: coerceError(error).stack }),
          )
          .then(() => {
            under.delete(periodic.name);
            schedule(periodic, periodic.intervalMs);
          });
        under.set(periodic.name, work);
      },
      { background: true },
    );
    timers.set(periodic.name, timer);
  }
  for (const periodic of periodics) schedule(periodic, periodic.intervalMs * (0.5 + deps.random.float() / 2));

  return {
    async stop() {
      isStopped = true;
      for (const timer of timers.values()) timer.cancel();
      await Promise.all(under.values());
    },
  };
}
