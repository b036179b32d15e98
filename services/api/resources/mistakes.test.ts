/** What a real Ironic answers to mistakes that can be made with every collection; and what it refuses of single ones. */
import type { JsonObject } from '@bessemer/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startApi, type TestApi } from '../testing.ts';

let api: TestApi;
beforeEach(async () => void (api = await startApi()));
afterEach(() => api.stop());

const NODE = '11111111-1111-4111-8111-111111111111';
const OTHER = '22222222-2222-4222-8222-222222222222';
const MAC = '52:54:00:00:00:01';
type Options = Parameters<TestApi['request']>[2];
const told = async (method: string, path: string, options: Options = {}) => {
  const { status, fault } = await api.request(method, path, options);
  return [status, fault];
};
const make = async (path: string, body: JsonObject) => {
  const reply = await api.request('POST', path, { body });
  expect([reply.status, reply.fault]).toEqual([201, undefined]);
  return reply.json;
};
const addNode = (uuid: string, more: JsonObject = {}) =>
  make('/v1/nodes', { driver: 'fake-hardware', uuid, resource_class: 'gold', ...more });
const update = (uuid: string, change: object) =>
  api.db.write('test', async (tx) => void (await tx.nodes.update(uuid as never, change)));

describe('every collection', () => {
  const COLLECTIONS: ReadonlyArray<{ path: string; ident: string; body: JsonObject; required?: string }> = [
    { path: '/v1/chassis', ident: 'chassis_uuid', body: {} },
    { path: '/v1/ports', ident: 'port_uuid', body: { node_uuid: NODE, address: MAC }, required: 'address' },
    { path: '/v1/portgroups', ident: 'portgroup_ident', body: { node_uuid: NODE }, required: 'node_uuid' },
    {
      path: '/v1/volume/connectors',
      ident: 'connector_uuid',
      body: { node_uuid: NODE, type: 'iqn', connector_id: 'x' },
      required: 'node_uuid',
    },
    {
      path: '/v1/deploy_templates',
      ident: 'template_ident',
      body: { name: 'CUSTOM_A', steps: [{ interface: 'deploy', step: 'x', args: {}, priority: 1 }] },
      required: 'name',
    },
  ];

  it.each(COLLECTIONS)('$path takes no body for an empty one, and an empty patch for none', async (c) => {
    await addNode(NODE);
    await update(NODE, { powerState: 'power off' });
    const none = await api.request('POST', c.path);
    if (c.required) expect([none.status, none.fault]).toEqual([400, expect.stringContaining('is a required property')]);
    else expect(none.status).toBe(201);
    const at = `${c.path}/${String((await make(c.path, c.body))['uuid'])}`;
    expect(await told('PATCH', at)).toEqual([400, 'Schema error for patch: the body must be an array']);
    const before = (await api.request('GET', at)).json;
    expect(before['updated_at']).toBeNull();
    expect((await api.request('PATCH', at, { body: [] })).json).toEqual(before);
    const same = [{ op: 'replace', path: '/extra', value: {} }];
    expect((await api.request('PATCH', at, { body: same })).json['updated_at']).toBeNull();
  });

  it.each(COLLECTIONS)('$path and its items say which methods they take together', async ({ path, ident }) => {
    for (const method of ['PATCH', 'DELETE'])
      expect(await told(method, path, { body: [] })).toEqual([400, `Missing mandatory parameter: ${ident}`]);
    for (const at of [path, `${path}/${OTHER}`]) {
      const refused = await api.request('PUT', at, { body: {} });
      expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'DELETE, GET, PATCH, POST']);
    }
  });

  it('says what of a patch cannot be applied, in the words of the library that Ironic has', async () => {
    const { uuid } = await make('/v1/chassis', { extra: { list: [1] } });
    const why = async (operation: JsonObject) =>
      String((await told('PATCH', `/v1/chassis/${String(uuid)}`, { body: [operation] }))[1]).split('Reason: ')[1];
    expect(await why({ op: 'add', path: '/extra/a' })).toBe("The operation does not contain a 'value' member");
    expect(await why({ op: 'add', path: '/extra/no/such', value: 1 })).toBe("member 'no' not found in {'list': [1]}");
    expect(await why({ op: 'add', path: '/extra/list/9', value: 1 })).toBe("can't insert outside of list");
    expect(await why({ op: 'replace', path: '/extra/list/9', value: 1 })).toBe("can't replace outside of list");
    expect(await why({ op: 'remove', path: '/extra/list/9' })).toBe("can't remove a non-existent object '9'");
    expect(await why({ op: 'remove', path: '/extra/list/x' })).toBe("'x' is not a valid sequence index");
    expect(await why({ op: 'add', path: '/extra/list/3/x', value: 1 })).toBe("index '3' is out of bounds");
  });

  it('takes a UUID where it has no names, and says so', async () => {
    expect(await told('GET', '/v1/chassis/x')).toEqual([400, 'Expected UUID for chassis_uuid: x']);
    expect(await told('GET', '/v1/ports/x', { version: 87 })).toEqual([400, 'Expected UUID for port_uuid: x']);
    expect(await told('GET', '/v1/ports/x', { version: 88 })).toEqual([404, 'Port x could not be found.']);
    expect((await told('GET', '/v1/portgroups/bad%20name'))[0]).toBe(400);
    expect(await told('GET', '/v1/ports?node=')).toEqual([400, 'Expected UUID or name for node: ']);
  });
});

describe('lists', () => {
  it('say what is wrong with their controls', async () => {
    const refused = async (query: string, version = 115) => (await told('GET', `/v1/ports${query}`, { version }))[1];
    expect(await refused('?limit=')).toBe('Expected an integer for limit: ');
    expect(await refused('?sort_key=extra')).toBe('The sort_key value extra is an invalid field for sorting');
    expect(await refused('?sort_key=nosuch')).toBe('The sort_key value "nosuch" is an invalid field for sorting');
    expect(await refused('?fields=uuid,nosuch')).toBe('Field(s) "nosuch" are not valid');
    expect(await refused('?detail=0', 42)).toBe('Invalid query parameter ?detail=False received.');
    expect(await refused('/detail?fields=uuid')).toBe('Unexpected arguments: fields');
  });

  it('of volumes have their own words for fields with detail, and no order by node', async () => {
    for (const kind of ['connectors', 'targets']) {
      expect(await told('GET', `/v1/volume/${kind}?fields=uuid&detail=true`)).toEqual([
        400,
        "Can't fetch a subset of fields with 'detail' set",
      ]);
      expect((await told('GET', `/v1/volume/${kind}?sort_key=node_uuid`))[0]).toBe(400);
    }
  });

  it('of conductors begin after a conductor that there is', async () => {
    expect((await told('GET', '/v1/conductors?marker=c1'))[0]).toBe(200);
    expect(await told('GET', '/v1/conductors?marker=c9')).toEqual([404, 'Conductor c9 could not be found.']);
    expect(await told('GET', '/v1/conductors?marker=')).toEqual([400, 'Expected name for marker: ']);
    expect((await told('GET', '/v1/conductors?sort_key=alive'))[0]).toBe(400);
    expect((await told('GET', '/v1/conductors?sort_key=conductor_group&sort_dir=desc'))[0]).toBe(200);
  });

  it('of hardware types know two types and the fields of a type', async () => {
    expect(await told('GET', '/v1/drivers?type=x')).toEqual([
      400,
      '"type" filter must be one of "classic" or "dynamic", if specified.',
    ]);
    expect((await told('GET', '/v1/drivers?fields=default_boot_interface'))[0]).toBe(400);
    expect((await told('GET', '/v1/drivers/fake-hardware?fields=default_boot_interface'))[0]).toBe(200);
    expect(await told('GET', '/v1/drivers/x/properties')).toEqual([404, "The driver 'x' is unknown."]);
    expect(await told('GET', '/v1/drivers/fake-hardware/vendor_passthru')).toEqual([
      400,
      'Missing mandatory parameter: method',
    ]);
  });

  it('of a chassis hold its nodes with all fields', async () => {
    const { uuid } = await make('/v1/chassis', {});
    await addNode(NODE, { chassis_uuid: uuid! });
    const { nodes } = (await api.request('GET', `/v1/chassis/${String(uuid)}/nodes/detail`)).json;
    expect(nodes).toEqual([expect.objectContaining({ uuid: NODE, driver: 'fake-hardware' })]);
    expect((await told('GET', '/v1/chassis/x/nodes'))[1]).toBe('Expected UUID for chassis_uuid: x');
  });
});

describe('ports', () => {
  beforeEach(async () => void (await addNode(NODE)));
  const port = (more: JsonObject) => told('POST', '/v1/ports', { body: { node_uuid: NODE, address: MAC, ...more } });

  it.each<[link: JsonObject, why: string | undefined]>([
    [{}, undefined],
    [{ port_id: 'e1', switch_id: 'AA:BB:CC:DD:EE:FF' }, undefined],
    [{ port_id: 'e1', switch_id: '0011223344556677' }, undefined],
    [{ port_id: 'e1', hostname: 'h' }, undefined],
    [{ network_type: 'unmanaged' }, undefined],
    [{ port_id: 'e1' }, 'Schema error for local_link_connection: it needs'],
    [{ network_type: 'managed' }, 'Schema error for local_link_connection: it needs'],
    [{ network_type: 'x' }, 'Schema error for local_link_connection: network_type is not one of'],
    [{ port_id: 7 }, 'Schema error for local_link_connection: port_id is not'],
    [{ port: 'e1' }, "Additional properties are not allowed ('port' was unexpected)"],
    [{ port_id: 'e1', switch_id: 'x' }, 'Expected a MAC address or OpenFlow datapath ID but received x.'],
  ])('with the connection %j: %s', async (link, why) => {
    const [status, fault] = await port({ local_link_connection: link });
    expect([status, fault]).toEqual(why === undefined ? [201, undefined] : [400, expect.stringContaining(why)]);
  });

  it('keep the MAC address of a switch in lower case', async () => {
    const link = { port_id: 'e1', switch_id: 'AA:BB:CC:DD:EE:FF' };
    const made = await make('/v1/ports', { node_uuid: NODE, address: MAC, local_link_connection: link });
    expect(made['local_link_connection']).toEqual({ ...link, switch_id: 'aa:bb:cc:dd:ee:ff' });
  });

  it('are refused with an address of another notation, a bad node and an empty network', async () => {
    expect(await port({ address: '52-54-00-00-00-01' })).toEqual([
      400,
      'Expected valid MAC address for address: 52-54-00-00-00-01',
    ]);
    expect(await port({ node_uuid: 'n' })).toEqual([400, 'Expected UUID for node_uuid: n']);
    expect((await port({ physical_network: '' }))[1]).toMatch(/^A non-empty value is required/);
    const smart = { is_smartnic: true, local_link_connection: { port_id: 'e1', switch_id: MAC } };
    expect((await port(smart))[1]).toBe('Smart NIC port must have port_id and hostname in local_link_connection');
  });

  it('keep their address while the node is in use, and may be told again what they are', async () => {
    const { uuid } = await make('/v1/ports', { node_uuid: NODE, address: MAC });
    const at = `/v1/ports/${String(uuid)}`;
    const change = (path: string, value: unknown) => told('PATCH', at, { body: [{ op: 'replace', path, value }] });
    await update(NODE, { instanceUuid: OTHER });
    expect(await change('/address', '52:54:00:00:00:02')).toEqual([
      409,
      `Cannot update hardware address for port ${String(uuid)} as node ${NODE} is active or has instance UUID assigned`,
    ]);
    expect((await change('/address', MAC.toUpperCase()))[0]).toBe(200);
    await api.db.write('test', async (tx) => {
      for (const event of ['manage', 'done', 'provide', 'done'] as const)
        await tx.nodes.processEvent(NODE as never, event, {});
    });
    expect((await change('/pxe_enabled', true))[0]).toBe(200);
    expect((await change('/pxe_enabled', false))[0]).toBe(409);
    await update(NODE, { maintenance: true });
    expect((await change('/address', '52:54:00:00:00:02'))[0]).toBe(200);
  });
});

describe('port groups', () => {
  it('keep a mode, and move to nodes that are not in use', async () => {
    await addNode(NODE);
    await addNode(OTHER);
    const at = `/v1/portgroups/${String((await make('/v1/portgroups', { node_uuid: NODE }))['uuid'])}`;
    expect(await told('PATCH', at, { body: [{ op: 'remove', path: '/mode' }] })).toEqual([
      400,
      "'mode' is a mandatory attribute and can not be removed",
    ]);
    const move = [{ op: 'replace', path: '/node_uuid', value: OTHER }];
    expect((await told('PATCH', at, { body: move }))[0]).toBe(200);
    await api.db.write('test', async (tx) => {
      for (const event of ['manage', 'done', 'provide', 'done'] as const)
        await tx.nodes.processEvent(NODE as never, event, {});
    });
    const back = [{ op: 'replace', path: '/node_uuid', value: NODE }];
    expect((await told('PATCH', at, { body: back }))[1]).toMatch(/can not be associated to node .* unless the node is/);
  });
});

describe('allocations', () => {
  it('of a node that has an instance are its instance, and have its class', async () => {
    await addNode(NODE, { instance_uuid: OTHER });
    await api.request('POST', '/v1/allocations', { body: { node: NODE } });
    const made = (await api.request('GET', `/v1/allocations/${OTHER}`)).json;
    expect(made).toMatchObject({ uuid: OTHER, resource_class: 'gold' });
  });

  it('are found by UUID though another one has that for its name', async () => {
    await make('/v1/allocations', { resource_class: 'gold', name: OTHER });
    expect((await told('GET', `/v1/allocations/${OTHER}`))[0]).toBe(404);
  });

  it('of a node that is not there are a bad filter', async () => {
    for (const path of ['/v1/allocations?node=nosuch', `/v1/nodes/${NODE}/allocation`])
      expect((await told('GET', path))[0]).toBe(400);
  });
});
