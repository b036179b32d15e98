import { asNodeId, asSessionId } from '@bessemer/core';
import { ManualClock } from '@bessemer/ports/testing';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startApi, type TestApi } from './testing.ts';

const NODE = asNodeId('00000000-0000-4000-8000-000000000001');
const SESSION = asSessionId('00000000-0000-4000-8000-0000000000cc');

const clock = new ManualClock();
let api: TestApi;
beforeEach(async () => {
  api = await startApi({ clock, config: { locked_wait_ms: 2_000 } });
  await api.db.write('node', (tx) => tx.nodes.create({ uuid: NODE, driver: 'fake-hardware' }));
});
afterEach(() => api.stop());

const reserve = () => api.db.write('reserve', (tx) => tx.nodes.reserve(NODE, SESSION, 'c1', 'test'));
/** Sends a change and comes back when it waits. */
async function changeOfLocked(
  headers: Record<string, string> = {},
): Promise<{ answer: ReturnType<TestApi['request']> }> {
  const timers = clock.pendingTimers;
  const body = [{ op: 'add', path: '/extra/a', value: 1 }];
  const answer = api.request('PATCH', `/v1/nodes/${NODE}`, { body });
  while (clock.pendingTimers === timers) await new Promise((resolve) => setImmediate(resolve));
  return { answer };
}

it('a change of a locked node waits, and is done as soon as the node is free', async () => {
  const lease = (await reserve())!;
  const { answer } = await changeOfLocked();
  await api.db.write('release', (tx) => tx.nodes.release(NODE, lease.fence));
  await clock.advance(100);
  expect(await answer).toMatchObject({ status: 200, json: { extra: { a: 1 } } });
});

it('is refused when the node stays locked, and nothing has changed', async () => {
  await reserve();
  const { answer } = await changeOfLocked();
  let isAnswered = false;
  void answer.then(() => (isAnswered = true));
  while (!isAnswered) {
    await clock.advance(100);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { status, fault } = await answer;
  expect({ status, fault }).toMatchObject({ status: 409, fault: expect.stringMatching(/is locked by host c1/) });
  expect((await api.db.read.nodes.get(NODE))!.extra).toEqual({});
});

it('is refused at once when the node is not what If-Match says, locked as it is', async () => {
  const { headers } = await api.request('GET', `/v1/nodes/${NODE}`);
  await reserve();
  const body = [{ op: 'add', path: '/extra/a', value: 1 }];
  const answer = await api.request('PATCH', `/v1/nodes/${NODE}`, {
    body,
    headers: { 'If-Match': headers.get('etag')! },
  });
  expect(answer.status).toBe(412);
});
