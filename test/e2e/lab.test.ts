/** The lab itself: a virtual server behind its BMC, and that nothing is left of it afterwards. */
import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { createLab, openLab } from '@bessemer/lab';
import { silentLog } from '@bessemer/ports';
import { systemClock } from '@bessemer/ports/node';
import { isRunning } from '@bessemer/ports/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestLab, stopwatch, until } from './lab-support.ts';
import type { TestLab } from './lab-support.ts';

const namespaces = (): Promise<string[]> => readdir('/run/netns').catch(() => []);
const gone = (what: string, check: () => boolean): Promise<true> =>
  until(what, async () => (check() ? true : undefined));

let bench: TestLab;
beforeAll(async () => {
  const elapsed = stopwatch('lab');
  bench = await startTestLab('lab', [{ name: 'n1', firmware: 'bios', memoryMb: 256, diskGb: 2 }]);
  elapsed('up');
});
afterAll(async () => {
  const elapsed = stopwatch('lab');
  await bench?.close();
  elapsed('down');
});

test('ipmitool switches a server on, orders a network boot, resets and switches off', async () => {
  const { lab, ipmi } = bench;
  const [node] = lab.nodes;
  expect((await ipmi('n1', 'power', 'status')).stdout).toContain('Chassis Power is off');
  expect((await ipmi('n1', 'chassis', 'bootdev', 'pxe')).code).toBe(0);
  expect((await ipmi('n1', 'power', 'on')).code).toBe(0);
  expect((await ipmi('n1', 'power', 'status')).stdout).toContain('Chassis Power is on');
  // The override was spent by this boot: the BMC says so, and the console shows that the network was tried.
  expect((await lab.status()).n1).toMatchObject({ starts: 1, nextBoot: 'disk', bootOptions: { valid: false } });
  const text = (): Promise<string> => readFile(node!.consoleLog, 'latin1');
  await until('iPXE starts', async () => ((await text()).includes('iPXE') ? true : undefined), text);
  expect((await ipmi('n1', 'power', 'reset')).code).toBe(0);
  expect((await lab.status()).n1).toMatchObject({ power: 'on', starts: 1, resets: 1 });
  expect((await ipmi('n1', 'power', 'cycle')).code).toBe(0);
  expect((await lab.status()).n1).toMatchObject({ power: 'on', starts: 2 });
  expect((await ipmi('n1', 'power', 'off')).code).toBe(0);
  expect((await ipmi('n1', 'power', 'status')).stdout).toContain('Chassis Power is off');
});

test('a wrong password is refused', async () => {
  const { lab } = bench;
  const login = ['-H', lab.nodes[0]!.bmcAddress, '-U', 'admin', '-P', 'wrong'];
  const { code } = await lab.run([
    'ipmitool',
    '-I',
    'lanplus',
    '-C',
    '17',
    '-N',
    '1',
    '-R',
    '1',
    ...login,
    'power',
    'on',
  ]);
  expect(code).not.toBe(0);
  expect((await lab.status()).n1?.power).toBe('off');
});

test('the plug is pulled: QEMU is gone, the BMC still answers', async () => {
  const { lab, ipmi } = bench;
  await ipmi('n1', 'power', 'on');
  const pid = (await lab.status()).n1?.pid;
  expect(pid && isRunning(pid)).toBe(true);
  await lab.powerCut('n1');
  expect(isRunning(pid!)).toBe(false);
  expect((await ipmi('n1', 'power', 'status')).stdout).toContain('Chassis Power is off');
  await expect(lab.powerCut('n9')).rejects.toThrow('no server named "n9": this lab has n1');
});

test('disks take no room until they are written', async () => {
  const disk = await stat(bench.lab.nodes[0]!.diskPath);
  expect(disk.size).toBe(2 * 2 ** 30);
  expect(disk.blocks * 512).toBeLessThan(1 << 20);
});

test('the second lab of a name takes away what the first one, killed, has left', async () => {
  const stateDir = join(bench.dir, 'killed');
  const name = `killed-${process.pid}`;
  const nodes = [{ name: 'n1', firmware: 'bios', memoryMb: 256 }] as const;
  const script = `
    import { createLab } from '@bessemer/lab';
    import { silentLog } from '@bessemer/ports';
    import { systemClock } from '@bessemer/ports/node';
import { isRunning } from '@bessemer/ports/testing';
    const lab = createLab({ name: '${name}', stateDir: '${stateDir}', nodes: ${JSON.stringify(nodes)}, clock: systemClock, log: silentLog });
    await lab.up();
    await lab.run(['ipmitool', '-I', 'lanplus', '-C', '17', '-H', lab.nodes[0].bmcAddress, '-U', 'admin', '-P', 'password', 'power', 'on']);
    console.log((await lab.status()).n1.pid);
    setInterval(() => {}, 1000);
  `;
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const owner = spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(owner.stdout, 'data')) as [Buffer];
  const qemu = Number(line.toString());
  expect(isRunning(qemu)).toBe(true);
  owner.kill('SIGKILL');
  await gone('QEMU dies with the one that started the lab', () => !isRunning(qemu));
  expect(await namespaces()).toContain(`bmr-${name}`);

  const lab = createLab({ name, stateDir, nodes, clock: systemClock, log: silentLog });
  await lab.up();
  expect((await lab.status()).n1?.power).toBe('off');
  await lab.down();
  await lab.down();
  expect(await namespaces()).not.toContain(`bmr-${name}`);
  expect(existsSync(stateDir)).toBe(false);
});

test('a detached lab lives on for another process, and goes completely, also when its daemon was killed', async () => {
  const stateDir = join(bench.dir, 'detached');
  const name = `detached-${process.pid}`;
  const options = { stateDir, clock: systemClock, log: silentLog };
  const nodes = [{ name: 'n1', firmware: 'bios', memoryMb: 256 }] as const;
  await createLab({ ...options, name, nodes, isDetached: true }).up();
  const lab = openLab(options)!;
  expect(lab.nodes[0]?.sshForwardPort).toBeGreaterThan(0);
  await lab.run([
    'ipmitool',
    '-I',
    'lanplus',
    '-C',
    '17',
    '-H',
    '198.51.100.201',
    '-U',
    'admin',
    '-P',
    'password',
    'power',
    'on',
  ]);
  const qemu = (await lab.status()).n1!.pid!;
  const state = JSON.parse(await readFile(join(stateDir, 'lab.json'), 'utf8')) as { processes: Array<{ pid: number }> };
  const [daemon, forwarder] = state.processes;
  process.kill(daemon!.pid, 'SIGKILL');
  await gone('QEMU dies with the daemon', () => !isRunning(qemu));
  await lab.down();
  expect(await namespaces()).not.toContain(`bmr-${name}`);
  await gone('the forwarder ends', () => !isRunning(forwarder!.pid));
  expect(existsSync(stateDir)).toBe(false);
});
