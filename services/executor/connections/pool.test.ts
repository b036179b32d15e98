import { ManualClock, seededRandom, settle } from '@bessemer/ports/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { createPool, type Lease, type Pool, type PoolLimits, type Wanted } from './pool.ts';

interface Fake {
  readonly key: string;
  readonly number: number;
  closed: boolean;
  inUse: boolean;
  break(): void;
  onBroken(listener: (error: Error) => void): void;
  close(): void;
}

let clock: ManualClock;
let pool: Pool<Fake>;
let opened: Fake[];
let openNow: number;

function make(key: string): Fake {
  const listeners: Array<(error: Error) => void> = [];
  const fake: Fake = {
    key,
    number: opened.length,
    closed: false,
    inUse: false,
    break: () => listeners.forEach((listener) => listener(new Error('broken'))),
    onBroken: (listener) => void listeners.push(listener),
    close() {
      if (fake.closed) return;
      // Never one in use.
      expect(fake.inUse).toBe(false);
      fake.closed = true;
      openNow--;
    },
  };
  opened.push(fake);
  openNow++;
  return fake;
}
const wanted = (key: string, limitKey = key): Wanted<Fake> => ({ key, limitKey, open: async () => make(key) });
async function use(lease: Promise<Lease<Fake>>): Promise<Lease<Fake>> {
  const taken = await lease;
  expect(taken.connection.closed).toBe(false);
  taken.connection.inUse = true;
  return {
    ...taken,
    release(options) {
      taken.connection.inUse = false;
      taken.release(options);
    },
  };
}
function fresh(limits: Partial<PoolLimits> = {}): void {
  clock = new ManualClock();
  opened = [];
  openNow = 0;
  pool = createPool<Fake>(clock, { maxConnections: 3, maxPerTarget: 2, idleMs: 1000, ...limits });
}
beforeEach(() => fresh());

describe('the pool', () => {
  it('opens one connection for all who ask at once, and gives it in the order they asked', async () => {
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 50 }, async (_, index) => {
        const lease = await use(pool.acquire(wanted('a')));
        order.push(index);
        expect(lease.reused).toBe(index > 0);
        await settle();
        lease.release();
      }),
    );
    expect(order).toEqual(Array.from({ length: 50 }, (_, index) => index));
    expect(opened).toHaveLength(1);
  });

  it('tells a failure to open to all who wait for it, and tries again for the next', async () => {
    let failing = true;
    const open = async () => {
      if (failing) throw new Error('refused');
      return make('a');
    };
    const asked = [1, 2].map(() => pool.acquire({ key: 'a', limitKey: 'a', open }));
    expect(await Promise.allSettled(asked)).toMatchObject([
      { reason: { message: 'refused' } },
      { reason: { message: 'refused' } },
    ]);
    failing = false;
    expect((await pool.acquire({ key: 'a', limitKey: 'a', open })).reused).toBe(false);
  });

  it('closes an idle connection after its time, by one timer for all', async () => {
    for (const key of ['a', 'b', 'c']) (await use(pool.acquire(wanted(key)))).release();
    expect(clock.pendingTimers).toBe(1);
    await clock.advance(600);
    (await use(pool.acquire(wanted('b')))).release();
    await clock.advance(500);
    expect(opened.map((each) => each.closed)).toEqual([true, false, true]);
    await clock.advance(1000);
    expect(openNow).toBe(0);
    expect(clock.pendingTimers).toBe(0);
  });

  it('closes the least recently used idle one at the limit, never one in use', async () => {
    const busy = await use(pool.acquire(wanted('busy')));
    for (const key of ['old', 'young']) {
      (await use(pool.acquire(wanted(key)))).release();
      await clock.advance(1);
    }
    await use(pool.acquire(wanted('more')));
    expect(opened.filter((each) => each.closed).map((each) => each.key)).toEqual(['old']);
    busy.release();
  });

  it('keeps to the limit of a target', async () => {
    const leases = [await use(pool.acquire(wanted('a1', 'a'))), await use(pool.acquire(wanted('a2', 'a')))];
    const third = use(pool.acquire(wanted('a3', 'a')));
    const other = await use(pool.acquire(wanted('b')));
    expect(opened.map((each) => each.key)).toEqual(['a1', 'a2', 'b']);
    leases[0]!.release();
    expect((await third).connection.key).toBe('a3');
    expect(opened[0]!.closed).toBe(true);
    other.release();
  });

  it('lets nobody starve behind a busy key', async () => {
    fresh({ maxConnections: 1 });
    const first = await use(pool.acquire(wanted('busy')));
    const given: string[] = [];
    const ask = (key: string) =>
      use(pool.acquire(wanted(key))).then(async (lease) => {
        given.push(key);
        await settle();
        lease.release();
      });
    const all = [ask('busy'), ask('quiet'), ask('busy'), ask('busy')];
    first.release();
    await Promise.all(all);
    expect(given).toEqual(['busy', 'quiet', 'busy', 'busy']);
    expect(openNow).toBe(1);
  });

  it('drops a broken one and opens another for those who wait', async () => {
    const first = await use(pool.acquire(wanted('a')));
    const second = pool.acquire(wanted('a'));
    first.connection.inUse = false;
    first.connection.break();
    expect((await second).connection.number).toBe(1);
    first.release();
    expect(openNow).toBe(1);
  });

  it('forgets who no longer waits', async () => {
    const lease = await use(pool.acquire(wanted('a')));
    const abort = new AbortController();
    const waiting = pool.acquire(wanted('a'), { signal: abort.signal });
    abort.abort(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
    lease.release();
    expect(pool.entries()).toMatchObject([{ state: 'idle', waiting: 0 }]);
    expect(pool.closeIdle()).toBe(1);
    expect(pool.entries()).toEqual([]);
  });

  it('keeps every limit and serves everyone, whatever the order', async () => {
    for (let seed = 0; seed < 60; seed++) {
      fresh({ maxConnections: 1 + (seed % 4), maxPerTarget: 1 + (seed % 2) });
      const random = seededRandom(seed);
      let served = 0;
      await Promise.all(
        Array.from({ length: 40 }, async () => {
          const target = Math.floor(random.float() * 4);
          const account = Math.floor(random.float() * 3);
          for (let pause = random.float() * 5; pause > 0; pause--) await settle();
          const lease = await use(pool.acquire(wanted(`${target}/${account}`, String(target))));
          expect(openNow).toBeLessThanOrEqual(1 + (seed % 4));
          await settle();
          if (random.float() < 0.1) {
            lease.connection.inUse = false;
            lease.connection.break();
          }
          served++;
          lease.release({ discard: random.float() < 0.1 });
        }),
      );
      expect(served).toBe(40);
      pool.close(new Error('end'));
      expect(openNow).toBe(0);
    }
  });
});
