/**
 * The whole way on real machines: BIOS and UEFI, through the real command line. One world for all: each test goes on where the
 * one before ended, because every boot of a machine costs half a minute.
 */
import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  createReadStream,
  openSync,
  readSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CommandResult, createWorld, runCommand, testImage, type World, writeConfigDrive } from './world.ts';

const MIB = 1024 * 1024;
const IMAGE_BYTES = 3072 * MIB;
const EXTRA_AT = 2048 * MIB;
const EXTRA_BYTES = 48 * MIB;
const PLAYBOOK = fileURLToPath(new URL('../../tools/demo/playbook.yml', import.meta.url));

let world: World;
/** The test system made larger than a machine's memory, with data far out, as raw file and as qcow2. */
let image: { href: string; checksum: string; rawPath: string };

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

async function makeImage(folder: string): Promise<typeof image> {
  const system = await testImage();
  const rawPath = join(folder, 'large.raw');
  const copied = await runCommand(['cp', '--sparse=always', system.path, rawPath]);
  if (copied.code !== 0) throw new Error(copied.err);
  truncateSync(rawPath, IMAGE_BYTES);
  const file = openSync(rawPath, 'r+');
  writeSync(file, randomBytes(EXTRA_BYTES), 0, EXTRA_BYTES, EXTRA_AT);
  closeSync(file);
  const qcow2 = join(folder, 'large.qcow2');
  const converted = await runCommand(['qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', rawPath, qcow2]);
  if (converted.code !== 0) throw new Error(converted.err);
  return { href: `file://${qcow2}`, checksum: await sha256Of(qcow2), rawPath };
}

/** Old data where the image has holes. */
function soil(diskPath: string): void {
  const file = openSync(diskPath, 'r+');
  const old = Buffer.alloc(MIB, 0xff);
  for (const mib of [0, 1, 300, 700, 1024, 2047, 2100, 3000]) writeSync(file, old, 0, MIB, mib * MIB);
  closeSync(file);
}

function bytesAt(path: string, offset: number, length: number): Buffer {
  const file = openSync(path, 'r');
  const buffer = Buffer.alloc(length);
  readSync(file, buffer, 0, length, offset);
  closeSync(file);
  return buffer;
}
const isZero = (buffer: Buffer) => buffer.every((byte) => byte === 0);
const hasPartitionTable = (path: string) => {
  const size = statSync(path).size;
  return (
    bytesAt(path, 512, 8).toString('latin1') === 'EFI PART' ||
    bytesAt(path, size - 512, 8).toString('latin1') === 'EFI PART' ||
    bytesAt(path, 510, 2).equals(Buffer.from([0x55, 0xaa]))
  );
};

/** Where the disk differs from the image, in MiB, up to the image's end. */
function differingMebibytes(diskPath: string, imagePath: string): number[] {
  const disk = openSync(diskPath, 'r');
  const source = openSync(imagePath, 'r');
  const a = Buffer.alloc(MIB);
  const b = Buffer.alloc(MIB);
  const found: number[] = [];
  for (let at = 0; at < IMAGE_BYTES; at += MIB) {
    a.fill(0);
    b.fill(0);
    readSync(disk, a, 0, MIB, at);
    readSync(source, b, 0, MIB, at);
    if (!a.equals(b)) found.push(at / MIB);
  }
  closeSync(disk);
  closeSync(source);
  return found;
}

const stateOf = async (node: string) =>
  (await world.ok('node', 'show', node, '-f', 'value', '-c', 'provision_state')).trim();
const isStep = (step: string, type: string) => (e: { type: string; data: Record<string, unknown> }) =>
  e.type === type && e.data['step'] === step;
/**
 * Orders a deployment and comes back when a fifth of the image is on its way to the disk. The command that waits for the end is
 * in a list, so that it is not awaited together with this.
 */
async function deployToTheMiddleOfTheWrite(node: string, hostname: string): Promise<[Promise<CommandResult>]> {
  await world.setImage(node, image);
  const drive = await writeConfigDrive(world, hostname);
  const deployed = world.cli('node', 'deploy', node, '--config-drive', drive, '--wait');
  let ended: CommandResult | undefined;
  void deployed.then((result) => (ended = result));
  await world.waitForWhy(node, (why) => {
    if (ended) throw new Error(`the deployment ended too soon: ${ended.out}${ended.err}`);
    const progress = why['progress'] as unknown as { phase: string; bytes: number; total_bytes: number } | null;
    const isImage = progress?.phase === 'writing' && progress.total_bytes > 100 * MIB;
    return isImage && progress.bytes > progress.total_bytes / 5;
  });
  return [deployed];
}

beforeAll(async () => {
  world = await createWorld({
    nodes: [
      { name: 'n1', firmware: 'bios' },
      { name: 'n2', firmware: 'uefi' },
      { name: 'n3', firmware: 'bios', diskGb: 1 },
    ],
  });
  image = await makeImage(world.folder);
  await world.startService();
});
afterAll(() => world.down());

describe('deployment on real machines', () => {
  it('says what is wrong with a BMC password', async () => {
    await world.ok(
      'node',
      'create',
      '--driver',
      'ipmi',
      '--name',
      'locked-out',
      '--driver-info',
      `ipmi_address=${world.node('n3').bmcAddress}`,
      '--driver-info',
      'ipmi_username=admin',
      '--driver-info',
      'ipmi_password=wrong',
    );
    const managed = await world.cli('node', 'manage', 'locked-out', '--wait');
    expect(managed.code).toBe(1);
    expect(managed.out + managed.err).toMatch(/user name or password/);
    await world.ok('node', 'delete', 'locked-out');
  });

  it('deploys a BIOS and a UEFI machine at once, with config drive and playbook', async () => {
    for (const name of ['n1', 'n2']) {
      soil(world.node(name).diskPath);
      await world.enroll(name, image, ['--no-automated-clean']);
    }
    const drives = { n1: await writeConfigDrive(world, 'host-one'), n2: await writeConfigDrive(world, 'host-two') };
    const results = await Promise.all(
      (['n1', 'n2'] as const).map((name) =>
        world.cli('node', 'deploy', name, '--config-drive', drives[name], '--playbook', PLAYBOOK, '--wait'),
      ),
    );
    for (const [i, { code, out, err }] of results.entries()) expect(code, `n${i + 1}: ${out}${err}`).toBe(0);

    for (const [name, hostname] of [
      ['n1', 'host-one'],
      ['n2', 'host-two'],
    ] as const) {
      const phases = (await world.timeline(name)).map((p) => p.phase);
      const needed = [
        'power on',
        'dhcp',
        'boot script',
        'kernel',
        'ramdisk',
        'agent',
        'image written',
        'reboot',
        'first ssh',
        'configured',
        'finished',
      ];
      for (const phase of needed) expect(phases, name).toContain(phase);
      const events = await world.events(name);
      const reads = events.filter((e) => e.type === 'boot.tftp').map((e) => e.data['file']);
      if (name === 'n2') expect(reads).toContain('snponly.efi');
      const written = events.find(isStep('write_image', 'step.done'))!.data['result'] as { peakRssBytes: number };
      console.log(`${name}: the agent took ${(written.peakRssBytes / MIB).toFixed(0)} MiB while it wrote`);
      expect(written.peakRssBytes).toBeLessThan(256 * MIB);

      const login = await world.ssh(
        name,
        'hostname; cat /etc/told /srv/site/index.html; id -un builder; sudo -n cat /etc/ssh/ssh_host_ed25519_key.pub',
      );
      expect(login.code, login.err).toBe(0);
      expect(login.out).toContain(`${hostname}\ntold-by-user-data\n<h1>It runs</h1>\nbuilder\n`);
      const wayIn = (await world.get(`/v1/nodes/${name}/timeline`))['way_in'] as { host_key: string };
      expect(login.out).toContain(wayIn.host_key.split(' ')[1]);
    }
    // The same timeline is told after a restart: it comes from stored events.
    const before = await world.ok('node', 'timeline', 'n1');
    await world.stopService();
    await world.startService();
    expect(await world.ok('node', 'timeline', 'n1')).toBe(before);
  });

  it('leaves no partition table when it undeploys', async () => {
    for (const name of ['n1', 'n2']) {
      expect(hasPartitionTable(world.node(name).diskPath)).toBe(true);
      await world.ok('node', 'unset', name, '--automated-clean');
    }
    const results = await Promise.all(['n1', 'n2'].map((name) => world.cli('node', 'undeploy', name, '--wait')));
    for (const { code, out, err } of results) expect(code, out + err).toBe(0);
    for (const name of ['n1', 'n2']) {
      expect(await stateOf(name)).toBe('available');
      expect(hasPartitionTable(world.node(name).diskPath)).toBe(false);
    }
  });

  it('goes on when the service is killed in the middle of the write and again while the machine reboots', async () => {
    const since = (await world.events('n1')).length;
    const [deployed] = await deployToTheMiddleOfTheWrite('n1', 'host-again');
    await world.killService();
    await world.startService();
    const fresh = async () => (await world.events('n1')).slice(since);
    for (;;) {
      const seen = await fresh();
      if (seen.some((e) => e.type === 'boot.ordered' && e.data['device'] === 'disk')) break;
      await world.waitForEvent('n1', (e) => e.type === 'boot.ordered' && e.data['device'] === 'disk');
    }
    await world.killService();
    await world.startService();
    const { code, out, err } = await deployed;
    expect(code, out + err).toBe(0);
    expect(await stateOf('n1')).toBe('active');

    const events = await fresh();
    const served = events.find((e) => e.type === 'image.served')!.data as { bytes: number; usedBytes: number };
    console.log(`the depot served ${(served.bytes / served.usedBytes).toFixed(3)} images`);
    expect(served.bytes).toBeLessThan(1.1 * served.usedBytes);
    const boots = new Set(events.filter((e) => e.type === 'agent.hello').map((e) => e.data['bootId']));
    expect(boots.size).toBe(1);
    expect((await world.ssh('n1', 'hostname')).out).toBe('host-again\n');
  });

  it('starts the ramdisk again after a power cut, and the disk is the image to the byte', async () => {
    const node = world.node('n2');
    soil(node.diskPath);
    const [deployed] = await deployToTheMiddleOfTheWrite('n2', 'host-cut');
    await world.lab.powerCut('n2');
    const cutAt = new Date();
    const cut = join(world.folder, 'cut.raw');
    copyFileSync(node.diskPath, cut);
    // Nothing that a firmware could start: the first MiB comes last.
    expect(isZero(bytesAt(cut, 0, MIB))).toBe(true);

    // The agent has flushed the image when it says so, and the system on it starts seconds later: this is what was written.
    await world.waitForEvent('n2', (e) => e.type === 'image.written' && new Date(e.at) > cutAt);
    const copy = join(world.folder, 'written.raw');
    expect((await runCommand(['cp', '--sparse=auto', node.diskPath, copy])).code).toBe(0);
    // The first MiB holds the partition table, which now speaks of the true size of the disk and of the config drive.
    expect(differingMebibytes(copy, image.rawPath).filter((mib) => mib !== 0)).toEqual([]);
    const { code, out, err } = await deployed;
    expect(code, out + err).toBe(0);
    expect((await world.ssh('n2', 'hostname')).out).toBe('host-cut\n');

    // Powered off again, all that lies outside the running system's root file system is still the image, holes included.
    await world.ok('node', 'power', 'off', 'n2', '--wait');
    const ROOT_ENDS_MIB = 460;
    expect(differingMebibytes(node.diskPath, image.rawPath).filter((mib) => mib > ROOT_ENDS_MIB)).toEqual([]);
  });

  it('refuses an image whose digest is wrong, and the disk stays unbootable', async () => {
    await world.enroll('n3', { href: image.href, checksum: 'ab'.repeat(32) }, ['--no-automated-clean']);
    const refused = await world.cli('node', 'deploy', 'n3', '--wait');
    expect(refused.code).toBe(1);
    expect(refused.out + refused.err).toMatch(/checksum|digest/i);
    expect(await stateOf('n3')).toBe('deploy failed');
    expect(hasPartitionTable(world.node('n3').diskPath)).toBe(false);
  });

  it('refuses an image that is larger than the disk before it writes anything', async () => {
    await world.setImage('n3', image);
    // Without a hint a disk below 4 GiB is not even considered.
    await world.ok('node', 'set', 'n3', '--property', 'root_device={"name": "/dev/vda"}');
    const refused = await world.cli('node', 'deploy', 'n3', '--wait');
    expect(refused.code).toBe(1);
    expect(refused.out + refused.err).toMatch(/larger|does not fit|too large/i);
    expect(isZero(bytesAt(world.node('n3').diskPath, 0, 64 * MIB))).toBe(true);
    await world.ok('node', 'power', 'off', 'n3', '--wait');
  });
});
