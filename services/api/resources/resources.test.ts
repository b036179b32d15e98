import { asPortId, type JsonObject, ServiceError } from '@bessemer/core';
import type { Db } from '@bessemer/db';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startApi, type TestApi } from '../testing.ts';

let api: TestApi;
beforeEach(async () => void (api = await startApi()));
afterEach(() => api.stop());

const NODE = '11111111-1111-4111-8111-111111111111';
const OTHER = '22222222-2222-4222-8222-222222222222';
const make = async (path: string, body: JsonObject, version = 115) => {
  const reply = await api.request('POST', path, { body, version });
  expect([reply.status, reply.fault], `${path} ${JSON.stringify(body)}`).toEqual([201, undefined]);
  return reply.json;
};
const addNode = (uuid: string, more: JsonObject = {}) =>
  make('/v1/nodes', { driver: 'fake-hardware', uuid, resource_class: 'baremetal', ...more });
const patch = (path: string, name: string, value: unknown, op = 'replace') =>
  api.request('PATCH', path, { body: [op === 'remove' ? { op, path: `/${name}` } : { op, path: `/${name}`, value }] });
const uuidsOf = (body: JsonObject, key: string) => (body[key] as JsonObject[]).map((item) => item['uuid']);

const STEP = { interface: 'deploy', step: 'deploy', args: {}, priority: 50 };
const RUNBOOK_STEP = { interface: 'deploy', step: 'erase_devices', args: {}, order: 1 };
const ACTION = { op: 'set-attribute', args: { path: '/extra/a', value: 1 } };

/** One row per resource: how to make it, what conflicts, what a patch changes and must refuse. */
const RESOURCES: ReadonlyArray<{
  path: string;
  key: string;
  since: number;
  body: JsonObject;
  /** What a second one of the same says. */
  conflict?: RegExp;
  name?: string;
  change: [name: string, value: unknown];
  mandatory?: string;
  readOnly: string;
  unknownMessage: string;
  isSummary: readonly string[];
}> = [
  {
    path: '/v1/ports',
    key: 'ports',
    since: 1,
    body: { address: '52:54:00:00:00:01', node_uuid: NODE },
    conflict: /A port with MAC address 52:54:00:00:00:01 already exists/,
    change: ['extra', { a: 1 }],
    mandatory: 'address',
    readOnly: 'internal_info',
    unknownMessage: 'Port',
    isSummary: ['address', 'uuid'],
  },
  {
    path: '/v1/portgroups',
    key: 'portgroups',
    since: 23,
    body: { node_uuid: NODE, name: 'bond0', address: '52:54:00:00:00:10', mode: '802.3ad' },
    conflict: /A portgroup with MAC address 52:54:00:00:00:10 already exists/,
    name: 'bond0',
    change: ['properties', { miimon: '100' }],
    mandatory: 'node_uuid',
    readOnly: 'dynamic_portgroup',
    unknownMessage: 'Portgroup',
    isSummary: ['address', 'name', 'uuid'],
  },
  {
    path: '/v1/volume/connectors',
    key: 'connectors',
    since: 32,
    body: { node_uuid: NODE, type: 'iqn', connector_id: 'iqn.2017-08.org.openstack:1' },
    conflict: /type iqn and connector ID iqn.2017-08.org.openstack:1 already exists/,
    change: ['extra', { a: 'b' }],
    mandatory: 'type',
    readOnly: 'created_at',
    unknownMessage: 'Volume connector',
    isSummary: ['connector_id', 'node_uuid', 'type', 'uuid'],
  },
  {
    path: '/v1/volume/targets',
    key: 'targets',
    since: 32,
    body: { node_uuid: NODE, volume_type: 'iscsi', boot_index: 0, volume_id: 'vol-1' },
    conflict: /A volume target with boot index '0' for the same node already exists/,
    change: ['boot_index', 3],
    mandatory: 'volume_id',
    readOnly: 'updated_at',
    unknownMessage: 'Volume target',
    isSummary: ['boot_index', 'node_uuid', 'uuid', 'volume_id', 'volume_type'],
  },
  {
    path: '/v1/chassis',
    key: 'chassis',
    since: 1,
    body: { description: 'rack 1' },
    change: ['description', 'rack 2'],
    readOnly: 'created_at',
    unknownMessage: 'Chassis',
    isSummary: ['description', 'uuid'],
  },
  {
    path: '/v1/deploy_templates',
    key: 'deploy_templates',
    since: 55,
    body: { name: 'CUSTOM_GOLD', steps: [STEP] },
    conflict: /A deploy template with name CUSTOM_GOLD already exists/,
    name: 'CUSTOM_GOLD',
    change: ['steps', [{ ...STEP, priority: 10 }]],
    mandatory: 'steps',
    readOnly: 'created_at',
    unknownMessage: 'Deploy template',
    isSummary: ['name', 'uuid'],
  },
  {
    path: '/v1/runbooks',
    key: 'runbooks',
    since: 92,
    body: { name: 'CUSTOM_WIPE', steps: [RUNBOOK_STEP] },
    conflict: /A runbook with name CUSTOM_WIPE already exists/,
    name: 'CUSTOM_WIPE',
    change: ['disable_ramdisk', true],
    mandatory: 'name',
    readOnly: 'traits',
    unknownMessage: 'Runbook',
    isSummary: ['name', 'uuid'],
  },
  {
    path: '/v1/inspection_rules',
    key: 'inspection_rules',
    since: 96,
    body: { description: 'mark', actions: [ACTION], conditions: [{ op: 'eq', args: ['{a}', 1] }] },
    change: ['priority', 200],
    mandatory: 'actions',
    readOnly: 'created_at',
    unknownMessage: 'Inspection rule',
    isSummary: ['description', 'phase', 'priority', 'uuid'],
  },
  {
    path: '/v1/allocations',
    key: 'allocations',
    since: 52,
    body: { name: 'alloc-1', resource_class: 'baremetal' },
    conflict: /An allocation with name alloc-1 already exists/,
    name: 'alloc-1',
    change: ['extra', { a: 'b' }],
    readOnly: 'state',
    unknownMessage: 'Allocation',
    isSummary: ['name', 'state', 'uuid'],
  },
];

describe.each(RESOURCES)('$path', (r) => {
  beforeEach(async () => {
    await addNode(NODE);
    await api.request('PUT', `/v1/nodes/${NODE}/states/power`, { body: { target: 'power off' } });
    await api.db.write('test', async (tx) => void (await tx.nodes.update(NODE as never, { powerState: 'power off' })));
  });

  it('is created, found, listed, changed and removed', async () => {
    const made = await make(r.path, r.body);
    expect(made).toMatchObject({ ...r.body, updated_at: null });
    const at = `${r.path}/${String(made['uuid'])}`;
    for (const ident of [made['uuid'], ...(r.name ? [r.name] : [])])
      expect((await api.request('GET', `${r.path}/${String(ident)}`)).json['uuid']).toBe(made['uuid']);
    const listed = (await api.request('GET', r.path)).json[r.key] as JsonObject[];
    expect(listed).toHaveLength(1);
    expect(Object.keys(listed[0]!)).toEqual(expect.arrayContaining([...r.isSummary, 'links']));
    const some = (await api.request('GET', `${r.path}?fields=uuid`)).json[r.key] as JsonObject[];
    expect(Object.keys(some[0]!).toSorted()).toEqual(['links', 'uuid']);
    const changed = await patch(at, r.change[0], r.change[1], 'add');
    expect([changed.status, changed.json[r.change[0]]]).toEqual([200, r.change[1]]);
    expect(changed.json['updated_at']).not.toBeNull();
    expect((await api.request('DELETE', at)).status).toBe(204);
    const gone = await api.request('GET', at);
    expect([gone.status, gone.fault]).toEqual([404, `${r.unknownMessage} ${String(made['uuid'])} could not be found.`]);
  });

  it('refuses what is wrong and says what', async () => {
    const made = await make(r.path, r.body);
    const at = `${r.path}/${String(made['uuid'])}`;
    if (r.conflict) {
      const again = await api.request('POST', r.path, { body: r.body });
      expect([again.status, again.fault]).toEqual([409, expect.stringMatching(r.conflict)]);
    }
    const sameUuid = await api.request('POST', r.path, { body: { ...r.body, uuid: made['uuid'] } });
    expect(sameUuid.status).toBe(409);
    const unknown = await api.request('POST', r.path, { body: { ...r.body, nonsense: 1 } });
    expect([unknown.status, unknown.fault]).toEqual([400, expect.stringContaining("('nonsense' was unexpected)")]);
    const badUuid = await api.request('POST', r.path, { body: { ...r.body, uuid: 'zebra' } });
    expect([badUuid.status, badUuid.fault]).toEqual([400, 'Expected UUID for uuid: zebra']);
    const readOnly = await patch(at, r.readOnly, 'x');
    expect([readOnly.status, readOnly.fault]).toEqual([
      400,
      expect.stringMatching(new RegExp(`^Cannot patch /${r.readOnly}. Only the following can be updated: `)),
    ]);
    if (r.mandatory) expect((await patch(at, r.mandatory, undefined, 'remove')).status).toBe(400);
    expect((await api.request('GET', `${r.path}?fields=nonsense`)).status).toBe(400);
    expect((await api.request('GET', `${r.path}?sort_key=extra`)).status).toBe(400);
    expect((await api.request('GET', `${r.path}?nonsense=1`)).fault).toBe('Unexpected arguments: nonsense');
    const lost = await api.request('GET', `${r.path}?marker=${OTHER}`);
    expect([lost.status, lost.fault]).toEqual([404, expect.stringContaining(`${OTHER} could not be found.`)]);
  });

  it('is not there below the microversion that it came with', async () => {
    if (r.since === 1) return;
    expect((await api.request('GET', r.path, { version: r.since })).status).toBe(200);
    expect((await api.request('GET', r.path, { version: r.since - 1 })).status).toBe(404);
    // Some of Ironic's controllers refuse the method instead.
    const status = /allocations|deploy_templates|runbooks/.test(r.path) ? 405 : 404;
    expect((await api.request('POST', r.path, { version: r.since - 1, body: r.body })).status).toBe(status);
  });
});

it('a patch loses nothing of another that came between its look and its write', async () => {
  let meet: ((db: Db) => Promise<unknown>) | undefined;
  const two = await startApi({
    around: (db) => ({
      ...db,
      async write(name, fn, options) {
        // What a request changes it has read, so that PostgreSQL takes the transaction back where that was changed.
        expect(options?.snapshot).toBe(true);
        const before = name === 'patch ports' ? meet : undefined;
        meet = before ? undefined : meet;
        await before?.(db);
        return db.write(name, fn, options);
      },
    }),
  });
  try {
    await two.request('POST', '/v1/nodes', { body: { driver: 'fake-hardware', uuid: NODE } });
    const port = await two.request('POST', '/v1/ports', { body: { address: '52:54:00:00:00:01', node_uuid: NODE } });
    const uuid = asPortId(String(port.json['uuid']));
    meet = (db) => db.write('other', (tx) => tx.ports.update(uuid, { extra: { theirs: 1 } }));
    const patched = await two.request('PATCH', `/v1/ports/${uuid}`, {
      body: [{ op: 'add', path: '/extra/ours', value: 1 }],
    });
    expect(patched.json['extra']).toEqual({ theirs: 1, ours: 1 });
  } finally {
    await two.stop();
  }
});

describe('ports and port groups', () => {
  it('are bound to one node, and a group is kept while ports are in it', async () => {
    await addNode(NODE, { shard: 's1' });
    await addNode(OTHER);
    const group = await make('/v1/portgroups', { node_uuid: NODE, name: 'bond0' });
    const inGroup = { node_uuid: NODE, address: '52:54:00:00:00:01', portgroup_uuid: group['uuid']! };
    const port = await make('/v1/ports', inGroup);
    const strange = await api.request('POST', '/v1/ports', {
      body: { ...inGroup, node_uuid: OTHER, address: '52:54:00:00:00:02' },
    });
    expect([strange.status, strange.fault]).toEqual([400, expect.stringContaining('belonging to a different node')]);
    expect(uuidsOf((await api.request('GET', '/v1/portgroups/bond0/ports')).json, 'ports')).toEqual([port['uuid']]);
    expect(uuidsOf((await api.request('GET', '/v1/ports?portgroup=bond0')).json, 'ports')).toEqual([port['uuid']]);
    expect(uuidsOf((await api.request('GET', `/v1/nodes/${NODE}/portgroups`)).json, 'portgroups')).toEqual([
      group['uuid'],
    ]);
    expect(uuidsOf((await api.request('GET', '/v1/ports?shard=s1,s2')).json, 'ports')).toEqual([port['uuid']]);
    expect(uuidsOf((await api.request('GET', '/v1/ports?shard=s2')).json, 'ports')).toEqual([]);
    expect(uuidsOf((await api.request('GET', '/v1/ports?conductor_groups=')).json, 'ports')).toEqual([port['uuid']]);
    expect((await api.request('GET', `/v1/ports?shard=s1&node=${NODE}`)).status).toBe(403);
    expect((await api.request('GET', `/v1/portgroups?shard=s1&node=${NODE}`)).status).toBe(400);
    const held = await api.request('DELETE', '/v1/portgroups/bond0');
    expect([held.status, held.fault]).toEqual([400, expect.stringContaining('contains ports')]);
    const moved = await patch('/v1/portgroups/bond0', 'node_uuid', OTHER);
    expect([moved.status, moved.fault]).toEqual([400, expect.stringContaining('because there are ports associated')]);
  });

  it('know their fields by microversion', async () => {
    await addNode(NODE, { name: 'n1' });
    const by = await make('/v1/ports', { node_ident: 'n1', address: '52:54:00:00:00:01', vendor: 'acme' });
    const at = `/v1/ports/${String(by['uuid'])}`;
    for (const [name, since] of [
      ['internal_info', 18],
      ['pxe_enabled', 19],
      ['portgroup_uuid', 24],
      ['physical_network', 34],
      ['is_smartnic', 53],
      ['name', 88],
      ['description', 97],
      ['vendor', 100],
      ['category', 101],
      ['available_for_dynamic_portgroup', 111],
    ] as const) {
      expect(Object.keys((await api.request('GET', at, { version: since })).json), name).toContain(name);
      expect(Object.keys((await api.request('GET', at, { version: since - 1 })).json), name).not.toContain(name);
      const fields = await api.request('GET', `${at}?fields=${name}`, { version: Math.max(8, since - 1) });
      expect(fields.status, name).toBe(406);
    }
    const late = await api.request('POST', '/v1/ports', {
      version: 93,
      body: { node_ident: 'n1', address: '52:54:00:00:00:02' },
    });
    expect(late.status).toBe(406);
  });
});

describe('volumes', () => {
  it('change only while the node is off, and show no secret', async () => {
    await addNode(NODE);
    const target = await make('/v1/volume/targets', {
      node_uuid: NODE,
      volume_type: 'iscsi',
      boot_index: 1,
      volume_id: 'v',
      properties: { target_iqn: 'iqn.x', auth_password: 'hunter2' },
    });
    expect(target).toMatchObject({ boot_index: 1, properties: { target_iqn: 'iqn.x', auth_password: '******' } });
    await api.db.write('test', async (tx) => void (await tx.nodes.update(NODE as never, { powerState: 'power on' })));
    const at = `/v1/volume/targets/${String(target['uuid'])}`;
    const refused = await patch(at, 'properties/lun', 2, 'add');
    expect([refused.status, refused.fault]).toEqual([
      400,
      `The requested action "volume target update" can not be performed on node "${NODE}" while it is in state "power on".`,
    ]);
    const other = { node_uuid: NODE, volume_type: 'iscsi', boot_index: 2, volume_id: 'w' };
    const { uuid } = await make('/v1/volume/targets', other);
    expect((await api.request('DELETE', `/v1/volume/targets/${String(uuid)}`)).status).toBe(204);
    await api.db.write('test', async (tx) => {
      for (const event of ['manage', 'done', 'provide', 'done'] as const)
        await tx.nodes.processEvent(NODE as never, event, {});
    });
    expect((await api.request('DELETE', at)).status).toBe(400);
    await api.db.write('test', async (tx) => void (await tx.nodes.update(NODE as never, { powerState: 'power off' })));
    expect((await patch(at, 'properties/lun', 2, 'add')).json['properties']).toMatchObject({ lun: 2 });
    const stored = await api.db.read.volumeTargets.find(String(target['uuid']));
    expect(stored!.properties['auth_password']).toBe('hunter2');
    expect(uuidsOf((await api.request('GET', `/v1/nodes/${NODE}/volume/targets`)).json, 'targets')).toEqual([
      target['uuid'],
    ]);
    expect(Object.keys((await api.request('GET', `/v1/nodes/${NODE}/volume`)).json).toSorted()).toEqual([
      'connectors',
      'links',
      'targets',
    ]);
    expect((await api.request('GET', '/v1/nodes/nosuch/volume')).status).toBe(404);
    // Volumes had `detail` from their first version on, older than that of the other collections.
    const detailed = await api.request('GET', '/v1/volume/targets?detail=True', { version: 32 });
    expect(detailed.json['targets']).toMatchObject([{ uuid: target['uuid'], properties: { lun: 2 } }]);
  });
});

describe('plans', () => {
  it('name steps once, and traits by their names', async () => {
    const twice = await api.request('POST', '/v1/deploy_templates', {
      body: { name: 'CUSTOM_A', steps: [STEP, STEP] },
    });
    expect([twice.status, twice.fault]).toEqual([400, expect.stringContaining('Duplicates: interface: deploy, step')]);
    const noTrait = await api.request('POST', '/v1/deploy_templates', { body: { name: 'gold', steps: [STEP] } });
    expect([noTrait.status, noTrait.fault]).toEqual([400, expect.stringContaining("'^CUSTOM_[A-Z0-9_]+$'")]);
    const secret = { ...STEP, args: { password: 'hunter2', a: 1 } };
    const made = await make('/v1/deploy_templates', { name: 'CUSTOM_A', steps: [secret] });
    expect(made['steps']).toEqual([{ ...STEP, args: { password: '******', a: 1 } }]);
  });

  it('keep a runbook for nodes with its traits, by logical names from 1.112 on', async () => {
    const logical = { name: 'wipe-all', steps: [RUNBOOK_STEP] };
    expect((await api.request('POST', '/v1/runbooks', { body: logical, version: 111 })).status).toBe(400);
    await make('/v1/runbooks', logical);
    const traits = async () => (await api.request('GET', '/v1/runbooks/wipe-all/traits')).json['traits'];
    const at = '/v1/runbooks/wipe-all/traits';
    expect((await api.request('PUT', at, { body: { traits: ['CUSTOM_B', 'CUSTOM_A'] } })).status).toBe(204);
    const added = await api.request('PUT', `${at}/CUSTOM_C`);
    expect([added.status, added.headers.get('location')]).toEqual([204, `${api.url}${at}/CUSTOM_C`]);
    expect(await traits()).toEqual(['CUSTOM_A', 'CUSTOM_B', 'CUSTOM_C']);
    expect((await api.request('DELETE', `${at}/CUSTOM_A`)).status).toBe(204);
    expect(await traits()).toEqual(['CUSTOM_B', 'CUSTOM_C']);
    expect((await api.request('DELETE', at)).status).toBe(204);
    expect(await traits()).toEqual([]);
    expect((await api.request('GET', at, { version: 111 })).status).toBe(404);
    expect((await api.request('PUT', `${at}/bad`)).status).toBe(400);
  });

  it('make a runbook public, and take it back, without its owner', async () => {
    const owned = (name: string, owner: string) =>
      make('/v1/runbooks', { name, owner, steps: [RUNBOOK_STEP] }).then(({ uuid }) => `/v1/runbooks/${String(uuid)}`);
    const at = await owned('mine', 'p');
    expect((await patch(at, 'public', true)).json).toMatchObject({ public: true, owner: null });
    expect(await patch(at, 'owner', 'p')).toMatchObject({
      status: 400,
      fault: 'There cannot be an owner for a public runbook',
    });
    expect((await patch(at, 'public', false)).json).toMatchObject({ public: false, owner: null });
    const body = [
      { op: 'replace', path: '/public', value: false },
      { op: 'add', path: '/owner', value: 'q' },
    ];
    expect((await api.request('PATCH', at, { body })).json).toMatchObject({ public: false, owner: 'q' });
  });

  it('list inspection rules by phase', async () => {
    await make('/v1/inspection_rules', { actions: [ACTION] });
    await make('/v1/inspection_rules', { actions: [ACTION], phase: 'early' });
    const of = async (phase: string) =>
      (await api.request('GET', `/v1/inspection_rules?phase=${phase}`)).json['inspection_rules'];
    expect([await of('main'), await of('early')]).toMatchObject([[{ phase: 'main' }], [{ phase: 'early' }]]);
  });

  it('hide what a sensitive inspection rule does, and never unhide it', async () => {
    const rule = await make('/v1/inspection_rules', { actions: [ACTION], sensitive: true });
    expect(rule).toMatchObject({ actions: null, conditions: null, phase: 'main', priority: 0 });
    const open = await patch(`/v1/inspection_rules/${String(rule['uuid'])}`, 'sensitive', false);
    expect([open.status, open.fault]).toEqual([400, expect.stringContaining('cannot have the sensitive flag unset')]);
    const far = await api.request('POST', '/v1/inspection_rules', { body: { actions: [ACTION], priority: 10_000 } });
    expect(far.status).toBe(400);
    const short = await api.request('POST', '/v1/inspection_rules', { body: { actions: [{ op: 'fail', args: {} }] } });
    expect(short.fault).toBe('Inspection rule: action fail: missing required argument(s): msg');
    await make('/v1/inspection_rules', { actions: [ACTION] });
    expect((await api.request('DELETE', '/v1/inspection_rules')).status).toBe(204);
    expect((await api.request('GET', '/v1/inspection_rules')).json['inspection_rules']).toEqual([]);
  });

  it('count nodes by shard', async () => {
    await addNode(NODE, { shard: 'a' });
    await addNode(OTHER);
    await addNode('33333333-3333-4333-8333-333333333333', { shard: 'a' });
    expect((await api.request('GET', '/v1/shards')).json).toEqual({
      shards: [
        { name: 'a', count: 2 },
        { name: null, count: 1 },
      ],
    });
    expect((await api.request('GET', '/v1/shards', { version: 81 })).status).toBe(404);
  });
});

describe('traits of a node', () => {
  it('are set, added one by one and removed', async () => {
    await addNode(NODE, { name: 'n1' });
    const at = '/v1/nodes/n1/traits';
    const one = await api.request('PUT', `${at}/CUSTOM_GOLD`);
    expect([one.status, one.headers.get('location')]).toEqual([204, `${api.url}${at}/CUSTOM_GOLD`]);
    await api.request('PUT', `${at}/HW_CPU_X86_VMX`);
    expect((await api.request('GET', at)).json).toEqual({ traits: ['CUSTOM_GOLD', 'HW_CPU_X86_VMX'] });
    expect((await api.request('PUT', `${at}/bad`)).fault).toBe(
      "Schema error for trait: 'bad' is not valid under any of the given schemas. Possible root cause: 'bad' does not match '^CUSTOM_[A-Z0-9_]+$'",
    );
    const missing = await api.request('DELETE', `${at}/CUSTOM_NOSUCH`);
    expect([missing.status, missing.fault]).toEqual([404, `Node ${NODE} doesn't have a trait 'CUSTOM_NOSUCH'`]);
    expect((await api.request('DELETE', `${at}/CUSTOM_GOLD`)).status).toBe(204);
    const many = Array.from({ length: 51 }, (_, i) => `CUSTOM_T${i}`);
    expect((await api.request('PUT', at, { body: { traits: many } })).fault).toContain(
      'exceed the maximum number of traits per node (51 vs. 50)',
    );
    expect((await api.request('PUT', at, { body: { traits: many.slice(1) } })).status).toBe(204);
    expect((await api.request('DELETE', at)).status).toBe(204);
    expect((await api.request('GET', at)).json).toEqual({ traits: [] });
    expect((await api.request('GET', at, { version: 36 })).status).toBe(406);
    expect((await api.request('PUT', at, { version: 36, body: { traits: [] } })).status).toBe(405);
  });
});

describe('allocations', () => {
  it('are handed to a conductor, and given back with their node', async () => {
    await addNode(NODE, { name: 'n1' });
    const made = await make('/v1/allocations', { resource_class: 'baremetal', traits: ['CUSTOM_A'], name: 'a1' });
    expect(made).toMatchObject({ state: 'allocating', node_uuid: null, candidate_nodes: [], last_error: null });
    expect(api.calls.at(-1)).toMatchObject({
      method: 'allocate',
      args: { allocationUuid: made['uuid'], nodeUuid: null },
    });
    await api.db.write('test', async (tx) => {
      const uuid = String(made['uuid']);
      await tx.nodes.update(NODE as never, { instanceUuid: uuid, allocationUuid: uuid, instanceInfo: { traits: [] } });
      await tx.allocations.update(uuid, { nodeUuid: NODE, state: 'active' });
    });
    expect((await api.request('GET', '/v1/nodes/n1/allocation')).json['uuid']).toBe(made['uuid']);
    for (const [query, count] of [
      ['node=n1', 1],
      ['state=active', 1],
      ['state=error', 0],
      ['resource_class=baremetal', 1],
      ['owner=me', 0],
    ] as const)
      expect((await api.request('GET', `/v1/allocations?${query}`)).json['allocations'], query).toHaveLength(count);
    expect((await api.request('DELETE', '/v1/nodes/n1/allocation')).status).toBe(204);
    expect(await api.db.read.nodes.find(NODE)).toMatchObject({
      instanceUuid: null,
      allocationUuid: null,
      instanceInfo: {},
    });
    expect((await api.request('GET', '/v1/nodes/n1/allocation')).fault).toBe('Allocation for node n1 was not found');
  });

  it('are refused without a class, with an unknown candidate, and for what cannot go together', async () => {
    await addNode(NODE);
    const refused = async (body: JsonObject, version = 115) => {
      const reply = await api.request('POST', '/v1/allocations', { body, version });
      return [reply.status, reply.fault];
    };
    expect(await refused({})).toEqual([400, 'The resource_class field is mandatory when not backfilling']);
    expect(await refused({ resource_class: 'x', candidate_nodes: ['nosuch', NODE, 'neither'] })).toEqual([
      400,
      'Nodes cannot be found: nosuch, neither',
    ]);
    expect(await refused({ resource_class: 'x'.repeat(81) })).toEqual([
      400,
      'Schema error for allocation: resource_class is too long: it may have 80 characters at most',
    ]);
    expect(await refused({ node: 'bad name' })).toEqual([
      400,
      'Expected a logical name or UUID but received bad name.',
    ]);
    expect(await refused({ node: NODE }, 57)).toEqual([
      400,
      'Cannot set node when creating an allocation in this API version',
    ]);
    expect((await refused({ resource_class: 'x', name: 'bad name' }))[0]).toBe(400);
    expect((await api.request('PATCH', '/v1/allocations/x', { version: 56, body: [] })).status).toBe(405);
  });

  it('name the node to backfill, so that no other is given when its conductor is gone', async () => {
    await addNode(NODE);
    api.answer('allocate', new ServiceError('TEMPORARY_FAILURE', 'gone'));
    const body = { node: NODE, resource_class: 'baremetal', name: 'web-1' };
    expect((await api.request('POST', '/v1/allocations', { body })).status).toBe(503);
    expect(await api.db.read.allocations.find('web-1')).toMatchObject({
      state: 'allocating',
      candidateNodes: [NODE],
    });
  });

  it('keep candidates that the node to backfill is not among, for the conductor to refuse', async () => {
    await addNode(NODE, { name: 'n1' });
    await addNode(OTHER);
    const candidatesOf = async (name: string, given: string[]) => {
      await make('/v1/allocations', { node: NODE, resource_class: 'baremetal', name, candidate_nodes: given });
      return (await api.db.read.allocations.find(name))?.candidateNodes;
    };
    expect(await candidatesOf('a', [OTHER, 'n1'])).toEqual([NODE]);
    expect(await candidatesOf('b', [OTHER])).toEqual([OTHER]);
  });

  it('keep an active node', async () => {
    await addNode(NODE);
    const made = await make('/v1/allocations', { resource_class: 'baremetal' });
    await api.db.write('test', async (tx) => {
      await tx.allocations.update(String(made['uuid']), { nodeUuid: NODE, state: 'active' });
      await tx.nodes.update(NODE as never, { maintenance: false });
    });
    const at = `/v1/allocations/${String(made['uuid'])}`;
    await api.db.write('test', async (tx) => {
      for (const event of ['manage', 'done', 'provide', 'done', 'deploy', 'done'] as const)
        await tx.nodes.processEvent(NODE as never, event, {});
    });
    const kept = await api.request('DELETE', at);
    expect([kept.status, kept.fault]).toEqual([409, expect.stringContaining('because the node is active')]);
    await api.request('PUT', `/v1/nodes/${NODE}/maintenance`, { body: {} });
    expect((await api.request('DELETE', at)).status).toBe(204);
  });
});
