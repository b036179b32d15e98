/** Every operation x role x relation to what it is about, against the table of policies; and facts that do not come from the table. */
import { OPERATIONS, type OperationSpec } from '@bessemer/api-spec';
import {
  asChassisId,
  asNodeId,
  asRunId,
  asSessionId,
  hasRole,
  isJsonObject,
  type JsonObject,
  ROLES,
  type Role,
  ServiceError,
} from '@bessemer/core';
import { seededRandom } from '@bessemer/ports/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { as, startTrusting } from './testing.ts';
import type { TestApi, TestReply } from '../testing.ts';
import { macFrom, type Things } from '../things-testing.ts';
import { NODE_FIELD } from '../views/node-fields.ts';
import { type OwnedPolicy, POLICIES, type Roles } from './policy.ts';

const OWNER = 'the-owner';
const LESSEE = 'the-lessee';
const RELATIONS = { system: undefined, owner: OWNER, lessee: LESSEE, stranger: 'a-stranger' } as const;
type Relation = keyof typeof RELATIONS;
const CASES = ROLES.flatMap((role) =>
  (Object.keys(RELATIONS) as Relation[]).map((relation) => ({
    role,
    relation,
    headers: as(role, RELATIONS[relation]),
  })),
);

let api: TestApi;
beforeAll(async () => void (api = await startTrusting()));
afterAll(() => api.stop());

const random = seededRandom(31);
/** By path parameter: one thing of each kind, of a node that has an owner and a lessee. */
async function makeThings(): Promise<Things> {
  const uuid = () => random.uuid();
  const made = {
    node: asNodeId(uuid()),
    port: uuid(),
    portgroup: uuid(),
    connector: uuid(),
    target: uuid(),
    allocation: uuid(),
    runbook: uuid(),
    token: uuid(),
    chassis: asChassisId(uuid()),
    template: uuid(),
    rule: uuid(),
  };
  const { node } = made;
  await api.db.write('things', async (tx) => {
    await tx.chassis.create({ uuid: made.chassis });
    await tx.nodes.create({
      uuid: node,
      driver: 'fake-hardware',
      owner: OWNER,
      lessee: LESSEE,
      powerState: 'power off',
      lastError: 'the BMC at 192.0.2.1 said no',
    });
    await tx.ports.create({ uuid: made.port as never, nodeUuid: node, address: macFrom(random) });
    await tx.portgroups.create({ uuid: made.portgroup as never, nodeUuid: node });
    await tx.volumeConnectors.create({
      uuid: made.connector as never,
      nodeUuid: node,
      type: 'iqn',
      connectorId: made.connector,
    });
    await tx.volumeTargets.create({
      uuid: made.target as never,
      nodeUuid: node,
      volumeType: 'iscsi',
      bootIndex: 0,
      volumeId: made.target,
      properties: { target_iqn: 'iqn.x' },
    });
    await tx.allocations.create({ uuid: made.allocation as never, owner: OWNER, resourceClass: 'none' });
    await tx.runbooks.create({ uuid: made.runbook as never, name: `r-${made.runbook}`, owner: OWNER });
    await tx.deployTemplates.create({ uuid: made.template as never, name: `CUSTOM_${made.template}` });
    await tx.inspectionRules.create({ uuid: made.rule as never });
    await tx.tokens.create({
      uuid: made.token,
      name: made.token,
      sha256: made.token.padEnd(64, '0'),
      role: 'reader',
      project: OWNER,
      createdBy: 'x',
      expiresAt: null,
    });
  });
  return { ...made, driver: 'fake-hardware', conductor: 'c1', trait: 'CUSTOM_X' };
}

/** Bodies that name the node: elsewhere the role decides before the body is looked at. */
const BODIES: Readonly<Record<string, (things: Things) => JsonObject>> = {
  createPort: ({ node }) => ({ node_uuid: node!, address: '52:54:00:ff:ff:ff' }),
  createPortgroup: ({ node }) => ({ node_uuid: node! }),
  createVolumeConnector: ({ node }) => ({ node_uuid: node!, type: 'wwnn', connector_id: 'x' }),
  createVolumeTarget: ({ node }) => ({ node_uuid: node!, volume_type: 'iscsi', boot_index: 7, volume_id: 'x' }),
};

function ask(operation: OperationSpec, things: Things, headers: Record<string, string>): Promise<TestReply> {
  const policy = POLICIES[operation.operationId];
  const path = operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => things[name] ?? 'x');
  const inQuery = policy && 'at' in policy && policy.at && 'query' in policy.at ? policy.at.query[0] : undefined;
  const query =
    operation.operationId === 'streamEvents' ? '?follow=false' : inQuery ? `?${inQuery}=${things['node']}` : '';
  const body =
    operation.method === 'PATCH'
      ? [{ op: 'add', path: '/extra/a', value: 1 }]
      : operation.bodySchema
        ? (BODIES[operation.operationId]?.(things) ?? {})
        : undefined;
  return api.request(operation.method, `${path}${query}`, { headers, ...(body === undefined ? {} : { body }) });
}

const NOT_FOUND =
  /^(Node|Port|Portgroup|Volume connector|Volume target|Allocation|Runbook|Token) \S+ could not be found\.$|^Invalid input for field\/attribute node_uuid\. /;
type Verdict = 'allowed' | 'forbidden' | 'not found' | 'no such reference';
function verdictOf({ status, fault = '' }: TestReply): Verdict {
  if (status === 403 && fault.startsWith('Access was denied')) return 'forbidden';
  if (status === 404 && NOT_FOUND.test(fault)) return 'not found';
  if (status === 400 && NOT_FOUND.test(fault)) return 'no such reference';
  expect([401, 403, 500], fault).not.toContain(status);
  return 'allowed';
}

const mayIn = (roles: Roles, role: Role, relation: 'owner' | 'lessee') =>
  roles[relation] !== undefined && hasRole(role, roles[relation]);

/** What the table says, in words of its own. */
/** Answered to everybody alike: with a refusal. */
const CLOSED = ['lookup', 'heartbeat', 'continueInspection'];

function expected(operation: OperationSpec, role: Role, relation: Relation): Verdict {
  const policy = POLICIES[operation.operationId]!;
  if (policy.about === 'public') return CLOSED.includes(operation.operationId) ? 'forbidden' : 'allowed';
  if (relation === 'system') return hasRole(role, policy.system) ? 'allowed' : 'forbidden';
  if (policy.about === 'service' || policy.about === 'list') {
    const { project } = policy as { project?: Role };
    return project !== undefined && hasRole(role, project) ? 'allowed' : 'forbidden';
  }
  const owned = policy as OwnedPolicy;
  const isNode = !['allocation', 'runbook', 'token'].includes(owned.about);
  const isSeen = relation === 'owner' || (relation === 'lessee' && isNode);
  if (owned.at && 'body' in owned.at && !isSeen)
    return mayIn(owned, role, 'owner') || mayIn(owned, role, 'lessee') ? 'no such reference' : 'forbidden';
  if (!isSeen) return 'not found';
  return mayIn(owned, role, relation as 'owner' | 'lessee') ? 'allowed' : 'forbidden';
}

describe('every operation, for each role and relation', () => {
  // Whoever gets as far as the conductor was let through; what it answers is another test's.
  const reached = new ServiceError('TEMPORARY_FAILURE', 'The conductor was asked.');
  const restart = async (options: Parameters<typeof startTrusting>[0]) => {
    await api.stop();
    api = await startTrusting(options);
  };
  beforeAll(() => restart({ otherwise: reached }));
  afterAll(() => restart({}));

  it('has a row of the table, and each row is of an operation', () => {
    expect(Object.keys(POLICIES).toSorted()).toEqual(OPERATIONS.map((o) => o.operationId).toSorted());
    for (const { operationId, isPublic } of OPERATIONS)
      expect(POLICIES[operationId]!.about === 'public').toBe(isPublic);
  });

  it.each(OPERATIONS.map((operation) => ({ operation, name: operation.operationId })))(
    '$name',
    async ({ operation }) => {
      for (const { role, relation, headers } of CASES) {
        const things = await makeThings();
        const reply = await ask(operation, things, headers);
        const what = `${operation.operationId} as ${role}, ${relation}: ${reply.status} ${reply.fault ?? ''}`;
        expect(verdictOf(reply), what).toBe(expected(operation, role, relation));
        if (relation !== 'stranger' || reply.status >= 400) continue;
        for (const name of ['node', 'port', 'portgroup', 'connector', 'target', 'allocation', 'runbook', 'token'])
          expect(reply.text, what).not.toContain(things[name]);
      }
    },
  );
});

describe('fields of a node', () => {
  const policy = POLICIES['patchNode'] as OwnedPolicy;
  const seen: ReadonlyArray<Exclude<Relation, 'stranger'>> = ['system', 'owner', 'lessee'];
  it.each(Object.entries(policy.fields!))('%s', async (field, roles) => {
    for (const { role, relation, headers } of CASES) {
      if (relation === 'stranger' || !seen.includes(relation)) continue;
      const { node } = await makeThings();
      const kind = NODE_FIELD.get(field)!.kind;
      const value = kind === 'json' ? {} : kind === 'boolean' || kind === 'tristate' ? false : null;
      const reply = await api.request('PATCH', `/v1/nodes/${node}`, {
        headers,
        body: [{ op: 'add', path: `/${field}`, value }],
      });
      const may = (r: Roles) => (relation === 'system' ? hasRole(role, r.system) : mayIn(r, role, relation));
      const what = `${field} as ${role}, ${relation}: ${reply.status} ${reply.fault ?? ''}`;
      expect(verdictOf(reply), what).toBe(may(policy) && may(roles) ? 'allowed' : 'forbidden');
    }
  });

  it('are looked at one by one: one that is not allowed refuses the patch as a whole', async () => {
    const { node } = await makeThings();
    const body = [
      { op: 'add', path: '/extra/a', value: 1 },
      { op: 'add', path: '/driver_info/a', value: 1 },
    ];
    const reply = await api.request('PATCH', `/v1/nodes/${node}`, { headers: as('admin', LESSEE), body });
    expect(reply.fault).toMatch(/patchNode: driver_info\. It needs member \(system\) or member \(owner\);/);
    expect((await api.db.read.nodes.find(node!))?.extra).toEqual({});
  });
});

describe('what the table must say', () => {
  let things: Things;
  beforeEach(async () => void (things = await makeThings()));
  const status = async (who: Record<string, string>, method: string, path: string, body?: unknown) =>
    (
      await api.request(
        method,
        path.replaceAll(/\{(\w+)\}/g, (_, name: string) => things[name]!),
        {
          headers: who,
          ...(body === undefined ? {} : { body }),
        },
      )
    ).status;
  const replace = (path: string, value: unknown) => [{ op: 'replace', path, value }];

  it('a lessee powers and deploys, but does not delete, lend on, or give away', async () => {
    const lessee = as('admin', LESSEE);
    expect(await status(lessee, 'PUT', '/v1/nodes/{node}/states/power', { target: 'power on' })).toBe(202);
    expect(await status(as('member', LESSEE), 'PUT', '/v1/nodes/{node}/states/power', { target: 'power on' })).toBe(
      202,
    );
    expect(await status(lessee, 'PUT', '/v1/nodes/{node}/states/provision', { target: 'manage' })).toBe(202);
    expect(await status(lessee, 'PATCH', '/v1/nodes/{node}', replace('/instance_info', { a: 1 }))).toBe(200);
    expect(await status(lessee, 'DELETE', '/v1/nodes/{node}')).toBe(403);
    expect(await status(lessee, 'PATCH', '/v1/nodes/{node}', replace('/owner', LESSEE))).toBe(403);
    expect(await status(lessee, 'PATCH', '/v1/nodes/{node}', replace('/lessee', 'else'))).toBe(403);
    expect(await status(lessee, 'PATCH', '/v1/nodes/{node}', replace('/driver_info/ipmi_address', 'x'))).toBe(403);
    expect(await status(lessee, 'DELETE', '/v1/ports/{port}')).toBe(403);
  });

  it('a lessee sees what happened since the node was lent to it, the owner and the system everything', async () => {
    const node = asNodeId(things['node']!);
    const session = asSessionId(random.uuid());
    const lend = (lessee: string) =>
      status(as('admin', OWNER), 'PATCH', '/v1/nodes/{node}', replace('/lessee', lessee));
    /** A run that failed, with all that is left of it. */
    const fail = (error: string) =>
      api.db.write('run', async (tx) => {
        const { fence } = (await tx.nodes.reserve(node, session, 'c1', 'test'))!;
        const id = asRunId(random.uuid());
        const times = { deadline: 1e13, requestId: id };
        const made = { id, nodeUuid: node, verb: 'power', state: 'running', input: {}, segments: [] } as const;
        await tx.runs.create({ ...made, ...times, owner: session, fence });
        await tx.events.append({ type: 'run.started', nodeUuid: node, runId: id, data: { verb: 'power', error } });
        await tx.runs.update(id, fence, { state: 'failed', error, finishedAt: 1 });
        await tx.events.append({ type: 'run.finished', nodeUuid: node, runId: id, data: { verb: 'power', error } });
        await tx.nodes.release(node, fence);
        return id;
      });
    const old = await fail('of the first time');
    expect(await lend('next')).toBe(200);
    const read = async (who: Record<string, string>, path: string) =>
      (await api.request('GET', path.replace('{node}', node), { headers: who })).text;
    const places = [
      `/v1/events?follow=false&type=run.finished,run.started&node=${node}`,
      `/v1/events?follow=false&run=${old}`,
      '/v1/nodes/{node}/timeline',
    ];
    for (const role of ROLES)
      for (const path of places) {
        const marks = /run\.finished|"verb"/;
        for (const who of [as(role, 'next'), as(role, LESSEE)])
          expect([who, path, await read(who, path)]).toEqual([who, path, expect.not.stringMatching(marks)]);
        for (const who of [as(role), as(role, OWNER)]) expect(await read(who, path), path).toMatch(marks);
      }
    const timeline = (who: Record<string, string>, run: string) =>
      status(who, 'GET', `/v1/nodes/{node}/timeline?run=${run}`);
    expect(await timeline(as('reader', 'next'), old)).toBe(404);
    expect(await timeline(as('reader', OWNER), old)).toBe(200);
    const recent = await fail('of the second time');
    expect(await timeline(as('reader', 'next'), recent)).toBe(200);
    expect(await read(as('reader', 'next'), places[0]!)).toContain(recent);
    expect(await read(as('reader', 'next'), places[0]!)).not.toContain(old);
    // The history is the owner's in any case.
    for (const who of [as('reader'), as('reader', OWNER)])
      expect(JSON.parse(await read(who, '/v1/nodes/{node}/history')).history).toHaveLength(2);
    expect(await status(as('admin', 'next'), 'GET', '/v1/nodes/{node}/history')).toBe(403);
    expect(await lend(LESSEE)).toBe(200);
    for (const run of [old, recent]) expect(await timeline(as('admin', LESSEE), run)).toBe(404);
  });

  it('an owner lends and deletes, but does not give away', async () => {
    const owner = as('admin', OWNER);
    expect(await status(owner, 'PATCH', '/v1/nodes/{node}', replace('/lessee', 'else'))).toBe(200);
    expect(await status(owner, 'PATCH', '/v1/nodes/{node}', replace('/owner', 'else'))).toBe(403);
    expect(await status(as('member', OWNER), 'DELETE', '/v1/nodes/{node}')).toBe(403);
    expect(await status(owner, 'DELETE', '/v1/nodes/{node}')).toBe(204);
  });

  it('a project owns what it creates, and cannot create for others', async () => {
    const node = (body: JsonObject) =>
      api.request('POST', '/v1/nodes', { headers: as('admin', 'p'), body: { driver: 'fake-hardware', ...body } });
    expect((await node({})).json['owner']).toBe('p');
    expect((await node({ owner: 'q' })).status).toBe(403);
    expect((await node({ conductor_group: 'g' })).status).toBe(403);
    expect(await status(as('member', 'p'), 'POST', '/v1/nodes', { driver: 'fake-hardware' })).toBe(403);
    const runbook = { name: 'CUSTOM_MINE', steps: [{ interface: 'deploy', step: 'x', args: {}, order: 1 }] };
    const made = await api.request('POST', '/v1/runbooks', { headers: as('admin', 'p'), body: runbook });
    expect([made.status, made.json['owner']]).toEqual([201, 'p']);
    const open = await api.request('POST', '/v1/runbooks', {
      headers: as('admin', 'p'),
      body: { ...runbook, public: true },
    });
    expect(open.status).toBe(403);
  });

  it('nothing is moved to a node of somebody else', async () => {
    const other = await makeThings();
    await api.db.write('others', (tx) => tx.nodes.update(asNodeId(other['node']!), { owner: 'x', lessee: OWNER }));
    const owner = as('admin', OWNER);
    for (const path of ['/v1/ports/{port}', '/v1/portgroups/{portgroup}', '/v1/volume/connectors/{connector}']) {
      const moved = await status(owner, 'PATCH', path, replace('/node_uuid', other['node']));
      expect([path, moved]).toEqual([path, path.includes('volume') ? 200 : 403]);
    }
    await api.db.write('others', (tx) => tx.nodes.update(asNodeId(other['node']!), { lessee: null }));
    for (const path of ['/v1/ports/{port}', '/v1/portgroups/{portgroup}'])
      expect(await status(owner, 'PATCH', path, replace('/node_uuid', other['node']))).toBe(400);
  });

  it('an order for many nodes is judged node by node', async () => {
    const other = await makeThings();
    await api.db.write('others', (tx) => tx.nodes.update(asNodeId(other['node']!), { owner: 'x', lessee: null }));
    const order = async (who: Record<string, string>, more: JsonObject) => {
      const body = { nodes: [things['node']!, other['node']!], ...more };
      const reply = await api.request('POST', '/v1/bulk', { headers: who, body });
      return (reply.json['results'] as JsonObject[]).map((result) => result['status']);
    };
    const owner = [{ op: 'replace', path: '/owner', value: LESSEE }];
    expect(await order(as('admin', LESSEE), { action: 'power', target: 'power on' })).toEqual([202, 404]);
    expect(await order(as('admin', LESSEE), { action: 'delete' })).toEqual([403, 404]);
    expect(await order(as('admin', LESSEE), { action: 'patch', patch: owner })).toEqual([403, 404]);
    expect(await order(as('reader'), { action: 'delete' })).toEqual([403, 403]);
    expect(await order(as('admin', OWNER), { action: 'delete' })).toEqual([204, 404]);
  });

  it('a repeated request of another scope gets no answer of the first', async () => {
    const create = (who: Record<string, string>) =>
      api.request('POST', '/v1/nodes', {
        headers: { ...who, 'Idempotency-Key': 'the-same' },
        body: { driver: 'fake-hardware' },
      });
    const same = (project: string) => ({ Authorization: `ann/admin/${project}` });
    const [first, again, elsewhere] = [await create(same('p')), await create(same('p')), await create(same('q'))];
    expect(again.json['uuid']).toBe(first.json['uuid']);
    expect(elsewhere.json).toMatchObject({ owner: 'q' });
    expect(elsewhere.json['uuid']).not.toBe(first.json['uuid']);
  });

  it('a lessee and a weak reader see no secrets', async () => {
    const node = async (who: Record<string, string>, path = '/v1/nodes/{node}') =>
      (await api.request('GET', path.replace('{node}', things['node']!), { headers: who })).text;
    expect(await node(as('reader', OWNER))).toContain('192.0.2.1');
    for (const path of ['/v1/nodes/{node}', '/v1/nodes/detail', '/v1/nodes?fields=uuid,last_error,driver_info']) {
      const text = await node(as('admin', LESSEE), path);
      expect(text).toContain('Requires baremetal:node:get:last_error permission');
      expect(text).toContain('requires baremetal:node:get:driver_info permission');
      expect(text).not.toContain('192.0.2.1');
    }
    const target = (who: Record<string, string>) =>
      api.request('GET', `/v1/volume/targets/${things['target']}`, { headers: who });
    expect((await target(as('admin', OWNER))).json['properties']).toEqual({ target_iqn: 'iqn.x' });
    expect(isJsonObject((await target(as('member', OWNER))).json['properties'])).toBe(true);
    expect((await target(as('member', OWNER))).text).not.toContain('iqn.x');
  });
});
