import { OPERATIONS } from '@bessemer/api-spec';
import { resolveConfig, ServiceError } from '@bessemer/core';
import type { Db } from '@bessemer/db';
import { memoryDb } from '@bessemer/db/testing';
import { silentLog } from '@bessemer/ports';
import { ManualClock, seededRandom } from '@bessemer/ports/testing';
import type { RpcClient } from '@bessemer/rpc';
import { afterEach, describe, expect, it } from 'vitest';
import { createPerformer } from './perform.ts';
import type { ApiRequest, Handler } from './request.ts';
import { startApi, type TestApi } from './testing.ts';

const stops: Array<() => Promise<unknown>> = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});
async function start(options: Parameters<typeof startApi>[0] = {}): Promise<TestApi> {
  const api = await startApi(options);
  stops.push(() => api.stop());
  return api;
}
const keyed = (key: string) => ({ 'Idempotency-Key': key });
const nodesIn = (api: TestApi) => api.db.read.nodes.count({});

describe('a POST with an Idempotency-Key', () => {
  const body = { driver: 'fake-hardware', extra: { a: 1, b: 2 } };
  const post = (api: TestApi, key: string, of: object = body, path = '/v1/nodes') =>
    api.request('POST', path, { body: of, headers: keyed(key) });

  it('makes once what it makes, and answers as at the first time', async () => {
    const api = await start();
    const first = await post(api, 'one');
    const again = await post(api, 'one', { extra: { b: 2, a: 1 }, driver: 'fake-hardware' });
    expect([first.status, again.status]).toEqual([201, 201]);
    expect(again.text).toBe(first.text);
    for (const name of ['location', 'etag', 'content-type', 'x-openstack-ironic-api-version'])
      expect(again.headers.get(name), name).toBe(first.headers.get(name));
    expect(first.headers.get('idempotency-replayed')).toBeNull();
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(again.headers.get('openstack-request-id')).not.toBe(first.headers.get('openstack-request-id'));
    expect(await nodesIn(api)).toBe(1);
    expect((await post(api, 'two')).json['uuid']).not.toBe(first.json['uuid']);
    // It is the answer of then, whatever has become of the node.
    await api.request('DELETE', `/v1/nodes/${String(first.json['uuid'])}`);
    expect((await post(api, 'one')).text).toBe(first.text);
  });

  it('refuses the key of another request, and what is no key', async () => {
    const api = await start();
    await post(api, 'one');
    for (const other of [{ ...body, name: 'other' }, { driver: 'fake-hardware' }]) {
      const refused = await post(api, 'one', other);
      expect([refused.status, refused.fault]).toEqual([
        422,
        'This Idempotency-Key came with another request before: send the same request again, or take a fresh key.',
      ]);
    }
    expect((await post(api, 'one', {}, '/v1/chassis')).status).toBe(422);
    expect((await post(api, 'x'.repeat(256))).status).toBe(400);
    expect(await nodesIn(api)).toBe(1);
  });

  it('keeps no refusal: what was wrong may be put right under the same key', async () => {
    const api = await start();
    expect((await post(api, 'one', { ...body, driver: 'nobody-has-it' })).status).toBe(400);
    expect((await post(api, 'one')).status).toBe(201);
    expect((await post(api, 'two', { ...body, name: 'taken' })).status).toBe(201);
    expect((await post(api, 'three', { ...body, name: 'taken' })).status).toBe(409);
    await api.request('DELETE', '/v1/nodes/taken');
    expect((await post(api, 'three', { ...body, name: 'taken' })).status).toBe(201);
  });

  it('forgets after a day', async () => {
    const clock = new ManualClock();
    const api = await start({ clock });
    const first = await post(api, 'one');
    await clock.advance(86_399_000);
    expect((await post(api, 'one')).text).toBe(first.text);
    await clock.advance(2_000);
    await api.db.write('conductor', (tx) => tx.settings.put('a', 'b'));
    expect((await post(api, 'one', { ...body, driver: 'other' })).status).toBe(400);
  });

  it('is at work once: a repeat meanwhile is told to come back', async () => {
    const entered = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    const api = await start({
      around: (db): Db => ({
        ...db,
        async write(name, fn, options) {
          if (name === 'once.createNode') {
            entered.resolve();
            await gate.promise;
          }
          return db.write(name, fn, options);
        },
      }),
    });
    const first = post(api, 'one');
    await entered.promise;
    const meanwhile = await post(api, 'one');
    expect([meanwhile.status, meanwhile.fault]).toEqual([
      409,
      'The first request with this Idempotency-Key is still at work: ask again in a second for its answer.',
    ]);
    expect((await post(api, 'one', { driver: 'other' })).status).toBe(422);
    gate.resolve();
    const done = await first;
    expect(done.status).toBe(201);
    expect((await post(api, 'one')).text).toBe(done.text);
    expect(await nodesIn(api)).toBe(1);
  });

  it.each(['before the commit', 'after the commit'])('makes nothing twice when the service dies %s', async (when) => {
    let isDying = true;
    const api = await start({
      around: (db): Db => ({
        ...db,
        async write(name, fn, options) {
          const dies = isDying && name === 'once.createNode';
          if (!dies) return db.write(name, fn, options);
          isDying = false;
          if (when === 'after the commit') await db.write(name, fn, options);
          else await db.write(name, (tx) => fn(tx).then(() => Promise.reject(new Error('rolled back'))), options);
          throw new Error('the answer is lost');
        },
      }),
    });
    expect((await post(api, 'one')).status).toBe(500);
    expect(await nodesIn(api)).toBe(when === 'after the commit' ? 1 : 0);
    const again = await post(api, 'one');
    expect(again.status).toBe(201);
    expect(again.headers.get('idempotency-replayed')).toBe(when === 'after the commit' ? 'true' : null);
    expect(await nodesIn(api)).toBe(1);
    expect((await api.request('GET', `/v1/nodes/${String(again.json['uuid'])}`)).status).toBe(200);
  });

  it('means nothing on other methods', async () => {
    const api = await start();
    const node = await post(api, 'one');
    const path = `/v1/nodes/${String(node.json['uuid'])}`;
    for (const value of [1, 2]) {
      const reply = await api.request('PATCH', path, {
        body: [{ op: 'add', path: '/extra/a', value }],
        headers: keyed('one'),
      });
      expect((reply.json['extra'] as { a: number }).a).toBe(value);
    }
  });
});

describe('a POST that asks a conductor', () => {
  async function world(handler: Handler, options: { clock?: ManualClock; db?: Db } = {}) {
    const missing: Handler = async () => {
      throw new ServiceError('CHASSIS_NOT_FOUND', 'no chassis');
    };
    const clock = options.clock ?? new ManualClock();
    const random = seededRandom(3);
    const db = options.db ?? (await memoryDb({ clock, random }));
    if (!options.db) stops.push(() => db.close());
    const ids: string[] = [];
    let answer: () => Promise<unknown> = async () => ({ runId: null });
    const rpc: RpcClient = {
      async call(_host, _method, _args, { requestId }) {
        ids.push(requestId);
        return (await answer()) as never;
      },
      cast() {},
      ring() {},
      onRing: () => () => {},
      close: async () => {},
    };
    const operation = OPERATIONS.find((o) => o.operationId === 'createChassis')!;
    const config = { ...resolveConfig([]).api, lock_patience_ms: 0 };
    const services = { db, rpc, clock, random, log: silentLog, config };
    const performer = createPerformer(services, { createChassis: handler, getChassis: missing } as never);
    let requests = 0;
    const post = (key: string, user = 'ada') =>
      performer.perform(
        handler,
        {
          operation,
          params: {},
          query: new URLSearchParams(),
          body: { a: 1 },
          minor: 115,
          requestId: `req-${++requests}`,
          base: '',
          header: (name: string) => (name === 'idempotency-key' ? key : undefined),
          signal: new AbortController().signal,
          identity: { user, role: 'admin', project: null },
          authorize: async () => {},
        } satisfies ApiRequest,
        services,
      );
    return { db, clock, ids, post, answer: (next: () => Promise<unknown>) => void (answer = next) };
  }
  /** Writes a word, then asks. */
  const asking: Handler = async (_request, { db, rpc }) => {
    await db.write('word', (tx) => tx.settings.put('word', 'said'));
    await rpc.call('c1', 'getBootDevice', { nodeUuid: 'n' }, { requestId: _request.requestId });
    return { status: 202, body: { done: true } };
  };

  it('asks once, outside of any transaction, and keeps the answer for its user', async () => {
    const { db, ids, post } = await world(asking);
    expect(await post('k')).toEqual({ status: 202, body: { done: true } });
    expect(await post('k')).toMatchObject({ status: 202, headers: { 'Idempotency-Replayed': 'true' } });
    expect(ids).toEqual(['req-1']);
    expect(await db.read.settings.get('word')).toBe('said');
    await post('k', 'bob');
    expect(ids.length).toBe(2);
  });

  it('asks again under the same id when nobody knows what was done, and anew after a refusal', async () => {
    const { ids, post, answer } = await world(asking);
    answer(async () => {
      throw new ServiceError('TEMPORARY_FAILURE', 'no answer');
    });
    await expect(post('k')).rejects.toThrow('no answer');
    answer(async () => {
      throw new ServiceError('NODE_LOCKED', 'locked');
    });
    await expect(post('k')).rejects.toThrow('locked');
    answer(async () => null);
    await post('k');
    expect(ids).toEqual(['req-1', 'req-1', 'req-3']);
  });

  it('holds its key while it is at work and alive; a process that died frees it', async () => {
    const first = await world(asking);
    const gate = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    first.answer(() => (asked.resolve(), gate.promise));
    const slow = first.post('k');
    await asked.promise;
    const second = await world(asking, first);
    // It renews its claim for as long as it works.
    await first.clock.advance(300_000);
    await expect(second.post('k')).rejects.toThrow('still at work');
    gate.resolve();
    expect((await slow).status).toBe(202);
    expect((await second.post('k')).headers).toHaveProperty('Idempotency-Replayed');
    expect(second.ids).toEqual([]);
    expect(first.clock.pendingTimers).toBe(0);
  });

  it('is gone on with after a crash, under the id of the first attempt', async () => {
    let isDead = false;
    const clock = new ManualClock();
    const db = await memoryDb({ clock });
    stops.push(() => db.close());
    const mortal: Db = {
      ...db,
      write: (name, fn, options) => (isDead ? Promise.reject(new Error('dead')) : db.write(name, fn, options)),
    };
    const first = await world(asking, { clock, db: mortal });
    first.answer(async () => void (isDead = true));
    await first.post('k');
    const second = await world(asking, { clock, db });
    await expect(second.post('k')).rejects.toThrow('still at work');
    await clock.advance(61_000);
    expect((await second.post('k')).status).toBe(202);
    expect(second.ids).toEqual(first.ids);
  });

  it('finds what an earlier attempt has made before it asked', async () => {
    let isSilent = true;
    const api = await start();
    // No conductor lives that would find a node for it: the row is made all the same.
    api.answer('allocate', async () => {
      if (isSilent) throw new ServiceError('TEMPORARY_FAILURE', 'no answer');
      return null;
    });
    const node = await api.request('POST', '/v1/nodes', {
      body: { driver: 'fake-hardware', name: 'spare', resource_class: 'x' },
    });
    const send = () =>
      api.request('POST', '/v1/allocations', {
        body: { name: 'mine', resource_class: 'x', node: node.json['uuid'] },
        headers: keyed('k'),
      });
    expect((await send()).status).toBe(503);
    isSilent = false;
    const again = await send();
    expect([again.status, again.json['name']]).toEqual([201, 'mine']);
    expect(again.headers.get('location')).toBe(`${api.url}/v1/allocations/${String(again.json['uuid'])}`);
    expect((await api.db.read.allocations.list({}, { limit: 9 })).length).toBe(1);
    expect((await send()).text).toBe(again.text);
  });

  it('undoes nothing by halves: a part that fails and is forgiven has a transaction of its own', async () => {
    const forgiving: Handler = async (_request, { db }) => {
      await db
        .write('half', async (tx) => {
          await tx.settings.put('half', 'x');
          throw new Error('no');
        })
        .catch(() => {});
      return { status: 201, body: {} };
    };
    const { db, post } = await world(forgiving);
    expect((await post('k')).status).toBe(201);
    expect(await db.read.settings.get('half')).toBeUndefined();
    expect((await post('k')).headers).toHaveProperty('Idempotency-Replayed');
  });
});
