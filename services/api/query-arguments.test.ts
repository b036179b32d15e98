/** Arguments of a PUT that stand in the query instead of the body. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApi, type TestApi } from './testing.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
  const made = await api.request('POST', '/v1/nodes', { body: { driver: 'fake-hardware', name: 'n1' } });
  expect(made.status).toBe(201);
});
afterAll(() => api.stop());

/** What the conductor was asked. */
async function asked(path: string, body?: unknown): Promise<unknown> {
  const before = api.calls.length;
  const { status, fault } = await api.request('PUT', `/v1/nodes/n1/${path}`, { body });
  expect([status < 300, fault]).toEqual([true, undefined]);
  return api.calls[before]?.args;
}

describe('arguments in the query', () => {
  it.each<[path: string, body: unknown, args: object]>([
    ['states/power?target=power%20off', undefined, { target: 'power off', timeoutS: null }],
    ['states/power?target=soft%20power%20off&timeout=7', undefined, { target: 'soft power off', timeoutS: 7 }],
    ['states/power?timeout=7', { target: 'power on' }, { target: 'power on', timeoutS: 7 }],
    ['states/power?target=power%20on', {}, { target: 'power on' }],
    ['states/console?enabled=on', undefined, { enabled: true }],
    ['states/boot_mode?target=uefi', undefined, { mode: 'uefi' }],
    ['states/secure_boot?target=false', undefined, { isOn: false }],
    ['management/boot_device?boot_device=disk&persistent=1', undefined, { device: 'disk', persistent: true }],
    ['management/boot_device?persistent=True', { boot_device: 'pxe' }, { device: 'pxe', persistent: true }],
    ['management/indicators/a@b?state=ON', undefined, { component: 'b', name: 'a', state: 'on' }],
    ['states/provision?target=manage', undefined, { action: 'manage' }],
  ])('%s %j', async (path, body, args) => {
    expect(await asked(path, body)).toMatchObject(args);
  });

  it('give the reason of a maintenance', async () => {
    expect(await asked('maintenance?reason=fan')).toBeUndefined();
    expect((await api.request('GET', '/v1/nodes/n1')).json).toMatchObject({ maintenance_reason: 'fan' });
    expect((await api.request('DELETE', '/v1/nodes/n1/maintenance?reason=fan')).fault).toBe(
      'Unexpected arguments: reason',
    );
    expect((await api.request('DELETE', '/v1/nodes/n1/maintenance')).status).toBe(202);
  });

  it.each<[path: string, body: unknown, fault: RegExp]>([
    [
      'states/power?target=power%20on',
      { target: 'power on' },
      /^Expected string for target: \['power on', 'power on'\]$/,
    ],
    ['states/power?target=a&target=b', undefined, /^Expected string for target: \['a', 'b'\]$/],
    ['states/power?target=power%20on&nosuch=1', undefined, /^Unexpected arguments: nosuch$/],
    ['states/power?target=power%20on&timeout=x', undefined, /^Expected an integer for timeout: x$/],
    ['states/power?timeout=5', undefined, /^Missing mandatory parameter: target$/],
    ['states/power?target=power%20on', '{', /^The request body is not JSON: /],
    ['states/console?enabled=maybe', undefined, /^Invalid enabled: Unrecognized value 'maybe'/],
    ['states/provision?target=clean&clean_steps=x', undefined, /clean_steps must be an array or null/],
    ['states/raid?logical_disks=x', {}, /^Unexpected arguments: logical_disks$/],
    ['traits?traits=CUSTOM_A', undefined, /^Unexpected arguments: traits$/],
  ])('%s %j are refused', async (path, body, fault) => {
    const reply = await api.request('PUT', `/v1/nodes/n1/${path}`, { body });
    expect([reply.status, reply.fault]).toEqual([400, expect.stringMatching(fault)]);
  });
});
