import type { InventoryDisk, RootDeviceHints } from '@bessemer/agent-protocol';
import { describe, expect, test } from 'vitest';
import { chooseRootDevice, findSameDisk, identityOf } from './root-device.ts';
import { fakeDisk } from './testing.ts';

const GIB = 1024 ** 3;

const disks: InventoryDisk[] = [
  fakeDisk({
    name: '/dev/sda',
    model: 'MG04ACA400N',
    vendor: 'TOSHIBA',
    serial: '58C0K1ABF',
    wwn: '0x500003964b800c1a',
    wwn_with_extension: '0x500003964b800c1a0011223344556677',
    wwn_vendor_extension: '0x0011223344556677',
    size: 4000 * GIB,
    rotational: true,
    hctl: '0:0:0:0',
    by_path: '/dev/disk/by-path/pci-0000:00:1f.2-ata-1',
  }),
  fakeDisk({
    name: '/dev/sdb',
    model: 'INTEL SSDSC2BB480G7',
    vendor: 'ATA',
    serial: 'PHDV7060',
    wwn: '0x55cd2e414d5a1234',
    wwn_with_extension: '0x55cd2e414d5a1234',
    size: 480 * GIB,
    hctl: '1:0:0:0',
    by_path: '/dev/disk/by-path/pci-0000:00:1f.2-ata-2',
  }),
  fakeDisk({
    name: '/dev/nvme0n1',
    model: 'Samsung SSD 970 EVO',
    vendor: '',
    serial: 'S466NX0K',
    wwn: 'eui.0025385981b0a1b2',
    size: 480.5 * GIB,
    by_path: '/dev/disk/by-path/pci-0000:03:00.0-nvme-1',
  }),
  fakeDisk({
    name: '/dev/sdc',
    model: 'Flash Drive',
    vendor: 'Kingston',
    serial: 'usb1',
    size: 16 * GIB,
    removable: true,
  }),
  fakeDisk({ name: '/dev/sdd', model: 'Virtual Media', vendor: 'AMI', serial: 'vm1', size: 8 * GIB, read_only: true }),
  fakeDisk({ name: '/dev/sde', model: 'SATADOM', vendor: 'ATA', serial: '', size: 2 * GIB }),
];

const choose = (hints?: RootDeviceHints): string => {
  const choice = chooseRootDevice(disks, hints);
  return choice.ok ? choice.disk.name : choice.code;
};

describe('one hint chooses', () => {
  const rows: Array<[RootDeviceHints, string]> = [
    // Plain values: equality, without regard to case or to space around.
    [{ name: '/dev/sda' }, '/dev/sda'],
    [{ name: ' /DEV/SDA ' }, '/dev/sda'],
    [{ serial: '58c0k1abf' }, '/dev/sda'],
    [{ serial: '58C0K1AB' }, 'NO_SUITABLE_DISK'],
    [{ model: 'INTEL SSDSC2BB480G7' }, '/dev/sdb'],
    [{ model: 'INTEL' }, 'NO_SUITABLE_DISK'],
    [{ vendor: 'toshiba' }, '/dev/sda'],
    [{ wwn: '0x500003964b800c1a' }, '/dev/sda'],
    [{ wwn: 'eui.0025385981b0a1b2' }, '/dev/nvme0n1'],
    [{ wwn_with_extension: '0x500003964b800c1a0011223344556677' }, '/dev/sda'],
    [{ wwn_vendor_extension: '0x0011223344556677' }, '/dev/sda'],
    [{ hctl: '1:0:0:0' }, '/dev/sdb'],
    [{ by_path: '/dev/disk/by-path/pci-0000:03:00.0-nvme-1' }, '/dev/nvme0n1'],
    // Strings.
    [{ serial: 's== PHDV7060' }, '/dev/sdb'],
    [{ serial: 's==PHDV7060' }, '/dev/sdb'],
    [{ vendor: 's!= ATA' }, '/dev/sda'],
    [{ name: 's< /dev/sda' }, '/dev/nvme0n1'],
    [{ name: 's<= /dev/nvme0n1' }, '/dev/nvme0n1'],
    [{ name: 's> /dev/sdb' }, '/dev/sde'],
    [{ name: 's>= /dev/sdb', vendor: 's== ata', size: '> 100' }, '/dev/sdb'],
    [{ model: '<in> samsung' }, '/dev/nvme0n1'],
    [{ model: '<in> SSD 970' }, '/dev/nvme0n1'],
    [{ model: '<in> ssd' }, 'AMBIGUOUS_DISK'],
    [{ model: '<all-in> ssd <all-in> evo' }, '/dev/nvme0n1'],
    [{ model: '<all-in> ssd <all-in> absent' }, 'NO_SUITABLE_DISK'],
    [{ model: '<or> nothing <or> Samsung SSD 970 EVO' }, '/dev/nvme0n1'],
    [{ model: '<or> MG04ACA400N <or> Samsung SSD 970 EVO' }, 'AMBIGUOUS_DISK'],
    [{ serial: '<or> A <or> B' }, 'NO_SUITABLE_DISK'],
    // Size in GiB.
    [{ size: 4000 }, '/dev/sda'],
    [{ size: '4000' }, '/dev/sda'],
    [{ size: '== 480' }, '/dev/sdb'],
    [{ size: '= 4000' }, '/dev/sda'],
    [{ size: '= 481' }, '/dev/sda'],
    [{ size: '>= 1000' }, '/dev/sda'],
    [{ size: '> 4000' }, 'NO_SUITABLE_DISK'],
    [{ size: '<= 480' }, 'AMBIGUOUS_DISK'],
    [{ size: '< 4' }, '/dev/sde'],
    [{ size: '!= 480', rotational: true }, '/dev/sda'],
    [{ size: '<or> 481 <or> 480' }, '/dev/sdb'],
    // Booleans in all of Ironic's spellings.
    [{ rotational: true }, '/dev/sda'],
    [{ rotational: 'True' }, '/dev/sda'],
    [{ rotational: 'yes' }, '/dev/sda'],
    [{ rotational: false, size: '== 480' }, '/dev/sdb'],
    [{ rotational: 'off', model: '<in> 970' }, '/dev/nvme0n1'],
    // Every hint has to be met.
    [{ vendor: 'ata', size: '> 100' }, '/dev/sdb'],
    [{ vendor: 'toshiba', rotational: false }, 'NO_SUITABLE_DISK'],
    // Removable only when no fixed disk meets the hints; read-only never.
    [{ serial: 'usb1' }, '/dev/sdc'],
    [{ size: '== 8' }, 'NO_SUITABLE_DISK'],
    [{ size: '< 20' }, '/dev/sde'],
    // A disk that does not tell is never met, not even by "not equal".
    [{ serial: 's!= 58C0K1ABF', size: '< 4' }, 'NO_SUITABLE_DISK'],
  ];
  test.each(rows)('%j -> %s', (hints, expected) => {
    expect(choose(hints)).toBe(expected);
  });
});

describe('hints that are wrong are named and nothing is chosen', () => {
  const rows: Array<[RootDeviceHints, string]> = [
    [{ colour: 'red' }, '"colour": it is not one of'],
    [{ constructor: 'x' } as unknown as RootDeviceHints, '"constructor": it is not one of'],
    [{ size: 'big' }, '"size": "big" is not a positive whole number of GiB'],
    [{ size: 0 }, 'not a positive whole number'],
    [{ size: -5 }, 'not a positive whole number'],
    [{ size: 1.5 }, 'not a positive whole number'],
    [{ size: 's== 480' }, 'does not compare numbers'],
    [{ size: '<in> 48' }, 'does not compare numbers'],
    [{ size: true }, 'must be a number'],
    [{ serial: 12 }, '"serial": it must be a string'],
    [{ serial: '' }, '"serial": it is empty'],
    [{ serial: '   ' }, '"serial": it is empty'],
    [{ serial: 's==' }, 'no value behind s=='],
    [{ serial: '== ABC' }, 'use s== for text'],
    [{ serial: '!= ABC' }, 'use s!= for text'],
    [{ serial: '<in> a <in> b' }, 'takes one value'],
    [{ model: '<or>' }, 'no value behind <or>'],
    [{ size: '<range-in> [ 10 20 ]' }, '<range-in> is not supported'],
    [{ rotational: 'perhaps' }, 'neither true nor false'],
  ];
  test.each(rows)('%j', (hints, expected) => {
    const choice = chooseRootDevice(disks, hints);
    expect(choice).toMatchObject({ ok: false, code: 'BAD_ARGUMENTS' });
    expect(!choice.ok && choice.message).toContain(expected);
  });
});

describe('without hints', () => {
  test('a disk of a storage network is never taken; a hint makes it ours', () => {
    const lun = fakeDisk({ name: '/dev/sdx', serial: 'lun', size: 8 * GIB, tran: 'fc' });
    const own = fakeDisk({ name: '/dev/sdy', serial: 'own', size: 900 * GIB });
    expect(chooseRootDevice([lun, own])).toMatchObject({ ok: true, disk: { serial: 'own' } });
    expect(chooseRootDevice([lun])).toMatchObject({
      ok: false,
      code: 'NO_SUITABLE_DISK',
      message: expect.stringContaining('on a storage network (fc)'),
    });
    expect(chooseRootDevice([lun, own], { serial: 'lun' })).toMatchObject({ ok: true, disk: { serial: 'lun' } });
  });
  test('the smallest fixed, writable disk of at least 4 GiB', () => {
    expect(choose()).toBe('/dev/sdb');
    expect(choose({})).toBe('/dev/sdb');
  });
  test('of equal disks the first by path, whatever the order of their names', () => {
    const twins = [
      fakeDisk({ name: '/dev/sda', by_path: '/dev/disk/by-path/pci-0000:00:1f.2-ata-2' }),
      fakeDisk({ name: '/dev/sdb', by_path: '/dev/disk/by-path/pci-0000:00:1f.2-ata-1' }),
    ];
    expect(chooseRootDevice(twins)).toMatchObject({ disk: { name: '/dev/sdb' } });
    expect(chooseRootDevice(twins.toReversed())).toMatchObject({ disk: { name: '/dev/sdb' } });
  });
  test('a refusal lists the disks seen', () => {
    const choice = chooseRootDevice(disks.filter((disk) => disk.removable || disk.read_only || disk.size < 4 * GIB));
    expect(choice).toMatchObject({ ok: false, code: 'NO_SUITABLE_DISK' });
    for (const fact of ['/dev/sdc', 'Kingston', 'serial usb1', 'removable', '/dev/sdd', 'read-only', '2 GiB'])
      expect(!choice.ok && choice.message).toContain(fact);
    expect(chooseRootDevice([])).toMatchObject({ message: expect.stringContaining('Disks seen: none') });
  });
  test('an ambiguous hint names the disks that meet it', () => {
    const choice = chooseRootDevice(disks, { model: '<in> ssd' });
    expect(!choice.ok && choice.message).toContain('2 disks meet the root device hints');
    expect(!choice.ok && choice.message).toContain('/dev/sdb, /dev/nvme0n1');
  });
});

describe('the same disk again', () => {
  const chosen = disks[1]!;
  const others = disks.filter((disk) => disk !== chosen);
  const rows: Array<[string, InventoryDisk[], string | undefined]> = [
    ['unchanged', disks, '/dev/sdb'],
    ['under another name', [...others, { ...chosen, name: '/dev/sdz', by_path: null }], '/dev/sdz'],
    ['gone', others, undefined],
    ['another serial in its place', [...others, { ...chosen, serial: 'OTHER' }], undefined],
    ['another WWN in its place', [...others, { ...chosen, wwn: '0x1' }], undefined],
    ['another size', [...others, { ...chosen, size: chosen.size + 512 }], undefined],
    ['a twin beside it', [...others, chosen, { ...chosen, name: '/dev/sdz', by_path: 'elsewhere' }], '/dev/sdb'],
    [
      'only twins elsewhere',
      [...others, { ...chosen, name: '/dev/sdy', by_path: 'a' }, { ...chosen, name: '/dev/sdz', by_path: 'b' }],
      undefined,
    ],
  ];
  test.each(rows)('%s', (_case, seen, expected) => {
    expect(findSameDisk(seen, identityOf(chosen))?.name).toBe(expected);
  });
  test('a disk without serial and WWN is known by its place', () => {
    const plain = fakeDisk({ name: '/dev/vda', serial: '', by_path: '/dev/disk/by-path/pci-0000:00:04.0' });
    expect(findSameDisk([{ ...plain, name: '/dev/vdb' }], identityOf(plain))?.name).toBe('/dev/vdb');
    expect(
      findSameDisk([{ ...plain, by_path: '/dev/disk/by-path/pci-0000:00:05.0' }], identityOf(plain)),
    ).toBeUndefined();
    const bare = fakeDisk({ name: '/dev/vda', serial: '' });
    expect(findSameDisk([{ ...bare, name: '/dev/vdb' }], identityOf(bare))).toBeUndefined();
  });
});
