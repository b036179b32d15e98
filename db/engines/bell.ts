/** Listeners that are called when events were committed. */
import { coerceError } from '@bessemer/core';
import type { Log } from '@bessemer/ports';

export interface Bell {
  ring(): void;
  listen(listener: () => void): () => void;
  readonly listeners: number;
}

export function createBell(log: Log): Bell {
  const listeners = new Set<() => void>();
  return {
    ring() {
      for (const listener of [...listeners]) {
        try {
          listener();
        } catch (error) {
          log.error('a listener for events failed', { error: coerceError(error).stack });
        }
      }
    },
    listen(listener) {
      // One entry per call, so that the same function listens twice when it was given twice.
      const entry = () => listener();
      listeners.add(entry);
      return () => void listeners.delete(entry);
    },
    get listeners() {
      return listeners.size;
    },
  };
}
