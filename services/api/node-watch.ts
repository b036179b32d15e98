/**
 * Wakes who waits for a node: one reader of the event table for all of them, which runs only while somebody waits and looks
 * only when the bell has rung.
 */
import { coerceError } from '@bessemer/core';
import type { Db } from '@bessemer/db';
import type { Log } from '@bessemer/ports';

/** Events after which a transition may have ended. */
const DECISIVE = ['node.provision_state', 'node.power_state', 'run.finished', 'node.deleted'];
const BATCH = 500;

export interface NodeWatch {
  /** Resolves when nothing after this moment is missed. Gives the function that ends it. */
  watch(nodeUuid: string, wake: () => void): Promise<() => void>;
  /** How many watch. */
  readonly size: number;
}

export function createNodeWatch(db: Db, log: Log): NodeWatch {
  const watchers = new Map<string, Set<() => void>>();
  let size = 0;
  let reader: { readonly ready: Promise<void>; stop(): void } | undefined;

  function startReader() {
    let cursor: string;
    let isReading = false;
    let hasRung = false;
    let isStopped = false;
    const unsubscribe = db.onEvents(() => {
      hasRung = true;
      if (!isReading) void read();
    });
    async function read(): Promise<void> {
      isReading = true;
      try {
        while (hasRung && !isStopped) {
          hasRung = false;
          const events = await db.read.events.listAfter(cursor, { types: DECISIVE }, BATCH);
          if (events.length === BATCH) hasRung = true;
          cursor = events.at(-1)?.cursor ?? cursor;
          for (const uuid of new Set(events.map((e) => e.nodeUuid)))
            for (const wake of [...(watchers.get(uuid ?? '') ?? [])]) wake();
        }
      } catch (error) {
        // The bell rings again when the database is back.
        log.warn('events were not read', { error: coerceError(error).message });
      } finally {
        isReading = false;
      }
    }
    isReading = true;
    const ready = (async () => {
      try {
        cursor = await db.read.events.head();
      } finally {
        isReading = false;
      }
      if (hasRung) void read();
    })();
    return {
      ready,
      stop() {
        isStopped = true;
        unsubscribe();
      },
    };
  }

  return {
    async watch(nodeUuid, wake) {
      const own = () => wake();
      let isOver = false;
      const end = () => {
        if (isOver) return;
        isOver = true;
        const set = watchers.get(nodeUuid);
        set?.delete(own);
        if (set?.size === 0) watchers.delete(nodeUuid);
        if (--size > 0) return;
        reader?.stop();
        reader = undefined;
      };
      const set = watchers.get(nodeUuid);
      if (set) set.add(own);
      else watchers.set(nodeUuid, new Set([own]));
      size++;
      reader ??= startReader();
      try {
        await reader.ready;
      } catch (error) {
        end();
        throw error;
      }
      return end;
    },
    get size() {
      return size;
    },
  };
}
