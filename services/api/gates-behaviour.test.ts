/** Microversion gates of what requests ask and what answers say, on both sides of each boundary: verbs, bodies, behaviour. */
import { asNodeId, type JsonObject, type ProvisionEvent } from '@bessemer/core';
import { seededRandom } from '@bessemer/ports/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startApi, type TestApi, type TestReply } from './testing.ts';
import { answerEverything, macFrom, makeThings, type Things } from './things-testing.ts';

let api: TestApi;
let things: Things;
const random = seededRandom(43);
beforeAll(async () => {
  api = await startApi();
  answerEverything(api);
});
afterAll(() => api.stop());
beforeEach(async () => void (things = await makeThings(api, random)));

const NEEDS = /needs API version 1\.\d+ or newer/;
const outcome = ({ status, fault }: TestReply) => ({ status, fault });

describe('provisioning', () => {
  const STEPS = [{ interface: 'deploy', step: 'erase_devices', args: {} }];
  type Events = readonly ProvisionEvent[];
  const MANAGEABLE: Events = ['manage', 'done'];
  const AVAILABLE: Events = [...MANAGEABLE, 'provide', 'done'];
  const ACTIVE: Events = [...AVAILABLE, 'deploy', 'done'];
  /** A body, the least version that takes it, and how the node comes to where it may be. */
  const BODIES: ReadonlyArray<readonly [since: number, body: JsonObject, events?: Events, status?: number]> = [
    [4, { target: 'manage' }],
    [4, { target: 'provide' }],
    [6, { target: 'inspect' }],
    [13, { target: 'abort' }],
    [15, { target: 'clean', clean_steps: STEPS }],
    [17, { target: 'adopt' }],
    [35, { target: 'rebuild', configdrive: 'aGVsbG8=' }, ACTIVE, 400],
    [38, { target: 'rescue', rescue_password: 'x' }],
    [38, { target: 'unrescue' }],
    [56, { target: 'active', configdrive: { meta_data: {} } }, AVAILABLE, 400],
    [59, { target: 'active', configdrive: { vendor_data: {} } }, AVAILABLE, 400],
    [69, { target: 'active', deploy_steps: STEPS }, AVAILABLE],
    [70, { target: 'clean', clean_steps: STEPS, disable_ramdisk: true }, MANAGEABLE],
    [73, { target: 'deploy' }],
    // Of these Ironic looks at the state first.
    [85, { target: 'unhold' }, [...AVAILABLE, 'deploy', 'hold']],
    [87, { target: 'service', service_steps: STEPS }, ACTIVE],
    [92, { target: 'clean', runbook: 'CUSTOM_X' }, MANAGEABLE],
    [108, { target: 'service', service_steps: STEPS, disable_ramdisk: true }, ACTIVE],
  ];
  const put = (version: number, body: JsonObject) =>
    api.request('PUT', `/v1/nodes/${things['node']}/states/provision`, { version, body });
  it.each(BODIES.map(([since, body, events = [], status = 406]) => ({ since, body, events, status })))(
    '$body came with 1.$since',
    async ({ since, body, events, status }) => {
      await api.db.write('state', async (tx) => {
        for (const event of events) await tx.nodes.processEvent(asNodeId(things['node']!), event, {});
      });
      const refusal = status === 406 ? NEEDS : /only supported/;
      expect(outcome(await put(since - 1, body))).toEqual({ status, fault: expect.stringMatching(refusal) });
      const at = await put(since, body);
      expect(at.status).not.toBe(406);
      expect(at.fault ?? '').not.toMatch(refusal);
    },
  );

  it.each([
    [41, 'inspect wait', 'Aborting an inspection'],
    [110, 'wait call-back', 'Aborting a deployment'],
  ] as const)('abort from 1.%i on where the node is in %s', async (since, state, what) => {
    const node = asNodeId(things['node']!);
    const steps =
      state === 'inspect wait'
        ? (['manage', 'done', 'inspect', 'wait'] as const)
        : (['manage', 'done', 'provide', 'done', 'deploy', 'wait'] as const);
    await api.db.write('state', async (tx) => {
      for (const event of steps) await tx.nodes.processEvent(node, event, {});
    });
    const shown = (version: number) => api.request('GET', `/v1/nodes/${node}?fields=provision_state`, { version });
    expect((await shown(115)).json['provision_state']).toBe(state);
    expect(outcome(await put(since - 1, { target: 'abort' }))).toEqual({
      status: 406,
      fault: expect.stringContaining(`${what} needs API version 1.${since}`),
    });
    expect((await put(since, { target: 'abort' })).status).toBe(202);
  });

  it('a runbook is for nodes with its name as a trait, from 1.112 on with one of its traits', async () => {
    const node = asNodeId(things['node']!);
    const order = (version: number) => put(version, { target: 'clean', runbook: things['runbook']! });
    const ready = async (traits: string[], ofRunbook: string[]) =>
      api.db.write('traits', async (tx) => {
        await tx.nodes.update(node, { traits });
        await tx.runbooks.update(things['runbook']!, { traits: ofRunbook });
      });
    await api.db.write('state', async (tx) => {
      for (const event of ['manage', 'done'] as const) await tx.nodes.processEvent(node, event, {});
    });
    await ready([things['trait']!], ['CUSTOM_OTHER']);
    api.calls.splice(0);
    expect((await order(111)).status).toBe(202);
    expect(api.calls.map((call) => call.args)).toEqual([
      {
        nodeUuid: node,
        cleanSteps: [{ interface: 'deploy', step: 'erase_devices', args: {} }],
        disableRamdisk: false,
      },
    ]);
    expect((await order(112)).fault).toMatch(/has not been approved for use on this node/);
    await ready(['CUSTOM_OTHER'], ['CUSTOM_OTHER']);
    expect((await order(112)).status).toBe(202);
    expect((await order(111)).fault).toMatch(/has not been approved for use on this node/);
    await ready(['CUSTOM_OTHER'], []);
    expect((await order(112)).fault).toMatch(/has no traits configured/);
  });
});

describe('behaviour', () => {
  const node = () => `/v1/nodes/${things['node']}`;
  const both = async (since: number, ask: (version: number) => Promise<TestReply>) => [
    await ask(since - 1),
    await ask(since),
  ];

  it('1.2: available, before null', async () => {
    const made = await api.request('POST', '/v1/nodes', { version: 10, body: { driver: 'fake-hardware' } });
    const show = (version: number) => api.request('GET', `/v1/nodes/${String(made.json['uuid'])}`, { version });
    const states = (version: number) =>
      api.request('GET', `/v1/nodes/${String(made.json['uuid'])}/states`, { version });
    for (const ask of [show, states])
      expect((await both(2, ask)).map((reply) => reply.json['provision_state'])).toEqual([null, 'available']);
  });

  it('1.5: a node is found by its name', async () => {
    const show = (version: number) => api.request('GET', `/v1/nodes/${things['name']}`, { version });
    expect((await both(5, show)).map((reply) => reply.status)).toEqual([404, 200]);
  });

  it('1.11: a new node is in enroll, before available', async () => {
    const create = (version: number) =>
      api.request('POST', '/v1/nodes', { version, body: { driver: 'fake-hardware' } });
    expect((await both(11, create)).map((r) => r.json['provision_state'])).toEqual(['available', 'enroll']);
  });

  it('1.12: RAID among the states; 1.75: the boot mode', async () => {
    const states = (version: number) => api.request('GET', `${node()}/states`, { version });
    for (const [since, field] of [
      [12, 'raid_config'],
      [12, 'target_raid_config'],
      [75, 'boot_mode'],
      [75, 'secure_boot'],
    ] as const)
      expect((await both(since, states)).map((reply) => field in reply.json)).toEqual([false, true]);
  });

  it('links below a node: states and properties of drivers 1.14, portgroups 1.24, volume 1.32', async () => {
    for (const [since, link] of [
      [24, 'portgroups'],
      [32, 'volume'],
    ] as const)
      expect(
        (await both(since, (version) => api.request('GET', node(), { version }))).map((r) => link in r.json),
      ).toEqual([false, true]);
    const driver = (version: number) => api.request('GET', '/v1/drivers/fake-hardware', { version });
    expect((await both(14, driver)).map((r) => 'properties' in r.json)).toEqual([false, true]);
    expect((await both(30, driver)).map((r) => 'default_deploy_interface' in r.json)).toEqual([false, true]);
    for (const [since, kind] of [
      [33, 'storage'],
      [38, 'rescue'],
      [40, 'bios'],
      [86, 'firmware'],
    ] as const)
      expect((await both(since, driver)).map((r) => `default_${kind}_interface` in r.json)).toEqual([false, true]);
  });

  it('1.25: a node is taken out of its chassis', async () => {
    const take = (version: number) =>
      api.request('PATCH', node(), { version, body: [{ op: 'remove', path: '/chassis_uuid' }] });
    expect((await both(25, take)).map((reply) => reply.status)).toEqual([406, 200]);
  });

  it.each([{ target: 'soft power off' }, { target: 'soft rebooting' }, { target: 'power on', timeout: 30 }])(
    '1.27: power with %j',
    async (body) => {
      const put = (version: number) => api.request('PUT', `${node()}/states/power`, { version, body });
      expect((await both(27, put)).map((reply) => reply.status)).toEqual([406, 202]);
    },
  );

  it('1.39: inspect wait, before inspecting', async () => {
    await api.db.write('state', async (tx) => {
      for (const event of ['manage', 'done', 'inspect', 'wait'] as const)
        await tx.nodes.processEvent(asNodeId(things['node']!), event, {});
    });
    const show = (version: number) => api.request('GET', node(), { version });
    expect((await both(39, show)).map((reply) => reply.json['provision_state'])).toEqual([
      'inspecting',
      'inspect wait',
    ]);
  });

  it('1.58: an allocation names its node', async () => {
    const create = (version: number) =>
      api.request('POST', '/v1/allocations', { version, body: { node: things['child']! } });
    expect((await both(58, create)).map((reply) => reply.status)).toEqual([400, 201]);
  });

  it('1.64: network_type in local_link_connection', async () => {
    const value = { network_type: 'unmanaged' };
    const patch = (version: number) =>
      api.request('PATCH', `/v1/ports/${things['port']}`, {
        version,
        body: [{ op: 'add', path: '/local_link_connection', value }],
      });
    expect((await both(64, patch)).map((reply) => reply.status)).toEqual([406, 200]);
  });

  it('1.67: a VIF asks for a port or for a port group, not for both', async () => {
    const body = { id: 'v', port_uuid: things['port'], portgroup_uuid: things['portgroup'] };
    const attach = (version: number) => api.request('POST', `${node()}/vifs`, { version, body });
    expect((await both(67, attach)).map((reply) => reply.status)).toEqual([204, 400]);
  });

  it('1.74: what a BIOS setting may be', async () => {
    const show = (version: number) => api.request('GET', `${node()}/bios/Boot`, { version });
    expect((await both(74, show)).map((r) => 'attribute_type' in (r.json['Boot'] as JsonObject))).toEqual([
      false,
      true,
    ]);
  });

  it('1.91: an end of .json means something', async () => {
    const show = (version: number) => api.request('GET', `${node()}.json`, { version });
    expect((await both(91, show)).map((reply) => reply.status)).toEqual([200, 404]);
    const list = (version: number) => api.request('GET', '/v1/chassis.json', { version });
    expect((await both(91, list)).map((reply) => reply.status)).toEqual([200, 404]);
    const post = (version: number) =>
      api.request('POST', '/v1/nodes.json', { version, body: { driver: 'fake-hardware' } });
    expect((await both(91, post)).map((reply) => reply.status)).toEqual([201, 404]);
    // A name that ends so is found as it is, also by a patch, whose body is read once.
    const name = `${things['name']}.json`;
    await api.request('PATCH', node(), { body: [{ op: 'replace', path: '/name', value: name }] });
    const patch = (version: number) =>
      api.request('PATCH', `/v1/nodes/${name}`, { version, body: [{ op: 'add', path: '/extra/a', value: version }] });
    expect((await both(91, patch)).map((reply) => reply.status)).toEqual([200, 200]);
  });

  it('1.94: a port names its node by node_ident', async () => {
    const create = (version: number) =>
      api.request('POST', '/v1/ports', { version, body: { node_ident: things['name']!, address: macFrom(random) } });
    expect((await both(94, create)).map((reply) => reply.status)).toEqual([406, 201]);
  });

  it('1.98: escapes in the path of a patch', async () => {
    const patch = (version: number) =>
      api.request('PATCH', node(), { version, body: [{ op: 'add', path: '/extra/a~1b', value: 1 }] });
    expect((await both(98, patch)).map((reply) => reply.status)).toEqual([400, 200]);
  });

  it('1.107: the request id in the header of OpenStack', async () => {
    const show = (version: number) => api.request('GET', node(), { version });
    expect((await both(107, show)).map((r) => r.headers.has('x-openstack-request-id'))).toEqual([false, true]);
  });

  it('1.112: the name of a runbook need not be a trait', async () => {
    const create = (version: number) =>
      api.request('POST', '/v1/runbooks', {
        version,
        body: { name: `plain-${version}`, steps: [{ interface: 'deploy', step: 'x', order: 1 }] },
      });
    expect((await both(112, create)).map((reply) => reply.status)).toEqual([400, 201]);
  });

  it('1.113 and 1.115: project and outcome in the history; 1.114: the identity of firmware', async () => {
    const entry = (version: number) => api.request('GET', `${node()}/history/${things['entry']}`, { version });
    expect((await both(113, entry)).map((reply) => 'project' in reply.json)).toEqual([false, true]);
    for (const field of ['state', 'target_provision_state', 'duration_seconds'])
      expect((await both(115, entry)).map((reply) => field in reply.json)).toEqual([false, true]);
    const firmware = (version: number) => api.request('GET', `${node()}/firmware?fields=vendor`, { version });
    expect((await both(114, firmware)).map((reply) => reply.status)).toEqual([406, 200]);
  });

  it('the resources that GET /v1 links came one after another', async () => {
    const root = (version: number) => api.request('GET', '/v1', { version });
    for (const [since, name] of [
      [23, 'portgroups'],
      [32, 'volume'],
      [49, 'conductors'],
      [52, 'allocations'],
      [54, 'events'],
      [55, 'deploy_templates'],
      [82, 'shards'],
      [92, 'runbooks'],
      [96, 'inspection_rules'],
    ] as const)
      expect((await both(since, root)).map((reply) => name in reply.json)).toEqual([false, true]);
  });
});
