/**
 * One life of this conductor in the database: a row with an expiry, renewed by a heartbeat.
 *
 *   new -> live -> lost | ended
 *
 * - live: the last heartbeat that was answered left this process at `renewedAt` of its own monotonic clock. The database counts
 *   the life from a later moment, so what the own clock allows is never more than what the database grants.
 * - lost: the heartbeat said that the session has expired, or the whole life went by without an answer. Leases may belong to
 *   others: nothing is written or ordered any more. A session never comes back from `lost`; its conductor begins another.
 * - ended: given up on purpose; the leases are free at once.
 */
import type { ConductorSession, DriverDescription, SessionId } from '@bessemer/core';
import { asSessionId, coerceError, ServiceError } from '@bessemer/core';
import type { Db } from '@bessemer/db';
import type { Clock, Log, Random, Timer } from '@bessemer/ports';

export interface SessionOptions {
  readonly db: Db;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly host: string;
  readonly conductorGroup: string;
  readonly drivers: readonly DriverDescription[];
  readonly ttlMs: number;
  /** Called once, when the session is lost. */
  readonly onLost: (reason: string) => void;
}

export interface Session {
  readonly id: SessionId;
  readonly host: string;
  /** False before `start`, and after the session was lost or ended. */
  readonly isLive: boolean;
  /** Registers the session and starts its heartbeat. */
  start(): Promise<void>;
  /**
   * Called right before every order to a BMC. Gives the moment of the monotonic clock until which half of the session's life is
   * left, as far as is known now: nothing of the order leaves after it. @throws TEMPORARY_FAILURE when it is over.
   */
  checkMayOrder(): number;
  /** Ends the session: its leases are free. */
  end(): Promise<void>;
  /** Stops the heartbeat without a word to the database, as a crash does. */
  abandon(): void;
}

/** Heartbeats per life. */
const BEATS_PER_LIFE = 4;

export function createSession(options: SessionOptions): Session {
  const { db, clock, log, ttlMs } = options;
  const id = asSessionId(options.random.uuid());
  const row: Omit<ConductorSession, 'expiresAt' | 'startedAt'> = {
    session: id,
    hostname: options.host,
    conductorGroup: options.conductorGroup,
    drivers: options.drivers,
  };
  let mode: 'new' | 'live' | 'lost' | 'ended' = 'new';
  let renewedAtMs = 0;
  let timer: Timer | undefined;

  function lose(reason: string): void {
    if (mode !== 'live') return;
    mode = 'lost';
    timer?.cancel();
    log.error('the conductor session is lost', { session: id, reason });
    options.onLost(reason);
  }
  const lifeLeftMs = (): number => renewedAtMs + ttlMs - clock.monotonicMs();

  async function beat(): Promise<void> {
    const sentAtMs = clock.monotonicMs();
    try {
      const alive = await db.write('conductor.heartbeat', (tx) => tx.conductors.heartbeat(row, ttlMs));
      if (mode !== 'live') return;
      if (!alive) return lose('the database says that it has expired');
      renewedAtMs = sentAtMs;
    } catch (error) {
      log.warn('a heartbeat failed', { error: coerceError(error).message, lifeLeftMs: lifeLeftMs() });
    }
  }
  function schedule(): void {
    const delayMs = ttlMs / BEATS_PER_LIFE;
    timer = clock.setTimer(
      delayMs,
      () => {
        if (mode !== 'live') return;
        if (lifeLeftMs() <= 0) return lose(`no heartbeat was answered for ${ttlMs} ms`);
        schedule();
        void beat();
      },
      { background: true },
    );
  }

  return {
    id,
    host: options.host,
    get isLive() {
      return mode === 'live' && lifeLeftMs() > 0;
    },
    async start() {
      const sentAtMs = clock.monotonicMs();
      await db.write('conductor.register', (tx) => tx.conductors.heartbeat(row, ttlMs));
      renewedAtMs = sentAtMs;
      mode = 'live';
      schedule();
    },
    checkMayOrder() {
      if (mode !== 'live' || lifeLeftMs() < ttlMs / 2)
        throw new ServiceError(
          'TEMPORARY_FAILURE',
          'This conductor has lost touch with the database and gives no orders to hardware until it has it again.',
          { context: { session: id, lifeLeftMs: lifeLeftMs(), isTransient: true } },
        );
      return renewedAtMs + ttlMs / 2;
    },
    async end() {
      timer?.cancel();
      if (mode !== 'live') return;
      mode = 'ended';
      await db.write('conductor.end', (tx) => tx.conductors.end(id));
    },
    abandon() {
      timer?.cancel();
      if (mode === 'live') mode = 'lost';
    },
  };
}
