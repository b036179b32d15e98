/**
 * From power on to the boot script and its files on real firmware: BIOS with QEMU's ROM, which is an iPXE, and UEFI without
 * a ROM, so that the firmware's own PXE reads our boot program by TFTP. No kernel of ours runs: an iPXE stands for it.
 */
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BootEvent } from '@bessemer/boot';
import { createTestNetwork, startBootProcess } from '@bessemer/boot/testing-network';
import type { BootProcess, TestNetwork } from '@bessemer/boot/testing-network';
import { systemClock } from '@bessemer/ports/node';

const run = promisify(execFile);
const MAC = '52:54:00:00:00:01';
const NODE = { nodeUuid: 'node-1', runId: 'run-1' };
type Firmware = 'bios' | 'uefi';
/** What stands for the kernel: each firmware's kind of program. */
const KERNELS = { bios: '/boot/ipxe.lkrn', uefi: '/usr/lib/ipxe/snponly.efi' };
// oxlint-disable-next-line no-control-regex -- escape sequences are what it is for
const ESCAPE_SEQUENCE = /\x1b\[[0-9;?=]*[A-Za-z]/g;

let folder: string;
let network: TestNetwork;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bessemer-boot-chain-'));
  await mkdir(join(folder, 'artefacts'));
  await writeFile(join(folder, 'artefacts', 'initrd'), Buffer.alloc(1_000_000, 1));
  network = await createTestNetwork();
  await network.addTap('tap0');
});

afterEach(async () => {
  await network.remove();
  await rm(folder, { recursive: true });
});

async function startBoot(firmware: Firmware, answer: Parameters<BootProcess['answer']>[1]): Promise<BootProcess> {
  await copyFile(KERNELS[firmware], join(folder, 'artefacts', 'kernel'));
  return startBootProcess(
    network,
    {
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
    },
    { [MAC]: answer },
  );
}

interface Machine {
  /** Resolves when the console has shown `text`. */
  shows(text: RegExp): Promise<void>;
  seconds(): number;
}

async function powerOn(firmware: Firmware, disk?: string): Promise<Machine> {
  const args = ['-no-user-config', '-nodefaults', '-display', 'none', '-machine', 'q35,graphics=off'];
  args.push('-accel', 'tcg,thread=multi', '-cpu', 'qemu64', '-smp', '2', '-m', '512', '-serial', 'stdio');
  args.push('-netdev', 'tap,id=n0,ifname=tap0,script=no,downscript=no', '-device', 'virtio-rng-pci');
  const rom = firmware === 'uefi' ? ',romfile=' : '';
  args.push('-device', `virtio-net-pci,netdev=n0,mac=${MAC},bootindex=1${rom}`);
  if (disk) {
    args.push(
      '-drive',
      `file=${disk},if=none,id=d0,format=raw`,
      '-device',
      'virtio-blk-pci,drive=d0,bootindex=2,addr=8',
    );
  }
  if (firmware === 'uefi') {
    const vars = join(folder, 'vars.fd');
    await copyFile('/usr/share/OVMF/OVMF_VARS_4M.fd', vars);
    args.push('-drive', 'if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd');
    args.push('-drive', `if=pflash,format=raw,file=${vars}`);
    // The NIC's IPv6 entries stand before the disk, and nobody answers DHCPv6: minutes.
    args.push('-fw_cfg', 'name=opt/org.tianocore/IPv6PXESupport,string=n');
  }
  const startedMs = systemClock.monotonicMs();
  const child = network.spawn(['qemu-system-x86_64', ...args]);
  let shown = '';
  const looks = new Set<() => void>();
  child.stdout!.setEncoding('latin1').on('data', (text: string) => {
    // Firmware repaints with escape sequences, between the letters of a word too.
    shown = (shown + text).slice(-100_000);
    for (const look of looks) look();
  });
  const ended = new Promise<never>((_resolve, reject) => {
    child.once('close', (code) => reject(new Error(`QEMU ended (${code}); console: ${shown.slice(-2000)}`)));
  });
  ended.catch(() => {});
  return {
    seconds: () => (systemClock.monotonicMs() - startedMs) / 1000,
    shows(text) {
      const seen = new Promise<void>((resolve) => {
        const look = () => {
          if (!text.test(shown.replaceAll(ESCAPE_SEQUENCE, ''))) return;
          looks.delete(look);
          resolve();
        };
        looks.add(look);
        look();
      });
      return Promise.race([seen, ended]);
    },
  };
}

const eventOf = async (boot: BootProcess, type: BootEvent['type'], data: BootEvent['data'] = {}) =>
  (
    await boot.line(
      ({ event }) => event?.type === type && Object.keys(data).every((key) => event.data[key] === data[key]),
    )
  ).event!;

describe.each(['bios', 'uefi'] as const)('%s', (firmware) => {
  it('gets from power on to script, kernel and ramdisk, without waiting for an IPv6 router', async () => {
    const boot = await startBoot(firmware, { kind: 'ramdisk', ...NODE, kernel: 'kernel', initrd: 'initrd' });
    const machine = await powerOn(firmware);
    const dhcp = await eventOf(boot, 'boot.dhcp', { message: 'ack' });
    const addressSeconds = machine.seconds();
    expect(dhcp).toMatchObject({ mac: MAC, data: { arch: firmware === 'bios' ? 0 : 7 } });
    if (firmware === 'uefi') {
      const program = await eventOf(boot, 'boot.tftp');
      const { length } = await readFile('/usr/lib/ipxe/snponly.efi');
      expect(program.data).toMatchObject({ file: 'snponly.efi', outcome: 'complete', bytes: length });
      expect(program.mac).toBe(MAC);
      console.log(`uefi: boot program after ${machine.seconds().toFixed(1)} s`, JSON.stringify(program.data));
    }
    const script = await eventOf(boot, 'boot.script');
    const seconds = machine.seconds();
    console.log(`${firmware}: script after ${seconds.toFixed(1)} s`);
    expect(script).toMatchObject({ ...NODE, mac: MAC, address: dhcp.address });
    expect(script.data).toMatchObject({ answer: 'ramdisk', platform: firmware === 'bios' ? 'pcbios' : 'efi' });
    // An iPXE that waits for an IPv6 router does so for 16 s between address and script: far longer than all that came before,
    // on a busy machine too. Without the wait it is a fraction of it.
    expect(seconds - addressSeconds).toBeLessThan(addressSeconds);
    const { length } = await readFile(KERNELS[firmware]);
    expect(await eventOf(boot, 'boot.kernel')).toMatchObject({ ...NODE, data: { bytes: length, outcome: 'complete' } });
    expect(await eventOf(boot, 'boot.initrd')).toMatchObject({
      ...NODE,
      data: { bytes: 1_000_000, outcome: 'complete' },
    });
    // What we called a kernel runs. For BIOS it takes its command line for a script; for UEFI it asks for a script again.
    const isScript = (line: (typeof boot.lines)[number]) => line.event?.type === 'boot.script';
    if (firmware === 'bios') await machine.shows(/console=ttyS0: command not found/);
    else await boot.line((line) => isScript(line) && boot.lines.filter(isScript).length >= 2);
    await boot.stop();
  });

  it('boots its disk when no network boot was ordered', async () => {
    const boot = await startBoot(firmware, {
      kind: 'local',
      nodeUuid: NODE.nodeUuid,
      reason: 'no run waits for a boot',
    });
    const disk = join(folder, 'disk.raw');
    await (firmware === 'bios' ? biosDisk(disk) : uefiDisk(disk));
    const machine = await powerOn(firmware, disk);
    expect(await eventOf(boot, 'boot.local')).toMatchObject({ nodeUuid: NODE.nodeUuid, mac: MAC });
    await machine.shows(
      firmware === 'bios'
        ? /THE DISK BOOTED/
        : /starting Boot[0-9A-F]{4} "UEFI [^"]+" from PciRoot\(0x0\)\/Pci\(0x8,0x0\)/,
    );
    console.log(`${firmware}: own disk after ${machine.seconds().toFixed(1)} s`);
    await boot.stop();
  });
});

/** A boot sector that writes a line by the BIOS's teletype (int 10h, ah = 0eh) and halts. */
async function biosDisk(file: string): Promise<void> {
  const sector = Buffer.alloc(512);
  Buffer.from('31c08ed8be157cac08c07406b40ecd10ebf5f4ebfd', 'hex').copy(sector);
  sector.write('THE DISK BOOTED\r\n\0', 21, 'latin1');
  sector.writeUInt16LE(0xaa55, 510);
  await writeFile(file, sector);
  await truncate(file, 1024 * 1024);
}

/** A FAT file system with a program where UEFI looks for one. */
async function uefiDisk(file: string): Promise<void> {
  await writeFile(file, '');
  await truncate(file, 8 * 1024 * 1024);
  await run('mkfs.vfat', [file]);
  await run('mmd', ['-i', file, '::EFI', '::EFI/BOOT']);
  await run('mcopy', ['-i', file, '/usr/lib/ipxe/snponly.efi', '::EFI/BOOT/BOOTX64.EFI']);
}
