import { ServiceError } from '@bessemer/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startApi, type TestApi } from './testing.ts';

let api: TestApi;
beforeEach(async () => {
  api = await startApi();
  for (const name of ['r1-01', 'r1-02', 'r1-03', 'r1-04'])
    await api.request('POST', '/v1/nodes', { body: { driver: 'fake-hardware', name } });
});
afterEach(() => api.stop());

const post = (body: object, options: { version?: number; headers?: Record<string, string> } = {}) =>
  api.request('POST', '/v1/bulk', { body, ...options });
const statuses = (json: object) =>
  (json as { results: { node: string; status: number }[] }).results.map((r) => [r.node, r.status]);
const callsOf = (method: string) => api.calls.filter((c) => c.method === method);

describe('bulk actions', () => {
  it('do the same with every node of a range, in its order', async () => {
    const { status, json } = await post({ action: 'provision', nodes: 'r1-[01-04],-r1-03', target: 'manage' });
    expect([status, json['action'], json['succeeded'], json['failed']]).toEqual([200, 'provision', 3, 0]);
    expect(statuses(json)).toEqual([
      ['r1-01', 202],
      ['r1-02', 202],
      ['r1-04', 202],
    ]);
    expect(callsOf('doProvisioningAction').length).toBe(3);
    expect(new Set(api.callIds).size).toBe(3);
  });

  it('give each node its own result', async () => {
    const uuid = String((await api.request('GET', '/v1/nodes/r1-02')).json['uuid']);
    api.answer('changeNodePowerState', ({ nodeUuid }: { nodeUuid: string }) => {
      if (nodeUuid === uuid) throw new ServiceError('NODE_LOCKED', `Node ${uuid} is locked by host c1.`);
      return Promise.resolve(null);
    });
    const { json } = await post({
      action: 'power',
      nodes: ['r1-02', 'nobody', uuid, 'r1-01', 'r1-01'],
      target: 'power on',
    });
    expect(json).toEqual({
      action: 'power',
      succeeded: 1,
      failed: 3,
      results: [
        { node: 'r1-02', status: 409, fault: `Node ${uuid} is locked by host c1.` },
        { node: 'nobody', status: 404, fault: 'Node nobody could not be found.' },
        { node: uuid, status: 409, fault: `Node ${uuid} is locked by host c1.` },
        { node: 'r1-01', status: 202, fault: null },
      ],
    });
  });

  it('patch, put into maintenance and out of it, and remove', async () => {
    const nodes = 'r1-[01-03]';
    const field = async (name: string) =>
      ((await api.request('GET', `/v1/nodes?fields=name,${name}`)).json['nodes'] as Record<string, unknown>[]).map(
        (n) => n[name],
      );
    await post({ action: 'patch', nodes, patch: [{ op: 'add', path: '/extra/rack', value: 1 }] });
    expect(await field('extra')).toEqual([{ rack: 1 }, { rack: 1 }, { rack: 1 }, {}]);
    await post({ action: 'maintenance', nodes, reason: 'new switch' });
    expect(await field('maintenance_reason')).toEqual(['new switch', 'new switch', 'new switch', null]);
    await post({ action: 'maintenance', nodes: 'r1-02', maintenance: false });
    expect(await field('maintenance')).toEqual([true, false, true, false]);
    expect(statuses((await post({ action: 'delete', nodes: 'r1-[02-05]' })).json)).toEqual([
      ['r1-02', 204],
      ['r1-03', 204],
      ['r1-04', 204],
      ['r1-05', 404],
    ]);
    expect(await field('name')).toEqual(['r1-01']);
  });

  it('are refused whole when the request itself is wrong, and nothing is done', async () => {
    const refusal = async (body: object, version = 115) => {
      const { status, fault } = await post(body, { version });
      return [status, fault];
    };
    const nodes = 'r1-[01-04]';
    expect(await refusal({ action: 'explode', nodes })).toEqual([
      400,
      "Schema error for bulk: action is not one of ['provision', 'power', 'maintenance', 'patch', 'delete']",
    ]);
    expect(await refusal({ action: 'power', nodes })).toEqual([400, 'Missing mandatory parameter: target']);
    expect((await refusal({ action: 'power', nodes, target: 'power on', more: 1 }))[1]).toContain(
      'Unexpected arguments: more',
    );
    expect(await refusal({ action: 'delete', nodes, force: true })).toEqual([
      400,
      'Schema error for bulk: the action delete takes no "force"',
    ]);
    expect((await refusal({ action: 'patch', nodes, patch: 'x' }))[0]).toBe(400);
    expect((await refusal({ action: 'patch', nodes }))[0]).toBe(400);
    expect(await refusal({ action: 'delete', nodes: 'r1-[04-01]' })).toEqual([
      400,
      'nodes is no node range: 04-01 runs backwards, at character 5',
    ]);
    for (const none of ['', [], {}]) expect((await refusal({ action: 'delete', nodes: none }))[0]).toBe(400);
    expect(await api.db.read.nodes.count({})).toBe(4);
  });

  it('keep to the microversion of the request', async () => {
    const { json } = await post({ action: 'provision', nodes: 'r1-01', target: 'adopt' }, { version: 16 });
    expect(statuses(json)).toEqual([['r1-01', 406]]);
  });

  it('ask sixteen nodes at a time', async () => {
    const names = Array.from({ length: 40 }, (_, i) => `b${i}`);
    for (const name of names) await api.request('POST', '/v1/nodes', { body: { driver: 'fake-hardware', name } });
    let now = 0;
    let most = 0;
    const full = Promise.withResolvers<void>();
    api.answer('doProvisioningAction', async () => {
      most = Math.max(most, ++now);
      if (now === 16) full.resolve();
      await full.promise;
      now--;
      return { runId: null };
    });
    const { json } = await post({ action: 'provision', nodes: 'b[0-39]', target: 'manage' });
    expect([json['succeeded'], most]).toEqual([40, 16]);
  });

  it('are done once under an Idempotency-Key', async () => {
    const headers = { 'Idempotency-Key': 'k' };
    const body = { action: 'power', nodes: 'r1-[01-02]', target: 'rebooting' };
    const first = await post(body, { headers });
    const again = await post(body, { headers });
    expect(again.text).toBe(first.text);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(callsOf('changeNodePowerState').length).toBe(2);
  });
});
