/** Work in the background of a run that takes longer than one bounded call. Held in memory only: who comes after a crash starts it again. */
import type { Json } from '@bessemer/core';
import { coerceError } from '@bessemer/core';

export type JobState =
  | { readonly kind: 'running' }
  | { readonly kind: 'done'; readonly value: Json }
  | { readonly kind: 'failed'; readonly error: Error };

export interface Jobs {
  /** The state of job `name` of a run; starts it when there is none. */
  ensure(runId: string, name: string, start: (signal: AbortSignal) => Promise<Json>): JobState;
  /** Forgets a job that has ended, so that `ensure` starts it again. */
  forget(runId: string, name: string): void;
  /** Cancels and forgets all jobs of a run. */
  cancel(runId: string): void;
  close(): void;
}

/** @param onEnd called whenever a job of a run ends by itself. */
export function createJobs(onEnd: (runId: string) => void): Jobs {
  const runs = new Map<string, Map<string, { state: JobState; readonly abort: AbortController }>>();

  function cancel(runId: string): void {
    const jobs = runs.get(runId);
    runs.delete(runId);
    for (const job of jobs?.values() ?? []) job.abort.abort(new Error('the run has ended'));
  }
  return {
    ensure(runId, name, start) {
      const jobs = runs.get(runId) ?? new Map();
      runs.set(runId, jobs);
      const known = jobs.get(name);
      if (known) return known.state;
      const abort = new AbortController();
      const job: { state: JobState; readonly abort: AbortController } = { state: { kind: 'running' }, abort };
      jobs.set(name, job);
      const end = (state: JobState) => {
        job.state = state;
        if (!abort.signal.aborted) onEnd(runId);
      };
      start(abort.signal).then(
        (value) => end({ kind: 'done', value }),
        (error: unknown) => end({ kind: 'failed', error: coerceError(error) }),
      );
      return job.state;
    },
    forget: (runId, name) => void runs.get(runId)?.delete(name),
    cancel,
    close() {
      for (const runId of [...runs.keys()]) cancel(runId);
    },
  };
}
