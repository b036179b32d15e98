import { startKeystone, type TestKeystone } from '@bessemer/api/testing';
import { ManualClock, seededRandom } from '@bessemer/ports/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runProgram } from '../program.ts';
import { memoryIo, type RecordingServer, recordingServer } from '../testing.ts';
import { endpointOf, loginBody } from './keystone.ts';

let service: RecordingServer;
let keystone: TestKeystone;
beforeAll(async () => {
  service = await recordingServer(() => ({ status: 200, body: { nodes: [] } }));
  keystone = await startKeystone({
    clock: new ManualClock(),
    random: seededRandom(3),
    users: { ann: { password: 'a', roles: { p: ['member'], system: ['admin'] } } },
    endpoint: () => `${service.endpoint}/v1/`,
  });
});
afterAll(async () => {
  await keystone.stop();
  await service.close();
});
beforeEach(() => {
  service.seen.length = 0;
  service.headers.length = 0;
});

const list = async (env: Record<string, string>, ...argv: string[]) => {
  const { io, written } = memoryIo();
  const clock = { now: () => 0, sleep: async () => {} };
  const login = { OS_AUTH_URL: keystone.url, OS_USERNAME: 'ann', OS_PASSWORD: 'a' };
  const code = await runProgram({
    argv: ['node', 'list', ...argv],
    env: { ...login, ...env },
    io,
    clock,
    newKey: () => 'k',
    version: '9',
  });
  return { code, ...written };
};

describe('behind a Keystone', () => {
  it('asks the endpoint of the catalog with the token it was given', async () => {
    expect(await list({ OS_PROJECT_NAME: 'p' })).toMatchObject({ code: 0, err: '' });
    expect(service.seen).toEqual([['GET', '/v1/nodes', null]]);
    expect(service.headers[0]!['x-auth-token']).toMatch(/^gAAAA/);
    expect(service.headers[0]).not.toHaveProperty('authorization');
    expect(
      await list({ OS_SYSTEM_SCOPE: 'all' }, '--os-region-name', 'r', '--os-interface', 'publicURL'),
    ).toMatchObject({
      code: 0,
    });
  });

  it('takes an endpoint that is named', async () => {
    expect(await list({ OS_ENDPOINT: service.endpoint })).toMatchObject({ code: 0 });
    expect(service.headers[0]!['x-auth-token']).toMatch(/^gAAAA/);
  });

  it.each([
    [{ OS_PASSWORD: 'wrong' }, /refused the log-in: The request you have made requires authentication\. \(HTTP 401\)/],
    [{}, /catalog of Keystone has no public endpoint/],
    [{ OS_PROJECT_NAME: 'p', OS_REGION_NAME: 'x' }, /no public endpoint of type baremetal in region x/],
    [{ OS_AUTH_URL: 'http://127.0.0.1:9' }, /Keystone at http:\/\/127\.0\.0\.1:9 does not answer/],
  ])('says what is wrong: %j', async (env, words) => {
    const { code, err } = await list(env as Record<string, string>);
    expect(code).toBe(1);
    expect(err).toMatch(words);
    expect(service.seen).toEqual([]);
  });
});

describe('the request for a token', () => {
  const login = { url: 'http://k', method: 'password', password: 'p' } as const;
  it('names user, domains and scope', () => {
    expect(loginBody({ ...login, username: 'u', projectName: 'x', projectDomainName: 'D' })).toEqual({
      auth: {
        identity: {
          methods: ['password'],
          password: { user: { name: 'u', domain: { id: 'default' }, password: 'p' } },
        },
        scope: { project: { name: 'x', domain: { name: 'D' } } },
      },
    });
    expect(loginBody({ ...login, userId: 'i', projectId: 'x', systemScope: 'all' })).toMatchObject({
      auth: { identity: { password: { user: { id: 'i' } } }, scope: { system: { all: true } } },
    });
    expect(
      loginBody({
        url: 'http://k',
        method: 'application_credential',
        applicationCredentialId: 'i',
        applicationCredentialSecret: 's',
      }),
    ).toEqual({
      auth: { identity: { methods: ['application_credential'], application_credential: { id: 'i', secret: 's' } } },
    });
  });

  it('reads any catalog', () => {
    const endpoints = [
      { interface: 'internal', region: 'a', url: 'http://i' },
      { interface: 'public', region_id: 'b', url: 'http://b' },
    ];
    const catalog = [{ type: 'compute' }, null, { type: 'baremetal', endpoints }];
    expect(endpointOf(catalog, 'public', undefined)).toBe('http://b');
    expect(endpointOf(catalog, 'internalURL', 'a')).toBe('http://i');
    expect(endpointOf(catalog, 'public', 'a')).toBeUndefined();
    expect(endpointOf('x', 'public', undefined)).toBeUndefined();
  });
});
