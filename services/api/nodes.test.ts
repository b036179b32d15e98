import { asNodeId, asRunId, ServiceError } from '@bessemer/core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startApi, type TestApi } from './testing.ts';

const UUID = '11111111-1111-4111-8111-111111111111';
let api: TestApi;
let serial = 0;
const name = () => `node-${++serial}`;
const create = (body: object = {}, version: number = 115) =>
  api.request('POST', '/v1/nodes', { body: { driver: 'fake-hardware', ...body }, version });

beforeAll(async () => void (api = await startApi()));
afterAll(() => api.stop());
beforeEach(() => void api.calls.splice(0));

describe('creating nodes', () => {
  it('starts in enroll and shows every field with its default interfaces', async () => {
    const made = await create({
      uuid: UUID,
      name: 'first',
      properties: { cpus: 4 },
      driver_info: { ipmi_password: 'geheim' },
    });
    expect(made.status).toBe(201);
    expect(made.headers.get('location')).toBe(`${api.url}/v1/nodes/${UUID}`);
    expect(made.json).toMatchObject({
      uuid: UUID,
      name: 'first',
      provision_state: 'enroll',
      power_state: null,
      deploy_interface: 'fake',
      network_interface: 'noop',
      conductor: 'c1',
      properties: { cpus: 4 },
      driver_info: { ipmi_password: '******' },
      reservation: null,
      traits: [],
      extra: {},
    });
  });

  it('gives clients below 1.11 a node that is available, shown as null below 1.2', async () => {
    expect((await create({}, 10)).json['provision_state']).toBe('available');
    expect((await create({}, 1)).json['provision_state']).toBe(null);
  });

  it.each([
    [
      { driver: 'nosuch' },
      400,
      'No valid host was found. Reason: No conductor service registered which supports driver nosuch for conductor group "".',
    ],
    [{ name: 'bad name' }, 400, "Cannot create node with invalid name 'bad name'"],
    [{ uuid: 'x' }, 400, 'Expected UUID for uuid: x'],
    [
      { deploy_interface: 'nosuch' },
      400,
      "Could not find the following interface in the 'ironic.hardware.interfaces.deploy' entrypoint: nosuch. Valid interfaces are ['fake', 'no-deploy'].",
    ],
    [{ nosuch: 1 }, 400, "Schema error for node: Additional properties are not allowed ('nosuch' was unexpected)"],
    [{ properties: 'x' }, 400, 'Schema error for node: properties must be an object or null'],
    [
      { chassis_uuid: '00000000-0000-4000-8000-000000000000' },
      400,
      'Chassis 00000000-0000-4000-8000-000000000000 could not be found.',
    ],
  ])('refuses %j', async (body, status, fault) => {
    const refused = await create(body);
    expect([refused.status, refused.fault]).toEqual([status, fault]);
  });

  it('refuses a taken name and a taken uuid', async () => {
    expect((await create({ uuid: UUID })).fault).toBe(`A node with UUID ${UUID} already exists.`);
    const twice = await create({ name: 'first' });
    expect([twice.status, twice.fault]).toEqual([409, 'A node with name first already exists.']);
  });

  it('refuses fields of a later version', async () => {
    expect((await create({ name: name() }, 4)).status).toBe(406);
    expect((await create({ owner: 'o' }, 49)).status).toBe(406);
    expect((await create({ owner: 'o' }, 50)).status).toBe(201);
  });
});

describe('listing nodes', () => {
  it('shows the summary, in the order of creation, with a next link when the page is full', async () => {
    const first = await api.request('GET', '/v1/nodes?limit=1');
    const nodes = first.json['nodes'] as object[];
    expect(Object.keys(nodes[0]!).sort()).toEqual([
      'instance_uuid',
      'links',
      'maintenance',
      'name',
      'power_state',
      'provision_state',
      'uuid',
    ]);
    expect(first.json['next']).toBe(`${api.url}/v1/nodes?limit=1&marker=${UUID}`);
    const second = await api.request('GET', String(first.json['next']).slice(api.url.length));
    expect((second.json['nodes'] as Array<{ uuid: string }>)[0]!.uuid).not.toBe(UUID);
  });

  it('filters', async () => {
    await create({ name: 'filtered', resource_class: 'gold', description: 'rack seven' });
    const names = async (query: string) =>
      ((await api.request('GET', `/v1/nodes?${query}`)).json['nodes'] as Array<{ name: string }>).map((n) => n.name);
    expect(await names('resource_class=gold')).toEqual(['filtered']);
    expect(await names('description_contains=seven')).toEqual(['filtered']);
    expect(await names('conductor=c1&resource_class=gold')).toEqual(['filtered']);
    expect(await names('conductor=other')).toEqual([]);
    expect(await names('conductor=&resource_class=gold')).toEqual(['filtered']);
    expect(await names('provision_state=active')).toEqual([]);
    expect(await names('parent_node=nosuch')).toEqual([]);
    expect(await names('parent_node=nosuch&include_children=true&resource_class=gold')).toEqual(['filtered']);
    expect(await names('limit=%2B1&resource_class=gold')).toEqual(['filtered']);
    expect(await names('sort_key=name&sort_dir=desc&resource_class=gold')).toEqual(['filtered']);
  });

  it.each([
    ['limit=0', 400, 'Limit must be positive'],
    ['limit=x', 400, 'Expected an integer for limit: x'],
    ['sort_dir=x', 400, "Invalid sort direction: x. Acceptable values are 'asc' or 'desc'"],
    ['sort_key=properties', 400, 'The sort_key value properties is an invalid field for sorting'],
    ['sort_key=nosuch', 400, 'The sort_key value "nosuch" is an invalid field for sorting'],
    ['fault=rust', 400, expect.stringContaining('Unrecognized fault "rust" is specified, allowed faults are (')],
    ['chassis_uuid=x', 400, 'Expected UUID for chassis_uuid: x'],
    ['fields=uuid&fields=name', 400, "Expected string for fields: ['uuid', 'name']"],
    ['nosuch=1', 400, 'Unexpected arguments: nosuch'],
    ['provision_state=nosuch', 400, 'Provision state "nosuch" is not valid'],
    ['fields=uuid,nosuch', 400, 'Field nosuch is not a valid field.'],
    ['detail=true&fields=uuid', 400, 'Can not specify ?detail=True and fields in the same request.'],
    [
      'associated=maybe',
      400,
      "Invalid associated: Unrecognized value 'maybe', acceptable values are: '0', '1', 'f', 'false', 'n', 'no', 'off', 'on', 't', 'true', 'y', 'yes'",
    ],
  ])('refuses ?%s', async (query, status, fault) => {
    const refused = await api.request('GET', `/v1/nodes?${query}`);
    expect([refused.status, refused.fault]).toEqual([status, fault]);
  });

  it('knows a filter from its version on', async () => {
    expect((await api.request('GET', '/v1/nodes?provision_state=enroll', { version: 8 })).status).toBe(406);
    expect((await api.request('GET', '/v1/nodes?provision_state=enroll', { version: 9 })).status).toBe(200);
  });

  it('shows only the fields asked for, with links', async () => {
    const shown = await api.request('GET', `/v1/nodes/${UUID}?fields=name,driver`);
    expect(Object.keys(shown.json).sort()).toEqual(['driver', 'links', 'name']);
  });
});

describe('showing nodes', () => {
  it('finds by uuid and by name, by name from 1.5 on', async () => {
    expect((await api.request('GET', '/v1/nodes/first')).json['uuid']).toBe(UUID);
    expect((await api.request('GET', '/v1/nodes/first', { version: 4 })).status).toBe(404);
    const missing = await api.request('GET', '/v1/nodes/nosuch');
    expect([missing.status, missing.fault]).toEqual([404, 'Node nosuch could not be found.']);
  });

  it('hides fields of later versions', async () => {
    const old = await api.request('GET', `/v1/nodes/${UUID}`, { version: 1 });
    expect(old.json).not.toHaveProperty('name');
    expect(old.json).not.toHaveProperty('network_interface');
    expect(old.json).not.toHaveProperty('traits');
  });
});

describe('changing nodes', () => {
  const patch = (ident: string, operations: unknown, version = 115, query = '') =>
    api.request('PATCH', `/v1/nodes/${ident}${query}`, { body: operations, version });

  it('adds, replaces and removes, and answers with the whole node', async () => {
    const ident = name();
    await create({ name: ident, extra: { a: { b: 1 } } });
    const changed = await patch(ident, [
      { op: 'add', path: '/extra/a/c', value: [1] },
      { op: 'add', path: '/extra/a/c/-', value: 2 },
      { op: 'remove', path: '/extra/a/b' },
      { op: 'replace', path: '/description', value: 'x' },
    ]);
    expect(changed.json).toMatchObject({ extra: { a: { c: [1, 2] } }, description: 'x' });
    expect((await patch(ident, [{ op: 'remove', path: '/description' }])).json['description']).toBe(null);
  });

  it('keeps a secret that is sent back masked', async () => {
    const ident = name();
    const uuid = String((await create({ name: ident, driver_info: { ipmi_password: 'geheim' } })).json['uuid']);
    await patch(ident, [
      { op: 'replace', path: '/driver_info', value: { ipmi_password: '******', ipmi_address: 'a' } },
    ]);
    const stored = await api.db.read.nodes.find(uuid);
    expect(stored?.driverInfo).toEqual({ ipmi_password: 'geheim', ipmi_address: 'a' });
  });

  it('keeps a masked secret below an object or a list, and takes a mask where none was shown as it is', async () => {
    const ident = name();
    const driverInfo = { bmc: { password: 'one', user: 'u' }, others: [{ token: 'two' }] };
    const made = await create({ name: ident, driver_info: driverInfo });
    const shown = made.json['driver_info'] as Record<string, object>;
    expect(shown).toEqual({ bmc: { password: '******', user: 'u' }, others: [{ token: '******' }] });
    await patch(ident, [
      { op: 'replace', path: '/driver_info', value: { ...shown, bmc: { ...shown['bmc'], user: 'v' }, note: '******' } },
    ]);
    const stored = await api.db.read.nodes.find(String(made.json['uuid']));
    expect(stored?.driverInfo).toEqual({ ...driverInfo, bmc: { password: 'one', user: 'v' }, note: '******' });
  });

  it('keeps what is masked of instance_info when it is sent back as shown', async () => {
    const stored = { image_url: 'http://u:w@h/', configdrive: 'abc', root_password: 'x', image_source: 'a' };
    const ident = name();
    await create({ name: ident, instance_info: stored });
    const shown = (await api.request('GET', `/v1/nodes/${ident}`)).json['instance_info'] as object;
    await patch(ident, [{ op: 'replace', path: '/instance_info', value: { ...shown, image_source: 'b' } }]);
    expect((await api.db.read.nodes.find(ident))?.instanceInfo).toEqual({ ...stored, image_source: 'b' });
  });

  it('falls back to the default interface when one is removed', async () => {
    const ident = name();
    await create({ name: ident, power_interface: 'no-power' });
    expect((await patch(ident, [{ op: 'remove', path: '/power_interface' }])).json['power_interface']).toBe('fake');
  });

  it('never reaches what all objects inherit', async () => {
    const ident = name();
    await create({ name: ident, extra: {} });
    for (const operation of [
      { op: 'add', path: '/extra/__proto__/polluted', value: 'yes' },
      { op: 'remove', path: '/extra/__proto__/toString' },
      { op: 'replace', path: '/extra/constructor/name', value: 'x' },
    ])
      expect((await patch(ident, [operation])).status).toBe(400);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(Object.hasOwn(Object.prototype, 'toString')).toBe(true);
  });

  it('takes maintenance as text', async () => {
    const ident = name();
    await create({ name: ident });
    expect((await patch(ident, [{ op: 'replace', path: '/maintenance', value: 'true' }])).json['maintenance']).toBe(
      true,
    );
  });

  it.each([
    [
      [{ op: 'replace', path: '/uuid', value: UUID }],
      400,
      /^Cannot patch \/uuid\. Only the following can be updated: /,
    ],
    [[{ op: 'replace', path: '/provision_state', value: 'active' }], 400, /^Cannot patch \/provision_state/],
    [[{ op: 'test', path: '/name', value: 'x' }], 400, /^Schema error for patch: /],
    [[{ op: 'remove', path: '/extra/nosuch' }], 400, /can't remove a non-existent object 'nosuch'/],
    [[{ op: 'add', path: '/extra/x/y', value: 1 }], 400, /member 'x' not found in \{/],
    [[{ op: 'add', path: '/extra/__proto__', value: 1 }], 400, /not a name/],
    [{}, 400, /^Schema error for patch: /],
    [[{ op: 'add', path: '/protected', value: true }], 409, /can only be made protected/],
    [[{ op: 'add', path: '/protected_reason', value: 'x' }], 400, /can only be set when protected is True$/],
    [[{ op: 'add', path: '/retired_reason', value: 'x' }], 400, /can only be set when retired is True$/],
    [[{ op: 'add', path: '/name', value: null }], 400, /^Node .*: Cannot change name to invalid name 'None'$/],
    [[{ op: 'add', path: '/name', value: 'bad name' }], 400, /Cannot change name to invalid name 'bad name'$/],
    [[{ op: 'add', path: '/name', value: 'states' }], 400, /^The word "states" is reserved/],
    [[{ op: 'add', path: '/conductor_group', value: 'nosuch' }], 400, /^No valid host .* conductor group "nosuch"\.$/],
    [[{ op: 'add', path: '/network_data', value: {} }], 400, /^Invalid network_data: 'links' is a required/],
    [[{ op: 'add', path: '/description', value: 'x'.repeat(4097) }], 400, /exceeding 4096 characters$/],
    [[{ op: 'remove', path: '/extra/list/9' }], 400, /can't remove a non-existent object|member 'list' not found/],
    [[{ op: 'add', path: '/network_data/links', value: 7 }], 400, /^Schema error for patch: network_data: /],
    [[{ op: 'add', path: '/properties/cpus', value: 'x' }], 400, /non-negative integers, .*: cpus=x$/],
    [[{ op: 'replace', path: '/protected', value: 0 }], 400, /^Schema error for patch: protected must be/],
    [[{ op: 'replace', path: '/maintenance', value: 0 }], 400, /^Schema error for patch: maintenance must be/],
    [
      [{ op: 'replace', path: '/power_interface', value: '' }],
      400,
      /'ironic.hardware.interfaces.power' entrypoint: \./,
    ],
    [[{ op: 'add', path: '/colour/of/it', value: 1 }], 400, /^Cannot patch \/colour\/of\/it\. /],
    [[{ op: 'replace', path: '/maintenance', value: 'x' }], 400, /^Invalid maintenance: Unrecognized value 'x'/],
  ])('refuses %j', async (operations, status, fault) => {
    const refused = await patch(UUID, operations);
    expect(refused.status).toBe(status);
    expect(refused.fault).toMatch(fault);
  });

  it('takes letters of every script for members', async () => {
    const changed = await patch(UUID, [{ op: 'add', path: '/extra/größe', value: 1 }], 82);
    expect(changed.json['extra']).toMatchObject({ größe: 1 });
  });

  it('knows escapes in paths from 1.98 on', async () => {
    expect((await patch(UUID, [{ op: 'add', path: '/extra/x~1y', value: 1 }], 97)).status).toBe(400);
    const changed = await patch(UUID, [{ op: 'add', path: '/extra/x~1y', value: 1 }], 98);
    expect(changed.json['extra']).toMatchObject({ 'x/y': 1 });
  });
});

describe('nodes that cannot be made', () => {
  it.each([
    [{ name: 'detail' }, 'The word "detail" is reserved and can not be used as a node name.'],
    [{ name: 'x'.repeat(256) }, 'Cannot create node with invalid name'],
    [{ driver: '' }, 'No conductor service registered which supports driver  for conductor group ""'],
    [{ conductor_group: 'Rack_1' }, 'for conductor group "Rack_1"'],
    [{ maintenance: 1 }, 'Schema error for node: maintenance must be'],
    [{ properties: { cpus: 'four', memory_mb: -1, local_gb: '10' } }, 'provided values are: cpus=four, memory_mb=-1'],
    [{ boot_interface: '' }, "'ironic.hardware.interfaces.boot' entrypoint: . Valid"],
    [{ name: '1'.repeat(32) }, 'Cannot create node with invalid name'],
    [{ parent_node: 'nosuch' }, "Unable to apply the requested parent_node 'nosuch'. Requested value was invalid."],
    [{ parent_node: UUID, owner: 'another' }, 'Unable to apply the requested parent_node'],
    [{ protected: true }, "('protected' was unexpected)"],
    [{ network_data: { links: 7, networks: [], services: [] } }, "network_data: 7 is not of type 'array'"],
    [{ network_data: { links: [{ id: 'a', type: 'phy' }], networks: [], services: [] } }, "'ethernet_mac_address'"],
    [{ network_data: { links: [], networks: [7], services: [] } }, "7 in networks is not of type 'object'"],
    [{ network_data: { links: [], networks: [], services: [{ type: 'dns', address: 7 }] } }, 'must be a string'],
  ])('%j', async (body, fault) => {
    const refused = await create({ name: name(), ...body });
    expect([refused.status, refused.fault]).toEqual([400, expect.stringContaining(fault)]);
  });

  it('only then for a version, when a field says something', async () => {
    const made = (body: object) => create({ name: name(), ...body }, 15);
    expect((await made({ automated_clean: null, storage_interface: null, conductor_group: '' })).status).toBe(201);
    expect((await made({ retired_reason: 'old' })).status).toBe(406);
  });

  it('with the name of no host below 1.10', async () => {
    const made = (called: string, version: number) => create({ name: called }, version);
    expect((await made('Rack_1~a', 9)).fault).toBe("Cannot create node with invalid name 'Rack_1~a'");
    expect((await made('Rack_1~a', 10)).status).toBe(201);
    expect((await made('rack-1.example', 9)).status).toBe(201);
  });

  it('can say what they boot by from the start', async () => {
    expect((await create({ name: name(), boot_mode: 'uefi', secure_boot: 'true' })).json).toMatchObject({
      boot_mode: 'uefi',
      secure_boot: true,
    });
  });
});

it('a path that cannot name a node leads nowhere', async () => {
  const refused = await api.request('GET', '/v1/nodes/bad%20name');
  expect([refused.status, refused.fault]).toEqual([400, 'Expected UUID or name for node: bad name']);
});

describe('deleting nodes', () => {
  it('removes a node once', async () => {
    const ident = name();
    await create({ name: ident });
    expect((await api.request('DELETE', `/v1/nodes/${ident}`)).status).toBe(204);
    expect((await api.request('DELETE', `/v1/nodes/${ident}`)).status).toBe(404);
  });

  it('refuses while an instance is on it, unless it is in maintenance', async () => {
    const ident = name();
    await create({ name: ident, instance_uuid: '99999999-9999-4999-8999-999999999999' });
    expect((await api.request('DELETE', `/v1/nodes/${ident}`)).status).toBe(409);
    await api.request('PUT', `/v1/nodes/${ident}/maintenance`, { body: { reason: 'gone' } });
    expect((await api.request('DELETE', `/v1/nodes/${ident}`)).status).toBe(204);
  });

  it('ends the work on a node in maintenance, so that its place is free for others', async () => {
    const ident = name();
    const nodeUuid = asNodeId(String((await create({ name: ident })).json['uuid']));
    const session = (await api.db.read.conductors.list())[0]!.session;
    const id = asRunId('77777777-7777-4777-8777-777777777777');
    await api.db.write('run', async (tx) => {
      const { fence } = (await tx.nodes.reserve(nodeUuid, session, 'c1', 'deploy'))!;
      const rest = { id, nodeUuid, verb: 'deploy', state: 'running', input: {}, segments: [] } as const;
      await tx.runs.create({ ...rest, deadline: 1e15, owner: session, fence, requestId: 'r' });
      await tx.nodes.release(nodeUuid, fence);
    });
    await api.request('PUT', `/v1/nodes/${ident}/maintenance`, { body: { reason: 'gone' } });
    expect((await api.request('DELETE', `/v1/nodes/${ident}`)).status).toBe(204);
    expect(await api.db.read.runs.get(id)).toMatchObject({ state: 'aborted', error: 'The node was deleted.' });
    expect(await api.db.read.runs.listUnfinished()).toEqual([]);
  });
});

describe('moving nodes', () => {
  const provision = (ident: string, body: object, version = 115) =>
    api.request('PUT', `/v1/nodes/${ident}/states/provision`, { body, version });

  it('takes two requests for two, also when a client sends one id along with both', async () => {
    const headers = { 'X-OpenStack-Request-Id': 'req-of-the-whole-operation' };
    const before = api.callIds.length;
    for (const target of ['power off', 'power on'])
      await api.request('PUT', '/v1/nodes/first/states/power', { body: { target }, headers });
    const ids = api.callIds.slice(before);
    expect(new Set(ids).size).toBe(2);
    expect(ids.every((id) => id.startsWith('req-of-the-whole-operation/'))).toBe(true);
  });

  it('asks the conductor of the node and says where to look', async () => {
    const moved = await provision('first', { target: 'manage' });
    expect([moved.status, moved.text]).toEqual([202, '']);
    expect(moved.headers.get('location')).toBe(`${api.url}/v1/nodes/first/states`);
    expect(api.calls).toEqual([
      { host: 'c1', method: 'doProvisioningAction', args: { nodeUuid: UUID, action: 'manage' } },
    ]);
  });

  it.each([
    [
      { target: 'provide' },
      400,
      `The requested action "provide" can not be performed on node "${UUID}" while it is in state "enroll".`,
    ],
    [
      { target: 'nosuch' },
      400,
      `The requested action "nosuch" can not be performed on node "${UUID}" while it is in state "enroll".`,
    ],
    [{}, 400, 'Missing mandatory parameter: target'],
    [
      { target: 'manage', clean_steps: [{}] },
      400,
      '"clean_steps" is only valid when setting target provision state to clean',
    ],
    [
      { target: 'manage', rescue_password: 'x' },
      400,
      '"rescue_password" is only valid when setting target provision state to rescue',
    ],
    [
      { target: 'manage', disable_ramdisk: true },
      400,
      'disable_ramdisk is supported only with manual cleaning or servicing',
    ],
    // The state comes before what is missing or wrong in the body.
    [
      { target: 'clean' },
      400,
      `The requested action "clean" can not be performed on node "${UUID}" while it is in state "enroll".`,
    ],
  ])('refuses %j', async (body, status, fault) => {
    const refused = await provision('first', body);
    expect([refused.status, refused.fault]).toEqual([status, fault]);
    expect(api.calls).toEqual([]);
  });

  it('knows verbs from their version on', async () => {
    expect((await provision('first', { target: 'deploy' }, 72)).status).toBe(406);
    expect((await provision('first', { target: 'deploy' }, 73)).status).toBe(400);
  });

  it('passes on what the conductor refuses, word for word', async () => {
    api.answer('changeNodePowerState', new ServiceError('NODE_LOCKED', 'Node x is locked by host c1, please retry.'));
    const locked = await api.request('PUT', '/v1/nodes/first/states/power', { body: { target: 'power on' } });
    expect([locked.status, locked.fault]).toEqual([409, 'Node x is locked by host c1, please retry.']);
  });

  it('refuses soft power below 1.27 and unknown targets always', async () => {
    const power = (body: object, version: number) =>
      api.request('PUT', '/v1/nodes/first/states/power', { body, version });
    expect((await power({ target: 'soft power off' }, 26)).status).toBe(406);
    expect((await power({ target: 'nosuch' }, 115)).fault).toContain(
      'The requested action "nosuch" can not be performed',
    );
  });

  it('shows states with what each version knows', async () => {
    expect(Object.keys((await api.request('GET', '/v1/nodes/first/states', { version: 11 })).json)).not.toContain(
      'raid_config',
    );
    expect(Object.keys((await api.request('GET', '/v1/nodes/first/states', { version: 75 })).json)).toContain(
      'boot_mode',
    );
  });

  it('sets and clears maintenance', async () => {
    expect((await api.request('PUT', '/v1/nodes/first/maintenance', { body: { reason: 'fan' } })).status).toBe(202);
    expect((await api.request('GET', '/v1/nodes/first')).json).toMatchObject({
      maintenance: true,
      maintenance_reason: 'fan',
    });
    expect((await api.request('DELETE', '/v1/nodes/first/maintenance')).status).toBe(202);
    expect((await api.request('GET', '/v1/nodes/first')).json).toMatchObject({
      maintenance: false,
      maintenance_reason: null,
    });
    expect((await api.request('GET', '/v1/nodes/first/maintenance')).status).toBe(405);
  });
});

describe('explaining nodes', () => {
  it('says what an idle node needs next', async () => {
    const why = await api.request('GET', '/v1/nodes/first/why');
    expect(why.json).toMatchObject({ waiting_for: null, run: null, what_to_do: 'Next: baremetal node manage first' });
  });

  it('says that what failed in a step is waited for by nobody, and what leads out', async () => {
    const first = (await api.db.read.nodes.find('first'))!;
    await api.db.write('test', (tx) =>
      tx.nodes.update(first.uuid, {
        maintenance: true,
        fault: 'clean failure',
        lastError: 'a disk is missing',
      }),
    );
    expect((await api.request('GET', '/v1/nodes/first/why')).json).toMatchObject({
      summary: 'The node has a fault: clean failure: a disk is missing',
      what_to_do:
        'Look at the machine. Then: baremetal node maintenance unset first. Next: baremetal node manage first',
    });
  });

  it('remembers why a node failed when a later order has cleared its last error', async () => {
    const { uuid } = await api.db.write('test', async (tx) => {
      const made = await tx.nodes.create({
        uuid: asNodeId('99999999-9999-4999-8999-999999999999'),
        driver: 'fake-hardware',
        provisionState: 'available',
      });
      await tx.nodes.processEvent(made.uuid, 'deploy', {});
      await tx.nodes.processEvent(made.uuid, 'fail', { error: 'the disk is gone' });
      return tx.nodes.update(made.uuid, { lastError: null });
    });
    expect((await api.request('GET', `/v1/nodes/${uuid}/why`)).json).toMatchObject({
      summary: 'deploy failed: the disk is gone',
      last_error: null,
    });
  });

  it('has an empty timeline before the first run', async () => {
    expect((await api.request('GET', '/v1/nodes/first/timeline')).json).toMatchObject({ run: null, phases: [] });
  });
});
