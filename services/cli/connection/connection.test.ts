import { describe, expect, it } from 'vitest';
import { cloudsFromYaml } from './clouds-yaml.ts';
import { type ConnectionOptions, findConnection } from './connection.ts';
import { faultOf } from './http.ts';

const PROFILE = JSON.stringify({
  auth_type: 'http_basic',
  endpoint: 'http://profile:1',
  username: 'admin',
  password: 'p',
});
const CLOUDS = `# mine
clouds:
  lab:
    auth_type: "http_basic"
    auth:
      endpoint: https://cloud:2/v1/
      username: 'it''s me' # who
      password: "a#b"
    regions:
      - one
  open:
    auth_type: none
    baremetal_endpoint_override: http://open:3
    baremetal_api_version: 1.78
`;
const FILES: Record<string, string> = {
  '/h/.config/bessemer/profile.json': PROFILE,
  '/h/.config/openstack/clouds.yaml': CLOUDS,
  '/own/profile.json': JSON.stringify({ auth_type: 'none', endpoint: 'http://own:9/' }),
};
const find = (options: ConnectionOptions, env: Record<string, string> = {}) =>
  findConnection(options, { HOME: '/h', ...env }, (path) => FILES[path]);

describe('where the service is', () => {
  it('flags come before OS_*, clouds.yaml and the profile', () => {
    const env = { OS_ENDPOINT: 'http://env:4', OS_CLOUD: 'lab' };
    expect(find({ osEndpoint: 'http://flag:5' }, env)).toMatchObject({
      endpoint: 'http://flag:5',
      source: '--os-endpoint',
    });
    expect(find({}, env)).toMatchObject({ endpoint: 'http://env:4', source: 'OS_ENDPOINT' });
    expect(find({}, { OS_CLOUD: 'lab' })).toMatchObject({
      endpoint: 'https://cloud:2',
      username: "it's me",
      password: 'a#b',
    });
    expect(find({ osCloud: 'open' })).toMatchObject({
      endpoint: 'http://open:3',
      username: undefined,
      apiVersion: '1.78',
    });
    expect(find({})).toMatchObject({
      endpoint: 'http://profile:1',
      username: 'admin',
      password: 'p',
      apiVersion: 'latest',
    });
    expect(find({}, { BESSEMER_PROFILE: '/own/profile.json' })).toMatchObject({
      endpoint: 'http://own:9',
      username: undefined,
    });
  });

  it('never sends the credential of one source to the endpoint of an earlier one', () => {
    expect(find({ osEndpoint: 'http://flag:5' })).toMatchObject({ username: undefined, password: undefined });
    expect(find({}, { OS_ENDPOINT: 'http://env:4', OS_CLOUD: 'lab' })).toMatchObject({
      username: undefined,
      password: undefined,
    });
  });

  it('lets flags replace parts of what a later source says', () => {
    expect(find({ osPassword: 'other', osBaremetalApiVersion: '1.50' })).toMatchObject({
      endpoint: 'http://profile:1',
      username: 'admin',
      password: 'other',
      apiVersion: '1.50',
    });
    expect(find({ osAuthType: 'none' })).toMatchObject({ username: undefined });
  });

  it('says what is missing or wrong, and what to do', () => {
    expect(() => findConnection({}, { HOME: '/x' }, () => undefined)).toThrow(/not known where the service is/);
    expect(() => find({ osCloud: 'nope' })).toThrow(
      'There is no cloud nope in /h/.config/openstack/clouds.yaml; it has: lab, open',
    );
    expect(() => find({ osAuthType: 'kerberos' })).toThrow(/none, http_basic/);
    expect(() => find({ osAuthType: '__proto__' })).toThrow(/is not known/);
    expect(() => find({ osAuthType: 'password' })).toThrow(/where Keystone is/);
    expect(() => find({ osAuthType: 'token' })).toThrow(/token is missing/);
    expect(() => find({ osAuthType: 'password', osAuthUrl: 'http://k:1/v3' })).toThrow(/missing: password, username/);
    expect(() => find({ osEndpoint: 'ftp://x' })).toThrow(/not a URL of http/);
    expect(() => find({ osBaremetalApiVersion: '2.1' })).toThrow(/1.N or latest/);
    expect(() => findConnection({}, { HOME: '/h' }, () => '{')).toThrow(/is not JSON/);
  });
});

describe('who asks', () => {
  it('is told by a token, wherever it stands before a password', () => {
    const token = { token: 'bsm_1', username: undefined, password: undefined };
    expect(find({ osToken: 'bsm_1' })).toMatchObject({ endpoint: 'http://profile:1', ...token });
    expect(find({}, { OS_TOKEN: 'bsm_1', OS_AUTH_TYPE: 'admin_token' })).toMatchObject(token);
    const profile = JSON.stringify({ auth_type: 'token', endpoint: 'http://p:2', token: 'bsm_1' });
    expect(findConnection({}, { HOME: '/h' }, () => profile)).toMatchObject({ endpoint: 'http://p:2', ...token });
    expect(find({ osUsername: 'u', osPassword: 'p', osAuthType: 'http_basic' }, { OS_TOKEN: 'x' })).toMatchObject({
      username: 'u',
    });
  });

  it('is told to Keystone when its place is known', () => {
    const env = { OS_AUTH_URL: 'http://k:5/identity/v3/', OS_USERNAME: 'ann', OS_PASSWORD: 'a', OS_PROJECT_NAME: 'p' };
    const found = find({}, env);
    expect(found).toMatchObject({ endpoint: '', source: 'the catalog of Keystone', username: undefined });
    expect(found.keystone).toMatchObject({ url: 'http://k:5/identity', method: 'password', projectName: 'p' });
    expect(find({ osEndpoint: 'http://x:1' }, env)).toMatchObject({ endpoint: 'http://x:1' });
    const clouds =
      'clouds:\n  c:\n    region_name: r\n    auth:\n      auth_url: http://k:6\n      username: u\n      password: p\n';
    expect(findConnection({ osCloud: 'c' }, {}, () => clouds).keystone).toMatchObject({
      url: 'http://k:6',
      username: 'u',
      region: 'r',
    });
  });
});

describe('the YAML of clouds.yaml', () => {
  it('passes over what it does not need, and names the line it cannot read', () => {
    expect(cloudsFromYaml('---\nother:\n  - [1\nclouds:\n  a:\n    region_name: r\n    networks: [x]\n', 'f')).toEqual({
      a: { region_name: 'r' },
    });
    expect(() => cloudsFromYaml('clouds:\n  a:\n    auth: {username: x}\n', 'f')).toThrow('f, line 3');
    expect(() => cloudsFromYaml('clouds:\n  a:\n    what is this\n', 'f')).toThrow('f, line 3');
  });
});

describe('the words of a refusal', () => {
  it.each([
    ['{"error_message":"{\\"faultstring\\":\\"no\\",\\"faultcode\\":\\"Client\\"}"}', 'no'],
    ['{"error_message":{"faultstring":"no","code":404}}', 'no'],
    ['{"error_message":"plain"}', 'plain'],
    ['{"errors":[{"title":"t"}]}', 't'],
    ['<html>', 'Bad Gateway'],
    ['[]', 'Bad Gateway'],
    ['null', 'Bad Gateway'],
  ])('%s', (body, words) => {
    expect(faultOf(body, 'Bad Gateway')).toBe(words);
  });
});
