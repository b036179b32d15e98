import type { NewEvent } from '@bessemer/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { codeOf, newNodeId, newRunId } from './fixtures.ts';
import type { DbUnderTest, MakeDb } from './fixtures.ts';

export function describeEventsAndTransactions(make: MakeDb): void {
  let t: DbUnderTest;
  beforeEach(async () => void (t = await make()));
  afterEach(() => t.db.close());
  const event = (n: number, more: Partial<NewEvent> = {}): NewEvent => ({
    type: 'step.done',
    nodeUuid: null,
    runId: null,
    data: { n },
    ...more,
  });
  const append = (...events: NewEvent[]) =>
    t.db.write('test', async (tx) => {
      for (const one of events) await tx.events.append(one);
    });
  const numbers = (events: readonly { data: { [key: string]: unknown } }[]) => events.map((e) => e.data['n']);

  describe('events', () => {
    it('are read in order after a cursor, by filter', async () => {
      const { read } = t.db;
      const [nodeUuid, runId] = [newNodeId(), newRunId()];
      const start = await read.events.head();
      expect(await read.events.listAfter(start, {}, 10)).toEqual([]);
      await append(event(1), event(2, { nodeUuid }));
      await append(event(3, { runId, severity: 'error' }), event(4, { type: 'run.finished', nodeUuid }));
      const all = await read.events.listAfter(undefined, {}, 10);
      expect(numbers(all)).toEqual([1, 2, 3, 4]);
      expect(numbers(await read.events.listAfter(start, {}, 10))).toEqual([1, 2, 3, 4]);
      expect(numbers(await read.events.listAfter(all[1]!.cursor, {}, 1))).toEqual([3]);
      expect(await read.events.head()).toBe(all[3]!.cursor);
      expect(numbers(await read.events.listAfter(undefined, { nodeUuid }, 10))).toEqual([2, 4]);
      expect(numbers(await read.events.listAfter(undefined, { runId }, 10))).toEqual([3]);
      expect(numbers(await read.events.listAfter(undefined, { nodeUuid, types: ['run.finished'] }, 10))).toEqual([4]);
      expect(numbers(await read.events.listAfter(undefined, { types: [] }, 10))).toEqual([]);
      expect(numbers(await read.events.listLast({}, 2))).toEqual([3, 4]);
      expect(all[2]).toMatchObject({ type: 'step.done', runId, nodeUuid: null, severity: 'error', data: { n: 3 } });
      expect(Math.abs(all[0]!.at - (await t.db.now()))).toBeLessThan(60_000);
    });

    it('are found by the names of their nodes, ranges of severities, and all at once', async () => {
      const { db } = t;
      const [a, b, gone] = [newNodeId(), newNodeId(), newNodeId()];
      await db.write('test', async (tx) => {
        await tx.nodes.create({ uuid: a, driver: 'x', name: 'a' });
        await tx.nodes.create({ uuid: b, driver: 'x' });
      });
      await append(event(1, { nodeUuid: a }), event(2, { nodeUuid: b, severity: 'warning' }), event(3));
      await append(event(4, { nodeUuid: gone }));
      await append({ type: 'node.deleted', nodeUuid: gone, runId: null, data: { n: 5, name: 'gone' } });
      await append(event(6, { nodeUuid: a, severity: 'error' }));
      const of = async (filter: object) => numbers(await db.read.events.listAfter(undefined, filter, 10));
      expect(await of({ nodes: ['a'] })).toEqual([1, 6]);
      expect(await of({ nodes: [b.toUpperCase(), 'a', 'nobody'] })).toEqual([1, 2, 6]);
      expect(await of({ nodes: ['gone'] })).toEqual([5]);
      expect(await of({ nodes: [gone] })).toEqual([4, 5]);
      expect(await of({ nodes: [] })).toEqual([]);
      expect(await of({ severities: ['warning', 'error'] })).toEqual([2, 6]);
      expect(await of({ nodes: ['a'], severities: ['error'], types: ['step.done'] })).toEqual([6]);
      await db.write('test', (tx) => tx.nodes.update(a, { name: 'renamed' }));
      expect(await of({ nodes: ['renamed'] })).toEqual([1, 6]);
    });

    it('refuse what is no cursor', async () => {
      for (const cursor of ['', 'x', '1', '1-', '-1', '1-2-3', '1-x', '99999999999999999999-1', "0-0'"])
        expect(await codeOf(t.db.read.events.listAfter(cursor, {}, 1)), cursor).toBe('INVALID_PARAMETER');
    });

    it('are purged from the oldest, and cursors go on growing', async () => {
      await append(...Array.from({ length: 10 }, (_, i) => event(i)));
      const before = await t.db.read.events.head();
      expect(await t.db.write('test', (tx) => tx.events.purge(3))).toBe(7);
      expect(numbers(await t.db.read.events.listAfter(undefined, {}, 10))).toEqual([7, 8, 9]);
      expect(await t.db.write('test', (tx) => tx.events.purge(3))).toBe(0);
      expect(await t.db.write('test', (tx) => tx.events.purge(0))).toBe(3);
      expect(await t.db.read.events.listAfter(undefined, {}, 10)).toEqual([]);
      await append(event(11));
      expect(numbers(await t.db.read.events.listAfter(before, {}, 10))).toEqual([11]);
    });

    it('ring the bell after their commit, and only then', async () => {
      const { db } = t;
      const seen: unknown[][] = [];
      let stop = () => {};
      // A bell may ring more often than there are events (a listener that reconnects is rung too), but what it calls to is committed.
      const rungForTheEvent = new Promise<void>((resolve) => {
        stop = db.onEvents(() => {
          void db.read.events.listLast({}, 10).then((stored) => {
            seen.push(numbers(stored));
            if (numbers(stored).includes(2)) resolve();
          });
          throw new Error('a listener that throws hurts nobody');
        });
      });
      await db.write('test', (tx) => tx.settings.put('a', 'b'));
      await codeOf(
        db.write('test', async (tx) => {
          await tx.events.append(event(1));
          throw new Error('no');
        }),
      );
      expect(seen.flat()).toEqual([]);
      await append(event(2));
      await rungForTheEvent;
      expect(new Set(seen.flat())).toEqual(new Set([2]));
      stop();
    });
  });

  describe('transactions', () => {
    it('roll back what threw, and nothing else', async () => {
      const { db } = t;
      const put = (name: string, fails: boolean) =>
        db.write(name, async (tx) => {
          await tx.settings.put(name, name);
          if (fails) throw new Error(`${name} fails`);
          return name;
        });
      const outcomes = await Promise.allSettled([put('a', false), put('b', true), put('c', false)]);
      expect(outcomes.map((o) => (o.status === 'fulfilled' ? o.value : String(o.reason)))).toEqual([
        'a',
        'Error: b fails',
        'c',
      ]);
      const read = (name: string) => db.read.settings.get(name);
      expect([await read('a'), await read('b'), await read('c')]).toEqual(['a', undefined, 'c']);
    });

    it('show nothing to readers before they are committed', async () => {
      const { db } = t;
      const entered = Promise.withResolvers<void>();
      const seen: unknown[] = [];
      const write = codeOf(
        db.write('test', async (tx) => {
          await tx.settings.put('a', 'uncommitted');
          entered.resolve();
          for (let i = 0; i < 20; i++) await tx.settings.get('a');
          throw new Error('no');
        }),
      );
      await entered.promise;
      seen.push(await db.read.settings.get('a'));
      await write;
      expect(seen).toEqual([undefined]);
    });

    it('lose no update when many run at once', async () => {
      const { db } = t;
      await db.write('test', (tx) => tx.settings.put('n', '0'));
      const ids = Array.from({ length: 20 }, newNodeId);
      await Promise.all(
        ids.map((uuid, i) =>
          db.write('test', async (tx) => {
            await tx.nodes.create({ uuid, driver: 'x', name: `n${i}` });
            await tx.events.append(event(i));
          }),
        ),
      );
      expect(await db.read.nodes.count({})).toBe(20);
      expect((await db.read.events.listAfter(undefined, {}, 100)).length).toBe(20);
    });

    it('with a snapshot overwrite nothing that was changed since they read it', async () => {
      const { db } = t;
      const uuid = newNodeId();
      await db.write('test', (tx) => tx.nodes.create({ uuid, driver: 'x', extra: { n: 0 } }));
      const bothHaveRead = Promise.withResolvers<void>();
      let readers = 0;
      const isOneByOne = db.engine === 'sqlite';
      const add = () =>
        db.write(
          'add',
          async (tx) => {
            const n = Number((await tx.nodes.get(uuid))?.extra['n']);
            if (++readers === 2) bothHaveRead.resolve();
            if (!isOneByOne) await bothHaveRead.promise;
            await tx.nodes.update(uuid, { extra: { n: n + 1 } });
          },
          { snapshot: true },
        );
      await Promise.all([add(), add()]);
      const node = await db.read.nodes.get(uuid);
      expect(node?.extra).toEqual({ n: 2 });
      expect(readers).toBe(isOneByOne ? 2 : 3);
    });

    it('give a changed row a time of its own', async () => {
      const { db } = t;
      const uuid = newNodeId();
      await db.write('test', (tx) => tx.nodes.create({ uuid, driver: 'x' }));
      const times = await db.write('test', async (tx) => {
        const seen: Array<number | null> = [];
        for (const n of [1, 2, 3]) seen.push((await tx.nodes.update(uuid, { extra: { n } })).updatedAt);
        return seen;
      });
      expect(new Set(times).size).toBe(3);
      expect(times).toEqual(times.toSorted());
    });

    it('refuse to wait for themselves, to write through read, and to be used after their end', async () => {
      const { db } = t;
      await expect(db.write('outer', () => db.write('inner', async () => 1))).rejects.toThrow(
        /inside db.write\('outer'\)/,
      );
      await expect(db.write('outer', () => db.read.settings.get('a'))).rejects.toThrow(/use the tx/);
      await expect(db.read.settings.put('a', 'b')).rejects.toThrow(/db.read does not write/);
      await expect(db.read.nodes.reserve(newNodeId(), '' as never, '', '')).rejects.toThrow(/db.read does not write/);
      const leaked = await db.write('outer', async (tx) => ({ tx }));
      await expect(leaked.tx.settings.put('a', 'b')).rejects.toThrow(/is over/);
    });
  });
}
