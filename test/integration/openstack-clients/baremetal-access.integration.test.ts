/** Debian's `baremetal` as a process of its own: how it signs in, what it says when it cannot, and which version it speaks. */
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reaching } from './baremetal.ts';
import type { Ran } from './servant.ts';
import { type ClientWorld, expectReadable, startClientWorld } from './world.ts';

let world: ClientWorld;
let guarded: ClientWorld;
let signedIn: (password: string) => string[];
beforeAll(async () => {
  [world, guarded] = await Promise.all([startClientWorld(), startClientWorld({ 'api.auth': 'http_basic' })]);
  const profile = JSON.parse(readFileSync(join(guarded.dataDir, 'profile.json'), 'utf8'));
  signedIn = (password) => [
    ...['--os-auth-type', 'http_basic', '--os-endpoint', guarded.url, '--max-retries', '0'],
    ...['--os-username', profile.username, '--os-password', password || profile.password],
  ];
});
afterAll(async () => {
  await world.stop();
  await guarded.stop();
});

/** A real process, with no more than these variables. */
const processOf = (command: string, argv: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<Ran> =>
  new Promise((resolve) =>
    execFile(`/usr/bin/${command}`, argv, { env: { ...world.env, ...more } }, (error, out, err) =>
      resolve({ code: error ? Number(error.code) : 0, out, err }),
    ),
  );
const create = (name: string) => ['node', 'create', '--driver', 'fake-hardware', '--name', name];

describe('a process of its own', () => {
  it('prints tables, values and JSON', async () => {
    const made = await processOf('baremetal', [...reaching(world.url), ...create('n1'), '-f', 'value', '-c', 'name']);
    expect(made).toMatchObject({ code: 0, out: 'n1\n' });
    const table = await processOf('baremetal', [...reaching(world.url), 'node', 'list', '--fields', 'name', 'driver']);
    expect(table.out.split('\n').slice(2, 4)).toEqual([
      expect.stringMatching(/^\+-+\+-+\+$/),
      expect.stringMatching(/^\| n1 +\| fake-hardware \|$/),
    ]);
    const gone = await processOf('baremetal', [...reaching(world.url), 'node', 'show', 'nosuch']);
    expect([gone.code, gone.err]).toEqual([1, expect.stringContaining('Node nosuch could not be found. (HTTP 404)')]);
  });

  it('finds the service in variables and in clouds.yaml', async () => {
    const variables = { OS_AUTH_TYPE: 'none', OS_ENDPOINT: world.url };
    const list = ['node', 'list', '-f', 'value', '-c', 'Name', '-c', 'name'];
    expect(await processOf('baremetal', list, variables)).toMatchObject({ code: 0, out: 'n1\n' });
    const file = join(world.folder, 'clouds.yaml');
    const cloud = `    auth_type: none\n    auth:\n      endpoint: ${world.url}\n    baremetal_endpoint_override: ${world.url}\n`;
    writeFileSync(file, `clouds:\n  rack:\n${cloud}`);
    const named = { OS_CLIENT_CONFIG_FILE: file, OS_CLOUD: 'rack' };
    expect(await processOf('baremetal', list, named)).toMatchObject({ code: 0, out: 'n1\n' });
    // The plug-in of the client of all of OpenStack.
    expect(await processOf('openstack', ['baremetal', ...list], named)).toMatchObject({ code: 0, out: 'n1\n' });
    const gone = await processOf('openstack', ['baremetal', 'node', 'show', 'nosuch'], named);
    expect([gone.code, gone.err]).toEqual([1, expect.stringContaining('Node nosuch could not be found. (HTTP 404)')]);
    expectReadable(gone.err);
  });
});

describe('with names and passwords', () => {
  it('the administrator of the first start takes a node to active and back', async () => {
    const as = (argv: readonly string[]) => guarded.clients.cli([...signedIn(''), ...argv]);
    expect(await as([...create('mine'), '-f', 'value', '-c', 'name'])).toMatchObject({ code: 0, out: 'mine\n' });
    for (const verb of ['manage', 'provide', 'deploy', 'undeploy'])
      expect(await as(['node', verb, '--wait', '60', 'mine'])).toMatchObject({ code: 0 });
    const file = { OS_USERNAME: signedIn('')[7]!, OS_PASSWORD: signedIn('')[9]! };
    const own = { ...file, OS_AUTH_TYPE: 'http_basic', OS_ENDPOINT: guarded.url };
    expect(await processOf('baremetal', ['node', 'list', '-f', 'value'], own)).toMatchObject({
      code: 0,
      out: expect.stringContaining('mine'),
    });
  });

  it('a wrong password, and none at all, are refused in words', async () => {
    for (const command of ['node list', 'driver list', 'node show mine', 'node power on mine', 'port list']) {
      const wrong = await guarded.clients.cli([...signedIn('guess'), ...command.split(' ')]);
      expect([wrong.code, wrong.err]).toEqual([1, expect.stringContaining('Incorrect username or password')]);
      expectReadable(wrong.err);
      const nobody = await guarded.clients.cli([...reaching(guarded.url), ...command.split(' ')]);
      expect([nobody.code, nobody.err]).toEqual([1, expect.stringMatching(/401|[Aa]uthoriz|[Aa]uthenticat/)]);
      expectReadable(nobody.err);
    }
  });

  it('a token of the service opens it too', async () => {
    const made = await fetch(`${guarded.url}/v1/tokens`, {
      method: 'POST',
      headers: {
        Authorization: `Basic ${Buffer.from(`${signedIn('')[7]}:${signedIn('')[9]}`).toString('base64')}`,
        'Content-Type': 'application/json',
        'X-OpenStack-Ironic-API-Version': 'latest',
      },
      body: JSON.stringify({ name: 'script', role: 'admin' }),
    });
    const body = (await made.json()) as { token?: string };
    expect([made.status, typeof body.token], JSON.stringify(body)).toEqual([201, 'string']);
    const token = ['--os-auth-type', 'admin_token', '--os-endpoint', guarded.url, '--os-token', body.token!];
    expect(await guarded.clients.cli([...token, 'node', 'list', '-f', 'value'])).toMatchObject({
      code: 0,
      out: expect.stringContaining('mine'),
    });
    const wrong = await guarded.clients.cli([...token.slice(0, -1), 'nosuch', 'node', 'list']);
    expect(wrong.code).toBe(1);
    expectReadable(wrong.err);
  });
});

it('a service that is not there is named, and one that says nothing is given up', async () => {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const broken = await world.clients.cli([...reaching(`http://127.0.0.1:${port}`), 'node', 'list']);
  expect([broken.code, broken.err]).toEqual([1, expect.stringContaining(`127.0.0.1:${port}`)]);
  await new Promise((resolve) => server.close(resolve));
  const gone = await world.clients.cli([...reaching(`http://127.0.0.1:${port}`), 'node', 'list']);
  expect([gone.code, gone.err]).toEqual([1, expect.stringContaining('Connection refused')]);
});

describe('negotiation', () => {
  const withVersion = (version: string, words: string) =>
    world.clients.cli([...reaching(world.url), '--os-baremetal-api-version', version, ...words.split(' ')]);
  const versions: ReadonlyArray<readonly [version: string, fields: readonly string[], missing: readonly string[]]> = [
    ['1.1', ['uuid', 'power_state'], ['name', 'network_interface', 'traits']],
    ['1.9', ['uuid', 'name'], ['raid_config', 'network_interface', 'traits']],
    ['1.31', ['name', 'network_interface'], ['traits', 'rescue_interface', 'owner']],
    ['1.61', ['traits', 'rescue_interface', 'retired'], ['lessee', 'boot_mode']],
    ['1.78', ['boot_mode', 'lessee'], ['parent_node', 'shard']],
    ['latest', ['boot_mode', 'lessee'], []],
  ];
  it.each(versions)('of %s shows the fields of that version', async (version, fields, missing) => {
    // Names came with 1.5.
    const { out: uuid } = await withVersion('latest', 'node show n1 -f value -c uuid');
    const ran = await withVersion(version, `node show ${uuid.trim()} -f json`);
    expect(ran.code, ran.err).toBe(0);
    const shown = Object.keys(JSON.parse(ran.out));
    expect(shown).toEqual(expect.arrayContaining([...fields]));
    expect(missing.filter((field) => shown.includes(field))).toEqual([]);
  });

  it('of every version that the client knows works', async () => {
    const { newest } = await newestOf();
    for (let minor = 1; minor <= newest; minor++) {
      const ran = await withVersion(`1.${minor}`, 'node list -f json');
      expect([minor, ran.code, ran.err]).toEqual([minor, 0, '']);
    }
  });

  /** A client newer than the service, and one older, as the versions 1.1 to 1.115 show: by the least and the most it offers. */
  async function newestOf(): Promise<{ refusal: Ran; newest: number }> {
    const refusal = await withVersion('1.200', 'node list');
    const range = /Supported version range is 1\.1 to 1\.(\d+)/.exec(refusal.err);
    expect(range, refusal.err).not.toBeNull();
    return { refusal, newest: Number(range![1]) };
  }

  it('of a version that nobody has is refused, with the range that both know', async () => {
    const { refusal, newest } = await newestOf();
    expect([refusal.code, refusal.err]).toEqual([
      1,
      expect.stringContaining('Requested API version 1.200 is not supported'),
    ]);
    expect(newest).toBeGreaterThanOrEqual(78);
    expect(newest).toBeLessThanOrEqual(115);
  });

  it("of 1.82, which Debian's client does not know, is an answer in words", async () => {
    const ran = await withVersion('1.82', 'node list');
    if (ran.code === 0) return;
    expectReadable(ran.err);
    expect(ran.err).toContain('Requested API version 1.82 is not supported');
  });

  it('of a verb that came later is refused in words', async () => {
    for (const [version, words, sentence] of [
      [
        '1.9',
        'node inject nmi n1',
        'Resource could not be found. injectNmi needs API version 1.29 or newer. (HTTP 404)',
      ],
      ['1.9', 'node adopt n1', 'the requested operation is not supported by the requested version'],
      ['1.30', 'node trait list n1', 'the requested operation is not supported by the requested version'],
      ['1.51', 'allocation list', 'needs API version 1.52 or newer. (HTTP 404)'],
      ['1.9', 'port group list', 'needs API version 1.23 or newer. (HTTP 404)'],
    ] as const) {
      const ran = await withVersion(version, words);
      expect([words, ran.code, ran.err]).toEqual([words, 1, expect.stringContaining(sentence)]);
      expectReadable(ran.err);
    }
  });
});
