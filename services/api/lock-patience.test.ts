import { ServiceError } from '@bessemer/core';
import { ManualClock } from '@bessemer/ports/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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
