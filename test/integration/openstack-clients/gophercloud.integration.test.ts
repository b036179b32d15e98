/**
 * The requests of Metal3's baremetal-operator, as gophercloud sends them: both headers of the version, an endpoint that ends in
 * `/v1/`, names with a tilde, booleans that are texts.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ClientWorld, startClientWorld } from './world.ts';

const NAME = 'metal3~host-0';

let world: ClientWorld;
beforeAll(async () => {
  world = await startClientWorld();
});
afterAll(() => world.stop());

async function send(method: string, path: string, body?: unknown) {
  const response = await fetch(`${world.url}/v1/${path}`, {
    method,
    headers: {
      Accept: 'application/json',
      'Content-Type': 'application/json',
      'User-Agent': 'gophercloud/v2',
      'X-OpenStack-Ironic-API-Version': '1.95',
      'OpenStack-API-Version': 'baremetal 1.95',
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
}
/** Its way to wait: it looks again. */
const reaches = (state: string) =>
  expect
    .poll(async () => (await send('GET', `nodes/${NAME}`)).body, { timeout: 30_000 })
    .toMatchObject({ provision_state: state, target_provision_state: null, reservation: null, last_error: null });
const provision = (target: string, more: object = {}) =>
  send('PUT', `nodes/${NAME}/states/provision`, { target, ...more });

it('the service is known by its endpoint, and has drivers', async () => {
  expect((await send('GET', '')).body.version).toMatchObject({ min_version: '1.1', version: '1.115' });
  expect((await send('GET', 'drivers')).body.drivers.map((driver: { name: string }) => driver.name)).toContain('ipmi');
});

it('a host is registered', async () => {
  expect((await send('GET', `nodes/${NAME}`)).status).toBe(404);
  expect((await send('GET', 'ports?address=52%3A54%3A00%3A00%3A00%3A51&fields=node_uuid')).body.ports).toEqual([]);
  const ipmi = await send('POST', 'nodes', {
    name: 'metal3~ipmi',
    driver: 'ipmi',
    boot_interface: 'ipxe',
    inspect_interface: 'agent',
    driver_info: { ipmi_address: '127.0.0.1', ipmi_username: 'u', ipmi_password: 'p', ipmi_verify_ca: false },
    disable_power_off: false,
    properties: { capabilities: 'boot_mode:uefi', cpu_arch: 'x86_64' },
  });
  expect([ipmi.status, ipmi.body.boot_interface ?? ipmi.body]).toEqual([201, 'ipxe']);
  const { status, body } = await send('POST', 'nodes', { name: NAME, driver: 'fake-hardware', automated_clean: false });
  expect([status, body.provision_state]).toEqual([201, 'enroll']);
  const port = { node_uuid: body.uuid, address: '52:54:00:00:00:51', pxe_enabled: true };
  expect((await send('POST', 'ports', port)).status).toBe(201);
  expect((await send('POST', 'ports', port)).status).toBe(409);
  const patch = [
    { op: 'add', path: '/instance_uuid', value: body.uuid },
    { op: 'add', path: '/instance_info/image_source', value: 'http://192.0.2.1/image' },
    { op: 'add', path: '/properties/capabilities', value: 'boot_mode:uefi' },
    { op: 'replace', path: '/maintenance', value: 'true' },
  ];
  expect((await send('PATCH', `nodes/${NAME}`, patch)).body).toMatchObject({
    maintenance: true,
    instance_uuid: body.uuid,
  });
  expect(
    (await send('PATCH', `nodes/${NAME}`, [{ op: 'replace', path: '/maintenance', value: false }])).body,
  ).toMatchObject({ maintenance: false });
  expect((await send('GET', `nodes/${NAME}/validate`)).body).toMatchObject({
    boot: { result: true },
    deploy: { result: true },
  });
});

it('a host goes to active, is serviced and given back', async () => {
  expect((await provision('manage')).status).toBe(202);
  await reaches('manageable');
  expect((await provision('inspect')).status).toBe(202);
  await reaches('manageable');
  expect((await send('GET', `nodes/${NAME}/inventory`)).body).toHaveProperty('inventory');
  expect(
    (await send('PUT', `nodes/${NAME}/states/raid`, { logical_disks: [{ size_gb: 'MAX', raid_level: '1' }] })).status,
  ).toBe(204);
  const steps = [{ interface: 'raid', step: 'delete_configuration', args: {} }];
  expect((await provision('clean', { clean_steps: steps })).status).toBe(202);
  await reaches('manageable');
  expect((await send('GET', `nodes/${NAME}/bios?detail=True`)).body).toEqual({ bios: [] });
  expect((await send('GET', `nodes/${NAME}/firmware`)).body).toEqual({ firmware: [] });
  expect((await provision('provide')).status).toBe(202);
  await reaches('available');
  expect((await provision('active', { configdrive: { meta_data: { name: NAME } } })).status).toBe(202);
  await reaches('active');
  expect((await provision('service', { service_steps: steps })).status).toBe(202);
  await reaches('active');
  const off = await send('PUT', `nodes/${NAME}/states/power`, { target: 'soft power off', timeout: 30 });
  expect(off.status).toBe(202);
  await reaches('active');
  expect((await provision('rebuild')).status).toBe(202);
  await reaches('active');
  expect((await provision('deleted')).status).toBe(202);
  await reaches('available');
});

it('a host is adopted, put into maintenance and removed', async () => {
  await provision('manage');
  await reaches('manageable');
  expect((await provision('adopt')).status).toBe(202);
  await reaches('active');
  expect((await send('GET', 'nodes?fields=uuid%2Cname%2Cprovision_state%2Cboot_interface')).body.nodes).toContainEqual(
    expect.objectContaining({ name: NAME, provision_state: 'active', boot_interface: 'fake' }),
  );
  expect((await send('PUT', `nodes/${NAME}/maintenance`, { reason: 'going' })).status).toBe(202);
  expect((await send('DELETE', `nodes/${NAME}`)).status).toBe(204);
  expect((await send('GET', `nodes/${NAME}`)).body.error_message).toContain('could not be found');
});
