/** The test operating system alone: booted from its disk with a config drive made by hand. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { execFile } from 'node:child_process';
import { systemClock } from '@bessemer/ports/node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildTestImage } from '../../images/build.ts';
import type { TestImage } from '../../images/build.ts';
import { cacheDir, startDhcp, startTestLab, stopwatch, until } from './lab-support.ts';
import type { TestLab } from './lab-support.ts';

const exec = promisify(execFile);
let image: TestImage;
let bench: TestLab;

beforeAll(async () => {
  const elapsed = stopwatch('test image');
  image = await buildTestImage({
    variant: 'small',
    cacheDir,
    clock: systemClock,
    progress: ({ build, phase }) => elapsed(`${build}: ${phase}`),
  });
  console.log(
    `test image: raw ${(image.sizeBytes / 1e6).toFixed(0)} MB, used ${(image.usedBytes / 1e6).toFixed(0)} MB, ` +
      `qcow2 ${(image.qcow2.sizeBytes / 1e6).toFixed(0)} MB`,
  );
  bench = await startTestLab('image', [
    { name: 'bios', firmware: 'bios', memoryMb: 1024, diskGb: 2 },
    { name: 'uefi', firmware: 'uefi', memoryMb: 1024, diskGb: 2 },
  ]);
  await startDhcp(bench);
});
afterAll(() => bench?.close());

/** A pair of keys in `dir`; gives the public half. */
async function makeKey(dir: string, name: string): Promise<string> {
  await exec('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', join(dir, name)]);
  return (await readFile(join(dir, `${name}.pub`), 'utf8')).trim();
}

/** Copies the image to the disk, moves the backup GPT to its end, and adds an ISO 9660 config drive behind all else. */
async function writeDisk(disk: string, dir: string, files: Record<string, string>): Promise<void> {
  const drive = join(dir, 'drive');
  await mkdir(join(drive, 'openstack/latest'), { recursive: true });
  for (const [name, text] of Object.entries(files)) await writeFile(join(drive, 'openstack/latest', name), text);
  const iso = join(dir, 'config.iso');
  await exec('xorriso', ['-as', 'mkisofs', '-quiet', '-V', 'config-2', '-J', '-R', '-o', iso, drive]);
  await exec('dd', [`if=${image.path}`, `of=${disk}`, 'bs=1M', 'conv=sparse,notrunc', 'status=none']);
  await exec('sfdisk', ['--quiet', '--relocate', 'gpt-bak-std', disk]);
  const startMib = 2048 - 4;
  await exec('sh', [
    '-c',
    'echo "start=$1, size=4096" | sfdisk --quiet --append "$2"',
    'sh',
    String(startMib * 2048),
    disk,
  ]);
  await exec('dd', [`if=${iso}`, `of=${disk}`, 'bs=1M', `seek=${startMib}`, 'conv=notrunc', 'status=none']);
}

test.each(['bios', 'uefi'])(
  'boots by %s, takes name and keys from the config drive, and lets only the key in',
  async (name) => {
    const { lab, ipmi } = bench;
    const node = lab.nodes.find((one) => one.name === name)!;
    const dir = join(bench.dir, name);
    await mkdir(dir);
    const userKey = await makeKey(dir, 'user');
    const hostKey = await makeKey(dir, 'host');
    const indented = (text: string): string => text.trim().replaceAll(/^/gm, '    ');
    const vendorData =
      `#cloud-config\nssh_keys:\n  ed25519_private: |\n${indented(await readFile(join(dir, 'host'), 'utf8'))}\n` +
      `  ed25519_public: ${hostKey}\n`;
    await writeDisk(node.diskPath, dir, {
      'meta_data.json': JSON.stringify({
        uuid: '11111111-2222-4333-8444-555555555555',
        hostname: `web-${name}.example.org`,
        public_keys: { operator: userKey },
      }),
      'vendor_data.json': JSON.stringify({ 'cloud-init': vendorData }),
      user_data: '#!/bin/sh\necho "ran as $(id -un)" > /var/tmp/user-data-ran\n',
    });

    const elapsed = stopwatch(`test image by ${name}`);
    expect((await ipmi(name, 'power', 'on')).code).toBe(0);
    const knownHosts = join(dir, 'known_hosts');
    await writeFile(knownHosts, `told ${hostKey}\n`);
    const ssh = (user: string, command: string) =>
      exec('ssh', [
        ...['-i', join(dir, 'user'), '-p', String(node.sshForwardPort), '-o', 'BatchMode=yes'],
        ...['-o', 'StrictHostKeyChecking=yes', '-o', 'HostKeyAlias=told', '-o', `UserKnownHostsFile=${knownHosts}`],
        ...['-o', 'ConnectTimeout=5', '-o', 'LogLevel=ERROR', `${user}@127.0.0.1`, command],
      ]);
    const uptime = await until(
      'log-in over SSH',
      () =>
        ssh('debian', 'cut -d" " -f1 /proc/uptime').then(
          ({ stdout }) => stdout.trim(),
          () => undefined,
        ),
      () => readFile(node.consoleLog, 'latin1'),
    );
    elapsed(`to the first log-in (guest uptime ${uptime} s)`);

    expect((await ssh('debian', 'hostname')).stdout).toBe(`web-${name}\n`);
    expect((await ssh('debian', 'hostname --fqdn; sudo -n id -un; cat /var/tmp/user-data-ran')).stdout).toBe(
      `web-${name}.example.org\nroot\nran as root\n`,
    );
    expect((await ssh('root', 'test -d /sys/firmware/efi && echo uefi || echo bios')).stdout).toBe(`${name}\n`);
    expect((await ssh('debian', 'systemctl --failed --no-legend --plain; python3 -c "print(6*7)"')).stdout).toBe(
      '42\n',
    );

    const soft = stopwatch(`test image by ${name}`);
    expect((await ipmi(name, 'power', 'soft')).code).toBe(0);
    await until(
      'the power button switches it off',
      async () => ((await lab.status())[name]?.power === 'off' ? true : undefined),
      () => readFile(node.consoleLog, 'latin1'),
    );
    soft('soft power off');
  },
);
