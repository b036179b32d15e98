/**
 * The single writer of a SQLite database, with group commit: what has queued up goes into one transaction, a savepoint each, and
 * is answered after the one COMMIT that makes all of it durable.
 *
 * Invariants: one callback runs at a time; between BEGIN and COMMIT nothing is awaited but callbacks, whose statements are
 * synchronous underneath, so a batch needs neither timers nor IO to end; nobody is answered before COMMIT, not even one whose
 * callback threw, for what it saw may have been written by the callback before it.
 */
import type { Database } from 'better-sqlite3';

/** So many callbacks share one COMMIT at most: it bounds how long the first of them waits. */
const MAX_BATCH = 256;

interface Job {
  run(): Promise<void>;
  /** Called after COMMIT, or with the reason why there was none. */
  answer(failure?: { readonly reason: unknown }): void;
}

export interface SqliteWriter {
  /** Runs `fn` in a savepoint; resolves when it is durable. */
  write<T>(fn: () => Promise<T>): Promise<T>;
  /** Resolves when no transaction is open; undefined when none is. */
  readonly busy: Promise<void> | undefined;
  /** Resolves when everything that was queued is answered. */
  idle(): Promise<void>;
}

/**
 * `gather` is awaited before each batch: on a file it lets all requests that have arrived join the batch, in memory it is
 * nothing at all.
 */
export function createSqliteWriter(db: Database, gather: () => Promise<void>): SqliteWriter {
  const begin = db.prepare('begin immediate');
  const commit = db.prepare('commit');
  const rollback = db.prepare('rollback');
  const savepoint = db.prepare('savepoint job');
  const releaseSavepoint = db.prepare('release job');
  const rollbackSavepoint = db.prepare('rollback to job');

  const queue: Job[] = [];
  let draining: Promise<void> | undefined;
  let busy: Promise<void> | undefined;

  async function batch(): Promise<void> {
    const done: Job[] = [];
    let failure: { reason: unknown } | undefined;
    const opened = Promise.withResolvers<void>();
    try {
      begin.run();
      busy = opened.promise;
      while (queue.length > 0 && done.length < MAX_BATCH) {
        const job = queue.shift()!;
        done.push(job);
        savepoint.run();
        try {
          await job.run();
        } catch {
          rollbackSavepoint.run();
        }
        releaseSavepoint.run();
      }
      commit.run();
    } catch (reason) {
      failure = { reason };
      if (db.inTransaction) rollback.run();
      // The transaction could not even be begun: nobody would be answered otherwise.
      if (done.length === 0) done.push(...queue.splice(0, MAX_BATCH));
    } finally {
      busy = undefined;
      opened.resolve();
    }
    for (const job of done) job.answer(failure);
  }

  async function drain(): Promise<void> {
    while (queue.length > 0) {
      await gather();
      await batch();
    }
    draining = undefined;
  }

  return {
    write<T>(fn: () => Promise<T>): Promise<T> {
      return new Promise<T>((resolve, reject) => {
        let outcome: { value: T } | { error: unknown } | undefined;
        queue.push({
          async run() {
            try {
              outcome = { value: await fn() };
            } catch (error) {
              outcome = { error };
              throw error;
            }
          },
          answer(failure) {
            if (failure) reject(failure.reason);
            else if (outcome && 'value' in outcome) resolve(outcome.value);
            else reject(outcome?.error);
          },
        });
        draining ??= drain();
      });
    },
    get busy() {
      return busy;
    },
    async idle() {
      while (draining) await draining;
    },
  };
}
