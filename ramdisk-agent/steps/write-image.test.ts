import type { InventoryDisk, SegmentStep, StepError } from '@bessemer/agent-protocol';
import { addPartition, createGpt, parseGpt, readConfigDrive, type Gpt } from '@bessemer/image-format';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createWorld, sampleContent, type World } from '../test-world.ts';
import { createMedium, fakeDisk, type FakeMedium } from '../testing.ts';
import { batchesOf } from './extents.ts';
import { chooseLoader } from './prepare-boot.ts';

const MIB = 1024 * 1024;
const DISK_BYTES = 64 * MIB + 4096 * 1024;
const HINTS = { serial: 'disk-1' };
const small = (changes: Partial<InventoryDisk> = {}): InventoryDisk =>
  fakeDisk({ name: '/dev/vda', serial: 'disk-1', size: DISK_BYTES, ...changes });
const writeStep = (world: World, attempt = 'write-1'): SegmentStep => {
  const step = world.writeStep(attempt);
  return { ...step, args: { ...step.args, rootDeviceHints: HINTS } };
};

async function world(
  options: Parameters<typeof createWorld>[0] = {},
  filler = 0xff,
): Promise<World & { medium: FakeMedium }> {
  // Old data everywhere: what the image does not bring must come from the agent.
  const medium = createMedium(filler);
  const media = new Map([['disk-1', medium]]);
  const made = createWorld({ seen: [small()], media, bytesPerSecond: 64 * MIB, ...options });
  onTestFinished(() => made.end());
  await made.until('connected', made.service.connected);
  return { ...made, medium };
}

const ended = (w: World): Promise<void> =>
  w.until('ended', () => w.service.story().some((line) => line.startsWith('failed') || line.startsWith('segment')));
const failure = (w: World): StepError =>
  w.service.stored.flatMap((m) => (m.type === 'event' && m.kind === 'failed' ? [m.data] : []))[0] ?? {
    code: '',
    message: '',
  };
const isZero = (data: Uint8Array): boolean => data.every((byte) => byte === 0);

/** An image with a GPT: an ESP with something in it and a root partition, boot code in sector 0. */
function gptImage(sector: 512 | 4096 = 512, esp = true, sizeBytes = 16 * MIB): Uint8Array {
  const content = new Uint8Array(sizeBytes);
  const made = createGpt(sizeBytes, sector, '11111111-2222-4333-8444-555555555555');
  if (!made.ok) throw new Error(made.error.message);
  const add = (gpt: Gpt, label: string, typeGuid: string, size: number): ReturnType<typeof addPartition> =>
    addPartition(gpt, {
      label,
      typeGuid,
      guid: `22222222-2222-4333-8444-${label.padEnd(12, '0')}`,
      sizeBytes: size,
      atEnd: false,
    });
  const first = add(
    made.value.gpt,
    'e5b',
    esp ? 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b' : '0fc63daf-8483-4772-8e79-3d69d8477de4',
    2 * MIB,
  );
  if (!first.ok) throw new Error(first.error.message);
  const second = add(first.value.gpt, 'f00d', '0fc63daf-8483-4772-8e79-3d69d8477de4', 8 * MIB);
  if (!second.ok) throw new Error(second.error.message);
  for (const write of second.value.writes) content.set(write.data, write.offset);
  content.set([0xfa, 0xeb, 0x3c], 0);
  content.fill(7, 3 * MIB, 5 * MIB);
  return content;
}

describe('what is written', () => {
  test.each([true, false])(
    'is the image, holes are zero where old data was (the disk zeroes by itself: %s)',
    async (zeroesByItself) => {
      const w = await world({ zeroesByItself });
      w.segment([writeStep(w)]);
      await ended(w);
      expect(w.service.story()).toEqual(['started write', 'done write', 'segment done']);
      const written = w.medium.read(0, w.image.bytes.length);
      expect(Buffer.compare(written, w.image.bytes)).toBe(0);
      const result = w.service.stored.find((m) => m.type === 'event' && m.kind === 'done');
      expect(result).toMatchObject({
        data: {
          disk: { name: '/dev/vda', serial: 'disk-1', sizeBytes: DISK_BYTES },
          imageSizeBytes: w.image.map.sizeBytes,
          zeroedBy: zeroesByItself ? 'write-zeroes' : 'written',
          fetchedBytes: w.depot.servedBytes(),
        },
      });
      // Behind the image nothing is touched but what could be a signature.
      expect(w.medium.read(32 * MIB, 1)[0]).toBe(0xff);
      expect(isZero(w.medium.read(DISK_BYTES - MIB, MIB))).toBe(true);
    },
  );

  test('an image whose size is no multiple of a page, and one of less than a MiB', async () => {
    for (const size of [16 * MIB + 512, 100 * 512, 4096, MIB + 4096, 2 * MIB]) {
      const content = sampleContent(16 * MIB + 512).slice(0, size);
      content[size - 1] = 9;
      const w = await world({ content });
      w.segment([writeStep(w)]);
      await ended(w);
      expect(w.service.story().at(-1)).toBe('segment done');
      expect(Buffer.compare(w.medium.read(0, w.image.bytes.length), w.image.bytes)).toBe(0);
    }
  });

  test('an image as large as the disk', async () => {
    const content = sampleContent(16 * MIB + 512);
    const w = await world({ content, seen: [small({ size: content.length })] });
    w.segment([writeStep(w)]);
    await ended(w);
    expect(w.service.story().at(-1)).toBe('segment done');
    expect(Buffer.compare(w.medium.read(0, content.length), content)).toBe(0);
  });

  test.each([512, 4096] as const)(
    'a GPT gets its backup at the true end of the disk (sectors of %i)',
    async (sector) => {
      const w = await world({
        content: gptImage(sector),
        sectorSizeBytes: sector,
        seen: [small({ logical_sectors: sector })],
      });
      w.segment([writeStep(w)]);
      await ended(w);
      expect(w.service.story().at(-1)).toBe('segment done');
      const gpt = parseGpt(w.medium.read(0, 65_536), sector);
      if (!gpt.ok) throw new Error(gpt.error.message);
      expect((gpt.value.backupLba + 1) * sector).toBe(DISK_BYTES);
      expect(Buffer.from(w.medium.read(DISK_BYTES - sector, 8)).toString()).toBe('EFI PART');
      expect([...w.medium.read(0, 3)]).toEqual([0xfa, 0xeb, 0x3c]);
    },
  );
});

describe('checks come before the first write', () => {
  const rows: Array<[string, Parameters<typeof createWorld>[0], string, string]> = [
    ['image larger than the disk', { seen: [small({ size: 8 * MIB })] }, 'IMAGE_TOO_LARGE', 'only 8388608'],
    [
      '512-byte image on a 4Kn disk',
      { seen: [small({ logical_sectors: 4096 })] },
      'SECTOR_SIZE_MISMATCH',
      'sectors of 4096',
    ],
    ['4096-byte image on a 512-byte disk', { sectorSizeBytes: 4096 }, 'SECTOR_SIZE_MISMATCH', 'sectors of 4096'],
    ['no disk of that kind', { seen: [small({ serial: 'other' })] }, 'NO_SUITABLE_DISK', 'serial other'],
    ['two of that kind', { seen: [small(), small({ name: '/dev/vdb' })] }, 'AMBIGUOUS_DISK', '/dev/vdb'],
    ['read-only disk', { seen: [small({ read_only: true })] }, 'NO_SUITABLE_DISK', 'read-only'],
    ['no depot', { depotUp: () => false }, 'DEPOT_UNREACHABLE', 'tried for 900 s'],
  ];
  test.each(rows)('%s', async (_case, options, code, text) => {
    const writes: number[] = [];
    const w = await world({ ...options, onWrite: (_disk, offset) => void writes.push(offset) });
    w.segment([writeStep(w)]);
    await ended(w);
    expect(failure(w)).toMatchObject({ code, message: expect.stringContaining(text) });
    expect(writes).toEqual([]);
  });
  test('a block map that is not the one ordered', async () => {
    const writes: number[] = [];
    const w = await world({ onWrite: (_disk, offset) => void writes.push(offset) });
    const step = writeStep(w);
    const image = { ...(step.args['image'] as object), mapSha256: 'f'.repeat(64) };
    w.segment([{ ...step, args: { ...step.args, image } }]);
    await ended(w);
    expect(failure(w)).toMatchObject({
      code: 'BAD_BLOCK_MAP',
      message: expect.stringContaining('Nothing was written'),
    });
    expect(writes).toEqual([]);
  });
});

describe('damage and cuts', () => {
  const nothingBootable = (w: { medium: FakeMedium }): void => {
    expect(isZero(w.medium.read(0, MIB))).toBe(true);
    expect(isZero(w.medium.read(15 * MIB, MIB))).toBe(true);
    expect(isZero(w.medium.read(DISK_BYTES - MIB, MIB))).toBe(true);
  };

  test('an extent that is damaged once is fetched again', async () => {
    let damaged = 0;
    const w = await world({
      damage: (data) => {
        if (damaged++ === 1) data[100]! ^= 1;
      },
    });
    w.segment([writeStep(w)]);
    await ended(w);
    expect(w.service.story().at(-1)).toBe('segment done');
    expect(Buffer.compare(w.medium.read(0, w.image.bytes.length), w.image.bytes)).toBe(0);
  });
  test('one that is always damaged fails the step, names it, and leaves nothing that boots', async () => {
    const w = await world({
      damage: (data, from) => {
        if (from > 0) data[0]! ^= 1;
      },
    });
    w.segment([writeStep(w)]);
    await ended(w);
    expect(failure(w)).toMatchObject({ code: 'DIGEST_MISMATCH', message: expect.stringContaining('3 times in a row') });
    nothingBootable(w);
  });
  test('no byte of a damaged extent reaches the disk', async () => {
    const w = await world({
      damage: (data) => {
        data.fill(0xee);
      },
    });
    w.segment([writeStep(w)]);
    await ended(w);
    for (let offset = 0; offset < 16 * MIB; offset += MIB)
      expect(w.medium.read(offset, MIB).includes(0xee)).toBe(false);
  });

  // Every write in turn is the one at which the power fails; the last one ends the image.
  test('cut at any write, first and last MiB are not both there until everything else is', async () => {
    const order: Array<[number, number]> = [];
    const whole = await world({
      content: gptImage(),
      onWrite: (_disk, offset, length) => void order.push([offset, length]),
    });
    whole.segment([writeStep(whole)]);
    await ended(whole);
    expect(order.at(-1)).toEqual([0, 4096]);
    for (let cut = 0; cut < order.length; cut++) {
      let count = 0;
      const w = await world({
        content: gptImage(),
        onWrite: () => {
          if (count++ >= cut) throw new Error('the power is gone');
        },
      });
      w.segment([writeStep(w)]);
      await ended(w);
      expect(failure(w)).toMatchObject({ code: 'WRITE_FAILED', message: expect.stringContaining('the power is gone') });
      // Until the wipe reached the first MiB it holds the old data.
      const sector = w.medium.read(0, 512);
      expect(isZero(sector) || sector.every((byte) => byte === 0xff)).toBe(true);
      expect(parseGpt(w.medium.read(0, 65_536)).ok).toBe(false);
    }
  });

  test('a failed write resumes: only what is missing is fetched again', async () => {
    let failed = false;
    const w = await world({
      content: sampleContent(48 * MIB),
      onWrite: (_disk, offset) => {
        if (offset > 40 * MIB && offset < 44 * MIB && !failed) {
          failed = true;
          throw new Error('bad block');
        }
      },
      bytesPerSecond: MIB,
    });
    w.segment([writeStep(w)]);
    await ended(w);
    expect(failure(w)).toMatchObject({ code: 'WRITE_FAILED', message: expect.stringContaining('bad block') });
    const before = w.depot.servedBytes();
    w.service.order({ type: 'retry', run: 'run-1', fence: 1, step: 'write', attempt: 'write-2' });
    await w.until('done', () => w.service.story().includes('segment done'));
    expect(w.depot.servedBytes() - before).toBeLessThan(12 * MIB);
    expect(Buffer.compare(w.medium.read(0, w.image.bytes.length), w.image.bytes)).toBe(0);
  });

  test('a depot that goes away for minutes and returns is waited for', async () => {
    let up = true;
    const w = await world({ depotUp: () => up, bytesPerSecond: MIB });
    w.segment([writeStep(w)]);
    await w.until('writing', () => w.depot.servedBytes() > 0);
    up = false;
    await w.clock.advance(10 * 60_000);
    up = true;
    await ended(w);
    expect(w.service.story()).toEqual(['started write', 'done write', 'segment done']);
    expect(w.depot.servedBytes()).toBeLessThan(w.image.bytes.length * 1.1);
  });
});

describe('the disk is the one that was chosen at first', () => {
  test('another one in its place is refused, it itself is found under another name', async () => {
    let broken = true;
    const w = await world({ depotUp: () => !broken });
    // Without hints: the smallest would be taken.
    const step = {
      ...w.writeStep(),
      args: { ...w.writeStep().args, rootDeviceHints: { size: '>= 1', name: '<in> vd' } },
    };
    w.seen.splice(0, 1, small({ size: 5 * 1024 * MIB }));
    w.segment([step]);
    await ended(w);
    expect(failure(w).code).toBe('DEPOT_UNREACHABLE');
    broken = false;
    w.seen.splice(0, 1, small({ serial: 'stranger', size: 5 * 1024 * MIB }));
    const retry = (attempt: string): void =>
      w.service.order({ type: 'retry', run: 'run-1', fence: 1, step: 'write', attempt });
    retry('write-2');
    await w.until('refused', () => w.service.story().includes('failed write DISK_CHANGED'));
    w.seen.splice(
      0,
      1,
      small({ serial: 'stranger', size: 5 * 1024 * MIB }),
      small({ name: '/dev/vdb', size: 5 * 1024 * MIB }),
    );
    retry('write-3');
    await w.until('done', () => w.service.story().includes('segment done'));
    expect(isZero(w.disks.medium('stranger').read(0, MIB))).toBe(true);
    expect(Buffer.compare(w.medium.read(0, MIB), w.image.bytes.subarray(0, MIB))).toBe(0);
  });
  test('and the service hears of it before the first byte is written', async () => {
    const heard: string[] = [];
    const w: World = await world({
      onWrite: () =>
        void heard.push(
          ...w.service.stored.flatMap((m) =>
            m.type === 'event' && m.kind === 'started' ? [m.data.disk?.serial ?? ''] : [],
          ),
        ),
    });
    w.segment([writeStep(w)]);
    await ended(w);
    expect(heard.slice(0, 2)).toEqual(['', 'disk-1']);
  });
  test('also in another boot, of which only the service remembers the disk', async () => {
    const first = await world({ depotUp: () => false });
    first.segment([writeStep(first)]);
    await ended(first);
    const { disk } = failure(first);
    expect(disk).toMatchObject({ name: '/dev/vda', serial: 'disk-1' });
    // The disk is gone: without a memory the one that is left would be taken.
    const second = await world({ seen: [small({ serial: 'data' })] });
    const step = writeStep(second);
    second.segment([{ ...step, args: { ...step.args, rootDeviceHints: { name: '<in> vd' }, disk: disk as never } }]);
    await ended(second);
    expect(failure(second).code).toBe('DISK_CHANGED');
  });
});

const step = (name: string, args: object = {}, id = name): SegmentStep => ({
  id,
  name,
  interface: 'deploy',
  args: args as SegmentStep['args'],
  attempt: `${id}-1`,
  onRepeat: 'safe',
});
const resultOf = (w: World, id: string): Record<string, unknown> => {
  const done = w.service.stored.find((m) => m.type === 'event' && m.kind === 'done' && m.step === id);
  if (done?.type !== 'event')
    throw new Error(`${id} is not done: ${w.service.story().join(', ')} ${failure(w).message}`);
  return done.data as Record<string, unknown>;
};

describe('config drive', () => {
  const args = {
    configDrive: {
      metaData: { uuid: 'u-1', public_keys: { mine: 'ssh-ed25519 AAAA me' } },
      userData: '#!/bin/sh\n',
      vendorData: { a: 1 },
    },
    servicePublicKey: 'ssh-ed25519 BBBB service',
    hostname: 'machine-1',
  };

  test('goes to a new partition at the end of the disk, with both halves of the access', async () => {
    const w = await world({ content: gptImage() });
    w.segment([writeStep(w), step('configdrive', args)]);
    await ended(w);
    const result = resultOf(w, 'configdrive');
    expect(result['sshHostKey']).toMatch(/^ssh-ed25519 AAAAC3NzaC1lZDI1NTE5[A-Za-z0-9+/]+$/);
    const place = result['partition'] as { number: number; startBytes: number; sizeBytes: number; created: boolean };
    expect(place).toMatchObject({ number: 3, created: true });
    expect(place.startBytes).toBeGreaterThan(DISK_BYTES - 4 * MIB);
    const gpt = parseGpt(w.medium.read(0, 65_536));
    expect(gpt.ok && gpt.value.partitions.map((p) => p.label)).toEqual(['e5b', 'f00d', 'config-2']);
    const drive = readConfigDrive(w.medium.read(place.startBytes, place.sizeBytes));
    if (!drive.ok) throw new Error(drive.error.message);
    expect(drive.value.metaData).toMatchObject({ uuid: 'u-1', hostname: 'machine-1' });
    expect(Object.values(drive.value.metaData['public_keys'] as object)).toEqual([
      'ssh-ed25519 AAAA me',
      'ssh-ed25519 BBBB service',
    ]);
    const vendor = drive.value.vendorData as Record<string, string>;
    expect(vendor['a']).toBe(1);
    expect(vendor['cloud-init']).toContain(`ed25519_public: ${String(result['sshHostKey'])}`);
    expect(vendor['cloud-init']).toContain('BEGIN OPENSSH PRIVATE KEY');
    expect(JSON.stringify(w.service.stored)).not.toContain('PRIVATE KEY');
  });

  test('goes into the partition that the image has for it; again, it tells the same key and makes no other partition', async () => {
    const w = await world({ content: gptImage() });
    w.segment([writeStep(w), step('configdrive', args), step('configdrive', args, 'again')]);
    await ended(w);
    expect(resultOf(w, 'again')['partition']).toMatchObject({ number: 3, created: false });
    expect(resultOf(w, 'again')['sshHostKey']).toBe(resultOf(w, 'configdrive')['sshHostKey']);
  });

  test('needs a written disk, and a partition table', async () => {
    const none = await world();
    none.segment([step('configdrive', args)]);
    await ended(none);
    expect(failure(none).code).toBe('NO_IMAGE_WRITTEN');
    const bare = await world();
    bare.segment([writeStep(bare), step('configdrive', args)]);
    await ended(bare);
    expect(failure(bare)).toMatchObject({
      code: 'CONFIG_DRIVE_FAILED',
      message: expect.stringContaining('images need a GPT'),
    });
  });

  test('names another disk than the written one: refused', async () => {
    const w = await world({ content: gptImage() });
    const disk = { name: '/dev/vdb', serial: 'x', wwn: null, byPath: null, sizeBytes: 1 };
    w.segment([writeStep(w), step('configdrive', { ...args, disk })]);
    await ended(w);
    expect(failure(w).code).toBe('DISK_CHANGED');
  });
});

describe('boot', () => {
  test('BIOS: boot code is checked', async () => {
    const good = await world({ content: gptImage() });
    good.segment([writeStep(good), step('prepare_boot')]);
    await ended(good);
    expect(resultOf(good, 'prepare_boot')).toEqual({ bootMode: 'bios', bootEntry: null, removedEntries: [] });
    const content = gptImage();
    content.fill(0, 0, 440);
    const bad = await world({ content });
    bad.segment([writeStep(bad), step('prepare_boot')]);
    await ended(bad);
    expect(failure(bad)).toMatchObject({ code: 'NOT_BOOTABLE', message: expect.stringContaining('no boot code') });
  });
  test('UEFI: one entry of ours, and it is next', async () => {
    const w = await world({ content: gptImage(), bootMode: 'uefi' });
    w.hardware.entries.push({ number: '0001', label: 'bessemer' }, { number: '0002', label: 'UEFI PXEv4' });
    w.segment([writeStep(w), step('prepare_boot')]);
    await ended(w);
    const result = resultOf(w, 'prepare_boot');
    expect(result).toMatchObject({ bootMode: 'uefi', removedEntries: ['0001'] });
    expect(w.hardware.entries.map((entry) => entry.label)).toEqual(['UEFI PXEv4', 'bessemer']);
    expect(w.hardware.bootNext()).toBe(result['bootEntry']);
  });
  test('UEFI without an EFI system partition is refused', async () => {
    const w = await world({ content: gptImage(512, false), bootMode: 'uefi' });
    w.segment([writeStep(w), step('prepare_boot')]);
    await ended(w);
    expect(failure(w).code).toBe('NOT_BOOTABLE');
  });
  test.each([
    [
      ['\\EFI\\BOOT\\BOOTX64.EFI', '\\EFI\\debian\\grubx64.efi', '\\EFI\\debian\\shimx64.efi'],
      '\\EFI\\debian\\shimx64.efi',
    ],
    [['\\EFI\\BOOT\\BOOTX64.EFI', '\\EFI\\debian\\grubx64.efi'], '\\EFI\\debian\\grubx64.efi'],
    [['\\EFI\\BOOT\\grubx64.efi', '\\efi\\boot\\bootx64.efi'], '\\efi\\boot\\bootx64.efi'],
    [['\\EFI\\BOOT\\fbx64.efi'], undefined],
    [[], undefined],
  ])('of %j %s is started', (paths, expected) => {
    expect(chooseLoader(paths)).toBe(expected);
  });
});

describe('erase', () => {
  test('takes every fixed, writable disk and says what it left alone', async () => {
    const seen = [
      small(),
      small({ name: '/dev/vdb', serial: 'disk-2' }),
      small({ name: '/dev/sr9', serial: 'rom', read_only: true }),
      small({ name: '/dev/sdz', serial: 'stick', removable: true }),
      small({ name: '/dev/sdy', serial: 'lun', tran: 'fc' }),
    ];
    const w = await world({ seen, content: gptImage() }, 0);
    const stick = new Uint8Array(MIB).fill(5);
    w.disks.medium('stick').write(0, stick);
    w.segment([writeStep(w), step('configdrive', { configDrive: { metaData: {} } }), step('erase_devices_metadata')]);
    await ended(w);
    const { disks } = resultOf(w, 'erase_devices_metadata') as {
      disks: Array<{ disk: { name: string }; outcome: string; reason?: string }>;
    };
    expect(disks.map((d) => [d.disk.name, d.outcome, d.reason])).toEqual([
      ['/dev/vda', 'erased', undefined],
      ['/dev/vdb', 'erased', undefined],
      ['/dev/sr9', 'skipped', 'read-only'],
      ['/dev/sdz', 'skipped', 'removable'],
      ['/dev/sdy', 'skipped', 'on a storage network (fc), which other machines may share'],
    ]);
    expect(isZero(w.medium.read(0, MIB))).toBe(true);
    expect(isZero(w.medium.read(DISK_BYTES - MIB, MIB))).toBe(true);
    // The partition's first MiB, and the config drive with its private key.
    expect(isZero(w.medium.read(3 * MIB, MIB))).toBe(true);
    const found = Array.from({ length: DISK_BYTES / MIB }, (_, i) =>
      Buffer.from(w.medium.read(i * MIB, MIB)).includes('PRIVATE KEY'),
    );
    expect(found.includes(true)).toBe(false);
    expect(Buffer.compare(w.disks.medium('stick').read(0, MIB), stick)).toBe(0);
  });
  test('one disk that fails does not spare the others, and is named', async () => {
    const seen = [small({ name: '/dev/sda', serial: 'broken' }), small()];
    const w = await world({
      seen,
      onWrite: (disk) => {
        if (disk.serial === 'broken') throw new Error('medium error');
      },
    });
    w.segment([step('erase_devices_metadata')]);
    await ended(w);
    expect(failure(w)).toMatchObject({
      code: 'ERASE_FAILED',
      message: expect.stringMatching(/1 of 2 disks.*\/dev\/sda.*medium error/),
    });
    expect(isZero(w.medium.read(0, MIB))).toBe(true);
  });
});

test('requests carry neighbouring extents up to one buffer, and leave out what is done', () => {
  const extents = [1, 1, 2, 4, 3, 1, 1].map((mib, i) => ({ offset: i * 8 * MIB, length: mib * MIB, sha256: '' }));
  const map = { version: 1 as const, sizeBytes: 0, sectorSizeBytes: 512 as const, extents, sha256: '' };
  const shape = (done: number[]): string[] => batchesOf(map, Uint8Array.from(done)).map((b) => `${b.from}+${b.count}`);
  expect(shape([0, 0, 0, 0, 0, 0, 0])).toEqual(['0+3', '3+1', '4+2', '6+1']);
  expect(shape([0, 1, 0, 1, 0, 0, 0])).toEqual(['0+1', '2+1', '4+2', '6+1']);
  expect(shape([1, 1, 1, 1, 1, 1, 1])).toEqual([]);
});
