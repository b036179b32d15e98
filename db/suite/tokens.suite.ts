import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { codeOf, newUuid } from './fixtures.ts';
import type { DbUnderTest, MakeDb } from './fixtures.ts';

export function describeTokens(make: MakeDb): void {
  let t: DbUnderTest;
  beforeEach(async () => void (t = await make()));
  afterEach(() => t.db.close());

  describe('tokens', () => {
    const add = (name: string, more: { project?: string; lifeMs?: number; sha256?: string } = {}) =>
      t.db.write('test', async (tx) =>
        tx.tokens.create({
          uuid: newUuid(),
          name,
          sha256: more.sha256 ?? name.padEnd(64, '0'),
          role: 'member',
          project: more.project ?? null,
          createdBy: 'admin',
          expiresAt: more.lifeMs === undefined ? null : (await t.db.now()) + more.lifeMs,
        }),
      );

    it('are found by what they are until they expire or are removed', async () => {
      const { db } = t;
      const kept = await add('kept', { sha256: 'a'.repeat(64) });
      const short = await add('short', { sha256: 'b'.repeat(64), lifeMs: 3_000 });
      expect(kept).toMatchObject({ name: 'kept', role: 'member', project: null, expiresAt: null, lastUsedAt: null });
      expect(await db.read.tokens.findOpen('a'.repeat(64))).toEqual(kept);
      expect(await db.read.tokens.findOpen('b'.repeat(64))).toEqual(short);
      expect(await db.read.tokens.findOpen('c'.repeat(64))).toBeUndefined();
      await t.passTime(3_100);
      expect(await db.read.tokens.findOpen('b'.repeat(64))).toBeUndefined();
      expect(await db.read.tokens.find('short')).toEqual(short);
      expect(await db.read.tokens.find(kept.uuid.toUpperCase())).toEqual(kept);
      await db.write('test', (tx) => tx.tokens.used(kept.uuid));
      expect((await db.read.tokens.find('kept'))?.lastUsedAt).toBeGreaterThanOrEqual(kept.createdAt);
      expect(await db.write('test', async (tx) => tx.tokens.purge(await db.now()))).toBe(1);
      await db.write('test', (tx) => tx.tokens.remove(kept.uuid));
      expect(await db.read.tokens.findOpen('a'.repeat(64))).toBeUndefined();
      expect(await codeOf(db.write('test', (tx) => tx.tokens.remove(kept.uuid)))).toBe('NOT_FOUND');
    });

    it('have names of their own and are listed by project', async () => {
      for (const [name, project] of [['one'], ['two', 'p'], ['three', 'q'], ['four', 'p']] as const)
        await add(name, project === undefined ? {} : { project });
      expect(await codeOf(add('two', { sha256: 'f'.repeat(64) }))).toBe('ALREADY_EXISTS');
      const names = async (visibleTo?: string, marker?: string) =>
        (
          await t.db.read.tokens.list(visibleTo === undefined ? {} : { visibleTo }, {
            limit: 10,
            ...(marker ? { marker } : {}),
          })
        ).map((token) => token.name);
      expect(await names()).toEqual(['one', 'two', 'three', 'four']);
      expect(await names('p')).toEqual(['two', 'four']);
      expect(await names('p', (await t.db.read.tokens.find('two'))!.uuid)).toEqual(['four']);
    });
  });
}
