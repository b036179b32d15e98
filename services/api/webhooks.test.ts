import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApi, type TestApi } from './testing.ts';

let api: TestApi;
beforeAll(async () => void (api = await startApi()));
afterAll(() => api.stop());

const url = 'https://ops.example.com/hook';
const post = (body: object) => api.request('POST', '/v1/webhooks', { body });
const patch = (ident: string, ...body: object[]) => api.request('PATCH', `/v1/webhooks/${ident}`, { body });

describe('webhooks', () => {
  it('are made, shown, listed, changed and removed', async () => {
    const made = await post({
      name: 'ops',
      url,
      events: ['node.*'],
      nodes: 'r1-[1-4]',
      severity: 'warning',
      secret: 'x'.repeat(16),
    });
    expect([made.status, made.headers.get('location')]).toEqual([
      201,
      `${api.url}/v1/webhooks/${String(made.json['uuid'])}`,
    ]);
    expect(made.json).toMatchObject({
      name: 'ops',
      url,
      events: ['node.*'],
      nodes: 'r1-[1-4]',
      severity: 'warning',
      secret: '******',
      enabled: true,
      disabled_reason: null,
      updated_at: null,
    });
    expect(made.text).not.toContain('xxxx');
    expect((await api.request('GET', '/v1/webhooks/ops')).text).toBe(made.text);
    const plain = await post({ url });
    expect(plain.json).toMatchObject({ name: null, events: [], nodes: null, severity: null, secret: null });
    const page = await api.request('GET', '/v1/webhooks?limit=1');
    expect((page.json['webhooks'] as object[]).length).toBe(1);
    const next = new URL(String(page.json['next']));
    expect((await api.request('GET', `${next.pathname}${next.search}`)).json['webhooks']).toEqual([plain.json]);

    const changed = await patch(
      'ops',
      { op: 'replace', path: '/enabled', value: false },
      { op: 'add', path: '/events/-', value: 'run.finished' },
      { op: 'remove', path: '/severity' },
      { op: 'replace', path: '/secret', value: '******' },
    );
    expect(changed.json).toMatchObject({ enabled: false, events: ['node.*', 'run.finished'], severity: null });
    expect((await api.db.read.webhooks.find('ops'))?.secret).toBe('x'.repeat(16));
    const before = made.headers.get('etag')!;
    const late = await api.request('DELETE', '/v1/webhooks/ops', { headers: { 'If-Match': before } });
    expect(late.status).toBe(412);
    expect((await api.request('DELETE', '/v1/webhooks/ops')).status).toBe(204);
    const missing = await api.request('GET', '/v1/webhooks/ops');
    expect([missing.status, missing.fault]).toEqual([404, 'Webhook ops could not be found.']);
    const told = await api.db.read.events.listLast({ types: ['webhook.changed'] }, 9);
    expect(told.map((e) => e.data['change'])).toEqual(['created', 'created', 'changed', 'removed']);
  });

  it('are refused with a sentence that helps', async () => {
    await post({ name: 'taken', url });
    const wrong = async (body: object, status = 400) => {
      const reply = await post({ url, ...body });
      expect(reply.status).toBe(status);
      return reply.fault;
    };
    expect(await wrong({ name: 'taken' }, 409)).toBe('A webhook of that name or UUID already exists.');
    expect(await wrong({ url: 'ftp://x/' })).toBe('Invalid url of a webhook: it must begin with http:// or https://');
    expect(await wrong({ url: 'http://169.254.169.254/' })).toBe(
      'Invalid url of a webhook: nothing is sent to 169.254.169.254',
    );
    expect(await wrong({ events: ['nodes.*'] })).toMatch(
      /^Invalid events of a webhook: There is no event type nodes\.\*\. Types: node\.created, /,
    );
    expect(await wrong({ nodes: 'r[1-' })).toMatch(
      /^Invalid nodes of a webhook: this bracket is never closed, at character 2/,
    );
    expect(await wrong({ severity: 'bad' })).toContain('severity is not one of');
    expect(await wrong({ secret: 'short' })).toContain('secret');
    expect(await wrong({ name: '8dd6f0a2-4f27-4a9e-9d5c-0d3a1d8f1a11' })).toContain('no UUID');
    expect(await wrong({ uuid: 'x' })).toBe('Expected UUID for uuid: x');
    expect(await wrong({ colour: 'red' })).toContain("'colour' was unexpected");
    expect((await api.request('POST', '/v1/webhooks', { body: {} })).fault).toContain("'url' is a required property");
    expect((await patch('taken', { op: 'add', path: '/uuid', value: 'x' })).fault).toMatch(/^Cannot patch \/uuid/);
    expect((await patch('taken', { op: 'replace', path: '/url', value: 7 })).fault).toContain('it is no text');
    expect((await patch('taken', { op: 'remove', path: '/url' })).status).toBe(400);
    expect((await patch('taken', { op: 'replace', path: '/enabled', value: 'yes' })).fault).toContain('true or false');
    expect((await patch('nobody', { op: 'remove', path: '/name' })).status).toBe(404);
  });

  it('tell how far they are, and give back what could not be delivered', async () => {
    const uuid = String((await post({ name: 'far', url })).json['uuid']);
    await api.db.write('deliver', async (tx) => {
      await tx.webhooks.lease(uuid, 'x', 60_000);
      await tx.webhooks.delivered(uuid, 'x', '0-1', 200);
      for (const n of [2, 3, 4])
        await tx.webhooks.giveUp(uuid, 'x', {
          status: 500,
          error: 'answered 500',
          event: { n },
          cursor: `0-${n}`,
          kept: 9,
        });
    });
    const far = async () => (await api.request('GET', '/v1/webhooks/far/delivery')).json;
    expect(await far()).toMatchObject({ cursor: '0-4', delivered: 1, dead_letters: 3, failures: 3, last_status: 500 });
    const path = '/v1/webhooks/far/dead_letters';
    const letters = (await api.request('GET', path)).json['dead_letters'] as { id: number; event: object }[];
    expect(letters.map((l) => l.event)).toEqual([{ n: 2 }, { n: 3 }, { n: 4 }]);
    const page = (await api.request('GET', `${path}?limit=1&marker=${letters[0]!.id}`)).json;
    expect(page['dead_letters']).toEqual([letters[1]]);
    expect(String(page['next'])).toContain(`marker=${letters[1]!.id}`);
    expect((await api.request('GET', `${path}?marker=x`)).status).toBe(400);

    const redeliver = (body?: object) => api.request('POST', '/v1/webhooks/far/redeliver', { body });
    const some = await redeliver({ ids: [letters[0]!.id, 99_999] });
    expect([some.status, some.json]).toEqual([202, { redelivering: 1 }]);
    expect(((await api.request('GET', path)).json['dead_letters'] as object[])[0]).toMatchObject({
      redelivering: true,
    });
    expect((await redeliver()).json).toEqual({ redelivering: 3 });
    await patch('far', { op: 'replace', path: '/enabled', value: false });
    const off = await redeliver();
    expect([off.status, off.fault]).toEqual([409, `Webhook ${uuid} is switched off: set enabled to true first.`]);

    expect((await api.request('DELETE', `${path}/${letters[1]!.id}`)).status).toBe(204);
    expect((await api.request('DELETE', `${path}/${letters[1]!.id}`)).status).toBe(404);
    expect((await api.request('DELETE', path)).status).toBe(204);
    expect(await far()).toMatchObject({ dead_letters: 0 });
  });
});

describe('the event stream', () => {
  it('is filtered by nodes, patterns of types, and severity', async () => {
    const made = async (name: string) =>
      String((await api.request('POST', '/v1/nodes', { body: { driver: 'fake-hardware', name } })).json['uuid']);
    const [a, b] = [await made('s1'), await made('s2')];
    await made('t1');
    await api.request('PUT', '/v1/nodes/s2/maintenance', { body: {} });
    await api.db.write('events', (tx) =>
      tx.events.append({ type: 'step.failed', nodeUuid: a as never, runId: null, severity: 'error', data: {} }),
    );
    const seen = async (query: string) => {
      const { text } = await api.request('GET', `/v1/events?follow=false&${query}`);
      return text
        .split('\n')
        .filter((line) => line.startsWith('data: '))
        .map((line) => JSON.parse(line.slice(6)) as { type: string; node_uuid: string })
        .map((e) => `${e.node_uuid === a ? 'a' : e.node_uuid === b ? 'b' : '?'} ${e.type}`);
    };
    expect(await seen('node=s[1-9]')).toEqual([
      'a node.created',
      'b node.created',
      'b node.maintenance',
      'a step.failed',
    ]);
    expect(await seen('node=s[1-9],-s1&type=node.m*,run.*')).toEqual(['b node.maintenance']);
    expect(await seen('node=s1')).toEqual(['a node.created', 'a step.failed']);
    expect(await seen(`node=${a},nobody&severity=warning`)).toEqual(['a step.failed']);
    expect(await seen('severity=error')).toEqual(['a step.failed']);
    await api.request('DELETE', '/v1/nodes/s1');
    expect(await seen('node=s1,s7')).toEqual(['a node.deleted']);
    const refusal = async (query: string) => {
      const { status, fault } = await api.request('GET', `/v1/events?follow=false&${query}`);
      return [status, fault?.split(' Types:')[0]];
    };
    expect(await refusal('type=node.*,nothing.*')).toEqual([400, 'There is no event type nothing.*.']);
    expect(await refusal('severity=loud')).toEqual([400, 'severity is one of info, warning, error, not "loud".']);
    expect(await refusal('node=s[2-1]')).toEqual([400, 'node is no node range: 2-1 runs backwards, at character 3']);
    expect(await refusal('node=nobody')).toEqual([404, 'Node nobody could not be found.']);
  });
});
