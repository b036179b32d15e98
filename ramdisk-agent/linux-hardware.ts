/** The machine as Linux shows it, its firmware's boot entries, and its power. */
import type { Inventory, InventoryDisk, InventoryInterface } from '@bessemer/agent-protocol';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rmdir, writeFile } from 'node:fs/promises';
import { arch, hostname, networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { sleep, type Clock, type Log } from '@bessemer/ports';
import { attribute, entries, linkName, numberAttribute, resolved } from './linux-sysfs.ts';
import type { Hardware } from './ports.ts';
import { mustRun, runProcess } from './process.ts';
import { reasonOf } from './step-failure.ts';

const NODE_WAIT_MS = 5_000;
const NODE_POLL_MS = 100;
const ARCHITECTURES: Record<string, string> = { x64: 'x86_64', arm64: 'aarch64' };

export interface LinuxHardwareOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly listDisks: () => Promise<InventoryDisk[]>;
  /** MAC of the port the machine booted from. */
  readonly bootMac?: string;
}

export function createLinuxHardware(options: LinuxHardwareOptions): Hardware {
  const { clock, log } = options;
  const efibootmgr = (...args: string[]): Promise<string> => mustRun(clock, 'efibootmgr', args);
  const efiEntries = async (): Promise<Array<{ number: string; label: string }>> => parseEfiEntries(await efibootmgr());

  return {
    bootId: async () => (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim(),
    bootMode,
    rssBytes: () => process.memoryUsage.rss(),
    async inventory() {
      const interfaces = await listInterfaces();
      return {
        interfaces,
        disks: await options.listDisks(),
        cpu: await cpuOf(),
        memory: await memoryOf(),
        system_vendor: await systemVendor(),
        boot: {
          current_boot_mode: bootMode(),
          pxe_interface: options.bootMac ?? null,
        },
        bmc_address: await bmcAddress(clock),
        hostname: hostname(),
      } satisfies Inventory;
    },
    async power(action) {
      await runProcess(clock, 'sync', []).catch((error: unknown) => log.warn(`sync failed: ${reasonOf(error)}`));
      // Nothing is mounted that an orderly shutdown would have to unmount.
      await writeFile('/proc/sysrq-trigger', action === 'reboot' ? 'b' : 'o');
    },
    async efiLoaders(diskName, partitionNumber) {
      const partition = `${diskName}${/\d$/.test(diskName) ? 'p' : ''}${partitionNumber}`;
      const deadlineMs = clock.monotonicMs() + NODE_WAIT_MS;
      while (!existsSync(partition)) {
        if (clock.monotonicMs() >= deadlineMs) throw new Error(`the kernel does not show ${partition}`);
        await sleep(clock, NODE_POLL_MS);
      }
      const folder = await mkdtemp(join(tmpdir(), 'esp-'));
      try {
        await mustRun(clock, 'mount', ['-t', 'vfat', '-o', 'ro,nosuid,nodev,noexec', partition, folder]);
        try {
          return await efiPrograms(folder);
        } finally {
          await mustRun(clock, 'umount', [folder]);
        }
      } finally {
        await rmdir(folder);
      }
    },
    efiEntries,
    async createEfiEntry({ diskName, partitionNumber, label, loader }) {
      const before = new Set((await efiEntries()).map((entry) => entry.number));
      await efibootmgr('-q', '-c', '-d', diskName, '-p', String(partitionNumber), '-L', label, '-l', loader);
      const made = (await efiEntries()).find((entry) => !before.has(entry.number) && entry.label === label);
      if (!made) throw new Error('efibootmgr reported success, but no new entry is there');
      return made.number;
    },
    removeEfiEntry: async (number) => void (await efibootmgr('-q', '-b', number, '-B')),
    setBootNext: async (number) => void (await efibootmgr('-q', '-n', number)),
  };
}

function bootMode(): 'bios' | 'uefi' {
  return existsSync('/sys/firmware/efi') ? 'uefi' : 'bios';
}

/** Lines such as `Boot0005* debian\tHD(1,GPT,...)`. */
function parseEfiEntries(output: string): Array<{ number: string; label: string }> {
  return output.split('\n').flatMap((line) => {
    const match = /^Boot([0-9A-Fa-f]{4})\*?\s([^\t]*)/.exec(line);
    return match ? [{ number: match[1]!, label: match[2]!.trim() }] : [];
  });
}

async function efiPrograms(root: string): Promise<string[]> {
  const efi = (await entries(root)).find((name) => name.toUpperCase() === 'EFI');
  if (!efi) return [];
  const found: string[] = [];
  for (const vendor of await entries(join(root, efi)))
    for (const file of await entries(join(root, efi, vendor)))
      if (/\.efi$/i.test(file)) found.push(`\\${efi}\\${vendor}\\${file}`);
  return found;
}

async function listInterfaces(): Promise<InventoryInterface[]> {
  const found: InventoryInterface[] = [];
  const addresses = networkInterfaces();
  for (const name of await entries('/sys/class/net')) {
    const path = join('/sys/class/net', name);
    const device = await resolved(join(path, 'device'));
    const mac = (await attribute(join(path, 'address')))?.toLowerCase();
    // Without a device behind it, it is a bridge, a bond, a tunnel or lo.
    if (!device || !mac) continue;
    const of = (family: string): string | null => addresses[name]?.find((a) => a.family === family)?.address ?? null;
    const speed = await numberAttribute(join(path, 'speed'));
    found.push({
      name,
      mac_address: mac,
      ipv4_address: of('IPv4'),
      ipv6_address: of('IPv6'),
      has_carrier: (await attribute(join(path, 'carrier'))) === '1',
      speed_mbps: speed !== undefined && speed > 0 ? speed : null,
      driver: (await linkName(join(path, 'device/driver'))) ?? null,
      vendor: (await attribute(join(path, 'device/vendor'))) ?? null,
      product: (await attribute(join(path, 'device/device'))) ?? null,
      pci_address:
        /[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-9a-f]/.exec(
          device
            .split('/')
            .toReversed()
            .find((part) => /^[0-9a-f]{4}:[0-9a-f]{2}:/.test(part)) ?? '',
        )?.[0] ?? null,
    });
  }
  return found;
}

async function cpuOf(): Promise<Inventory['cpu']> {
  const info = await readFile('/proc/cpuinfo', 'utf8').catch(() => '');
  const field = (name: string): string => new RegExp(`^${name}\\s*:\\s*(.+)$`, 'm').exec(info)?.[1]?.trim() ?? '';
  const frequency = field('cpu MHz');
  return {
    model_name: field('model name').slice(0, 256),
    count: info.match(/^processor\s*:/gm)?.length ?? 0,
    architecture: ARCHITECTURES[arch()] ?? arch(),
    ...(frequency === '' ? {} : { frequency }),
  };
}

async function memoryOf(): Promise<Inventory['memory']> {
  const info = await readFile('/proc/meminfo', 'utf8').catch(() => '');
  const total = Number(/^MemTotal:\s*(\d+) kB/m.exec(info)?.[1] ?? 0) * 1024;
  // What is built in: the kernel's own share is missing in MemTotal.
  const blockBytes = Number.parseInt((await attribute('/sys/devices/system/memory/block_size_bytes')) ?? '0', 16);
  const blocks = (await entries('/sys/devices/system/memory')).filter((name) => /^memory\d+$/.test(name)).length;
  const physical = blockBytes > 0 && blocks > 0 ? blockBytes * blocks : total;
  return { total, physical_mb: Math.floor(physical / 1024 / 1024) };
}

async function systemVendor(): Promise<Inventory['system_vendor']> {
  const read = async (name: string): Promise<string> =>
    ((await attribute(join('/sys/class/dmi/id', name))) ?? '').slice(0, 256);
  return {
    manufacturer: await read('sys_vendor'),
    product_name: await read('product_name'),
    serial_number: await read('product_serial'),
    uuid: (await read('product_uuid')).toLowerCase(),
  };
}

/** The BMC's address, where the machine has the kernel's IPMI device and the tool is in the ramdisk. */
async function bmcAddress(clock: Clock): Promise<string | null> {
  if (!existsSync('/dev/ipmi0')) return null;
  const lan = await runProcess(clock, 'ipmitool', ['lan', 'print'], 5_000).catch(() => undefined);
  const address = /^IP Address\s+:\s*(\d+\.\d+\.\d+\.\d+)$/m.exec(lan?.stdout ?? '')?.[1];
  return address && address !== '0.0.0.0' ? address : null;
}
