/** Debian's cloud-init, as real images have it, understands the config drive that the service and the agent make. */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createWorld, testImage, type World } from './world.ts';

const NODE = 'cloudy';
const HOSTNAME = 'cloud-host';
const TOLD = 'written by write_files';

let world: World;

beforeAll(async () => {
  world = await createWorld({ nodes: [{ name: NODE, firmware: 'bios' }] });
  await world.startService();
  await world.enroll(NODE, await testImage('cloud'), ['--no-automated-clean']);
});
afterAll(() => world?.down());

/** Keys of the operator in meta_data, all else in a cloud-config: it makes a user and a file. */
async function writeDrive(publicKey: string): Promise<string> {
  const path = join(world.folder, 'cloud.json');
  const userData = `#cloud-config
users:
  - default
  - name: second
    shell: /bin/bash
    ssh_authorized_keys:
      - ${publicKey}
write_files:
  - path: /etc/told
    permissions: '0640'
    content: ${TOLD}
`;
  const metaData = {
    hostname: HOSTNAME,
    name: HOSTNAME,
    uuid: '7d3b1c1e-0000-4000-8000-000000000003',
    public_keys: { operator: publicKey },
  };
  await writeFile(path, JSON.stringify({ meta_data: metaData, user_data: userData }));
  return path;
}

it('deploys an image with cloud-init: host key, hostname, keys and user data arrive', async () => {
  const publicKey = readFileSync(join(world.folder, 'operator-key.pub'), 'utf8').trim();
  const deployed = await world.cli('node', 'deploy', NODE, '--config-drive', await writeDrive(publicKey), '--wait');
  expect(deployed.code, deployed.out + deployed.err).toBe(0);
  const phases = (await world.timeline(NODE)).map((p) => p.phase);
  expect(phases).toEqual(
    expect.arrayContaining(['dhcp', 'boot script', 'kernel', 'ramdisk', 'agent', 'image written']),
  );

  // Everything is looked at, also after something was wrong: a boot costs a minute.
  // The login itself accepts no other host key than the one that was told.
  const status = await world.ssh(NODE, 'cloud-init status --wait --long');
  expect(status.code, status.out + status.err + world.consoleOf(NODE).slice(-4000)).toBe(0);
  expect(status.out).toContain('status: done');
  expect(status.out).toMatch(/DataSourceConfigDrive/);

  const run = async (command: string, user?: string): Promise<string> => {
    const { code, out, err } = await world.ssh(NODE, command, user);
    expect(code, `${command}: ${err}`).toBe(0);
    return out.trim();
  };
  expect.soft(await run('hostname')).toBe(HOSTNAME);
  expect.soft(await run('sudo -n cat /etc/told; sudo -n stat -c " %a" /etc/told')).toBe(`${TOLD} 640`);
  expect.soft(await run('id -un; hostname', 'second')).toBe(`second\n${HOSTNAME}`);

  const wayIn = (await world.get(`/v1/nodes/${NODE}/timeline`))['way_in'] as { host_key: string; user: string };
  const hostKey = await run('sudo -n cat /etc/ssh/ssh_host_ed25519_key.pub');
  expect.soft(hostKey.split(' ').slice(0, 2).join(' ')).toBe(wayIn.host_key.split(' ').slice(0, 2).join(' '));
  expect.soft(await run('ls /etc/ssh/ssh_host_*_key')).toBe('/etc/ssh/ssh_host_ed25519_key');

  // The operator's key and the service's, which the play of a deployment logs in with.
  const keys = (await run('cat ~/.ssh/authorized_keys')).split('\n');
  expect.soft(keys).toContain(publicKey);
  expect.soft(keys.filter((key) => key.startsWith('ssh-'))).toHaveLength(2);
});
