/** Disks as Linux shows them in /sys/block: no udev is needed, since a small ramdisk has none. */
import type { InventoryDisk } from '@bessemer/agent-protocol';
import { basename, join } from 'node:path';
import { attribute, binaryAttribute, entries, numberAttribute, resolved } from './linux-sysfs.ts';

/** What is no disk of the machine: memory, floppies, optical drives, and devices made of others. */
const NOT_A_DISK = /^(loop|ram|zram|fd|sr|md|dm-|nbd|mtdblock)/;
const SECTOR_UNIT_BYTES = 512;

/** `accept` decides by kernel name (`sda`) which block devices are disks. */
export async function listDisks(
  accept: (kernelName: string) => boolean = (name) => !NOT_A_DISK.test(name),
  sysfs = '/sys',
): Promise<InventoryDisk[]> {
  const links = await byPathLinks();
  const names = (await entries(join(sysfs, 'block'))).filter(accept);
  return Promise.all(names.map((name) => describe(join(sysfs, 'block', name), name, links)));
}

async function describe(path: string, name: string, links: Map<string, string>): Promise<InventoryDisk> {
  const read = (file: string): Promise<string | undefined> => attribute(join(path, file));
  const count = async (file: string): Promise<number> => (await numberAttribute(join(path, file))) ?? 0;
  const devicePath = (await resolved(join(path, 'device'))) ?? '';
  const wwid = (await read('wwid')) ?? (await read('device/wwid')) ?? '';
  const device = `/dev/${name.replaceAll('!', '/')}`;
  const hctl = basename(devicePath);
  return {
    name: device,
    model: (await read('device/model')) ?? '',
    vendor: (await read('device/vendor')) ?? '',
    serial: (await read('serial')) ?? (await read('device/serial')) ?? (await vpdSerial(path)) ?? '',
    ...worldWideNames(wwid),
    size: (await count('size')) * SECTOR_UNIT_BYTES,
    rotational: (await count('queue/rotational')) === 1,
    hctl: /^\d+:\d+:\d+:\d+$/.test(hctl) ? hctl : null,
    by_path: links.get(device) ?? (await pathName(path, devicePath)),
    logical_sectors: (await count('queue/logical_block_size')) || SECTOR_UNIT_BYTES,
    physical_sectors: (await count('queue/physical_block_size')) || SECTOR_UNIT_BYTES,
    tran: transportOf(devicePath),
    removable: (await count('removable')) === 1,
    read_only: (await count('ro')) === 1,
  };
}

/** SPC-5 section 7.7.8: unit serial number page; four bytes of header. */
async function vpdSerial(path: string): Promise<string | undefined> {
  const page = await binaryAttribute(join(path, 'device/vpd_pg80'));
  if (!page || page.length <= 4) return undefined;
  return Buffer.from(page.subarray(4))
    .toString('latin1')
    .replaceAll(/[^\x20-\x7e]/g, '')
    .trim();
}

/**
 * The kernel's `naa.5000c500a1b2c3d4[0011223344556677]`, `eui....` or `t10....` in udev's form: `0x` and 16 digits, the
 * other 16 as the vendor's extension. A t10 name is no WWN.
 */
function worldWideNames(wwid: string): Pick<InventoryDisk, 'wwn' | 'wwn_with_extension' | 'wwn_vendor_extension'> {
  const naa = /^naa\.([0-9a-f]{16})([0-9a-f]{16})?$/i.exec(wwid);
  if (naa) {
    const wwn = `0x${naa[1]!.toLowerCase()}`;
    const extension = naa[2]?.toLowerCase();
    return {
      wwn,
      wwn_with_extension: extension ? `${wwn}${extension}` : wwn,
      wwn_vendor_extension: extension ? `0x${extension}` : null,
    };
  }
  const other = /^(eui|nvme|uuid)\./i.test(wwid) ? wwid.slice(0, 256) : null;
  return { wwn: other, wwn_with_extension: other, wwn_vendor_extension: null };
}

async function byPathLinks(): Promise<Map<string, string>> {
  const folder = '/dev/disk/by-path';
  const links = new Map<string, string>();
  for (const name of await entries(folder)) {
    const target = await resolved(join(folder, name));
    // A disk may have several names; the first in order is taken each time.
    if (target && !links.has(target)) links.set(target, join(folder, name));
  }
  return links;
}

/** udev's persistent path name, for the buses where it follows from the device's place in /sys. */
async function pathName(path: string, devicePath: string): Promise<string | null> {
  const pci = devicePath.match(/[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-9a-f]/g)?.at(-1);
  if (!pci) return null;
  const prefix = `/dev/disk/by-path/pci-${pci}`;
  if (/\/virtio\d+$/.test(devicePath)) return prefix;
  if (devicePath.includes('/nvme/')) return `${prefix}-nvme-${(await attribute(join(path, 'nsid'))) ?? '1'}`;
  const ata = /^(.*\/ata(\d+))\//.exec(devicePath);
  if (ata) {
    const port = await attribute(join(ata[1]!, 'ata_port', `ata${ata[2]}`, 'port_no'));
    return port ? `${prefix}-ata-${port}` : null;
  }
  const address = /\/\d+:(\d+:\d+:\d+)$/.exec(devicePath)?.[1];
  return address && !devicePath.includes('/usb') ? `${prefix}-scsi-0:${address}` : null;
}

function transportOf(devicePath: string): string | null {
  const kinds: Array<[RegExp, string]> = [
    [/\/usb\d/, 'usb'],
    [/\/nvme\//, 'nvme'],
    [/\/ata\d+\//, 'sata'],
    [/\/end_device-/, 'sas'],
    [/\/session\d+\//, 'iscsi'],
    [/\/rport-/, 'fc'],
    [/\/virtio\d+/, 'virtio'],
  ];
  return kinds.find(([pattern]) => pattern.test(devicePath))?.[1] ?? null;
}

/** Names of the partitions of a disk, such as `sda1`. */
async function partitionNames(kernelName: string, sysfs = '/sys'): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await entries(join(sysfs, 'block', kernelName)))
    if ((await attribute(join(sysfs, 'block', kernelName, entry, 'partition'))) !== undefined) found.push(entry);
  return found;
}

/** Kernel names of the devices built on a block device (md arrays, device mapper), the topmost first. */
export async function holdersOf(kernelName: string, sysfs = '/sys'): Promise<string[]> {
  const all: string[] = [];
  const names = [kernelName, ...(await partitionNames(kernelName, sysfs))];
  for (const name of names)
    for (const holder of await entries(join(sysfs, 'class/block', name, 'holders')))
      all.push(...(await holdersOf(holder, sysfs)), holder);
  return [...new Set(all)];
}
