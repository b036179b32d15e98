import { asNodeId, type JsonObject, type ProvisionEvent } from '@bessemer/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startApi, type TestApi } from '../testing.ts';

let api: TestApi;
beforeEach(async () => void (api = await startApi()));
afterEach(() => api.stop());

const NODE = '11111111-1111-4111-8111-111111111111';
const OTHER = '22222222-2222-4222-8222-222222222222';
const GROUP = '33333333-3333-4333-8333-333333333333';
const mac = (n: number) => `52:54:00:00:00:0${n}`;
const portUuid = (n: number) => `4444444${n}-4444-4444-8444-444444444444`;

const make = async (path: string, body: JsonObject) =>
  expect((await api.request('POST', path, { body })).fault, JSON.stringify(body)).toBeUndefined();
const addNode = (uuid: string) => make('/v1/nodes', { driver: 'fake-hardware', uuid });
const addGroup = (more: JsonObject = {}) => make('/v1/portgroups', { node_uuid: NODE, uuid: GROUP, ...more });
const addPort = (n: number, more: JsonObject = {}) =>
  api.request('POST', '/v1/ports', { body: { node_uuid: NODE, uuid: portUuid(n), address: mac(n), ...more } });
const set = (path: string, values: JsonObject, version = 115) =>
  api.request('PATCH', path, {
    version,
    body: Object.entries(values).map(([name, value]) => ({ op: 'add', path: `/${name}`, value })),
  });
const setPort = (n: number, values: JsonObject, version?: number) => set(`/v1/ports/${portUuid(n)}`, values, version);
const setGroup = (values: JsonObject, version?: number) => set(`/v1/portgroups/${GROUP}`, values, version);
const walk = (...events: ProvisionEvent[]) =>
  api.db.write('test', async (tx) => {
    for (const event of events) await tx.nodes.processEvent(asNodeId(NODE), event, {});
  });
const bond = { portgroup_uuid: GROUP };

beforeEach(async () => {
  await addNode(NODE);
  await addNode(OTHER);
});

describe('the ports of a bond', () => {
  it('are in one physical network', async () => {
    await addGroup();
    expect((await addPort(1, { ...bond, physical_network: 'one' })).status).toBe(201);
    const words = `Port with physical network two cannot become a member of port group ${GROUP} which has ports in physical network one.`;
    expect(await addPort(2, { ...bond, physical_network: 'two' })).toMatchObject({ status: 409, fault: words });
    expect((await addPort(2)).status).toBe(201);
    expect(await setPort(2, bond)).toMatchObject({ status: 409, fault: words.replace(' two ', ' None ') });
    expect((await setPort(2, { ...bond, physical_network: 'one' }, 101)).status).toBe(200);
    expect((await setPort(2, { physical_network: 'two' }, 101)).fault).toBe(words);
    expect((await setPort(2, { physical_network: 'two' })).fault).toBe(
      'physical_network cannot be changed while the port belongs to a portgroup.',
    );
  });

  it('go to another physical network with the group', async () => {
    await addGroup({ physical_network: 'one' });
    expect((await addPort(1, { ...bond, physical_network: 'two' })).status).toBe(409);
    expect((await addPort(1, { ...bond, physical_network: 'one' })).status).toBe(201);
    expect((await setGroup({ physical_network: 'two' })).status).toBe(200);
    expect((await api.request('GET', `/v1/ports/${portUuid(1)}`)).json['physical_network']).toBe('two');
  });

  it('cannot boot by themselves where the group does not allow it', async () => {
    await addGroup({ standalone_ports_supported: false });
    expect(await addPort(1, { ...bond, pxe_enabled: true })).toMatchObject({
      status: 409,
      fault: `Port group ${GROUP} doesn't support standalone ports. This port cannot be created as a member of that portgroup as the port's 'pxe_enabled' field was set to True.`,
    });
    expect((await addPort(1)).status).toBe(201);
    expect((await setPort(1, bond)).status).toBe(200);
    await api.db.write('test', (tx) => tx.nodes.update(asNodeId(NODE), { interfaces: { network: 'neutron' } }));
    expect((await setPort(1, { pxe_enabled: false })).status).toBe(200);
    expect((await setPort(1, { pxe_enabled: true })).fault).toBe(
      `Port group ${GROUP} doesn't support standalone ports. This port ${portUuid(1)} cannot be a member of that port group because of: 'pxe_enabled' was set to True`,
    );
    expect((await setGroup({ standalone_ports_supported: true })).status).toBe(200);
    expect((await setPort(1, { pxe_enabled: true })).status).toBe(200);
    expect(await setGroup({ standalone_ports_supported: false })).toMatchObject({
      status: 409,
      fault: `standalone_ports_supported can not be set to False, because the port group ${GROUP} contains port with 'pxe_enabled' is set to True`,
    });
  });
});

describe('while a node', () => {
  it('is inspected, since there is inspect wait, neither is changed', async () => {
    await addGroup();
    await addPort(1);
    await walk('manage', 'done', 'inspect');
    const words = ` on "${NODE}" while it is in state "inspecting".`;
    expect((await setPort(1, { extra: { a: 1 } }, 38)).status).toBe(200);
    expect(await setPort(1, { extra: {} }, 39)).toMatchObject({
      status: 409,
      fault: `Cannot update port "${portUuid(1)}"${words}`,
    });
    expect((await setGroup({ extra: { a: 1 } }, 38)).status).toBe(200);
    expect((await setGroup({ extra: {} })).fault).toBe(`Cannot update portgroup "${GROUP}"${words}`);
  });

  it('is in use, what a port is connected to stays: it is asked of the node that the port will be at', async () => {
    await addPort(1);
    await walk('manage', 'done', 'provide', 'done', 'deploy', 'done');
    expect((await setPort(1, { pxe_enabled: false })).status).toBe(409);
    expect((await setPort(1, { pxe_enabled: false, node_uuid: OTHER })).status).toBe(200);
    expect((await setPort(1, { pxe_enabled: true, node_uuid: NODE })).status).toBe(409);
  });
});

it('a cable to a VTEP is told from 1.90 to 1.104, and has both its switches', async () => {
  const link = { port_id: 'e1', 'vtep-logical-switch': 'a', 'vtep-physical-switch': 'b' };
  const body = { node_uuid: NODE, uuid: portUuid(1), address: mac(1), local_link_connection: link };
  for (const version of [89, 105])
    expect((await api.request('POST', '/v1/ports', { version, body })).status, `1.${version}`).toBe(406);
  expect((await api.request('POST', '/v1/ports', { version: 104, body })).status).toBe(201);
  const shown = async (version: number) =>
    (await api.request('GET', `/v1/ports/${portUuid(1)}`, { version })).json['local_link_connection'];
  for (const version of [90, 104]) expect(await shown(version)).toEqual(link);
  for (const version of [89, 105]) expect(await shown(version)).toEqual({});
  const half = { port_id: 'e1', switch_id: mac(9), 'vtep-logical-switch': 'a' };
  expect(await addPort(2, { local_link_connection: half })).toMatchObject({
    status: 400,
    fault: expect.stringContaining('vtep-logical-switch and vtep-physical-switch go together'),
  });
});

it('a list without entries filters nothing', async () => {
  await addPort(1);
  await addGroup();
  for (const kind of ['ports', 'portgroups'])
    expect((await api.request('GET', `/v1/${kind}?shard=`)).json[kind], kind).toHaveLength(1);
});

it('ports are listed of a node by its UUID in node_uuid, and by its name in node alone', async () => {
  expect((await api.request('GET', '/v1/ports?node_uuid=n')).fault).toBe('Expected UUID for node_uuid: n');
});
