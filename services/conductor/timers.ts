/** Wake-ups by name on one timer of the clock: a binary heap, so that ten thousand waiting runs cost one timer. */
import type { Clock, Timer } from '@bessemer/ports';

interface Entry {
  readonly key: string;
  readonly atMs: number;
  readonly order: number;
  readonly fn: () => void;
}

export interface Timers {
  /** Calls `fn` once at `atMs` (wall clock of the clock given). A later `set` of the same key replaces it. */
  set(key: string, atMs: number, fn: () => void): void;
  clear(key: string): void;
  /** Whether a wake-up of that key is to come. */
  has(key: string): boolean;
  /** Cancels all. */
  close(): void;
  readonly size: number;
}

/** A timer of the platform holds no more than 31 bits: a later wake-up is set again then. */
const LONGEST_MS = 2 ** 31 - 1;

const isBefore = (a: Entry, b: Entry): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);

export function createTimers(clock: Clock): Timers {
  const heap: Entry[] = [];
  const current = new Map<string, Entry>();
  let order = 0;
  let armed: { timer: Timer; atMs: number } | undefined;
  let isClosed = false;

  function push(entry: Entry): void {
    let i = heap.push(entry) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!isBefore(heap[i]!, heap[parent]!)) break;
      [heap[i], heap[parent]] = [heap[parent]!, heap[i]!];
      i = parent;
    }
  }
  function pop(): Entry {
    const top = heap[0]!;
    const last = heap.pop()!;
    if (heap.length > 0) {
      heap[0] = last;
      let i = 0;
      for (;;) {
        const left = 2 * i + 1;
        let least = i;
        if (left < heap.length && isBefore(heap[left]!, heap[least]!)) least = left;
        if (left + 1 < heap.length && isBefore(heap[left + 1]!, heap[least]!)) least = left + 1;
        if (least === i) break;
        [heap[i], heap[least]] = [heap[least]!, heap[i]!];
        i = least;
      }
    }
    return top;
  }
  /** Replaced entries stay in the heap until they surface. */
  const dropStale = (): void => {
    while (heap.length > 0 && current.get(heap[0]!.key) !== heap[0]) pop();
  };
  function arm(): void {
    dropStale();
    const next = heap[0];
    if (isClosed || !next || armed?.atMs === next.atMs) {
      if (!next) disarm();
      return;
    }
    disarm();
    const delayMs = Math.min(Math.max(0, next.atMs - clock.nowMs()), LONGEST_MS);
    const timer = clock.setTimer(delayMs, fire, { background: true });
    armed = { timer, atMs: next.atMs };
  }
  function disarm(): void {
    armed?.timer.cancel();
    armed = undefined;
  }
  function fire(): void {
    armed = undefined;
    for (dropStale(); heap.length > 0 && heap[0]!.atMs <= clock.nowMs(); dropStale()) {
      const entry = pop();
      current.delete(entry.key);
      entry.fn();
      if (isClosed) return;
    }
    arm();
  }

  return {
    set(key, atMs, fn) {
      if (isClosed) return;
      const entry: Entry = { key, atMs, order: order++, fn };
      current.set(key, entry);
      push(entry);
      arm();
    },
    clear(key) {
      if (current.delete(key)) arm();
    },
    has: (key) => current.has(key),
    close() {
      isClosed = true;
      disarm();
      heap.length = 0;
      current.clear();
    },
    get size() {
      return current.size;
    },
  };
}
