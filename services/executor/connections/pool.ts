/**
 * The pool: one connection per key, shared by all callers. Whoever asks for a key waits in that key's queue, first come first
 * served; the first one opens the connection, for all of them. Over a limit the least recently used idle connection is closed,
 * never one in use. When nothing is idle, a connection goes to the longest waiting caller even if that one needs another key:
 * the connection is closed when it comes back, so that a busy key starves nobody.
 */
import type { Clock, Timer } from '@bessemer/ports';

export interface PoolLimits {
  readonly maxConnections: number;
  /** Per target: address and port. */
  readonly maxPerTarget: number;
  readonly idleMs: number;
}

/** What is pooled. */
export interface Poolable {
  onBroken(listener: (error: Error) => void): void;
  close(): void;
}

export interface Wanted<T extends Poolable> {
  readonly key: string;
  readonly limitKey: string;
  readonly open: () => Promise<T>;
}

export interface Lease<T> {
  readonly connection: T;
  /** False for the caller whose asking opened it. */
  readonly reused: boolean;
  /** Gives it back. `discard`: nobody shall use it again. */
  release(options?: { discard?: boolean }): void;
}

export interface PoolEntryInfo<T> {
  readonly key: string;
  readonly state: 'opening' | 'idle' | 'busy';
  readonly waiting: number;
  readonly connection: T | undefined;
}

export interface Pool<T extends Poolable> {
  /** Rejects with what `open` rejected with, or the signal's reason. `onQueued` tells how many are before the caller. */
  acquire(
    wanted: Wanted<T>,
    options?: { signal?: AbortSignal; onQueued?: (position: number) => void },
  ): Promise<Lease<T>>;
  entries(): readonly PoolEntryInfo<T>[];
  /** Closes idle connections: one key's, or all. Gives how many. */
  closeIdle(key?: string): number;
  /** Closes everything; waiters reject with `reason`. */
  close(reason: Error): void;
}

interface Waiter<T> {
  readonly order: number;
  give(lease: Lease<T>): void;
  fail(error: unknown): void;
}

interface Entry<T extends Poolable> {
  readonly wanted: Wanted<T>;
  state: 'unopened' | 'opening' | 'idle' | 'busy';
  connection: T | undefined;
  used: boolean;
  idleSinceMs: number;
  readonly waiters: Waiter<T>[];
}

export function createPool<T extends Poolable>(clock: Clock, limits: PoolLimits): Pool<T> {
  const entries = new Map<string, Entry<T>>();
  let order = 0;
  let closed: Error | undefined;
  // One timer for all connections: it stands at the earliest expiry.
  let expiry: Timer | undefined;

  const holdsPlace = (entry: Entry<T>) => entry.state !== 'unopened';
  const count = (limitKey?: string) =>
    [...entries.values()].filter((e) => holdsPlace(e) && (limitKey === undefined || e.wanted.limitKey === limitKey))
      .length;

  function drop(entry: Entry<T>): void {
    const { connection } = entry;
    entry.connection = undefined;
    entry.state = 'unopened';
    if (entry.waiters.length === 0) entries.delete(entry.wanted.key);
    connection?.close();
  }

  function leastRecentlyUsedIdle(limitKey?: string): Entry<T> | undefined {
    let oldest: Entry<T> | undefined;
    for (const entry of entries.values())
      if (
        entry.state === 'idle' &&
        (limitKey === undefined || entry.wanted.limitKey === limitKey) &&
        (!oldest || entry.idleSinceMs < oldest.idleSinceMs)
      )
        oldest = entry;
    return oldest;
  }

  /** A place for one more connection, made by closing an idle one if need be. */
  function hasPlaceFor(entry: Entry<T>): boolean {
    const { limitKey } = entry.wanted;
    if (count(limitKey) >= limits.maxPerTarget) {
      const idle = leastRecentlyUsedIdle(limitKey);
      if (!idle) return false;
      drop(idle);
    }
    if (count() >= limits.maxConnections) {
      const idle = leastRecentlyUsedIdle();
      if (!idle) return false;
      drop(idle);
    }
    return true;
  }

  function serve(entry: Entry<T>): void {
    const waiter = entry.waiters.shift();
    const connection = entry.connection!;
    if (!waiter) {
      entry.state = 'idle';
      entry.idleSinceMs = clock.monotonicMs();
      return;
    }
    entry.state = 'busy';
    const reused = entry.used;
    entry.used = true;
    let released = false;
    waiter.give({
      connection,
      reused,
      release: ({ discard = false } = {}) => {
        if (released) return;
        released = true;
        // Broken meanwhile: the entry has already let it go.
        if (entry.connection !== connection) return connection.close();
        if (discard || mustYield(entry)) drop(entry);
        else serve(entry);
        pump();
      },
    });
  }

  /** True when someone has waited longer, for a connection that has no place while this one stays. */
  function mustYield(entry: Entry<T>): boolean {
    const mine = entry.waiters[0]?.order ?? Number.POSITIVE_INFINITY;
    for (const other of entries.values()) {
      if (other.state !== 'unopened' || (other.waiters[0]?.order ?? Number.POSITIVE_INFINITY) > mine) continue;
      const sameTarget = other.wanted.limitKey === entry.wanted.limitKey;
      if (count() >= limits.maxConnections || (sameTarget && count(entry.wanted.limitKey) >= limits.maxPerTarget))
        return true;
    }
    return false;
  }

  function open(entry: Entry<T>): void {
    entry.state = 'opening';
    entry.used = false;
    entry.wanted.open().then(
      (connection) => {
        if (closed) return connection.close();
        entry.connection = connection;
        connection.onBroken(() => {
          if (entry.connection !== connection) return;
          drop(entry);
          pump();
        });
        // It may have broken before anyone could listen.
        if (entry.connection !== connection) return;
        serve(entry);
        pump();
      },
      (error) => {
        const waiters = entry.waiters.splice(0);
        drop(entry);
        for (const waiter of waiters) waiter.fail(error);
        pump();
      },
    );
  }

  function pump(): void {
    if (closed) return;
    const unopened = [...entries.values()]
      .filter((entry) => entry.state === 'unopened' && entry.waiters.length > 0)
      .sort((a, b) => a.waiters[0]!.order - b.waiters[0]!.order);
    for (const entry of unopened) if (hasPlaceFor(entry)) open(entry);
    armExpiry();
  }

  function armExpiry(): void {
    expiry?.cancel();
    expiry = undefined;
    const oldest = leastRecentlyUsedIdle();
    if (!oldest) return;
    const inMs = Math.max(0, oldest.idleSinceMs + limits.idleMs - clock.monotonicMs());
    expiry = clock.setTimer(
      inMs,
      () => {
        const nowMs = clock.monotonicMs();
        for (const entry of [...entries.values()])
          if (entry.state === 'idle' && entry.idleSinceMs + limits.idleMs <= nowMs) drop(entry);
        armExpiry();
      },
      { background: true },
    );
  }

  return {
    acquire(wanted, { signal, onQueued } = {}) {
      return new Promise((resolve, reject) => {
        if (closed) return reject(closed);
        if (signal?.aborted) return reject(signal.reason);
        let entry = entries.get(wanted.key);
        if (!entry) {
          entry = { wanted, state: 'unopened', connection: undefined, used: false, idleSinceMs: 0, waiters: [] };
          entries.set(wanted.key, entry);
        }
        const at = entry;
        const onAbort = () => {
          const index = at.waiters.indexOf(waiter);
          if (index < 0) return;
          at.waiters.splice(index, 1);
          if (at.state === 'unopened' && at.waiters.length === 0) entries.delete(wanted.key);
          reject(signal?.reason);
        };
        const settle = () => signal?.removeEventListener('abort', onAbort);
        const waiter: Waiter<T> = {
          order: order++,
          give(lease) {
            settle();
            resolve(lease);
          },
          fail(error) {
            settle();
            reject(error);
          },
        };
        signal?.addEventListener('abort', onAbort, { once: true });
        at.waiters.push(waiter);
        if (at.state === 'idle') serve(at);
        else if (at.state === 'busy') onQueued?.(at.waiters.length);
        pump();
      });
    },
    entries: () =>
      [...entries.values()].map((entry) => ({
        key: entry.wanted.key,
        state: entry.state === 'unopened' ? 'opening' : entry.state,
        waiting: entry.waiters.length,
        connection: entry.connection,
      })),
    closeIdle(key) {
      const idle = [...entries.values()].filter(
        (e) => e.state === 'idle' && (key === undefined || e.wanted.key === key),
      );
      for (const entry of idle) drop(entry);
      armExpiry();
      return idle.length;
    },
    close(reason) {
      closed = reason;
      expiry?.cancel();
      for (const entry of [...entries.values()]) {
        for (const waiter of entry.waiters.splice(0)) waiter.fail(reason);
        drop(entry);
      }
    },
  };
}
