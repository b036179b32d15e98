/**
 * Virtual time: a heap of timers and one loop. Time moves on only when everything that needs no time has settled: no microtask
 * is left and no registered effect is under way. Nothing here depends on how fast the machine is.
 */
import type { Clock, Timer } from '@bessemer/ports';

interface Entry {
  readonly atMs: number;
  readonly order: number;
  readonly fn: () => void;
  isCancelled: boolean;
}

export interface VirtualClock extends Clock {
  /** Work that is real (a thread of zlib, a file): time stands still until it has settled. Gives the promise back. */
  effect<T>(promise: Promise<T>): Promise<T>;
  /**
   * Lets time pass until `isOver` says true, which is asked whenever all is quiet. `idle`: nothing is left that could happen;
   * `late`: `limitMs` of virtual time went by since the clock began; `stopped`: `stop` was called.
   */
  run(isOver: () => boolean, limitMs: number): Promise<'over' | 'idle' | 'late' | 'stopped'>;
  /** Ends `run` at once. */
  stop(): void;
  /** Timers that fired so far. */
  readonly fired: number;
}

/** 2026-01-01T00:00:00Z. */
const START_MS = 1_767_225_600_000;
/** Taken before a guard may replace it: the loop itself needs turns of the real event loop, but no real time. */
const nextTurn = globalThis.setImmediate;

/** @param onError told what a timer's function throws; the run goes on. */
export function createVirtualClock(onError: (error: unknown) => void): VirtualClock {
  const heap: Entry[] = [];
  const effects = new Set<Promise<unknown>>();
  let elapsedMs = 0;
  let order = 0;
  let fired = 0;
  let isStopped = false;

  const isBefore = (a: Entry, b: Entry): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
  function push(entry: Entry): void {
    let i = heap.push(entry) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!isBefore(heap[i]!, heap[parent]!)) return;
      [heap[i], heap[parent]] = [heap[parent]!, heap[i]!];
      i = parent;
    }
  }
  function pop(): Entry | undefined {
    const top = heap[0];
    const last = heap.pop();
    if (!top || !last || heap.length === 0) return top;
    heap[0] = last;
    for (let i = 0; ; ) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2])
        if (child < heap.length && isBefore(heap[child]!, heap[least]!)) least = child;
      if (least === i) return top;
      [heap[i], heap[least]] = [heap[least]!, heap[i]!];
      i = least;
    }
  }
  /** Every microtask runs before the event loop's next turn. */
  async function quiet(): Promise<void> {
    await new Promise<void>((resolve) => nextTurn(resolve));
    while (effects.size > 0) {
      await Promise.allSettled(effects);
      await new Promise<void>((resolve) => nextTurn(resolve));
    }
  }

  return {
    nowMs: () => START_MS + elapsedMs,
    monotonicMs: () => elapsedMs,
    setTimer(delayMs, fn): Timer {
      const entry: Entry = { atMs: elapsedMs + Math.max(0, delayMs || 0), order: order++, fn, isCancelled: false };
      push(entry);
      return {
        cancel() {
          entry.isCancelled = true;
        },
      };
    },
    effect(promise) {
      effects.add(promise);
      const settled = (): void => void effects.delete(promise);
      promise.then(settled, settled);
      return promise;
    },
    async run(isOver, limitMs) {
      for (;;) {
        await quiet();
        if (isStopped) return 'stopped';
        if (isOver()) return 'over';
        let next = pop();
        while (next?.isCancelled) next = pop();
        if (!next) return 'idle';
        if (next.atMs > limitMs) {
          push(next);
          return 'late';
        }
        elapsedMs = next.atMs;
        fired++;
        try {
          next.fn();
        } catch (error) {
          onError(error);
        }
      }
    },
    stop() {
      isStopped = true;
    },
    get fired() {
      return fired;
    },
  };
}
