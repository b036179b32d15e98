import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { codeOf, newUuid } from './fixtures.ts';
import type { DbUnderTest, MakeDb } from './fixtures.ts';

export function describeWebhooks(make: MakeDb): void {
  let t: DbUnderTest;
  beforeEach(async () => void (t = await make()));
  afterEach(() => t.db.close());
  const url = 'http://127.0.0.1/';
  const add = async (more: object = {}): Promise<string> => {
    const uuid = newUuid();
    await t.db.write('test', (tx) => tx.webhooks.create({ uuid, url, cursor: '0-0', ...more }));
    return uuid;
  };
  const write = <T>(fn: (webhooks: Parameters<Parameters<typeof t.db.write>[1]>[0]['webhooks']) => Promise<T>) =>
    t.db.write('test', (tx) => fn(tx.webhooks));

  describe('webhooks', () => {
    it('are made, found, listed, changed and removed', async () => {
      const { read } = t.db;
      const uuid = await add({ name: 'a', events: ['node.*'], nodes: 'n[1-2]', severity: 'error', secret: 'geheim' });
      const hook = await read.webhooks.find('a');
      expect(hook).toMatchObject({
        uuid,
        name: 'a',
        url,
        events: ['node.*'],
        nodes: 'n[1-2]',
        severity: 'error',
        secret: 'geheim',
        enabled: true,
        disabledReason: null,
        updatedAt: null,
      });
      expect(await read.webhooks.find(uuid.toUpperCase())).toEqual(hook);
      expect(await read.webhooks.find('b')).toBeUndefined();
      const other = await add();
      expect(await read.webhooks.find(other)).toMatchObject({ name: null, events: [], nodes: null, secret: null });
      expect((await read.webhooks.list({ limit: 1 })).map((w) => w.uuid)).toEqual([uuid]);
      expect((await read.webhooks.list({ limit: 5, marker: uuid })).map((w) => w.uuid)).toEqual([other]);
      const changed = await write((w) => w.update(uuid, { url: 'http://127.0.0.2/', secret: null, enabled: false }));
      expect(changed).toMatchObject({ url: 'http://127.0.0.2/', secret: null, enabled: false, name: 'a' });
      expect((await read.webhooks.listEnabled()).map((w) => w.uuid)).toEqual([other]);
      expect(await codeOf(write((w) => w.update(other, { name: 'a' })))).toBe('WEBHOOK_ALREADY_EXISTS');
      expect(await codeOf(add({ name: 'a' }))).toBe('WEBHOOK_ALREADY_EXISTS');
      expect(await codeOf(write((w) => w.update(newUuid(), {})))).toBe('WEBHOOK_NOT_FOUND');
      await write((w) => w.remove(uuid));
      expect(await codeOf(write((w) => w.remove(uuid)))).toBe('WEBHOOK_NOT_FOUND');
    });

    it('are delivered by one at a time', async () => {
      const uuid = await add();
      expect(await write((w) => w.lease(uuid, 'a', 60_000))).toBe(true);
      expect(await write((w) => w.lease(uuid, 'b', 60_000))).toBe(false);
      expect(await write((w) => w.delivered(uuid, 'b', '0-1', 200))).toBe(false);
      expect(await write((w) => w.delivered(uuid, 'a', '0-1', 200))).toBe(true);
      expect(await write((w) => w.lease(uuid, 'a', 10))).toBe(true);
      await t.passTime(30);
      expect(await write((w) => w.lease(uuid, 'b', 60_000))).toBe(true);
      expect(await write((w) => w.failed(uuid, 'a', { status: null, error: 'x', retryInMs: 1 }))).toBe(false);
      await write((w) => w.endLeases('b'));
      expect(await write((w) => w.lease(uuid, 'a', 60_000))).toBe(true);
      expect(await t.db.read.webhooks.get(uuid)).toMatchObject({ cursor: '0-1', delivered: 1, lease: 'a' });
      await write((w) => w.endLeases());
      expect(await write((w) => w.lease(uuid, 'b', 60_000))).toBe(true);
    });

    it('count what fails, lay it aside and go on, and begin anew when they are changed', async () => {
      const { read } = t.db;
      const uuid = await add();
      await write((w) => w.lease(uuid, 'a', 60_000));
      await write((w) => w.failed(uuid, 'a', { status: 500, error: 'answered 500', retryInMs: 5_000 }));
      const after = await read.webhooks.get(uuid);
      expect(after).toMatchObject({
        attempts: 1,
        failures: 0,
        lastStatus: 500,
        lastError: 'answered 500',
        cursor: '0-0',
      });
      expect(after!.nextAttemptAt! - (await t.db.now())).toBeGreaterThan(3_000);
      const lost = (n: number) => ({ status: null, error: 'refused', event: { n }, cursor: `0-${n}`, kept: 2 });
      for (const n of [1, 2, 3]) expect(await write((w) => w.giveUp(uuid, 'a', lost(n)))).toBe(true);
      expect(await write((w) => w.giveUp(uuid, 'b', lost(4)))).toBe(false);
      expect(await read.webhooks.get(uuid)).toMatchObject({
        attempts: 0,
        failures: 3,
        cursor: '0-3',
        nextAttemptAt: null,
      });
      expect(await read.webhooks.delivery(uuid)).toMatchObject({ deadLetters: 2, lastError: 'refused' });
      expect(await read.webhooks.delivery(newUuid())).toBeUndefined();
      expect(await write((w) => w.disable(uuid, 'a', 'nobody listens'))).toBe(true);
      expect(await read.webhooks.find(uuid)).toMatchObject({ enabled: false, disabledReason: 'nobody listens' });
      await write((w) => w.update(uuid, { enabled: true }));
      expect(await read.webhooks.get(uuid)).toMatchObject({ enabled: true, disabledReason: null, failures: 0 });
    });

    it('keep what could not be delivered until somebody asks for it again, or drops it', async () => {
      const { read } = t.db;
      const [uuid, other] = [await add(), await add()];
      for (const of of [uuid, other]) {
        await write((w) => w.lease(of, 'a', 60_000));
        for (const n of [1, 2, 3])
          await write((w) =>
            w.giveUp(of, 'a', { status: 404, error: 'answered 404', event: { n }, cursor: `0-${n}`, kept: 10 }),
          );
      }
      const [one, two, three] = await read.webhooks.listDeadLetters(uuid, 0, 10);
      expect([one, two, three]).toMatchObject(
        [1, 2, 3].map((n) => ({ event: { n }, attempts: 1, status: 404, isDue: false })),
      );
      expect(await read.webhooks.listDeadLetters(uuid, one!.id, 1)).toEqual([two]);
      expect(await read.webhooks.nextDue(uuid)).toBeUndefined();
      expect(await write((w) => w.redeliver(uuid, [two!.id, 999_999]))).toBe(1);
      expect((await read.webhooks.nextDue(uuid))?.id).toBe(two!.id);
      const failure = { status: 500, error: 'answered 500' };
      expect(await write((w) => w.deadLetterFailed(uuid, 'a', two!.id, failure))).toBe(true);
      expect((await read.webhooks.listDeadLetters(uuid, one!.id, 1))[0]).toMatchObject({
        attempts: 2,
        isDue: false,
        ...failure,
      });
      expect(await write((w) => w.redeliver(uuid))).toBe(3);
      expect(await write((w) => w.deadLetterDelivered(uuid, 'b', one!.id, 200))).toBe(false);
      expect(await write((w) => w.deadLetterDelivered(uuid, 'a', one!.id, 200))).toBe(true);
      expect((await read.webhooks.nextDue(uuid))?.id).toBe(two!.id);
      expect(await write((w) => w.dropDeadLetters(uuid, [two!.id]))).toBe(1);
      expect(await write((w) => w.dropDeadLetters(uuid))).toBe(1);
      expect(await read.webhooks.delivery(uuid)).toMatchObject({ deadLetters: 0, delivered: 1 });
      expect(await read.webhooks.delivery(other)).toMatchObject({ deadLetters: 3 });
      await write((w) => w.remove(other));
      expect(await read.webhooks.listDeadLetters(other, 0, 10)).toEqual([]);
    });
  });
}
