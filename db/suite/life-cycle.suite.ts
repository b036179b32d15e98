import { STATES } from '@bessemer/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addNode, codeOf, heartbeat, newRun, newSession } from './fixtures.ts';
import type { DbUnderTest, MakeDb } from './fixtures.ts';

export function describeLifeCycle(make: MakeDb): void {
  let t: DbUnderTest;
  beforeEach(async () => void (t = await make()));
  afterEach(() => t.db.close());

  describe('provision states', () => {
    it('change by the rows of the table, with the event in the same transaction', async () => {
      const { db } = t;
      const uuid = await addNode(db, { lastError: 'old' });
      const process = (event: Parameters<typeof db.read.nodes.processEvent>[1], error?: string | null) =>
        db.write('test', (tx) => tx.nodes.processEvent(uuid, event, error === undefined ? {} : { error }));
      const first = await process('manage');
      expect(first).toMatchObject({ from: 'enroll', to: 'verifying', target: 'manageable' });
      expect(first.node).toMatchObject({
        provisionState: 'verifying',
        targetProvisionState: 'manageable',
        lastError: 'old',
      });
      expect(first.node.provisionUpdatedAt).not.toBeNull();
      expect((await process('fail', 'no answer')).node).toMatchObject({
        provisionState: 'enroll',
        targetProvisionState: null,
        lastError: 'no answer',
      });
      expect((await process('manage', null)).node.lastError).toBeNull();
      expect(await codeOf(process('deploy'))).toBe('INVALID_STATE');
      const events = await db.read.events.listAfter(undefined, { nodeUuid: uuid }, 10);
      expect(events.map((e) => [e.type, e.severity, e.data])).toEqual([
        ['node.provision_state', 'info', { from: 'enroll', to: 'verifying', event: 'manage', target: 'manageable' }],
        [
          'node.provision_state',
          'error',
          { from: 'verifying', to: 'enroll', event: 'fail', target: null, error: 'no answer' },
        ],
        ['node.provision_state', 'info', { from: 'enroll', to: 'verifying', event: 'manage', target: 'manageable' }],
      ]);
    });

    it('refuse an old fence and write nothing then', async () => {
      const { db } = t;
      const uuid = await addNode(db);
      const session = newSession();
      const one = await db.write('test', (tx) => tx.nodes.reserve(uuid, session, 'c', 'p'));
      const two = await db.write('test', (tx) => tx.nodes.reserve(uuid, session, 'c', 'p'));
      const process = (fence: number) => db.write('test', (tx) => tx.nodes.processEvent(uuid, 'manage', { fence }));
      expect(await codeOf(process(one!.fence))).toBe('STALE_FENCE');
      expect(await db.read.nodes.get(uuid)).toMatchObject({ provisionState: 'enroll' });
      expect(await db.read.events.listLast({}, 10)).toEqual([]);
      expect((await process(two!.fence)).to).toBe('verifying');
    });

    it('all fit the column', () => {
      expect(Object.keys(STATES).filter((name) => name.length > 15)).toEqual([]);
    });
  });

  describe('leases', () => {
    const reserve = (uuid: Parameters<typeof t.db.read.nodes.get>[0], session: ReturnType<typeof newSession>) =>
      t.db.write('test', (tx) => tx.nodes.reserve(uuid, session, `host of ${session}`, 'work'));

    it('are held by one live session, which may take a new fence', async () => {
      const uuid = await addNode(t.db);
      const [a, b] = [newSession(), newSession()];
      await heartbeat(t.db, a);
      await heartbeat(t.db, b);
      expect(await reserve(uuid, a)).toEqual({ session: a, conductor: `host of ${a}`, purpose: 'work', fence: 1 });
      expect(await reserve(uuid, b)).toBeUndefined();
      expect((await reserve(uuid, a))?.fence).toBe(2);
      expect((await t.db.read.nodes.get(uuid))?.reservation).toMatchObject({ session: a, fence: 2 });
      expect(await t.db.write('test', (tx) => tx.nodes.release(uuid, 1))).toBe(false);
      expect(await t.db.write('test', (tx) => tx.nodes.release(uuid, 2))).toBe(true);
      expect(await t.db.write('test', (tx) => tx.nodes.release(uuid, 2))).toBe(false);
      expect((await t.db.read.nodes.get(uuid))?.reservation).toBeNull();
      expect((await reserve(uuid, b))?.fence).toBe(3);
    });

    it('pass on when the session has expired, and only then', async () => {
      const uuid = await addNode(t.db);
      const [a, b] = [newSession(), newSession()];
      await heartbeat(t.db, a, 1);
      await reserve(uuid, a);
      await t.passTime(20);
      expect(await t.db.read.nodes.listOrphaned(10)).toMatchObject([{ uuid, reservation: { session: a, fence: 1 } }]);
      await heartbeat(t.db, b);
      expect((await reserve(uuid, b))?.fence).toBe(2);
      expect(await t.db.read.nodes.listOrphaned(10)).toEqual([]);
      expect(await heartbeat(t.db, a)).toBe(false);
      expect(await codeOf(t.db.write('test', (tx) => tx.nodes.update(uuid, { extra: { a: 1 } }, 1)))).toBe(
        'STALE_FENCE',
      );
      await t.db.write('test', (tx) => tx.nodes.update(uuid, { extra: { b: 1 } }, 2));
      expect((await t.db.read.nodes.get(uuid))?.extra).toEqual({ b: 1 });
    });

    it('of a dead session are no orphans while a run goes on under them', async () => {
      const uuid = await addNode(t.db);
      const a = newSession();
      await heartbeat(t.db, a);
      const { fence } = (await reserve(uuid, a))!;
      const { id } = await t.db.write('test', (tx) => tx.runs.create(newRun(uuid, fence)));
      await t.db.write('test', (tx) => tx.conductors.end(a));
      expect(await t.db.read.nodes.listOrphaned(10)).toEqual([]);
      // A younger lease is a word with the node beside its run.
      const b = newSession();
      await heartbeat(t.db, b);
      await reserve(uuid, b);
      await t.db.write('test', (tx) => tx.conductors.end(b));
      expect(await t.db.read.nodes.listOrphaned(10)).toMatchObject([{ uuid, reservation: { session: b } }]);
      await t.db.write('test', (tx) => tx.runs.update(id, fence, { state: 'failed', finishedAt: 1 }));
      expect((await t.db.read.nodes.listOrphaned(10)).map((orphan) => orphan.uuid)).toEqual([uuid]);
    });

    it('pass on at once from a session that was ended or never was', async () => {
      const uuid = await addNode(t.db);
      const [a, b, c] = [newSession(), newSession(), newSession()];
      await heartbeat(t.db, a);
      await reserve(uuid, a);
      await t.db.write('test', (tx) => tx.conductors.end(a));
      expect(await heartbeat(t.db, a)).toBe(false);
      expect((await t.db.read.nodes.listOrphaned(10)).length).toBe(1);
      expect((await reserve(uuid, b))?.fence).toBe(2);
      await heartbeat(t.db, c);
      expect((await reserve(uuid, c))?.fence).toBe(3);
    });

    it('end with the node, whose runs and events stay', async () => {
      const { db } = t;
      const uuid = await addNode(db, { name: 'gone' });
      await reserve(uuid, newSession());
      await db.write('test', (tx) => tx.nodes.processEvent(uuid, 'manage', {}));
      await db.write('test', (tx) => tx.nodes.setConfigDrive(uuid, 'x'));
      await db.write('test', (tx) => tx.nodes.remove(uuid));
      expect(await db.read.nodes.get(uuid)).toBeUndefined();
      expect(await db.read.nodes.listOrphaned(10)).toEqual([]);
      expect((await db.read.events.listLast({ nodeUuid: uuid }, 10)).length).toBe(1);
    });
  });
}
