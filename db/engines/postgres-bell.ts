/**
 * The bell between processes: NOTIFY after commits that appended events, LISTEN in every process that wants to know. A bell is no
 * promise: it is coalesced, and may be lost while the connection is renewed, after which it rings in any case.
 */
import { coerceError } from '@bessemer/core';
import type { Clock, Log, Timer } from '@bessemer/ports';
import pg from 'pg';

const CHANNEL = 'bessemer_events';
const RECONNECT_MS = 1_000;
/** How soon to look again while an open transaction hides events that are committed. */
const HIDDEN_MS = 50;

export interface PostgresBell {
  /** Tells other processes that events were committed. */
  announce(): void;
  /** Begins to listen, once. */
  start(): void;
  close(): Promise<void>;
}

export function createPostgresBell(options: {
  readonly settings: pg.ClientConfig;
  readonly pool: pg.Pool;
  readonly clock: Clock;
  readonly log: Log;
  ring(): void;
}): PostgresBell {
  const { settings, pool, clock, log, ring } = options;
  let state: 'idle' | 'listening' | 'closed' = 'idle';
  let listener: pg.Client | undefined;
  let reconnect: Timer | undefined;
  let look: Timer | undefined;
  let announcing: Promise<void> | undefined;
  let isAnnouncedAgain = false;

  async function connect(): Promise<void> {
    const client = new pg.Client({ ...settings, keepAlive: true });
    let isLost = false;
    const lost = (reason: string) => {
      if (isLost || state === 'closed') return;
      isLost = true;
      listener = undefined;
      log.warn('listening for events was interrupted', { reason });
      reconnect = clock.setTimer(RECONNECT_MS, () => void connect(), { background: true });
    };
    client.on('error', (error) => lost(error.message));
    client.on('end', () => lost('the connection ended'));
    client.on('notification', rung);
    try {
      listener = client;
      await client.connect();
      await client.query(`listen ${CHANNEL}`);
      if (listener !== client) return;
      // What was committed before LISTEN was not heard.
      rung();
    } catch (error) {
      lost(coerceError(error).message);
      await client.end().catch(() => {});
    }
  }

  function rung(): void {
    ring();
    if (!look && state === 'listening')
      look = clock.setTimer(HIDDEN_MS, () => void lookForHidden(), { background: true });
  }

  /** Events behind a transaction that is still open show up when it ends, and its end rings no bell. */
  async function lookForHidden(): Promise<void> {
    look = undefined;
    if (state !== 'listening') return;
    try {
      const { rows } = await pool.query(
        'select exists (select 1 from events where xid >= pg_snapshot_xmin(pg_current_snapshot())) as hidden',
      );
      if (rows[0].hidden) rung();
      else ring();
    } catch (error) {
      log.debug('looking for hidden events failed', { error: coerceError(error).message });
    }
  }

  async function announce(): Promise<void> {
    do {
      isAnnouncedAgain = false;
      try {
        await pool.query(`notify ${CHANNEL}`);
      } catch (error) {
        log.warn('other processes were not told of events', { error: coerceError(error).message });
      }
    } while (isAnnouncedAgain);
    announcing = undefined;
  }

  return {
    announce() {
      isAnnouncedAgain = true;
      announcing ??= announce();
    },
    start() {
      if (state !== 'idle') return;
      state = 'listening';
      void connect();
    },
    async close() {
      state = 'closed';
      reconnect?.cancel();
      look?.cancel();
      await announcing;
      await listener?.end().catch(() => {});
    },
  };
}
