import type { JsonObject } from '@bessemer/core';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startApi, type TestApi } from '../testing.ts';

let api: TestApi;
const NODE = '11111111-1111-4111-8111-111111111111';
const step = (name: string, order: number) => ({ interface: 'deploy', step: name, args: { a: name }, order });

beforeEach(async () => {
  api = await startApi();
  await api.request('POST', '/v1/nodes', { body: { driver: 'fake-hardware', uuid: NODE, name: 'n1' } });
  const steps = [step('second', 2), step('first', 1)];
  const body = { name: 'CUSTOM_WIPE', steps, disable_ramdisk: true };
  expect((await api.request('POST', '/v1/runbooks', { body })).status).toBe(201);
  await api.db.write('test', async (tx) => {
    for (const event of ['manage', 'done'] as const) await tx.nodes.processEvent(NODE as never, event, {});
  });
});
afterEach(() => api.stop());

const clean = async (body: JsonObject, version = 115) => {
  const reply = await api.request('PUT', '/v1/nodes/n1/states/provision', {
    version,
    body: { target: 'clean', ...body },
  });
  return [reply.status, reply.fault];
};

it('cleans by a runbook, in its order', async () => {
  await api.request('PUT', '/v1/nodes/n1/traits/CUSTOM_DISKS');
  await api.request('PUT', '/v1/runbooks/CUSTOM_WIPE/traits/CUSTOM_DISKS');
  expect(await clean({ runbook: 'CUSTOM_WIPE' })).toEqual([202, undefined]);
  expect(api.calls.at(-1)).toMatchObject({
    method: 'doNodeClean',
    args: {
      disableRamdisk: true,
      cleanSteps: [
        { interface: 'deploy', step: 'first', args: { a: 'first' } },
        { interface: 'deploy', step: 'second', args: { a: 'second' } },
      ],
    },
  });
  const both = await clean({ runbook: 'CUSTOM_WIPE', clean_steps: [{ interface: 'deploy', step: 'x' }] });
  expect(both).toEqual([400, 'Please provide either "clean_steps" or a runbook, but not both.']);
});

it('refuses a runbook for a node that it is not for, by traits from 1.112 on, by its name before', async () => {
  expect(await clean({ runbook: 'CUSTOM_WIPE' })).toEqual([400, expect.stringContaining('no traits configured')]);
  await api.request('PUT', '/v1/runbooks/CUSTOM_WIPE/traits/CUSTOM_DISKS');
  expect(await clean({ runbook: 'CUSTOM_WIPE' })).toEqual([400, expect.stringContaining('traits [CUSTOM_DISKS]')]);
  expect(await clean({ runbook: 'CUSTOM_WIPE' }, 111)).toEqual([400, expect.stringContaining('has not been approved')]);
  await api.request('PUT', '/v1/nodes/n1/traits/CUSTOM_WIPE');
  expect(await clean({ runbook: 'CUSTOM_WIPE' }, 111)).toEqual([202, undefined]);
  expect(await clean({ runbook: 'nosuch' })).toEqual([404, 'Runbook nosuch could not be found.']);
  expect((await clean({ runbook: 'CUSTOM_WIPE' }, 91))[0]).toBe(406);
});
