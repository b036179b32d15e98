import type { Clock } from '@bessemer/ports';
import type { ImageProgress } from './types.ts';

/** Turns counts of bytes into progress with a rate; tells at most five times a second, and every change of phase. */
export interface ProgressReporter {
  phase(phase: ImageProgress['phase'], totalBytes?: number | null): void;
  bytes(bytes: number, totalBytes?: number | null): void;
  queued(position: number): void;
}

const MIN_INTERVAL_MS = 200;

export function createProgressReporter(clock: Clock, tell: (progress: ImageProgress) => void): ProgressReporter {
  let phase: ImageProgress['phase'] = 'queue';
  let total: number | null = null;
  let startedMs = clock.monotonicMs();
  let startBytes: number | undefined;
  let toldMs = Number.NEGATIVE_INFINITY;
  return {
    phase(next, totalBytes = null) {
      phase = next;
      total = totalBytes;
      startedMs = clock.monotonicMs();
      startBytes = undefined;
      toldMs = startedMs;
      tell({ phase, bytes: 0, totalBytes: total, rate: 0 });
    },
    bytes(bytes, totalBytes = total) {
      total = totalBytes;
      // A resumed download starts with what is there already: that is not part of the rate.
      startBytes ??= bytes;
      const nowMs = clock.monotonicMs();
      if (nowMs - toldMs < MIN_INTERVAL_MS && bytes !== total) return;
      toldMs = nowMs;
      const seconds = (nowMs - startedMs) / 1000;
      tell({ phase, bytes, totalBytes: total, rate: seconds > 0 ? Math.round((bytes - startBytes) / seconds) : 0 });
    },
    queued(position) {
      phase = 'queue';
      tell({ phase, bytes: 0, totalBytes: null, rate: 0, position });
    },
  };
}
