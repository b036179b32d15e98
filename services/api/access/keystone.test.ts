import { silentLog, Secret } from '@bessemer/ports';
import { ManualClock, seededRandom } from '@bessemer/ports/testing';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { startApi } from '../testing.ts';
import { keystoneAuthentication } from './authenticator.ts';
import { createKeystoneCheck, type KeystoneCheck } from './keystone.ts';
import { startKeystone } from './keystone-testing.ts';
import { createLoginLimiter } from './login-limiter.ts';

const clock = new ManualClock();
const keystone = await startKeystone({
  clock,
  random: seededRandom(9),
  users: {
    ironic: { password: 'service', roles: { service: ['service'] } },
    ann: { password: 'a', roles: { p: ['member', 'reader'], system: ['admin'], q: ['manager'], none: ['swift'] } },
    nova: { password: 'n', roles: { service: ['service'], system: ['service'], p: ['service'] } },
    eve: { password: 'e', roles: { p: ['reader'] } },
  },
});
afterAll(() => keystone.stop());

const options = (password = 'service', cacheMs = 300_000) => ({
  url: keystone.url,
  username: 'ironic',
  password: new Secret(password),
  userDomain: 'Default',
  project: 'service',
  projectDomain: 'Default',
  cacheMs,
  clock,
  random: seededRandom(4),
  log: silentLog,
});
let check: KeystoneCheck;
beforeEach(() => {
  check = createKeystoneCheck(options());
  keystone.log.length = 0;
  keystone.fail(undefined);
});

describe('tokens of a Keystone', () => {
  it('give user, role and scope', async () => {
    const who = async (user: string, scope: string) => {
      const { role, project } = (await check.check(keystone.issue(user, scope)))!;
      return [role, project];
    };
    expect(await check.check(keystone.issue('ann', 'p'))).toEqual({
      user: 'ann',
      role: 'member',
      project: keystone.projectId('p'),
      expiresAt: clock.nowMs() + 3_600_000,
    });
    expect(await who('ann', 'system')).toEqual(['admin', null]);
    expect(await who('ann', 'q')).toEqual(['member', keystone.projectId('q')]);
    expect(await who('eve', 'p')).toEqual(['reader', keystone.projectId('p')]);
    expect(await who('nova', 'service')).toEqual(['member', null]);
    expect(await who('nova', 'system')).toEqual(['admin', null]);
    expect(await who('nova', 'p')).toEqual(['member', keystone.projectId('p')]);
    await expect(who('ann', 'none')).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(check.check(keystone.issue('ann', undefined))).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it('are asked about once while they are believed, with one token of our own', async () => {
    const token = keystone.issue('ann', 'p');
    await Promise.all([check.check(token), check.check(token)]);
    expect(check.known(token)).toMatchObject({ user: 'ann' });
    await check.check(token);
    expect(keystone.log).toEqual(['POST 201', 'GET 200']);
    keystone.revoke(token);
    expect(await check.check(token)).toMatchObject({ user: 'ann' });
    await clock.advance(300_000);
    expect(await check.check(token)).toBeUndefined();
    expect(await check.check(token)).toBeUndefined();
    expect(keystone.log).toEqual(['POST 201', 'GET 200', 'GET 404']);
  });

  it('are not believed beyond their own end', async () => {
    const token = keystone.issue('ann', 'p', 10_000);
    expect(await check.check(token)).toBeDefined();
    await clock.advance(10_000);
    expect(check.known(token)).toBeUndefined();
    expect(await check.check(token)).toBeUndefined();
  });

  it('are refused unseen when they cannot be tokens', async () => {
    for (const text of ['with space', 'x'.repeat(9000), 'ü']) expect(await check.check(text)).toBeUndefined();
    expect(keystone.log).toEqual([]);
  });

  it("cannot be judged without Keystone: that is our trouble, not the client's", async () => {
    keystone.fail(500);
    await expect(check.check(keystone.issue('ann', 'p'))).rejects.toMatchObject({ code: 'TEMPORARY_FAILURE' });
    keystone.fail(undefined);
    const wrong = createKeystoneCheck(options('wrong'));
    await expect(wrong.check(keystone.issue('ann', 'p'))).rejects.toMatchObject({ code: 'TEMPORARY_FAILURE' });
    const away = createKeystoneCheck({ ...options(), url: 'http://127.0.0.1:1/v3' });
    await expect(away.check('t')).rejects.toMatchObject({ code: 'TEMPORARY_FAILURE' });
    const silent = createKeystoneCheck({
      ...options(),
      fetch: (_url, init) =>
        new Promise((_, reject) => init!.signal!.addEventListener('abort', () => reject(init!.signal!.reason))),
    });
    const asked = expect(silent.check('t')).rejects.toMatchObject({ code: 'TEMPORARY_FAILURE' });
    await clock.advance(10_000);
    await asked;
  });

  it('are asked about with a new token of our own when the old one is refused', async () => {
    const seen: string[] = [];
    check = createKeystoneCheck({
      ...options(),
      fetch: async (url, init) => {
        const own = new Headers(init?.headers).get('X-Auth-Token');
        if (own) seen.push(own);
        return fetch(url, init);
      },
    });
    await check.check(keystone.issue('ann', 'p'));
    keystone.revoke(seen[0]!);
    expect(await check.check(keystone.issue('eve', 'p'))).toMatchObject({ user: 'eve' });
    expect(new Set(seen).size).toBe(2);
  });
});

it('an API behind a Keystone takes its tokens, says where to get one, and slows down guessing', async () => {
  const api = await startApi({
    authenticator: keystoneAuthentication({
      keystone: check,
      url: keystone.url,
      limiter: createLoginLimiter(clock, 1),
      tokens: async () => undefined,
      onRefused: () => {},
    }),
  });
  const get = (headers: Record<string, string> = {}) => api.request('GET', '/v1/nodes', { headers });
  const refused = await get();
  expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, `Keystone uri="${keystone.url}"`]);
  const token = keystone.issue('ann', 'p');
  expect((await get({ 'X-Auth-Token': token })).status).toBe(200);
  expect((await get({ 'X-Auth-Token': 'bsm_unknown' })).status).toBe(401);
  for (let i = 0; i < 2; i++) expect((await get({ 'X-Auth-Token': `made-up-${i}` })).status).toBe(401);
  expect((await get({ 'X-Auth-Token': 'made-up' })).status).toBe(429);
  expect((await get({ 'X-Auth-Token': token })).status).toBe(200);
  keystone.fail(503);
  await clock.advance(400_000);
  const down = await get({ 'X-Auth-Token': token });
  expect([down.status, down.headers.get('retry-after')]).toEqual([503, '1']);
  await api.stop();
});
