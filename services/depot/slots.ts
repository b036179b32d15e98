/** A counted number of places; who finds none waits in line and is told the position, 1 is next. */
export interface Slots {
  /** Resolves with the function that gives the place back. Rejects with the signal's reason. */
  acquire(options?: { signal?: AbortSignal; onPosition?: (position: number) => void }): Promise<() => void>;
}

interface Waiter {
  readonly enter: () => void;
  readonly onPosition: ((position: number) => void) | undefined;
}

export function createSlots(count: number): Slots {
  let free = count;
  const line: Waiter[] = [];
  const tellPositions = (): void => {
    for (const [i, w] of line.entries()) w.onPosition?.(i + 1);
  };
  const release = (): void => {
    const next = line.shift();
    if (!next) {
      free++;
      return;
    }
    next.enter();
    tellPositions();
  };
  const once = (): (() => void) => {
    let held = true;
    return () => {
      if (held) release();
      held = false;
    };
  };
  return {
    acquire({ signal, onPosition } = {}) {
      if (signal?.aborted) return Promise.reject(signal.reason);
      if (free > 0) {
        free--;
        return Promise.resolve(once());
      }
      return new Promise((resolve, reject) => {
        const leave = (): void => {
          line.splice(line.indexOf(waiter), 1);
          tellPositions();
          reject(signal?.reason);
        };
        const waiter: Waiter = {
          onPosition,
          enter: () => {
            signal?.removeEventListener('abort', leave);
            resolve(once());
          },
        };
        signal?.addEventListener('abort', leave, { once: true });
        line.push(waiter);
        onPosition?.(line.length);
      });
    },
  };
}
