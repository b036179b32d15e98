import type { ServiceError } from '@bessemer/core';
import { ManualClock, settle } from '@bessemer/ports/testing';
import { afterEach, describe, expect, it } from 'vitest';
import type { TestApi } from '../testing.ts';
import { createPasswordCheck } from './passwords.ts';
import { basic, bearer, startWithUsers } from './testing.ts';

const USERS = {
  admin: { role: 'admin', project: null },
  ann: { role: 'member', project: 'p' },
  eve: { role: 'reader', project: null },
} as const;

const started: TestApi[] = [];
const start = async (...args: Parameters<typeof startWithUsers> | []) => {
  const made = await startWithUsers(args[0] ?? USERS, args[1]);
  started.push(made.api);
  return made;
};
afterEach(async () => {
  for (const api of started.splice(0)) await api.stop();
});

describe('http_basic', () => {
  it('lets in who knows the password, and all to the version documents', async () => {
    const { api, refusals } = await start();
    const get = (path: string, headers = {}) => api.request('GET', path, { headers });
    expect((await get('/')).status).toBe(200);
    const refused = await get('/v1/nodes');
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Basic realm="Baremetal API"']);
    expect((await get('/v1/nodes', basic('admin:wrong'))).fault).toBe('Incorrect username or password.');
    expect((await get('/v1/nodes', basic('nobody:right'))).fault).toBe('Incorrect username or password.');
    expect((await get('/v1/nodes', { Authorization: 'Basic ???' })).status).toBe(401);
    expect((await get('/v1/nodes', basic('admin:right'))).status).toBe(200);
    expect(refusals.map(({ data }) => data)).toEqual([
      { user: 'admin', address: '127.0.0.1', reason: 'unknown user or wrong password' },
      { user: 'nobody', address: '127.0.0.1', reason: 'unknown user or wrong password' },
    ]);
  });

  it('compares a password once, as long as the hash of its user stays', async () => {
    const users: Record<string, { role: 'admin' | 'reader'; project: null }> = { ...{ admin: USERS.admin } };
    const { api, compared } = await start(users);
    const ask = async () => (await api.request('GET', '/v1/nodes', { headers: basic('admin:right') })).status;
    for (let i = 0; i < 3; i++) expect(await ask()).toBe(200);
    expect(compared).toHaveLength(1);
    delete users['admin'];
    expect(await ask()).toBe(401);
    expect(compared).toHaveLength(2);
  });

  it('gives each user their role', async () => {
    const { api } = await start();
    const create = (user: string) =>
      api.request('POST', '/v1/nodes', { headers: basic(`${user}:right`), body: { driver: 'fake-hardware' } });
    expect((await create('admin')).status).toBe(201);
    const refused = await create('eve');
    expect([refused.status, refused.fault]).toEqual([
      403,
      'Access was denied to the following resource: createNode. It needs admin (system) or admin (project); eve is reader in the whole system.',
    ]);
    expect((await create('ann')).fault).toMatch(/ann is member in project p\.$/);
  });

  it('makes who fails wait longer and longer, but not those who are known', async () => {
    const clock = new ManualClock();
    const { api, compared } = await start(USERS, { clock, maxFailures: 3 });
    const ask = (credential: string) => api.request('GET', '/v1/nodes', { headers: basic(credential) });
    await ask('admin:right');
    for (let i = 0; i < 3; i++) expect((await ask('admin:wrong')).status).toBe(401);
    const before = compared.length;
    const limited = await ask('admin:wrong');
    expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, '1']);
    expect(limited.fault).toBe('Too many failed log-ins: try again in 1 second.');
    expect(compared).toHaveLength(before);
    expect((await ask('admin:right')).status).toBe(200);
    expect((await ask('eve:right')).status).toBe(200);
    await clock.advance(1_000);
    expect((await ask('admin:wrong')).status).toBe(401);
    expect((await ask('admin:wrong')).headers.get('retry-after')).toBe('2');
  });

  it('checks two passwords at a time, lets 32 wait, and sends the rest away for a second', async () => {
    const release: Array<() => void> = [];
    let running = 0;
    let most = 0;
    const check = createPasswordCheck(undefined, async () => {
      most = Math.max(most, ++running);
      await new Promise<void>((resolve) => release.push(resolve));
      running--;
      return false;
    });
    const codes: string[] = [];
    const flood = Array.from({ length: 40 }, (_, i) =>
      check(`${i}`, '$2b$').catch((error: ServiceError) => void codes.push(error.code)),
    );
    await settle();
    expect([running, codes]).toEqual([2, Array(6).fill('TEMPORARY_FAILURE')]);
    const { api } = await start(USERS, { check: (password, stored) => check(password, stored) });
    const busy = await api.request('GET', '/v1/nodes', { headers: basic('admin:more') });
    expect([busy.status, busy.headers.get('retry-after')]).toEqual([503, '1']);
    while (release.length > 0) {
      release.shift()!();
      await settle();
    }
    await Promise.all(flood);
    expect(most).toBe(2);
  });
});

describe('bearer tokens', () => {
  const make = (api: TestApi, body: object, headers: Record<string, string>) =>
    api.request('POST', '/v1/tokens', { body, headers });

  it('are shown once, work until they end or are revoked, and note when they are used', async () => {
    const clock = new ManualClock();
    const { api, refusals } = await start(USERS, { clock });
    const admin = basic('admin:right');
    const made = await make(api, { name: 'ci', role: 'member', project: 'p', expires_in: 3600 }, admin);
    expect(made.status).toBe(201);
    const secret = String(made.json['token']);
    expect(secret).toMatch(/^bsm_[\w-]{43}$/);
    expect(made.json).toMatchObject({
      name: 'ci',
      role: 'member',
      project: 'p',
      created_by: 'admin',
      last_used_at: null,
    });
    const list = await api.request('GET', '/v1/tokens', { headers: admin });
    expect(list.text).not.toContain(secret);
    expect(list.json['tokens']).toMatchObject([{ name: 'ci' }]);
    const use = async (headers: Record<string, string>) => (await api.request('GET', '/v1/nodes', { headers })).status;
    expect(await use(bearer(secret))).toBe(200);
    expect(await use({ 'X-Auth-Token': secret })).toBe(200);
    expect(await use(bearer(`${secret.slice(0, -1)}_`))).toBe(401);
    expect(refusals.at(-1)?.data).toMatchObject({ reason: 'unknown or expired token' });
    expect((await api.request('GET', '/v1/tokens/ci', { headers: admin })).json['last_used_at']).not.toBeNull();
    await clock.advance(3_600_000);
    expect(await use(bearer(secret))).toBe(401);

    const other = await make(api, { name: 'other', role: 'reader', expires_in: null }, admin);
    expect(other.json['expires_at']).toBeNull();
    expect(await use(bearer(String(other.json['token'])))).toBe(200);
    expect((await api.request('DELETE', '/v1/tokens/other', { headers: admin })).status).toBe(204);
    expect(await use(bearer(String(other.json['token'])))).toBe(401);
  });

  it('are never stronger, wider or longer-lived than who makes them', async () => {
    const { api } = await start({ ...USERS, boss: { role: 'admin', project: 'p' } });
    const boss = basic('boss:right');
    expect((await make(api, { name: 'a', role: 'reader' }, basic('ann:right'))).status).toBe(403);
    expect((await make(api, { name: 'a', role: 'admin', project: 'q' }, boss)).fault).toBe(
      'A token made in project p is of that project.',
    );
    const short = await make(api, { name: 'short', role: 'admin', expires_in: 60 }, boss);
    expect(short.json).toMatchObject({ project: 'p' });
    const child = await make(
      api,
      { name: 'child', role: 'admin', expires_in: null },
      bearer(String(short.json['token'])),
    );
    expect(child.json).toMatchObject({ created_by: 'token short', expires_at: short.json['expires_at'] });
    expect((await make(api, { name: 'child', role: 'reader' }, boss)).fault).toBe(
      'A token with name child already exists.',
    );
    await make(api, { name: 'of-the-system', role: 'admin' }, basic('admin:right'));
    const seen = await api.request('GET', '/v1/tokens', { headers: boss });
    expect((seen.json['tokens'] as Array<{ name: string }>).map((t) => t.name)).toEqual(['short', 'child']);
    expect((await api.request('DELETE', '/v1/tokens/of-the-system', { headers: boss })).status).toBe(404);
  });
});

describe('an event stream', () => {
  it.each([
    ['end of life', 3, async () => {}],
    [
      'revocation',
      3600,
      (api: TestApi) => api.db.write('revoke', async (tx) => tx.tokens.remove((await tx.tokens.find('t'))!.uuid)),
    ],
  ] as const)('ends with its token, at %s', async (_why, expires_in, before) => {
    const clock = new ManualClock();
    const { api } = await start(USERS, { clock });
    const body = { name: 't', role: 'reader', expires_in };
    const { json } = await api.request('POST', '/v1/tokens', { headers: basic('admin:right'), body });
    const stream = await fetch(`${api.url}/v1/events?after=now`, { headers: bearer(String(json['token'])) });
    const reader = stream.body!.getReader();
    await reader.read();
    await before(api);
    await clock.advance(30_000);
    for (let end = false; !end; ) end = (await reader.read()).done;
  });
});

describe('the audit', () => {
  it('says who changed what, with the change or after the call', async () => {
    const { api } = await start();
    const headers = { ...basic('admin:right'), 'X-OpenStack-Request-Id': 'req-mine' };
    const node = await api.request('POST', '/v1/nodes', { headers, body: { driver: 'fake-hardware', name: 'n' } });
    await api.request('PUT', '/v1/nodes/n/states/power', { headers, body: { target: 'power on' } });
    await api.request('PUT', '/v1/nodes/n/states/power', { headers, body: { target: 'nonsense' } });
    await api.request('GET', '/v1/nodes/n', { headers });
    await api.request('DELETE', '/v1/nodes/n', { headers });
    const events = await api.db.read.events.listAfter(undefined, { types: ['access.changed'] }, 10);
    expect(events.map(({ nodeUuid, data }) => [data['operation'], data['target'], nodeUuid])).toEqual([
      ['createNode', node.json['uuid'], node.json['uuid']],
      ['setPowerState', 'n', node.json['uuid']],
      ['deleteNode', 'n', node.json['uuid']],
    ]);
    expect(events[1]!.data).toMatchObject({
      user: 'admin',
      role: 'admin',
      project: null,
      change: 'power on',
      request_id: 'req-mine',
      address: '127.0.0.1',
    });
  });

  it('says of an order for many nodes which they were', async () => {
    const { api } = await start();
    const headers = basic('admin:right');
    for (const name of ['n-1', 'n-2'])
      await api.request('POST', '/v1/nodes', { headers, body: { driver: 'fake-hardware', name } });
    const patch = [{ op: 'add', path: '/extra/a', value: 'unseen' }];
    await api.request('POST', '/v1/bulk', { headers, body: { action: 'patch', nodes: 'n-[1-2]', patch } });
    const [last] = await api.db.read.events.listLast({ types: ['access.changed'] }, 1);
    expect(last).toMatchObject({ nodeUuid: null, data: { operation: 'bulk', target: null, change: 'patch n-[1-2]' } });
  });
});
