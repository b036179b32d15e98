/** The whole service in a network namespace, with clients of other make: DHCP by hand, curl, tftp-hpa. */
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isRunning } from '@bessemer/ports/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BootConfig } from './index.ts';
import { createTestNetwork, startBootProcess } from './testing-network.ts';
import type { BootProcess, TestNetwork } from './testing-network.ts';

const MAC = '52:54:00:00:00:01';
const testdata = (name: string) => fileURLToPath(new URL(`testdata/${name}`, import.meta.url));
let folder: string;
let network: TestNetwork;
let client: string;
let boot: BootProcess;
let config: BootConfig;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bessemer-boot-'));
  await mkdir(join(folder, 'artefacts', 'ramdisk'), { recursive: true });
  await writeFile(join(folder, 'artefacts', 'ramdisk', 'vmlinuz'), 'K'.repeat(100_000));
  await writeFile(join(folder, 'artefacts', 'ramdisk', 'initrd.zst'), 'I'.repeat(300_000));
  await writeFile(join(folder, 'secret'), 'secret');
  await symlink('../secret', join(folder, 'artefacts', 'way-out'));
  network = await createTestNetwork();
  client = (await network.addClient(MAC)).namespace;
  config = {
    network: {
      name: 'provisioning',
      interface: network.bridge,
      address: network.address,
      cidr: '198.51.100.0/24',
      dhcp: 'own',
      dhcpRange: '198.51.100.100,198.51.100.199',
    },
    http: { port: 8080 },
    dataDir: join(folder, 'data'),
    artefactDir: join(folder, 'artefacts'),
    agent: { port: 6386, pin: `sha256:${'ab'.repeat(32)}` },
  };
  boot = await startBootProcess(network, config, {
    [MAC]: {
      kind: 'ramdisk',
      nodeUuid: 'node-1',
      runId: 'run-1',
      kernel: 'ramdisk/vmlinuz',
      initrd: 'ramdisk/initrd.zst',
    },
    '52:54:00:00:00:02': { kind: 'local', nodeUuid: 'node-2', reason: 'no run of this node waits for a boot' },
  });
});

afterAll(async () => {
  await boot.stop();
  await network.remove();
  await rm(folder, { recursive: true });
});

const dhcp = async (asked: Record<string, unknown>) =>
  JSON.parse(
    await network.run(['/usr/bin/python3', testdata('dhcp_client.py'), 'eth0', JSON.stringify(asked)], client),
  );
const curl = (path: string, ...args: string[]) =>
  network.run(['curl', '-sS', '--path-as-is', '-m', '10', ...args, `http://198.51.100.1:8080${path}`], client);
const event = (type: string, data: Record<string, unknown> = {}) =>
  boot.line((line) => {
    const seen = line.event;
    return seen?.type === type && Object.entries(data).every(([k, v]) => seen.data[k] === v);
  });

describe('DHCP', () => {
  it.each([
    { arch: 0, file: 'undionly.kpxe' },
    { arch: 7, file: 'snponly.efi' },
    { arch: 9, file: 'snponly.efi' },
    { arch: 16, file: 'http://198.51.100.1:8080/boot/programs/snponly.efi' },
    { arch: 7, ipxe: true, file: 'http://198.51.100.1:8080/boot/boot.ipxe' },
    { arch: 0, ipxe: true, file: 'http://198.51.100.1:8080/boot/boot.ipxe' },
  ])('tells architecture $arch (iPXE: $ipxe) to boot $file', async ({ file, ...asked }) => {
    const got = await dhcp(asked);
    expect(got.file).toBe(file);
    expect(got.options['3']).toBeUndefined();
    if (asked.arch === 16) expect(got.vendor_class).toBe('HTTPClient');
    if (!file.startsWith('http')) expect(got.next_server).toBe('198.51.100.1');
    const { event: seen } = await event('boot.dhcp', { message: 'ack', arch: asked.arch });
    expect(seen).toMatchObject({ mac: MAC, address: got.address, data: { mac: MAC } });
  });

  it('reports discover, offer and ack', async () => {
    await dhcp({ arch: 11 });
    for (const message of ['discover', 'offer', 'ack'])
      expect((await event('boot.dhcp', { message, arch: 11 })).event).toMatchObject({ data: { stage: 'firmware' } });
  });

  it('gives firmware, ramdisk and system the same address whatever client id they send', async () => {
    const ids = [{ arch: 7 }, { client_id: '\x01RTSSSS' }, { client_id: '\xff-system' }, {}];
    const addresses = new Set<string>();
    for (const asked of ids) addresses.add((await dhcp(asked)).address);
    expect(addresses.size).toBe(1);
  });
});

it('answers IPv6 router solicitations without offering a route or an address', async () => {
  const hex = (await network.run(['/usr/bin/python3', testdata('router_solicitation.py'), 'eth0'], client)).trim();
  const advertisement = Buffer.from(hex, 'hex');
  expect(advertisement).toHaveLength(16);
  expect(advertisement[0]).toBe(134);
  expect(advertisement.readUInt16BE(6)).toBe(0);
  expect(await network.run(['ip', '-6', 'route', 'show', 'default'], client)).toBe('');
});

describe('HTTP and TFTP', () => {
  beforeAll(async () => {
    const { address } = await dhcp({});
    await network.run(['ip', 'addr', 'add', `${address}/24`, 'dev', 'eth0'], client);
  });

  it('hands out the boot program by TFTP and by HTTP', async () => {
    const local = join(folder, 'nbp');
    await network.run(['tftp', '-m', 'binary', '198.51.100.1', '-c', 'get', 'snponly.efi', local], client);
    const want = await readFile('/usr/lib/ipxe/snponly.efi');
    expect((await readFile(local)).equals(want)).toBe(true);
    expect((await event('boot.tftp', { file: 'snponly.efi' })).event).toMatchObject({
      mac: MAC,
      data: { bytes: want.length, outcome: 'complete' },
    });
    await curl('/boot/programs/snponly.efi', '-o', local);
    expect((await readFile(local)).equals(want)).toBe(true);
  });

  it('leads from the chain script to a plan, its kernel and its ramdisk, each an event of the node', async () => {
    const chain = await curl('/boot/boot.ipxe', '-H', 'Host: elsewhere.example');
    expect(chain).toContain('chain --replace http://198.51.100.1:8080/boot/script?mac=${netX/mac:hexhyp}');
    const script = await curl(`/boot/script?mac=${MAC.replaceAll(':', '-')}&arch=x86_64&platform=efi&serial=a%20b`);
    const [, kernelLine, initrdLine] = script.split('\n');
    expect(kernelLine).toMatch(
      new RegExp(
        '^kernel --name kernel http://198.51.100.1:8080/boot/files/ramdisk/vmlinuz\\?boot=[0-9a-f]{16} initrd=rd ' +
          'console=ttyS0 BOOTIF=01-52-54-00-00-00-01 bessemer.agent=wss://198.51.100.1:6386/agent ' +
          `bessemer.pin=sha256:${'ab'.repeat(32)} bessemer.token=token-1 bessemer.time=[0-9]{10} \\|\\| goto again$`,
      ),
    );
    const url = (line: string | undefined) => /http:\/\/[^/]+(\S+)/.exec(line ?? '')![1]!;
    expect(await curl(url(kernelLine))).toBe('K'.repeat(100_000));
    expect(await curl(url(initrdLine))).toBe('I'.repeat(300_000));
    const node = { nodeUuid: 'node-1', runId: 'run-1', mac: MAC };
    expect((await event('boot.script', { answer: 'ramdisk' })).event).toMatchObject(node);
    expect((await event('boot.kernel')).event).toMatchObject({
      ...node,
      data: { bytes: 100_000, outcome: 'complete' },
    });
    expect((await event('boot.initrd')).event).toMatchObject({
      ...node,
      data: { bytes: 300_000, outcome: 'complete' },
    });
  });

  it('knows by its lease who fetches a kernel without naming its boot', async () => {
    await curl('/boot/files/ramdisk/vmlinuz?boot=forgotten', '-r', '0-9');
    expect((await event('boot.kernel', { bytes: 10 })).event).toMatchObject({ mac: MAC, data: { outcome: 'cut' } });
  });

  it('sends a node that waits for no boot to its disk, and says so', async () => {
    expect(await curl('/boot/script?mac=52-54-00-00-00-02')).toMatch(/^#!ipxe\necho .*booting from disk\nexit 1\n$/);
    expect((await event('boot.local')).event).toMatchObject({ nodeUuid: 'node-2', data: { mac: '52:54:00:00:00:02' } });
  });

  it('lets an unknown machine wait and lists it', async () => {
    const uuid = '0A0B0C0D-0000-4000-8000-000000000001';
    const script = await curl(`/boot/script?mac=52-54-00-00-00-99&uuid=${uuid}&serial=S1&arch=i386&platform=pcbios`);
    expect(script).toContain('not registered, its port is 52:54:00:00:00:99');
    expect(script).toMatch(/sleep 30\nchain --replace http:\/\/198\.51\.100\.1:8080\/boot\/boot\.ipxe/);
    const { unknown } = await boot.line((line) => 'unknown' in line);
    expect(unknown).toMatchObject({ mac: '52:54:00:00:00:99', uuid: uuid.toLowerCase(), serial: 'S1', arch: 'i386' });
  });

  it('lets nothing of a request into a script', async () => {
    for (const mac of ['', 'x', '52-54-00-00-00-01%0Ashell', '${net0/mac}'])
      expect(await curl(`/boot/script?mac=${mac}`, '-g')).toContain('the request named no MAC address');
    const script = await curl('/boot/script?mac=52-54-00-00-00-99&serial=%0Ashell%0A&uuid=%24%7Bx%7D');
    expect(script).not.toContain('shell');
    expect(script).not.toContain('${');
  });

  it('serves ranges, and nothing outside the artefact folder', async () => {
    expect(await curl('/boot/files/ramdisk/vmlinuz', '-r', '99990-', '-w', ' %{http_code}')).toBe(
      `${'K'.repeat(10)} 206`,
    );
    expect(await curl('/boot/files/ramdisk/vmlinuz', '-r', '100000-', '-w', ' %{http_code}')).toMatch(/416$/);
    for (const path of ['way-out', '../secret', 'ramdisk/../../secret', '..%2fsecret', 'ramdisk', '', '/etc/passwd'])
      expect(await curl(`/boot/files/${path}`, '-w', ' %{http_code}')).toMatch(/404$/);
    expect(await curl('/boot/programs/..%2f..%2fpasswd', '-w', ' %{http_code}')).toMatch(/404$/);
    expect(await curl('/boot/boot.ipxe', '-X', 'POST', '-w', ' %{http_code}')).toMatch(/405$/);
  });
});

describe('its children', () => {
  it('are started again when they die, with their leases', async () => {
    const { address } = await dhcp({});
    const { children } = await boot.line((line) => 'ready' in line);
    process.kill(children!.dnsmasq, 'SIGKILL');
    await boot.line((line) => line['log'] === 'dnsmasq ended, it is started again');
    await expect
      .poll(async () => (await dhcp({}).catch(() => ({ address: '' }))).address, { timeout: 20_000 })
      .toBe(address);
  });

  it('die with the service, however it dies', async () => {
    const other = await createTestNetwork();
    try {
      const doomed = await startBootProcess(other, { ...config, dataDir: join(folder, 'data-2') });
      const { children } = await doomed.line((line) => 'ready' in line);
      expect(isRunning(children!.dnsmasq)).toBe(true);
      expect(isRunning(children!.routerAdvertiser)).toBe(true);
      doomed.child.kill('SIGKILL');
      await expect.poll(() => isRunning(children!.dnsmasq)).toBe(false);
      await expect.poll(() => isRunning(children!.routerAdvertiser)).toBe(false);
    } finally {
      await other.remove();
    }
  });
});

describe('beside another DHCP server', () => {
  it('adds only where to boot from', async () => {
    const site = await createTestNetwork();
    try {
      const proxy = await startBootProcess(site, {
        ...config,
        network: { ...config.network, dhcp: 'proxy', name: 'site' },
        dataDir: join(folder, 'data-3'),
      });
      const { namespace } = await site.addClient(MAC);
      const ask = ['/usr/bin/python3', testdata('dhcp_client.py'), 'eth0', JSON.stringify({ arch: 7, proxy: true })];
      const offer = JSON.parse(await site.run(ask, namespace));
      expect(offer).toMatchObject({ address: '0.0.0.0', vendor_class: 'PXEClient', server: '198.51.100.1' });
      await proxy.line((line) => line.event?.type === 'boot.dhcp' && line.event.data['message'] === 'proxy');
      await proxy.stop();
    } finally {
      await site.remove();
    }
  });
});

it('says what is wrong when it cannot start', async () => {
  const other = await createTestNetwork();
  try {
    const missing = {
      ...config,
      network: { ...config.network, address: '198.51.100.77' },
      dataDir: join(folder, 'data-4'),
    };
    await expect(startBootProcess(other, missing)).rejects.toThrow(
      /HTTP on network provisioning did not start: .*198.51.100.77/,
    );
  } finally {
    await other.remove();
  }
});
