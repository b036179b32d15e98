import { createHmac } from 'node:crypto';
import { asNodeId, type JsonObject, type NewEvent } from '@bessemer/core';
import type { Db, Repositories } from '@bessemer/db';
import { memoryDb } from '@bessemer/db/testing';
import { silentLog } from '@bessemer/ports';
import { ManualClock, seededRandom, settle } from '@bessemer/ports/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createWebhookDelivery, type WebhookDeliveryService } from './delivery.ts';
import type { SendResult, WebhookSender } from './http-sender.ts';

type Sent = Parameters<WebhookSender['send']>[0];
const OK: SendResult = { status: 204 };
const REFUSED: SendResult = { status: null, error: 'connect ECONNREFUSED' };

let clock: ManualClock;
let db: Db;
const services: WebhookDeliveryService[] = [];
const random = seededRandom(11);
beforeEach(async () => {
  clock = new ManualClock();
  db = await memoryDb({ clock });
});
afterEach(async () => {
  await Promise.all(services.splice(0).map((s) => s.stop()));
  await db.close();
});

/** A receiver that answers as told, and what it was sent. */
function receiver(answer: (sent: Sent, n: number) => SendResult | Promise<SendResult> = () => OK) {
  const sent: Sent[] = [];
  const waiting: Array<() => void> = [];
  const sender: WebhookSender = {
    async send(request) {
      sent.push(request);
      const result = answer(request, sent.length);
      for (const wake of waiting.splice(0)) wake();
      return result;
    },
    close() {},
  };
  return {
    sent,
    sender,
    numbers: () => sent.map((s) => (JSON.parse(s.body) as { data: { n: number } }).data.n),
    async until(count: number): Promise<void> {
      while (sent.length < count) await new Promise<void>((resolve) => waiting.push(resolve));
    },
  };
}
function serve(sender: WebhookSender, over: Db = db): WebhookDeliveryService {
  const service = createWebhookDelivery({ db: over, clock, random, log: silentLog, sender });
  services.push(service);
  void service.start();
  return service;
}
async function addHook(more: object = {}): Promise<string> {
  const uuid = random.uuid();
  await db.write('hook', async (tx) => {
    await tx.webhooks.create({ uuid, url: 'http://hook/', cursor: await tx.events.head(), ...more });
    await tx.events.append({ type: 'machine.unknown', nodeUuid: null, runId: null, data: {} });
  });
  return uuid;
}
const append = (...events: Array<Partial<NewEvent> & { n: number }>) =>
  db.write('events', async (tx) => {
    for (const { n, ...more } of events)
      await tx.events.append({ type: 'step.done', nodeUuid: null, runId: null, data: { n }, ...more });
  });
const only = { events: ['step.done'] };
/** Until nothing goes on that needs no time. */
async function quiet(): Promise<void> {
  for (let i = 0; i < 10; i++) await settle();
}
const write = <T>(fn: (tx: Repositories) => Promise<T>) => db.write('test', fn);

describe('delivery to a webhook', () => {
  it('sends what comes after it was made, in order, signed', async () => {
    await append({ n: 0 });
    const uuid = await addHook({ ...only, secret: 'geheim' });
    const to = receiver();
    serve(to.sender);
    await append({ n: 1, severity: 'warning' }, { n: 2 });
    await append({ n: 3 });
    await to.until(3);
    await quiet();
    expect(to.numbers()).toEqual([1, 2, 3]);
    const [first] = to.sent;
    const message = JSON.parse(first!.body) as JsonObject;
    expect(message).toEqual({
      id: message['id'],
      type: 'step.done',
      node_uuid: null,
      run_id: null,
      severity: 'warning',
      at: '2026-01-01T00:00:00.000000+00:00',
      data: { n: 1 },
    });
    const seconds = Date.UTC(2026, 0, 1) / 1000;
    const hmac = createHmac('sha256', 'geheim').update(`${seconds}.${first!.body}`).digest('hex');
    expect(first!.headers).toEqual({
      'Content-Type': 'application/json',
      'User-Agent': 'bessemer-webhook/1',
      'Bessemer-Webhook': uuid,
      'Bessemer-Event': 'step.done',
      'Bessemer-Event-Id': message['id'],
      'Bessemer-Attempt': '1',
      'Bessemer-Signature': `t=${seconds},v1=${hmac}`,
    });
    expect(await db.read.webhooks.delivery(uuid)).toMatchObject({ delivered: 3, deadLetters: 0, lastStatus: 204 });
  });

  it('cuts what is too large for anybody', async () => {
    await addHook(only);
    const to = receiver();
    serve(to.sender);
    await append({ n: 1, data: { output: 'x'.repeat(300_000) } });
    await to.until(1);
    expect(JSON.parse(to.sent[0]!.body)).toMatchObject({ type: 'step.done', data: { is_cut: true } });
  });

  it('sends what its filters let through', async () => {
    const [a, b] = [asNodeId(random.uuid()), asNodeId(random.uuid())];
    await write(async (tx) => {
      await tx.nodes.create({ uuid: a, driver: 'x', name: 'r1-01' });
      await tx.nodes.create({ uuid: b, driver: 'x', name: 'r1-02' });
    });
    await addHook({ events: ['step.*', 'run.finished'], nodes: 'r1-[01-09],-r1-02', severity: 'warning' });
    const to = receiver();
    serve(to.sender);
    const severity = 'error' as const;
    await append({ n: 1, nodeUuid: a }, { n: 2, nodeUuid: b, severity }, { n: 3, severity });
    await append({ n: 4, nodeUuid: a, severity }, { n: 5, nodeUuid: a, severity, type: 'node.created' });
    await append({ n: 6, nodeUuid: a, severity: 'warning', type: 'run.finished' });
    await to.until(2);
    await quiet();
    expect(to.numbers()).toEqual([4, 6]);
  });

  it('tries again with growing pauses, and keeps the order', async () => {
    const uuid = await addHook(only);
    const to = receiver((_sent, n) => (n <= 3 ? REFUSED : OK));
    serve(to.sender);
    await append({ n: 1 }, { n: 2 });
    const triedAt: number[] = [];
    for (let count = 1; count <= 4; count++) {
      await to.until(count);
      triedAt.push(clock.monotonicMs());
      await quiet();
      if (count < 4) {
        expect(await db.read.webhooks.delivery(uuid)).toMatchObject({
          attempts: count,
          lastError: 'connect ECONNREFUSED',
        });
        await clock.advance(clock.nextTimerInMs()!);
      }
    }
    await to.until(5);
    expect(to.numbers()).toEqual([1, 1, 1, 1, 2]);
    expect(to.sent.map((s) => s.headers['Bessemer-Attempt'])).toEqual(['1', '2', '3', '4', '1']);
    const pauses = triedAt.slice(1).map((at, i) => at - triedAt[i]!);
    for (const [i, meant] of [1_000, 5_000, 25_000].entries()) {
      expect(pauses[i]).toBeGreaterThanOrEqual(meant * 0.8);
      expect(pauses[i]).toBeLessThanOrEqual(meant * 1.2);
    }
  });

  it('lays an event aside after eight attempts, goes on, and switches off what never answers', async () => {
    const uuid = await addHook(only);
    let isUp = false;
    const to = receiver(() => (isUp ? OK : { status: 302 }));
    serve(to.sender);
    await append(...[1, 2, 3, 4, 5, 6].map((n) => ({ n })));
    await to.until(1);
    while ((await db.read.webhooks.find(uuid))!.enabled) await clock.advance(60_000);
    expect(to.numbers()).toEqual([1, 2, 3, 4, 5].flatMap((n) => Array.from({ length: 8 }, () => n)));
    const hook = await db.read.webhooks.find(uuid);
    expect(hook?.disabledReason).toBe(
      '5 events in a row could not be delivered, the last one because: answered 302: redirects are not followed.',
    );
    const [off] = await db.read.events.listLast({ types: ['webhook.disabled'] }, 1);
    expect(off).toMatchObject({ severity: 'error', data: { webhook: uuid, reason: hook?.disabledReason } });
    const letters = await db.read.webhooks.listDeadLetters(uuid, 0, 10);
    expect(letters.map((l) => [(l.event['data'] as { n: number }).n, l.attempts, l.status])).toEqual(
      [1, 2, 3, 4, 5].map((n) => [n, 8, 302]),
    );
    await clock.advance(3_600_000);
    expect(to.sent.length).toBe(40);

    // Switched on again it goes on where it was, and sends what was laid aside when it is told to.
    isUp = true;
    await write(async (tx) => {
      await tx.webhooks.update(uuid, { enabled: true });
      await tx.webhooks.redeliver(uuid, [letters[1]!.id, letters[3]!.id]);
      await tx.events.append({ type: 'webhook.changed', nodeUuid: null, runId: null, data: {} });
    });
    await to.until(43);
    await quiet();
    expect(to.numbers().slice(40)).toEqual([2, 4, 6]);
    expect(to.sent.slice(40).map((s) => s.headers['Bessemer-Redelivery'])).toEqual(['true', 'true', undefined]);
    expect(to.sent[40]!.headers).toMatchObject({ 'Bessemer-Attempt': '9' });
    expect((await db.read.webhooks.delivery(uuid))?.deadLetters).toBe(3);
  });

  it('leaves a dead letter where it is when it is refused once more', async () => {
    const uuid = await addHook(only);
    await write(async (tx) => {
      await tx.webhooks.lease(uuid, 'x', 1);
      const lost = { status: null, error: 'e', event: { id: '0-1', data: { n: 7 } }, cursor: '0-1', kept: 9 };
      await tx.webhooks.giveUp(uuid, 'x', lost);
      await tx.webhooks.redeliver(uuid);
      await tx.webhooks.endLeases('x');
    });
    const to = receiver(() => ({ status: 500 }));
    serve(to.sender);
    await to.until(1);
    await quiet();
    await clock.advance(120_000);
    expect(to.numbers()).toEqual([7]);
    expect(await db.read.webhooks.listDeadLetters(uuid, 0, 9)).toMatchObject([
      { attempts: 2, error: 'answered 500', isDue: false },
    ]);
  });

  it('switches off at once who says that it is gone', async () => {
    const uuid = await addHook(only);
    const to = receiver(() => ({ status: 410 }));
    serve(to.sender);
    await append({ n: 1 }, { n: 2 });
    await to.until(1);
    await quiet();
    expect(await db.read.webhooks.find(uuid)).toMatchObject({
      enabled: false,
      disabledReason: 'The receiver says that it is gone (410).',
    });
    expect(to.sent.length).toBe(1);
    expect((await db.read.webhooks.delivery(uuid))?.deadLetters).toBe(1);
  });

  it('holds up nobody else: one that hangs has its own time', async () => {
    const gate = Promise.withResolvers<SendResult>();
    await addHook({ ...only, url: 'http://slow/' });
    await addHook({ ...only, url: 'http://quick/' });
    const to = receiver((sent) => (sent.url === 'http://slow/' ? gate.promise : OK));
    serve(to.sender);
    await append({ n: 1 }, { n: 2 }, { n: 3 });
    await to.until(4);
    expect(to.sent.filter((s) => s.url === 'http://quick/').length).toBe(3);
    gate.resolve(OK);
    await to.until(6);
  });

  it('takes a change to heart before the next event', async () => {
    const uuid = await addHook(only);
    const gate = Promise.withResolvers<SendResult>();
    const to = receiver((_sent, n) => (n === 1 ? gate.promise : OK));
    serve(to.sender);
    await append({ n: 1 }, { n: 2 }, { n: 3, severity: 'error' });
    await to.until(1);
    await write((tx) => tx.webhooks.update(uuid, { url: 'http://new/', severity: 'error' }));
    gate.resolve(OK);
    await to.until(2);
    await quiet();
    expect(to.sent.map((s) => s.url)).toEqual(['http://hook/', 'http://new/']);
    expect(to.numbers()).toEqual([1, 3]);
  });
});

describe('several processes and crashes', () => {
  it('one of two processes delivers, and the other goes on when it ends', async () => {
    await addHook(only);
    const [one, two] = [receiver(), receiver()];
    const first = serve(one.sender);
    await append({ n: 1 });
    await one.until(1);
    serve(two.sender);
    await append({ n: 2 }, { n: 3 });
    await one.until(3);
    await quiet();
    expect(two.sent).toEqual([]);
    await first.stop();
    await append({ n: 4 });
    await two.until(1);
    expect([one.numbers(), two.numbers()]).toEqual([[1, 2, 3], [4]]);
  });

  it('the lease of a process that died runs out, and no event is lost', async () => {
    const uuid = await addHook(only);
    let isDead = false;
    const mortal: Db = {
      ...db,
      write: (name, fn) => (isDead ? new Promise<never>(() => {}) : db.write(name, fn)),
    };
    const one = receiver((_sent, n) => {
      // Killed between the receiver's answer and its own record of it.
      if (n === 2) isDead = true;
      return OK;
    });
    const dying = createWebhookDelivery({ db: mortal, clock, random, log: silentLog, sender: one.sender });
    await dying.start();
    await append({ n: 1 }, { n: 2 }, { n: 3 });
    await one.until(2);
    const two = receiver();
    serve(two.sender);
    await quiet();
    expect(two.sent).toEqual([]);
    await clock.advance(61_000);
    await two.until(2);
    // Twice is possible, never is not.
    expect([one.numbers(), two.numbers()]).toEqual([
      [1, 2],
      [2, 3],
    ]);
    expect((await db.read.webhooks.delivery(uuid))?.delivered).toBe(3);
  });

  it('the only process of a database waits for no lease', async () => {
    const uuid = await addHook(only);
    await write((tx) => tx.webhooks.lease(uuid, 'a process that died', 60_000));
    const to = receiver();
    const service = createWebhookDelivery({
      db,
      clock,
      random,
      log: silentLog,
      sender: to.sender,
      isOnlyProcess: true,
    });
    services.push(service);
    await service.start();
    await append({ n: 1 });
    await to.until(1);
    expect(to.numbers()).toEqual([1]);
  });

  it('a slow attempt does not outlive its lease', async () => {
    await addHook(only);
    const one = receiver(async () => {
      await clock.advance(45_000);
      return OK;
    });
    serve(one.sender);
    await append({ n: 1 }, { n: 2 }, { n: 3 });
    await one.until(3);
    await quiet();
    expect(one.numbers()).toEqual([1, 2, 3]);
  });

  it('what is being sent when the service ends is sent again', async () => {
    const uuid = await addHook(only);
    const one = receiver(
      (sent) =>
        new Promise((resolve) =>
          sent.signal.addEventListener('abort', () => resolve({ status: null, error: 'the service ends' })),
        ),
    );
    const first = serve(one.sender);
    await append({ n: 1 });
    await one.until(1);
    await first.stop();
    expect(await db.read.webhooks.delivery(uuid)).toMatchObject({ attempts: 0, lastError: null, lease: null });
    const two = receiver();
    serve(two.sender);
    await two.until(1);
    expect(two.numbers()).toEqual([1]);
    expect(two.sent[0]!.headers['Bessemer-Attempt']).toBe('1');
  });

  it('a database that fails is asked again later', async () => {
    await addHook(only);
    let isAway = true;
    const flaky: Db = {
      ...db,
      read: {
        ...db.read,
        webhooks: {
          ...db.read.webhooks,
          get: (uuid) => (isAway ? Promise.reject(new Error('away')) : db.read.webhooks.get(uuid)),
        },
      },
    };
    const to = receiver();
    serve(to.sender, flaky);
    await append({ n: 1 });
    await quiet();
    expect(to.sent).toEqual([]);
    isAway = false;
    await clock.advance(31_000);
    await to.until(1);
  });
});
