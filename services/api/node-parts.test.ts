import { type JsonObject, ServiceError } from '@bessemer/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startApi, type TestApi } from './testing.ts';

let api: TestApi;
const NODE = '11111111-1111-4111-8111-111111111111';
const AT = '/v1/nodes/n1';
beforeEach(async () => {
  api = await startApi();
  const body = { driver: 'fake-hardware', uuid: NODE, name: 'n1' };
  expect((await api.request('POST', '/v1/nodes', { body })).status).toBe(201);
});
afterEach(() => api.stop());

/** Operation, body, least microversion. */
const GATES: ReadonlyArray<readonly [method: string, path: string, since: number, body?: unknown]> = [
  ['GET', `${AT}/vifs`, 28],
  ['POST', `${AT}/vifs`, 28, { id: 'v' }],
  ['GET', `${AT}/bios`, 40],
  ['GET', `${AT}/history`, 78],
  ['GET', `${AT}/children`, 83],
  ['GET', `${AT}/firmware`, 86],
  ['GET', `${AT}/vmedia`, 93],
  ['POST', `${AT}/vmedia`, 89, { device_type: 'cdrom', image_url: 'http://h/i.iso' }],
  ['DELETE', `${AT}/vmedia`, 89],
  ['PUT', `${AT}/states/raid`, 12, { logical_disks: [{ raid_level: '1', size_gb: 50 }] }],
  ['PUT', `${AT}/states/boot_mode`, 76, { target: 'uefi' }],
  ['PUT', `${AT}/states/secure_boot`, 76, { target: true }],
  ['GET', '/v1/drivers/fake-hardware/raid/logical_disk_properties', 12],
  [
    'POST',
    '/v1/events',
    54,
    {
      events: [
        {
          event: 'network.bind_port',
          port_id: NODE,
          mac_address: '52:54:00:00:00:01',
          status: 'ACTIVE',
          device_id: NODE,
        },
      ],
    },
  ],
];

describe.each(GATES.map(([method, path, since, body]) => ({ method, path, since, body })))('$method $path', (gate) => {
  it(`came with 1.${gate.since}`, async () => {
    const { method, path, since, body } = gate;
    api.answer('listIndicators', { components: {} });
    api.answer('getIndicator', { state: 'on' });
    api.answer('listVirtualMedia', { media: [] });
    const at = await api.request(method, path, { version: since, body });
    expect([at.status < 300, at.fault]).toEqual([true, undefined]);
    // The RAID controllers of Ironic refuse the version instead.
    const status = path.includes('/raid') ? 406 : 404;
    expect((await api.request(method, path, { version: since - 1, body })).status).toBe(status);
  });
});

describe('virtual interfaces', () => {
  it('are accepted and forgotten with network interface noop', async () => {
    expect((await api.request('POST', `${AT}/vifs`, { body: { id: 'vif-1' } })).status).toBe(204);
    expect((await api.request('GET', `${AT}/vifs`)).json).toEqual({ vifs: [] });
    expect((await api.request('DELETE', `${AT}/vifs/vif-1`)).status).toBe(204);
  });

  it('are bound to port groups, then to ports, once each', async () => {
    await api.db.write('test', (tx) => tx.nodes.update(NODE as never, { interfaces: { network: 'flat' } }));
    const group = await api.request('POST', '/v1/portgroups', { body: { node_uuid: NODE } });
    const port = async (address: string, more: JsonObject = {}) =>
      String((await api.request('POST', '/v1/ports', { body: { node_uuid: NODE, address, ...more } })).json['uuid']);
    await port('52:54:00:00:00:01', { portgroup_uuid: group.json['uuid']! });
    const quiet = await port('52:54:00:00:00:02', { pxe_enabled: false });
    const booting = await port('52:54:00:00:00:03');
    const attach = (id: string, more: JsonObject = {}) => api.request('POST', `${AT}/vifs`, { body: { id, ...more } });
    expect((await attach('on-group')).status).toBe(204);
    expect((await attach('on-port')).status).toBe(204);
    expect((await attach('on-port')).fault).toBe(
      `Unable to attach VIF because VIF on-port is already attached to Ironic port ${booting}`,
    );
    expect((await attach('third', { port_uuid: booting })).status).toBe(400);
    expect((await attach('third', { port_uuid: quiet })).status).toBe(204);
    expect((await attach('fourth')).fault).toContain('not enough free physical ports');
    expect((await api.request('GET', `${AT}/vifs`)).json['vifs']).toHaveLength(3);
    const held = await api.request('DELETE', `/v1/ports/${quiet}`);
    expect([held.status, held.fault]).toEqual([409, expect.stringContaining('bound to VIF third')]);
    expect((await api.request('DELETE', `${AT}/vifs/third`)).status).toBe(204);
    expect((await api.request('DELETE', `/v1/ports/${quiet}`)).status).toBe(204);
    expect((await api.request('DELETE', `${AT}/vifs/third`)).fault).toContain('is not attached to it');
    expect((await attach('x', { port_uuid: quiet, portgroup_uuid: quiet })).status).toBe(400);
    const old = await api.request('POST', `${AT}/vifs`, { version: 66, body: { id: 'x', port_uuid: booting } });
    expect(old.fault).toContain('not enough free physical ports');
  });
});

describe('BIOS and firmware', () => {
  it('show what was read of them', async () => {
    const setting = { name: 'ProcVirtualization', value: 'Enabled', attribute_type: 'Enumeration', read_only: false };
    await api.db.write('test', async (tx) => {
      await tx.nodes.setDocument(NODE as never, 'bios', { ProcVirtualization: setting });
      await tx.nodes.setDocument(NODE as never, 'firmware', {
        bmc: { component: 'bmc', initial_version: '1', current_version: '2', vendor: 'acme' },
      });
    });
    const list = async (query = '', version = 115) =>
      ((await api.request('GET', `${AT}/bios${query}`, { version })).json['bios'] as JsonObject[])[0]!;
    expect(Object.keys(await list()).toSorted()).toEqual(['created_at', 'links', 'name', 'updated_at', 'value']);
    expect(await list('?detail=true')).toMatchObject(setting);
    expect(Object.keys(await list('?fields=name'))).not.toContain('value');
    expect((await api.request('GET', `${AT}/bios?detail=true`, { version: 73 })).status).toBe(406);
    const one = await api.request('GET', `${AT}/bios/ProcVirtualization`);
    expect(one.json['ProcVirtualization']).toMatchObject(setting);
    const missing = await api.request('GET', `${AT}/bios/virtualization`);
    expect([missing.status, missing.fault]).toEqual([404, `Node ${NODE} doesn't have a BIOS setting 'virtualization'`]);
    const firmware = async (version: number) =>
      ((await api.request('GET', `${AT}/firmware`, { version })).json['firmware'] as JsonObject[])[0]!;
    expect(await firmware(114)).toMatchObject({ component: 'bmc', current_version: '2', vendor: 'acme' });
    expect(Object.keys(await firmware(113))).not.toContain('vendor');
  });
});

describe('history', () => {
  it('tells what went wrong, by microversion and page', async () => {
    const long = `The machine ${'did not answer '.repeat(40)}`;
    await api.db.write('test', async (tx) => {
      await tx.nodes.processEvent(NODE as never, 'manage', {});
      await tx.nodes.processEvent(NODE as never, 'fail', { error: 'no power' });
      await tx.nodes.processEvent(NODE as never, 'manage', {});
      await tx.nodes.processEvent(NODE as never, 'fail', { error: long });
      const data = { from: 'power on', to: 'power on', cause: 'request', error: 'the BMC says no' };
      for (const { error, ...rest } of [data, { ...data, error: undefined }])
        await tx.events.append({
          ...{ type: 'node.power_state', nodeUuid: NODE as never, runId: null },
          data: error === undefined ? rest : { ...rest, error },
        });
    });
    const list = async (query = '', version = 115) =>
      (await api.request('GET', `${AT}/history${query}`, { version })).json['history'] as JsonObject[];
    const [first, second] = await list();
    expect(first).toMatchObject({ severity: 'ERROR', event: 'no power' });
    expect(String(second!['event'])).toHaveLength(254);
    expect(Object.keys((await list('?detail=true', 112))[0]!)).not.toContain('project');
    expect((await list('?detail=true'))[1]).toMatchObject({ event: long, state: 'enroll', user: null });
    expect((await list('?detail=true')).slice(2)).toMatchObject([
      { event: 'the BMC says no', event_type: 'power', state: null },
    ]);
    const page = await api.request('GET', `${AT}/history?limit=1`);
    expect(page.json['history']).toHaveLength(1);
    const next = new URL(String(page.json['next']));
    const rest = await api.request('GET', `${next.pathname}${next.search}`);
    expect((rest.json['history'] as JsonObject[])[0]!['uuid']).toBe(second!['uuid']);
    const one = await api.request('GET', `${AT}/history/${String(second!['uuid'])}`);
    expect(one.json).toMatchObject({ uuid: second!['uuid'], event: long });
    expect((await api.request('GET', `${AT}/history/detail`)).fault).toBe(
      'Node history record detail could not be found.',
    );
  });
});

describe('parts that a BMC switches', () => {
  it('are asked of the conductor', async () => {
    api.answer('getConsole', { console_info: null });
    expect((await api.request('GET', `${AT}/states/console`)).json).toEqual({
      console_enabled: false,
      console_info: null,
    });
    const on = await api.request('PUT', `${AT}/states/console`, { body: { enabled: 'true' } });
    expect([on.status, on.headers.get('location')]).toEqual([202, `${api.url}${AT}/states/console`]);
    expect(api.calls.at(-1)).toMatchObject({ method: 'setConsole', args: { nodeUuid: NODE, enabled: true } });
    const mode = await api.request('PUT', `${AT}/states/boot_mode`, { body: { target: 'bogus' } });
    expect([mode.status, mode.fault]).toEqual([400, expect.stringContaining('Allowed boot modes are: bios, uefi')]);
    await api.request('PUT', `${AT}/states/secure_boot`, { body: { target: 'on' } });
    expect(api.calls.at(-1)).toMatchObject({ method: 'changeSecureBoot', args: { isOn: true } });
    api.answer('listIndicators', { components: { system: { led: { readonly: false, states: ['off', 'on'] } } } });
    const lamps = (await api.request('GET', `${AT}/management/indicators`)).json['indicators'] as JsonObject[];
    expect(lamps[0]).toMatchObject({ name: 'led@system', component: 'system', readonly: false });
    await api.request('PUT', `${AT}/management/indicators/led@system`, { body: { state: 'ON' } });
    expect(api.calls.at(-1)).toMatchObject({ args: { component: 'system', name: 'led', state: 'on' } });
    expect((await api.request('GET', `${AT}/management/indicators/led`)).fault).toBe('Malformed indicator name "led"');
  });

  it('take images as virtual media only from where a BMC can fetch them', async () => {
    const attach = (image_url: string) =>
      api.request('POST', `${AT}/vmedia`, { body: { device_type: 'cdrom', image_url } });
    expect((await attach('http://h/i.iso')).status).toBe(204);
    expect((await attach('file:///etc/passwd')).fault).toBe('Unsupported or missing URL scheme: file');
    expect((await api.request('DELETE', `${AT}/vmedia?device_types=cdrom,tape`)).fault).toBe(
      'Invalid device type(s) tape (valid are cdrom, disk, floppy)',
    );
  });

  it('group disks as the operator says', async () => {
    const raid = (logical_disks: unknown) => api.request('PUT', `${AT}/states/raid`, { body: { logical_disks } });
    const disk = { raid_level: '1', size_gb: 'MAX', is_root_volume: true };
    expect((await raid([disk])).status).toBe(204);
    expect((await api.request('GET', AT)).json['target_raid_config']).toEqual({ logical_disks: [disk] });
    expect((await raid([disk, disk])).fault).toContain('more than one root volume');
    expect((await raid([{ raid_level: '7', size_gb: 1 }])).status).toBe(400);
    expect((await raid([{ raid_level: '1', size_gb: 1, physical_disks: ['a', 'b'] }])).status).toBe(400);
    await api.db.write('test', (tx) => tx.nodes.update(NODE as never, { interfaces: { raid: 'no-raid' } }));
    const none = await raid([disk]);
    expect([none.status, none.fault]).toEqual([
      404,
      'Driver fake-hardware does not support raid (disabled or not implemented).',
    ]);
    expect((await api.request('PUT', `${AT}/states/raid`, { body: {} })).status).toBe(204);
    const properties = await api.request('GET', '/v1/drivers/fake-hardware/raid/logical_disk_properties');
    expect(properties.json['raid_level']).toContain('Required.');
  });

  it('pass vendor methods through with what they answer', async () => {
    api.answer('callVendorMethod', { isAsync: false, result: true });
    const sync = await api.request('POST', `${AT}/vendor_passthru/third_method_sync`, { body: { bar: 'meow' } });
    expect([sync.status, sync.text]).toEqual([200, 'true']);
    expect(api.calls.at(-1)).toMatchObject({
      method: 'callVendorMethod',
      args: { method: 'third_method_sync', httpMethod: 'POST', info: { bar: 'meow' } },
    });
    api.answer('callVendorMethod', { isAsync: true, result: null });
    expect((await api.request('DELETE', `${AT}/vendor_passthru?method=wipe`)).status).toBe(202);
    expect(api.calls.at(-1)).toMatchObject({ args: { method: 'wipe', httpMethod: 'DELETE', info: {} } });
    expect((await api.request('POST', `${AT}/vendor_passthru`)).fault).toBe('Missing mandatory parameter: method');
    expect((await api.request('POST', `${AT}/vendor_passthru?method=`)).fault).toBe('Method not specified');
    api.answer('callVendorMethod', new ServiceError('INVALID_PARAMETER', 'No handler for method nosuch'));
    expect((await api.request('GET', `${AT}/vendor_passthru/nosuch`)).fault).toBe('No handler for method nosuch');
    const none = '/v1/drivers/fake-hardware/vendor_passthru';
    expect((await api.request('GET', `${none}/methods`)).json).toEqual({});
    expect((await api.request('POST', `${none}/x`)).fault).toBe('No handler for method x');
    expect((await api.request('GET', '/v1/drivers/nosuch/vendor_passthru/methods')).status).toBe(404);
  });
});

it('children are listed below their parent', async () => {
  const child = '22222222-2222-4222-8222-222222222222';
  await api.request('POST', '/v1/nodes', { body: { driver: 'fake-hardware', uuid: child, parent_node: NODE } });
  expect((await api.request('GET', `${AT}/children`)).json).toEqual({
    children: [child],
    links: { href: `${api.url}/v1/nodes?parent_node=${NODE}`, rel: 'children' },
  });
});

it('events of a network service are checked', async () => {
  const event = { event: 'network.bind_port', port_id: NODE, mac_address: '52:54:00:00:00:01', status: 'ACTIVE' };
  const post = (events: unknown) => api.request('POST', '/v1/events', { body: { events } });
  expect((await post([event])).status).toBe(204);
  expect((await post([])).status).toBe(400);
  expect((await post([{ ...event, event: 'network.unknown' }])).status).toBe(400);
  expect((await post([{ ...event, mac_address: 'zebra' }])).fault).toContain(
    'Expected valid MAC address for mac_address: zebra',
  );
});
