/** The limit on simultaneous deployments. A run beyond it is a row in state `queued` that shows its position; the oldest goes first. */
import type { Config, Run } from '@bessemer/core';
import { coerceError, isServiceError } from '@bessemer/core';
import type { Db, Repositories } from '@bessemer/db';
import type { Clock, Log } from '@bessemer/ports';
import { DEPLOYMENT_VERBS } from './flows/flows.ts';
import type { Session } from './session.ts';
import type { TaskWriter } from './task-writer.ts';

/** A run may stand in the queue for a day before it is given up. */
export const QUEUE_TIMEOUT_MS = 24 * 3_600_000;
/** Positions are written at most this often. */
const POSITIONS_INTERVAL_MS = 2_000;

export interface Queue {
  /** The position of one more deployment, 0 when it may begin at once; to be asked in the transaction that creates it. */
  positionFor(tx: Repositories): Promise<number>;
  /** Lets waiting runs of this conductor begin while there is room. Soon, and once for many calls. */
  admit(): void;
  stop(): Promise<void>;
}

export interface QueueOptions {
  readonly db: Db;
  readonly clock: Clock;
  readonly log: Log;
  readonly config: Config;
  readonly session: Session;
  readonly writer: TaskWriter;
  /** A run of the queue has begun. */
  readonly onAdmitted: (run: Run) => void;
}

export function createQueue(options: QueueOptions): Queue {
  const { db, clock, config, session, writer, log } = options;
  const limit = config.conductor.max_concurrent_deploy;
  let pending: Promise<void> | undefined;
  let isAskedAgain = false;
  let isStopped = false;
  let numberedAtMs = Number.NEGATIVE_INFINITY;

  const occupied = (runs: Repositories['runs']): Promise<number> => runs.countUnfinished('running', DEPLOYMENT_VERBS);

  async function admitOne(id: Run['id']): Promise<boolean> {
    const admitted = await db.write('queue.admit', async (tx) => {
      const run = await tx.runs.get(id);
      if (run?.state !== 'queued' || run.owner !== session.id || (await occupied(tx.runs)) >= limit) return undefined;
      const deadline = clock.nowMs() + config.conductor.deploy_timeout_ms;
      const begun = await tx.runs.update(id, run.fence, { state: 'running', waitingFor: null, deadline });
      await writer.enterFirst(tx, begun);
      return begun;
    });
    if (admitted) options.onAdmitted(admitted);
    return admitted !== undefined;
  }
  async function number(queued: readonly Run[]): Promise<void> {
    if (clock.monotonicMs() - numberedAtMs < POSITIONS_INTERVAL_MS) return;
    numberedAtMs = clock.monotonicMs();
    await db.write('queue.positions', async (tx) => {
      for (const [i, run] of queued.entries()) {
        const fresh = await tx.runs.get(run.id);
        if (fresh?.state !== 'queued' || !fresh.waitingFor || fresh.waitingFor.position === i + 1) continue;
        await tx.runs.update(run.id, fresh.fence, { waitingFor: { ...fresh.waitingFor, position: i + 1 } });
      }
    });
  }
  async function round(): Promise<void> {
    const queued = await db.read.runs.listQueued();
    if (queued.length === 0) return;
    const room = limit - (await occupied(db.read.runs));
    // Another conductor's runs keep their places: their own conductor lets them begin.
    for (const run of queued.slice(0, Math.max(0, room))) if (run.owner === session.id) await admitOne(run.id);
    await number(await db.read.runs.listQueued());
  }

  return {
    async positionFor(tx) {
      const waiting = await tx.runs.countUnfinished('queued');
      if (waiting === 0 && (await occupied(tx.runs)) < limit) return 0;
      return waiting + 1;
    },
    admit() {
      if (isStopped) return;
      if (pending) {
        isAskedAgain = true;
        return;
      }
      pending = (async () => {
        do {
          isAskedAgain = false;
          try {
            if (session.isLive) await round();
          } catch (error) {
            // A node held for a moment, or a database in trouble: the periodic look comes back to it.
            if (!isServiceError(error, 'NODE_LOCKED'))
              log.warn('the queue could not go on', { error: coerceError(error).message });
          }
        } while (isAskedAgain && !isStopped);
        pending = undefined;
      })();
    },
    async stop() {
      isStopped = true;
      await pending;
    },
  };
}
