import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createInstallation, type Installation, outcome } from './testing.ts';

let bed: Installation;
beforeAll(async () => {
  bed = await createInstallation('http_basic');
}, 60_000);
afterAll(() => bed.end());

const ok = async (...args: string[]) => {
  const ran = await bed.ours(...args);
  expect(ran.code, ran.err).toBe(0);
  return ran.out;
};
/** A fake node that is available; each of its pretended steps takes `delayMs`. */
async function available(name: string, delayMs = 0, more: string[] = []) {
  await ok(
    'node',
    'create',
    '--driver',
    'fake-hardware',
    '--name',
    name,
    '--driver-info',
    `fake_delay_ms=${delayMs}`,
    ...more,
  );
  await ok('node', 'manage', name, '--wait');
  await ok('node', 'provide', name, '--wait', '60');
}
/** Resolves once the child has written something that fits. */
const written = (child: ReturnType<Installation['startOurs']>, pattern: RegExp) =>
  new Promise<void>((resolve) => {
    let text = '';
    child.stdout!.on('data', (t: Buffer | string) => {
      text += t.toString();
      if (pattern.test(text)) resolve();
    });
  });

describe('waiting', () => {
  it('tells each step with its date, and where to look afterwards', { timeout: 60_000 }, async () => {
    await available('w1');
    const out = await ok('node', 'deploy', 'w1', '--wait');
    expect(out).toMatch(/^Waiting for provision state active on node w1\n/);
    expect(out).toMatch(/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ w1: step deploy\.fake_write_image is done$/m);
    expect(out).toMatch(/^\S+ w1: active after \d+ s\n$/m);
    expect(await ok('node', 'timeline', 'w1', '-f', 'value', '-c', 'Phase')).toContain('finished');
    expect(await ok('node', 'why', 'w1', '-f', 'value', '-c', 'provision_state')).toBe('active\n');
    expect(await ok('node', 'power', 'off', 'w1', '--wait')).toContain('w1: power off after');
    expect(await ok('node', 'reboot', 'w1', '--wait')).toContain('w1: power on after');
    expect(await ok('node', 'events', 'w1', '--no-follow')).toContain('deploying -> active');
    expect(await ok('node', 'undeploy', 'w1', '--wait')).toContain('w1: available after');
  });

  it('waits for several nodes at once, and tells of each', { timeout: 120_000 }, async () => {
    for (const name of ['r1', 'r2', 'r3']) await ok('node', 'create', '--driver', 'fake-hardware', '--name', name);
    expect(await ok('node', 'manage', 'r[1-3]', '--wait')).toMatch(/^r2: manageable after \d+ s$/m);
    const provided = await bed.ours('node', 'provide', 'r[1-3],-r2', 'nope', '--wait', '60');
    expect(provided.code).toBe(1);
    expect(provided.out).toContain('Waiting for provision state available on node(s) r1, r3\n');
    expect(provided.out).toMatch(/^r3: available after \d+ s$/m);
    expect(provided.err).toContain('nope: Node nope could not be found');
    expect(provided.err).toContain('1 of 3 nodes did not come where they were sent.');
    expect(await ok('node', 'show', 'r[1-3]', '-c', 'provision_state', '-f', 'value')).toBe(
      'r1 available\nr2 manageable\nr3 available\n',
    );
    expect(await ok('node', 'delete', 'r[1-3]')).toBe('Deleted node r1\nDeleted node r2\nDeleted node r3\n');
  });

  it('ends with 1, the reason and what to do when the node fails', { timeout: 60_000 }, async () => {
    await available('w2', 0, ['--driver-info', 'fake_fail_step=fake_write_image']);
    const { code, out, err } = await bed.ours('node', 'deploy', 'w2', '--wait');
    expect(code, out).toBe(1);
    expect(err).toMatch(/^Node w2 did not reach active: deploy failed: .*fake_write_image/);
    expect(err).toContain('baremetal node retry w2');
    await ok('node', 'set', 'w2', '--driver-info', 'fake_fail_step=none');
    expect(await ok('node', 'retry', 'w2', '--wait')).toContain('w2: active after');
  });

  it('ends with 1 when the time is over, and the node goes on', { timeout: 60_000 }, async () => {
    await available('w3', 1500);
    const { code, err } = await bed.ours('node', 'deploy', 'w3', '--wait', '1');
    expect(code).toBe(1);
    expect(err).toContain('Node w3 did not reach active in 1 seconds.');
    expect(err).toContain('baremetal node why w3');
    expect(await ok('node', 'why', 'w3', '-f', 'value', '-c', 'run')).toContain('deploy');
  });

  it('goes on when the service is killed and comes back: each event once', { timeout: 120_000 }, async () => {
    await available('w4', 1500);
    const child = bed.startOurs('node', 'deploy', 'w4', '--wait');
    const ended = outcome(child);
    await written(child, /step deploy\.fake_boot_ramdisk began/);
    const away = written(child, /the service does not answer/);
    await bed.kill();
    await away;
    await bed.start();
    const { code, out, err } = await ended;
    expect(code, out + err).toBe(0);
    expect(out).toMatch(/w4: the service is back after \d+ s/);
    expect(out).toMatch(/w4: active after/);
    for (const step of ['deploy.fake_write_image', 'deploy.finish'])
      expect(out.split(`step ${step} is done`), out).toHaveLength(2);
  });
});

describe('a deployment with a playbook and a config drive', () => {
  it('hands both over as they are read', { timeout: 60_000 }, async () => {
    const asked: Array<{ method: string; path: string; body: unknown }> = [];
    const server = createServer((request, response) => {
      let text = '';
      request.setEncoding('utf8').on('data', (t: string) => (text += t));
      request.on('end', () => {
        asked.push({ method: request.method!, path: request.url!, body: text === '' ? undefined : JSON.parse(text) });
        response.writeHead(request.method === 'PUT' ? 202 : 200, { 'Content-Type': 'application/json' });
        response.end(request.method === 'PUT' ? '' : '{}');
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const play = join(bed.folder, 'site.yml');
      writeFileSync(play, '- hosts: all\n');
      const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      await ok(
        '--os-endpoint',
        endpoint,
        'node',
        'deploy',
        'n',
        '--config-drive',
        '{"user_data":"x"}',
        '--playbook',
        play,
        '--variable',
        'port=80',
        '--variable',
        'role=web',
      );
      expect(asked).toEqual([
        {
          method: 'PATCH',
          path: '/v1/nodes/n',
          body: [
            {
              op: 'add',
              path: '/instance_info/configure',
              value: { playbook: '- hosts: all\n', variables: { port: 80, role: 'web' } },
            },
          ],
        },
        {
          method: 'PUT',
          path: '/v1/nodes/n/states/provision',
          body: { target: 'active', configdrive: { user_data: 'x' } },
        },
      ]);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});

describe('connections', () => {
  it('finds the credential in the profile, and says what to do without one', { timeout: 60_000 }, async () => {
    expect(await ok('node', 'list', '-f', 'json')).toContain('"Name": "w1"');
    const without = await bed.ours('--os-endpoint', bed.endpoint, 'node', 'list');
    expect(without).toMatchObject({ code: 1, out: '' });
    expect(without.err).toMatch(/\(HTTP 401\)\n.*--os-username/);
  });

  it('--debug shows requests and no secret', { timeout: 60_000 }, async () => {
    const { password } = JSON.parse(readFileSync(join(bed.folder, 'profile.json'), 'utf8')) as { password: string };
    const { err } = await bed.ours(
      '--debug',
      'node',
      'create',
      '--driver',
      'fake-hardware',
      '--driver-info',
      'ipmi_password=hush',
    );
    expect(err).toContain('> POST http');
    expect(err).not.toContain('hush');
    expect(err).not.toContain(password);
    expect(err).not.toContain(Buffer.from(`admin:${password}`).toString('base64'));
  });

  it('names the address, its source and how to start the service when nothing listens', {
    timeout: 60_000,
  }, async () => {
    const { code, err } = await bed.ours('--os-endpoint', 'http://127.0.0.1:1', 'node', 'list');
    expect(code).toBe(1);
    expect(err).toBe(
      'The service at http://127.0.0.1:1 does not answer: nothing listens there.\nThe address is from --os-endpoint. Start the service with: bessemer up\n',
    );
  });

  it('refuses a version that is not served with the range that is', { timeout: 60_000 }, async () => {
    const { code, err } = await bed.ours('--os-baremetal-api-version', '1.9999', 'node', 'list');
    expect(code).toBe(1);
    expect(err).toMatch(/served are 1\.1 to 1\.\d+\. \(HTTP 406\)/);
  });
});
