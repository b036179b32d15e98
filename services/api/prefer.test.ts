import { asNodeId, asRunId, asSessionId, type NodeId } from '@bessemer/core';
import type { Db } from '@bessemer/db';
import { silentLog } from '@bessemer/ports';
import { ManualClock, seededRandom } from '@bessemer/ports/testing';
import { memoryDb } from '@bessemer/db/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createNodeWatch } from './node-watch.ts';
import { waitPreference } from './prefer.ts';
import { startApi, type TestApi } from './testing.ts';

const random = seededRandom(5);
const clock = new ManualClock();
let api: TestApi;
let bells = 0;
let isAway = false;
const onBell: Array<() => void> = [];
beforeAll(
  async () =>
    void (api = await startApi({
      clock,
      around: (db): Db => ({
        ...db,
        read: {
          ...db.read,
          events: {
            ...db.read.events,
            head: () => (isAway ? Promise.reject(new Error('the database is away')) : db.read.events.head()),
          },
        },
        onEvents(listener) {
          bells++;
          for (const heard of onBell.splice(0)) heard();
          const stop = db.onEvents(listener);
          return () => {
            bells--;
            for (const heard of onBell.splice(0)) heard();
            stop();
          };
        },
      }),
    })),
);
afterAll(() => api.stop());
/** Resolves when so many listen to the bell. */
async function listening(count: number): Promise<void> {
  while (bells !== count) await new Promise<void>((resolve) => onBell.push(resolve));
}

let count = 0;
async function makeNode(): Promise<{ name: string; uuid: NodeId }> {
  const name = `p${++count}`;
  const { json } = await api.request('POST', '/v1/nodes', { body: { driver: 'fake-hardware', name } });
  return { name, uuid: asNodeId(String(json['uuid'])) };
}
/** Begins a run as a conductor does; gives what ends it. */
async function begin(uuid: NodeId, event: 'manage' | null): Promise<(error?: string) => Promise<void>> {
  const session = asSessionId(random.uuid());
  const run = await api.db.write('begin', async (tx) => {
    await tx.conductors.heartbeat({ session, hostname: 'w', conductorGroup: '', drivers: [] }, 3_600_000);
    const { fence } = (await tx.nodes.reserve(uuid, session, 'w', 'test'))!;
    if (event) await tx.nodes.processEvent(uuid, event, { fence });
    return tx.runs.create({
      id: asRunId(random.uuid()),
      nodeUuid: uuid,
      verb: event ?? 'power',
      state: 'running',
      input: {},
      segments: [],
      deadline: 1e15,
      owner: session,
      fence,
      requestId: random.uuid(),
    });
  });
  return (error) =>
    api.db.write('end', async (tx) => {
      const { fence } = run;
      if (event) await tx.nodes.processEvent(uuid, error ? 'fail' : 'done', { fence, error: error ?? null });
      await tx.runs.update(run.id, fence, { state: error ? 'failed' : 'done', finishedAt: 1 });
      await tx.events.append({ type: 'run.finished', nodeUuid: uuid, runId: run.id, data: { verb: run.verb } });
      await tx.nodes.release(uuid, fence);
    });
}
const order = (name: string, target: string, prefer: string, what = 'provision') =>
  api.request('PUT', `/v1/nodes/${name}/states/${what}`, { body: { target }, headers: { Prefer: prefer } });

describe('Prefer: wait', () => {
  it('is read as RFC 7240 has it', () => {
    expect(waitPreference('wait=10')).toBe(10);
    expect(waitPreference('respond-async, WAIT = "7" ; x=y')).toBe(7);
    expect(waitPreference('wait=100000')).toBe(600);
    expect(waitPreference('wait=0')).toBe(0);
    for (const none of [undefined, '', 'respond-async', 'wait', 'wait=x', 'wait=-1', 'await=3'])
      expect(waitPreference(none)).toBeUndefined();
  });

  it('answers with the states as soon as the transition has ended', async () => {
    const { name, uuid } = await makeNode();
    let end: (error?: string) => Promise<void> = async () => {};
    api.answer('doProvisioningAction', async () => void (end = await begin(uuid, 'manage')));
    const reply = order(name, 'manage', 'wait=60');
    await listening(1);
    // Other things that happen to the node do not end the wait, nor does another node.
    await api.request('PUT', `/v1/nodes/${name}/maintenance`, { body: {} });
    const other = await makeNode();
    await (await begin(other.uuid, null))();
    await end();
    const { status, json, headers } = await reply;
    expect([status, json['provision_state'], json['target_provision_state']]).toEqual([200, 'manageable', null]);
    expect(headers.get('preference-applied')).toBe('wait=60');
    expect(headers.get('location')).toMatch(/\/states$/);
    expect(headers.get('etag')).toBe((await api.request('GET', `/v1/nodes/${name}/states`)).headers.get('etag'));
    expect([bells, clock.pendingTimers]).toEqual([0, 0]);
  });

  it('answers when an order to the power has ended that met other work', async () => {
    const { name, uuid } = await makeNode();
    const end = await begin(uuid, 'manage');
    const set = (targetPowerState: 'power off' | null) =>
      api.db.write('test', async (tx) => {
        await tx.nodes.update(uuid, { targetPowerState });
        const data = { from: null, to: null, cause: 'request' };
        await tx.events.append({ type: 'node.power_state', nodeUuid: uuid, runId: null, data });
      });
    api.answer('changeNodePowerState', () => set('power off'));
    const reply = order(name, 'power off', 'wait=60', 'power');
    await listening(1);
    await set(null);
    const { status, json } = await reply;
    expect([status, json['provision_state'], json['target_power_state']]).toEqual([200, 'verifying', null]);
    await end();
  });

  it('answers with the states of a failure as well', async () => {
    const { name, uuid } = await makeNode();
    api.answer('doProvisioningAction', async () => void (await (await begin(uuid, 'manage'))('the BMC is silent')));
    const { status, json } = await order(name, 'manage', 'wait=60');
    expect([status, json['provision_state'], json['last_error']]).toEqual([200, 'enroll', 'the BMC is silent']);
  });

  it('answers 202 when the time is over', async () => {
    const { name, uuid } = await makeNode();
    let end = async () => {};
    api.answer('changeNodePowerState', async () => void (end = await begin(uuid, null)));
    const reply = order(name, 'power on', 'wait=5', 'power');
    await listening(1);
    await clock.advance(4_999);
    expect(bells).toBe(1);
    await clock.advance(1);
    expect([(await reply).status, (await reply).headers.get('preference-applied')]).toEqual([202, 'wait=5']);
    expect([bells, clock.pendingTimers]).toEqual([0, 0]);
    await end();
  });

  it('does not hold up what asks for no wait, nor other requests', async () => {
    const { name, uuid } = await makeNode();
    api.answer('changeNodePowerState', async () => void (await begin(uuid, null)));
    const plain = await api.request('PUT', `/v1/nodes/${name}/states/power`, { body: { target: 'power on' } });
    expect([plain.status, plain.headers.get('preference-applied')]).toEqual([202, null]);
    api.answer('changeNodePowerState', null);
    expect((await order(name, 'power on', 'wait=0', 'power')).status).toBe(202);
    const refused = await order(name, 'no such verb', 'wait=5');
    expect([refused.status, refused.headers.get('preference-applied')]).toEqual([400, null]);
    const patch = await api.request('PATCH', `/v1/nodes/${name}`, {
      body: [{ op: 'add', path: '/extra/a', value: 1 }],
      headers: { Prefer: 'wait=5' },
    });
    expect(patch.status).toBe(409);
  });

  it('answers 202 when it cannot wait: the order is taken all the same', async () => {
    const { name, uuid } = await makeNode();
    api.answer('changeNodePowerState', async () => void (await begin(uuid, null)));
    isAway = true;
    expect((await order(name, 'power on', 'wait=5', 'power')).status).toBe(202);
    isAway = false;
    expect([bells, clock.pendingTimers]).toEqual([0, 0]);
  });

  it('frees everything when the client leaves, and when the node is removed', async () => {
    const { name, uuid } = await makeNode();
    let end = async () => {};
    api.answer('changeNodePowerState', async () => void (end = await begin(uuid, null)));
    const leaving = new AbortController();
    const gone = fetch(`${api.url}/v1/nodes/${name}/states/power`, {
      method: 'PUT',
      body: JSON.stringify({ target: 'power on' }),
      headers: { Prefer: 'wait=600', 'X-OpenStack-Ironic-API-Version': 'latest' },
      signal: leaving.signal,
    });
    await listening(1);
    leaving.abort();
    await expect(gone).rejects.toThrow();
    await listening(0);
    expect(clock.pendingTimers).toBe(0);
    await end();

    api.answer('changeNodePowerState', async () => void (end = await begin(uuid, null)));
    const waiting = order(name, 'power on', 'wait=600', 'power');
    await listening(1);
    await end();
    expect((await waiting).status).toBe(200);
  });
});

describe('a watch over nodes', () => {
  it('wakes each for its own node, in one reading for all', async () => {
    const db = await memoryDb();
    let reads = 0;
    const counted: Db = {
      ...db,
      read: {
        ...db.read,
        events: { ...db.read.events, listAfter: (...args) => (reads++, db.read.events.listAfter(...args)) },
      },
    };
    const watch = createNodeWatch(counted, silentLog);
    const [a, b] = [asNodeId(random.uuid()), asNodeId(random.uuid())];
    const woken: string[] = [];
    const heard = Promise.withResolvers<void>();
    const ends = await Promise.all([
      watch.watch(a, () => void woken.push('a')),
      watch.watch(a, () => void woken.push('a too')),
      watch.watch(b, () => (woken.push('b'), heard.resolve())),
    ]);
    await db.write('test', async (tx) => {
      for (const nodeUuid of [a, b]) await tx.events.append({ type: 'run.finished', nodeUuid, runId: null, data: {} });
      await tx.events.append({ type: 'step.done', nodeUuid: a, runId: null, data: {} });
    });
    await heard.promise;
    expect(woken).toEqual(['a', 'a too', 'b']);
    expect(reads).toBe(1);
    for (const end of ends) end();
    for (const end of ends) end();
    expect(watch.size).toBe(0);
    await db.write('test', (tx) => tx.events.append({ type: 'run.finished', nodeUuid: a, runId: null, data: {} }));
    expect(reads).toBe(1);
    await db.close();
  });
});
