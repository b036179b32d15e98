/** Logging in for real: a Keystone over HTTP, a file of users, our own tokens; with Ironic's own client. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startKeystone } from '@bessemer/api/testing';
import { systemClock, systemRandom } from '@bessemer/ports/node';
import { afterEach, describe, expect, it } from 'vitest';
import { type RoleOptions, type ServiceProcess, startRole } from './service-process.ts';

/** Runs each command of Ironic's client in one Python process: its start takes seconds. */
const RUN_EACH = `
import contextlib, io, json, sys
from ironicclient import shell
results = []
for argv in json.loads(sys.argv[1]):
    sys.argv = ["baremetal", *argv]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = shell.main(argv)
        except SystemExit as e:
            code = e.code
    results.append([code or 0, (out.getvalue() + err.getvalue()).strip()])
print(json.dumps(results))
`;
async function theirs(commands: readonly (readonly string[])[]): Promise<Array<[code: number, text: string]>> {
  const { stdout } = await promisify(execFile)('/usr/bin/python3', ['-c', RUN_EACH, JSON.stringify(commands)], {
    env: { PATH: process.env['PATH'], HOME: folder, PYTHONWARNINGS: 'ignore', LANG: 'C.UTF-8' },
  });
  return JSON.parse(stdout);
}

let folder = '';
const ends: Array<() => unknown> = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});
async function start(set: RoleOptions['set']): Promise<ServiceProcess> {
  folder = mkdtempSync(join(tmpdir(), 'bessemer-access-'));
  ends.push(() => rmSync(folder, { recursive: true }));
  const free = { 'boot.http_port': '0', 'boot.tftp_port': '0', 'agent.port': '0' };
  const service = await startRole({ role: 'up', dataDir: join(folder, 'data'), set: { ...free, ...set } });
  ends.push(() => service.stop());
  return service;
}

const NODE = ['node', 'create', '--driver', 'fake-hardware', '-f', 'value', '-c', 'uuid', '-c', 'owner'];
const NAMES = ['node', 'list', '-f', 'value', '-c', 'Name'];

describe('with a Keystone', () => {
  it("Ironic's client logs in, and projects see what is theirs", async () => {
    const users = {
      ironic: { password: 'i', roles: { service: ['service'] } },
      root: { password: 'r', roles: { system: ['admin'] } },
      ann: { password: 'a', roles: { p: ['admin'] } },
      bob: { password: 'b', roles: { q: ['member'] } },
    };
    let endpoint = '';
    const keystone = await startKeystone({
      users,
      clock: systemClock,
      random: systemRandom,
      endpoint: () => endpoint,
    });
    ends.push(() => keystone.stop());
    const service = await start({
      'api.auth': 'keystone',
      'keystone.url': keystone.url,
      'keystone.username': 'ironic',
      'keystone.password': 'i',
      'keystone.cache_ms': '0',
    });
    endpoint = service.apiUrl!;
    const as = (user: 'root' | 'ann' | 'bob', scope?: string) => [
      ...['--os-auth-type', 'password', '--os-auth-url', keystone.url, '--os-username', user],
      ...['--os-password', users[user].password, '--os-user-domain-name', 'Default'],
      ...(scope === undefined
        ? ['--os-system-scope', 'all']
        : ['--os-project-name', scope, '--os-project-domain-name', 'Default']),
    ];
    const profile = JSON.parse(readFileSync(join(folder, 'data', 'profile.json'), 'utf8'));
    const token = ['--os-auth-type', 'admin_token', '--os-endpoint', endpoint, '--os-token', profile.token];
    const [anns, roots, annSees, rootSees, bobSees, bobGets, tokenSees] = await theirs([
      [...as('ann', 'p'), ...NODE, '--name', 'anns'],
      [...as('root'), ...NODE, '--name', 'roots'],
      [...as('ann', 'p'), ...NAMES],
      [...as('root'), ...NAMES],
      [...as('bob', 'q'), ...NAMES],
      [...as('bob', 'q'), 'node', 'show', 'anns'],
      [...token, ...NAMES],
    ]);
    expect(anns).toEqual([0, expect.stringContaining(keystone.projectId('p'))]);
    expect(roots).toEqual([0, expect.stringContaining('None')]);
    expect(annSees).toEqual([0, 'anns']);
    expect(rootSees).toEqual([0, 'anns\nroots']);
    expect(bobSees).toEqual([0, '']);
    expect(bobGets).toEqual([1, expect.stringContaining('Node anns could not be found.')]);
    expect(tokenSees).toEqual([0, 'anns\nroots']);

    const shown = keystone.issue('root', 'system');
    const status = async () => {
      const reply = await fetch(`${endpoint}/v1/nodes`, { headers: { 'X-Auth-Token': shown } });
      return [reply.status, reply.headers.get('retry-after')];
    };
    expect(await status()).toEqual([200, null]);
    keystone.fail(500);
    expect(await status()).toEqual([503, '1']);
    keystone.fail(undefined);
    keystone.revoke(shown);
    expect(await status()).toEqual([401, null]);
  });
});

describe('with a file of users', () => {
  it('each has a role, and the administrator of the first start is there too', async () => {
    // `secret`, hashed with bcrypt by glibc's crypt(3).
    const secret = '$2b$04$uZ6DHcufL8X.wKfQX4GPmeieEoaSbN15mUgfbZ6HNeaRq1emMHGBG';
    const file = join(mkdtempSync(join(tmpdir(), 'bessemer-users-')), 'users');
    ends.push(() => rmSync(join(file, '..'), { recursive: true }));
    writeFileSync(file, `ann:${secret}\nbob:${secret}\n`);
    const service = await start({
      'api.auth': 'http_basic',
      'access.user_file': file,
      'access.users': 'ann:admin:p,bob:reader',
    });
    const as = (user: string, password = 'secret') => [
      ...['--os-auth-type', 'http_basic', '--os-endpoint', service.apiUrl!],
      ...['--os-username', user, '--os-password', password],
    ];
    const path = join(folder, 'data', 'profile.json');
    const profile = JSON.parse(readFileSync(path, 'utf8'));
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const [made, refused, wrong, sees, admin] = await theirs([
      [...as('ann'), ...NODE, '--name', 'anns'],
      [...as('bob'), ...NODE],
      [...as('bob', 'guess'), ...NAMES],
      [...as('bob'), ...NAMES],
      [...as(profile.username, profile.password), ...NAMES],
    ]);
    expect(made).toEqual([0, expect.stringMatching(/^p\n/)]);
    expect(refused).toEqual([1, expect.stringContaining('Access was denied to the following resource: createNode.')]);
    expect(wrong).toEqual([1, expect.stringContaining('Incorrect username or password')]);
    expect(sees).toEqual([0, 'anns']);
    expect(admin).toEqual([0, 'anns']);
  });
});
