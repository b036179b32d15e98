/** What goes beyond Ironic keeps to who may do and see what. */
import type { Role } from '@bessemer/core';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Authenticator } from './access/authenticator.ts';
import { startApi, type TestApi } from './testing.ts';

/** The token says who it is: `user:role:project`, without a project the system. */
const authenticator: Authenticator = {
  strategy: 'http_basic',
  challenge: '',
  async check({ authToken = '' }) {
    const [user = '', role, project] = authToken.split(':');
    return { user, role: role as Role, project: project ?? null };
  },
};
let api: TestApi;
beforeEach(async () => void (api = await startApi({ authenticator })));
afterEach(() => api.stop());

const ROOT = 'root:admin';
const ADA = 'ada:admin:p1';
const as = (token: string, method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
  api.request(method, path, {
    ...(body === undefined ? {} : { body }),
    headers: { 'X-Auth-Token': token, ...headers },
  });
const makeNode = (name: string, more: object = {}) =>
  as(ROOT, 'POST', '/v1/nodes', { driver: 'fake-hardware', name, ...more });

it('a first answer is its user’s alone, in the project in which they asked', async () => {
  const make = (token: string) =>
    as(token, 'POST', '/v1/nodes', { driver: 'fake-hardware' }, { 'Idempotency-Key': 'k' });
  const mine = await make(ADA);
  expect([mine.status, mine.json['owner']]).toEqual([201, 'p1']);
  expect((await make(ADA)).text).toBe(mine.text);
  for (const token of ['bob:admin:p1', 'ada:admin:p2', 'ada:admin']) {
    const other = await make(token);
    expect(other.headers.get('idempotency-replayed')).toBeNull();
    expect(other.json['uuid']).not.toBe(mine.json['uuid']);
  }
  // Who may not any more is refused, whatever they got once.
  expect((await make('ada:reader:p1')).status).toBe(403);
});

it('an order for many nodes is for each what it would be alone', async () => {
  await makeNode('mine', { owner: 'p1' });
  await makeNode('lent', { owner: 'p2', lessee: 'p1' });
  await makeNode('foreign', { owner: 'p2' });
  const ask = async (token: string, body: object) => {
    const { status, json } = await as(token, 'POST', '/v1/bulk', { nodes: 'mine,lent,foreign,none', ...body });
    return [status, ((json['results'] ?? []) as { status: number }[]).map((r) => r.status)];
  };
  const power = { action: 'power', target: 'power on' };
  expect(await ask('ada:member:p1', power)).toEqual([200, [202, 202, 404, 404]]);
  expect(await ask('ada:reader:p1', power)).toEqual([200, [403, 403, 404, 404]]);
  const patch = (path: string) => ({ action: 'patch', patch: [{ op: 'add', path, value: 'x' }] });
  expect(await ask('ada:member:p1', patch('/extra/a'))).toEqual([200, [200, 200, 404, 404]]);
  expect(await ask('ada:member:p1', patch('/owner'))).toEqual([200, [403, 403, 404, 404]]);
  expect(await ask(ADA, { action: 'delete' })).toEqual([200, [204, 403, 404, 404]]);
  expect(await ask(ROOT, { action: 'delete' })).toEqual([200, [404, 204, 204, 404]]);
});

it('a tag of what a lessee is shown holds for what a lessee changes', async () => {
  const made = await makeNode('lent', { owner: 'p2', lessee: 'p1', driver_info: { ipmi_address: 'bmc' } });
  const shown = await as(ADA, 'GET', '/v1/nodes/lent');
  const tag = shown.headers.get('etag')!;
  expect(shown.text).toContain('Redacted');
  expect(tag).not.toBe(made.headers.get('etag'));
  const change = (token: string, match: string) =>
    as(token, 'PATCH', '/v1/nodes/lent', [{ op: 'add', path: '/extra/a', value: token }], { 'If-Match': match });
  const replies = await Promise.all([change(ADA, tag), change('bob:admin:p2', made.headers.get('etag')!)]);
  expect(replies.map((r) => r.status).toSorted()).toEqual([200, 412]);
  expect((await change('eve:admin:p3', '*')).status).toBe(404);
});

it('webhooks are for administrators of the system, events for whose nodes they are of', async () => {
  const hook = { url: 'http://127.0.0.1/' };
  for (const token of [ADA, 'sam:member', 'sam:reader'])
    expect((await as(token, 'POST', '/v1/webhooks', hook)).status, token).toBe(403);
  expect((await as(ROOT, 'POST', '/v1/webhooks', hook)).status).toBe(201);
  expect((await as('sam:reader', 'GET', '/v1/webhooks')).status).toBe(403);
  await makeNode('s1', { owner: 'p1' });
  await makeNode('s2', { owner: 'p2' });
  const seen = async (token: string) => {
    const { text } = await as(token, 'GET', '/v1/events?follow=false&type=node.created&node=s[1-2]');
    return text.split('\n').filter((line) => line.startsWith('data: ')).length;
  };
  expect([await seen(ROOT), await seen(ADA)]).toEqual([2, 1]);
});

it('who changed what is noted also for a request that may be repeated', async () => {
  const make = () => as(ADA, 'POST', '/v1/nodes', { driver: 'fake-hardware' }, { 'Idempotency-Key': 'k' });
  const { json } = await make();
  await make();
  const changes = await api.db.read.events.listLast({ types: ['access.changed'] }, 9);
  expect(changes.map((e) => [e.data['user'], e.data['operation'], e.nodeUuid])).toEqual([
    ['ada', 'createNode', json['uuid']],
  ]);
});
