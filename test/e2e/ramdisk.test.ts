/** The deploy ramdisk alone: fetched by iPXE on both firmwares, with a stand-in where the agent will be. */
import { cp, link, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '@bessemer/ports/node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { appendAgent, buildRamdisk } from '../../images/build.ts';
import { cacheDir, startDhcp, startTestLab, stopwatch, until } from './lab-support.ts';
import type { TestLab } from './lab-support.ts';

/** Says what it finds, then ends: the first process must start it again. */
const AGENT = `
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
const isAgain = existsSync('/run/was-here');
if (!isAgain) {
  const run = (...argv) => {
    const { status, stdout, stderr } = spawnSync(argv[0], argv.slice(1), { encoding: 'utf8' });
    return { status, text: (stdout + stderr).trim() };
  };
  console.log('REPORT ' + JSON.stringify({
    node: process.version,
    year: new Date().getFullYear(),
    uptime: Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]),
    efi: existsSync('/sys/firmware/efi/efivars') && readdirSync('/sys/firmware/efi/efivars').length > 0,
    address: readFileSync('/run/network-up', 'utf8').trim(),
    serial: run('dmidecode', '-s', 'system-serial-number'),
    disk: run('lsblk', '--noheadings', '--nodeps', '--bytes', '--output', 'NAME,SIZE', '/dev/vda'),
    diskSerial: readFileSync('/sys/block/vda/serial', 'utf8'),
    tools: ['sfdisk', 'blkid', 'wipefs', 'blkdiscard', 'efibootmgr', 'blockdev', 'partx'].map((tool) => run(tool, '--version').text.split('\\n')[0]),
    boot: run('efibootmgr').status,
    memory: readFileSync('/proc/meminfo', 'utf8').match(/MemAvailable: +(\\d+)/)[1],
  }));
  writeFileSync('/run/was-here', '');
  process.exit(3);
}
console.log('STARTED AGAIN');
setInterval(() => {}, 1000);
`;

interface Report {
  node: string;
  year: number;
  uptime: number;
  efi: boolean;
  address: string;
  serial: { status: number; text: string };
  disk: { status: number; text: string };
  diskSerial: string;
  tools: string[];
  boot: number;
  memory: string;
}

let bench: TestLab;
beforeAll(async () => {
  const elapsed = stopwatch('ramdisk');
  const ramdisk = await buildRamdisk({
    variant: 'lab',
    cacheDir,
    clock: systemClock,
    progress: ({ build, phase }) => elapsed(`${build}: ${phase}`),
  });
  bench = await startTestLab('ramdisk', [
    { name: 'bios', firmware: 'bios', memoryMb: 1024, diskGb: 1 },
    { name: 'uefi', firmware: 'uefi', memoryMb: 1024, diskGb: 1 },
  ]);
  const www = join(bench.dir, 'www');
  const tftp = join(bench.dir, 'tftp');
  await mkdir(www);
  await mkdir(tftp);
  await cp('/usr/lib/ipxe/snponly.efi', join(tftp, 'snponly.efi'));
  await link(ramdisk.kernel.path, join(www, 'vmlinuz')).catch(() => cp(ramdisk.kernel.path, join(www, 'vmlinuz')));
  const agent = join(bench.dir, 'agent.mjs');
  await writeFile(agent, AGENT);
  const complete = await appendAgent({ ramdisk, agentBundlePath: agent, out: join(www, 'ramdisk.zst') });
  console.log(
    `ramdisk: ${(complete.sizeBytes / 1e6).toFixed(1)} MB, kernel ${(ramdisk.kernel.sizeBytes / 1e6).toFixed(1)} MB`,
  );
  const base = 'http://198.51.100.1:8080';
  // The time is far ahead of the machine's clock, so that setting it shows.
  const args = `initrd=rd console=ttyS0 BOOTIF=01-\${net0/mac:hexhyp} bessemer.time=${Date.UTC(2040, 5, 1) / 1000}`;
  await writeFile(
    join(www, 'boot.ipxe'),
    `#!ipxe\nkernel ${base}/vmlinuz ${args}\ninitrd --name rd ${base}/ramdisk.zst\nboot\n`,
  );
  bench.lab.spawn(['python3', '-m', 'http.server', '--directory', www, '8080'], { stdio: 'ignore' });
  // Without an answer to its router solicitation iPXE waits 16 s at every stage.
  const advertiser = new URL('../../services/boot/router-advertiser.ts', import.meta.url).href;
  const script = `
    import { createRouterAdvertiser } from ${JSON.stringify(advertiser)};
    import { silentLog } from '@bessemer/ports';
    import { systemClock } from '@bessemer/ports/node';
    await createRouterAdvertiser({ interface: 'br0', clock: systemClock, log: silentLog }).start();`;
  bench.lab.spawn([process.execPath, '--input-type=module', '-e', script], {
    stdio: 'ignore',
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
  });
  await startDhcp(bench, { tftpRoot: tftp, script: `${base}/boot.ipxe` });
});
afterAll(() => bench?.close());

test.each(['bios', 'uefi'])('boots from the network by %s and runs the agent, again when it ends', async (name) => {
  const { lab, ipmi } = bench;
  const node = lab.nodes.find((one) => one.name === name)!;
  const elapsed = stopwatch(`ramdisk by ${name}`);
  await ipmi(name, 'chassis', 'bootdev', 'pxe');
  expect((await ipmi(name, 'power', 'on')).code).toBe(0);
  const text = (): Promise<string> => readFile(node.consoleLog, 'latin1');
  const report = await until(
    'the agent starts',
    async () => {
      const line = /REPORT (\{.*\})/.exec(await text())?.[1];
      return line === undefined ? undefined : (JSON.parse(line) as Report);
    },
    text,
  );
  elapsed(`to the agent (guest uptime ${report.uptime} s, ${Math.round(Number(report.memory) / 1024)} MiB available)`);
  expect(report).toMatchObject({
    node: expect.stringMatching(/^v24\./) as unknown,
    year: 2040,
    efi: name === 'uefi',
    address: expect.stringMatching(/^(eth|en)\S* 198\.51\.100\.1\d\d\/24$/) as unknown,
    serial: { status: 0, text: `LAB-${name}` },
    disk: { status: 0, text: 'vda  1073741824' },
    diskSerial: `disk-${name}`,
    boot: name === 'uefi' ? 0 : (expect.any(Number) as unknown as number),
  });
  expect(report.tools).toEqual([
    expect.stringContaining('sfdisk from util-linux'),
    expect.stringContaining('blkid from util-linux'),
    expect.stringContaining('wipefs from util-linux'),
    expect.stringContaining('blkdiscard from util-linux'),
    expect.stringContaining('version'),
    expect.stringContaining('blockdev from util-linux'),
    expect.stringContaining('partx from util-linux'),
  ]);
  await until(
    'the agent starts again',
    async () => ((await text()).includes('STARTED AGAIN') ? true : undefined),
    text,
  );
  expect(await text()).toContain('the agent ended with code 3');
  await lab.powerCut(name);
});
