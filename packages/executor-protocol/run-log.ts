/** A play's events as they come, readable by any number of readers from the first one, and its result. */
import { coerceExecutorError } from './errors.ts';
import type { PlayEvent, PlayResult, PlayRun } from './types.ts';

export interface RunLog extends PlayRun {
  append(event: PlayEvent): void;
  finish(result: PlayResult): void;
  /** Ends the run without a result: `result` and every reader reject with it. */
  abandon(error: unknown): void;
  readonly ended: boolean;
}

/** An empty log. `cancel` is what the run's own `cancel()` calls. */
export function createRunLog(cancel: () => void): RunLog {
  const events: PlayEvent[] = [];
  let waiters: Array<() => void> = [];
  let ended = false;
  const { promise, resolve, reject } = Promise.withResolvers<PlayResult>();
  // Readers that only iterate get the error there; the promise alone must not end the process.
  promise.catch(() => {});
  const wake = () => {
    const woken = waiters;
    waiters = [];
    for (const fn of woken) fn();
  };
  return {
    result: promise,
    cancel,
    get ended() {
      return ended;
    },
    append(event) {
      if (ended) return;
      events.push(event);
      wake();
    },
    finish(result) {
      if (ended) return;
      ended = true;
      resolve(result);
      wake();
    },
    abandon(error) {
      if (ended) return;
      ended = true;
      reject(coerceExecutorError(error));
      wake();
    },
    async *[Symbol.asyncIterator]() {
      for (let next = 0; ; next++) {
        while (next >= events.length) {
          if (ended) {
            await promise;
            return;
          }
          await new Promise<void>((go) => waiters.push(go));
        }
        yield events[next]!;
      }
    },
  };
}
