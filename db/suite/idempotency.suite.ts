import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { IdempotencyScope } from '../contracts/idempotency.ts';
import { codeOf, newUuid } from './fixtures.ts';
import type { DbUnderTest, MakeDb } from './fixtures.ts';

export function describeIdempotency(make: MakeDb): void {
  let t: DbUnderTest;
  beforeEach(async () => void (t = await make()));
  afterEach(() => t.db.close());
  const keptMs = 86_400_000;
  const scope = { user: 'ada', key: 'k1' };
  const claimOf = (claim: string, more: object = {}) => ({
    requestHash: 'h',
    requestId: `r-${claim}`,
    claim,
    claimMs: 60_000,
    keptMs,
    ...more,
  });
  const claim = (name: string, more: object = {}, at: IdempotencyScope = scope) =>
    t.db.write('test', (tx) => tx.idempotency.claim(at, claimOf(name, more)));
  const answer = { status: 201, body: 'secret text' };

  describe('idempotency keys', () => {
    it('are taken once, and give the first answer from then on', async () => {
      const { db } = t;
      expect(await db.read.idempotency.find(scope, keptMs)).toBeUndefined();
      expect(await claim('a')).toEqual({ isOurs: true, requestId: 'r-a' });
      expect(await claim('b')).toEqual({
        isOurs: false,
        record: { requestHash: 'h', isClaimed: true, answer: null },
      });
      expect(await db.write('test', (tx) => tx.idempotency.finish(scope, 'b', answer))).toBe(false);
      expect(await db.write('test', (tx) => tx.idempotency.finish(scope, 'a', answer))).toBe(true);
      const record = { requestHash: 'h', isClaimed: false, answer };
      expect(await db.read.idempotency.find(scope, keptMs)).toEqual(record);
      expect(await claim('c', { requestHash: 'another' })).toEqual({ isOurs: false, record });
      expect(await claim('c', {}, { ...scope, user: 'bob' })).toMatchObject({ isOurs: true });
      expect(await claim('c', {}, { ...scope, key: 'k2' })).toMatchObject({ isOurs: true });
    });

    it('whose holder is gone are taken over by the same request only, under its first id', async () => {
      const { db } = t;
      await claim('a', { claimMs: 10 });
      await t.passTime(30);
      expect(await claim('b', { requestHash: 'another' })).toMatchObject({
        isOurs: false,
        record: { isClaimed: false },
      });
      expect(await claim('b')).toEqual({ isOurs: true, requestId: 'r-a' });
      expect(await db.write('test', (tx) => tx.idempotency.renew(scope, 'a', 60_000))).toBe(false);
      expect(await db.write('test', (tx) => tx.idempotency.renew(scope, 'b', 60_000))).toBe(true);
      expect(await db.write('test', (tx) => tx.idempotency.finish(scope, 'a', answer))).toBe(false);
    });

    it('are let go: free again, or kept for the next attempt', async () => {
      const { db } = t;
      await claim('a');
      await db.write('test', (tx) => tx.idempotency.release(scope, 'not a'));
      expect(await claim('b')).toMatchObject({ isOurs: false });
      await db.write('test', (tx) => tx.idempotency.release(scope, 'a'));
      expect(await claim('b', { requestHash: 'another' })).toEqual({ isOurs: true, requestId: 'r-b' });
      await db.write('test', (tx) => tx.idempotency.release(scope, 'b', { keep: true }));
      expect(await claim('c', { requestHash: 'another' })).toEqual({ isOurs: true, requestId: 'r-b' });
    });

    it('are freed all at once when nobody can be at work on them', async () => {
      const { db } = t;
      await claim('a');
      const done = { user: 'ada', key: 'done' };
      await claim('b', {}, done);
      await db.write('test', (tx) => tx.idempotency.finish(done, 'b', answer));
      await t.passTime(5);
      expect(await db.write('test', (tx) => tx.idempotency.endClaims())).toBe(1);
      expect(await db.write('test', (tx) => tx.idempotency.renew(scope, 'a', 60_000))).toBe(false);
      expect(await claim('c')).toEqual({ isOurs: true, requestId: 'r-a' });
      expect((await db.read.idempotency.find(done, keptMs))?.answer).toEqual(answer);
    });

    it('are forgotten in the end', async () => {
      const { db } = t;
      await claim('a');
      await db.write('test', (tx) => tx.idempotency.finish(scope, 'a', answer));
      await t.passTime(30);
      expect(await db.read.idempotency.find(scope, 20)).toBeUndefined();
      expect(await claim('b', { requestHash: 'another', keptMs: 20 })).toEqual({ isOurs: true, requestId: 'r-b' });
      expect(await db.write('test', (tx) => tx.idempotency.purge(keptMs))).toBe(0);
      await t.passTime(30);
      expect(await db.write('test', (tx) => tx.idempotency.purge(20))).toBe(1);
      expect(await db.read.idempotency.find(scope, keptMs)).toBeUndefined();
    });

    it('are given to one of many that come at once, and undone with their transaction', async () => {
      const { db } = t;
      const claims = await Promise.all(Array.from({ length: 8 }, () => claim(newUuid())));
      expect(claims.filter((c) => c.isOurs).length).toBe(1);
      const other = { user: 'ada', key: 'undone' };
      const undone = db.write('test', async (tx) => {
        await tx.idempotency.claim(other, claimOf('a'));
        throw new Error('no');
      });
      expect(await codeOf(undone)).toContain('no');
      expect(await db.read.idempotency.find(other, keptMs)).toBeUndefined();
    });
  });
}
