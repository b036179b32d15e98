import { ManualClock } from '@bessemer/ports/testing';
import { expect, it } from 'vitest';
import { startApi } from './testing.ts';

it('orders for a node whose conductors have all died are 404, what asks for a dead hardware type is 400', async () => {
  const clock = new ManualClock();
  const api = await startApi({ clock });
  const body = { name: 'n', driver: 'fake-hardware' };
  expect((await api.request('POST', '/v1/nodes', { body })).status).toBe(201);
  await clock.advance(7_200_000);
  const fault = expect.stringMatching(/^No valid host was found\. .*fake-hardware for conductor group ""/);
  for (const [method, path, sent] of [
    ['PUT', 'states/provision', { target: 'manage' }],
    ['PUT', 'states/power', { target: 'power on' }],
    ['GET', 'management/boot_device', undefined],
    ['GET', 'validate?node=n', undefined],
  ] as const) {
    const at = path.startsWith('validate') ? `/v1/nodes/${path}` : `/v1/nodes/n/${path}`;
    expect(await api.request(method, at, sent ? { body: sent } : {}), path).toMatchObject({ status: 404, fault });
  }
  expect(await api.request('POST', '/v1/nodes', { body: { ...body, name: 'm' } })).toMatchObject({
    status: 400,
    fault,
  });
  expect(api.calls).toEqual([]);
  await api.stop();
});
