import { asNodeId, asSessionId, ServiceError } from '@bessemer/core';
import { ManualClock } from '@bessemer/ports/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startApi, type TestApi } from './testing.ts';

const LOCKED = new ServiceError('NODE_LOCKED', 'Node x is locked by host c1, please retry.');
/** Goes on as soon as somebody waits for it. */
const clock = new ManualClock();
const setTimer = clock.setTimer.bind(clock);
clock.setTimer = (delayMs, ...more) => {
  queueMicrotask(() => void clock.advance(delayMs));
  return setTimer(delayMs, ...more);
};
let api: TestApi;
beforeAll(async () => {
  api = await startApi({ clock, config: { lock_patience_ms: 1000 } });
  await api.request('POST', '/v1/nodes', { body: { driver: 'fake-hardware', name: 'n' } });
});
afterAll(() => api.stop());

/** Orders power while somebody else has the node; gives the status and the attempts. */
async function order(isHeld: (attempt: number) => boolean): Promise<[status: number, attempts: number]> {
  let attempts = 0;
  api.answer('changeNodePowerState', async () => {
    if (!isHeld(++attempts)) return { runId: null };
    throw LOCKED;
  });
  const { status } = await api.request('PUT', '/v1/nodes/n/states/power', { body: { target: 'power on' } });
  return [status, attempts];
}

describe('a node that somebody else works on', () => {
  it('is waited for while that takes a moment', async () => {
    expect(await order((attempt) => attempt < 3)).toEqual([202, 3]);
  });
  it('is refused after that', async () => {
    expect(await order(() => true)).toEqual([409, 6]);
  });
  it('is refused at once where its state will be another then', async () => {
    const { json } = await api.request('GET', '/v1/nodes/n');
    await api.db.write('test', async (tx) => {
      const [conductor] = await tx.conductors.list();
      await tx.nodes.reserve(json['uuid'] as never, conductor!.session, 'c1', 'test');
    });
    const refused = await api.request('PUT', '/v1/nodes/n/states/provision', { body: { target: 'provide' } });
    expect(refused.status).toBe(409);
  });
});

describe('a change of a node that somebody else works on', () => {
  const NODE = asNodeId('00000000-0000-4000-8000-000000000001');
  const SESSION = asSessionId('00000000-0000-4000-8000-0000000000cc');
  const BODY = [{ op: 'add', path: '/extra/a', value: 1 }];
  const stepwise = new ManualClock();
  let own: TestApi;
  beforeEach(async () => {
    own = await startApi({ clock: stepwise, config: { lock_patience_ms: 2_000 } });
    await own.db.write('node', (tx) => tx.nodes.create({ uuid: NODE, driver: 'fake-hardware' }));
  });
  afterEach(() => own.stop());

  const reserve = () => own.db.write('reserve', (tx) => tx.nodes.reserve(NODE, SESSION, 'c1', 'test'));
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  /** Sends a change and comes back when it waits. */
  async function changeOfLocked(): Promise<{ answer: ReturnType<TestApi['request']> }> {
    const timers = stepwise.pendingTimers;
    const answer = own.request('PATCH', `/v1/nodes/${NODE}`, { body: BODY });
    while (stepwise.pendingTimers === timers) await turn();
    return { answer };
  }

  it('is done as soon as the node is free', async () => {
    const lease = (await reserve())!;
    const { answer } = await changeOfLocked();
    await own.db.write('release', (tx) => tx.nodes.release(NODE, lease.fence));
    await stepwise.advance(200);
    expect(await answer).toMatchObject({ status: 200, json: { extra: { a: 1 } } });
  });
  it('is refused when the node stays locked, and nothing has changed', async () => {
    await reserve();
    const { answer } = await changeOfLocked();
    let isAnswered = false;
    void answer.then(() => (isAnswered = true));
    while (!isAnswered) {
      await stepwise.advance(200);
      await turn();
    }
    const { status, fault } = await answer;
    expect({ status, fault }).toMatchObject({ status: 409, fault: expect.stringMatching(/is locked by host c1/) });
    expect((await own.db.read.nodes.get(NODE))!.extra).toEqual({});
  });
  it('is refused at once when the node is not what If-Match says, locked as it is', async () => {
    const { headers } = await own.request('GET', `/v1/nodes/${NODE}`);
    await reserve();
    const answer = await own.request('PATCH', `/v1/nodes/${NODE}`, {
      body: BODY,
      headers: { 'If-Match': headers.get('etag')! },
    });
    expect(answer.status).toBe(412);
  });
});
