/**
 * The steps on a block device of the kernel's, with the depot's exit spoken over HTTP. Where no loop device can be had, a plain
 * file opened with O_DIRECT stands in, and the test's name says so.
 */
import { execFileSync } from 'node:child_process';
import { constants, openSync, readSync, closeSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { WriteImageArgs } from '@bessemer/agent-protocol';
import { addPartition, createGpt, type BlockMap, type Gpt } from '@bessemer/image-format';
import { silentLog } from '@bessemer/ports';
import { systemClock, systemRandom } from '@bessemer/ports/node';
import { seededRandom } from '@bessemer/ports/testing';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createDepotHttp } from '../depot-http.ts';
import { alignedBuffer, createDirectHandle, createLinuxDisks } from '../linux-disks.ts';
import type { Disks, StepContext, StepMemory } from '../ports.ts';
import { createFakeHardware, fakeDisk, imageOf } from '../testing.ts';
import { writeConfigDrive } from './configdrive.ts';
import { eraseDevicesMetadata } from './erase.ts';
import { prepareBoot } from './prepare-boot.ts';
import { writeImage } from './write-image.ts';

const MIB = 1024 * 1024;
const DISK_BYTES = 256 * MIB;
const IMAGE_BYTES = 160 * MIB;
const folder = mkdtempSync(join(tmpdir(), 'agent-disk-'));
const backing = join(folder, 'disk');
let device: string | undefined;

function attachLoop(): string | undefined {
  writeFileSync(backing, '');
  execFileSync('truncate', ['-s', String(DISK_BYTES), backing]);
  try {
    return execFileSync('losetup', ['-f', '--show', backing], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return undefined;
  }
}
device = attachLoop();
const kind = device ? 'loop device' : 'PLAIN FILE (no loop device is available)';
const target = device ?? backing;

afterAll(() => {
  if (device) execFileSync('losetup', ['-d', device]);
  rmSync(folder, { recursive: true });
});

/** The real adapter; for a plain file, which is not in /sys, the same handle with the file's own size. */
function disksUnderTest(): Disks {
  const real = createLinuxDisks({ clock: systemClock, log: silentLog, accept: (name) => `/dev/${name}` === device });
  if (device) return real;
  return {
    ...real,
    list: async () => [fakeDisk({ name: backing, size: DISK_BYTES })],
    async open() {
      const file = await open(backing, constants.O_RDWR | constants.O_DIRECT);
      return createDirectHandle({
        file,
        sizeBytes: DISK_BYTES,
        sectorSizeBytes: 512,
        scratch: alignedBuffer(MIB),
        writeZeroes: async () => false,
      });
    },
    release: async () => {},
    rereadPartitions: async () => {},
  };
}

function sampleImage(): Uint8Array {
  const content = new Uint8Array(IMAGE_BYTES);
  const table = createGpt(IMAGE_BYTES, 512, '11111111-2222-4333-8444-555555555555');
  if (!table.ok) throw new Error(table.error.message);
  const add = (gpt: Gpt, number: number, typeGuid: string, sizeBytes: number): Gpt => {
    const guid = `22222222-2222-4333-8444-00000000000${number}`;
    const added = addPartition(gpt, { label: `part${number}`, typeGuid, guid, sizeBytes, atEnd: false });
    if (!added.ok) throw new Error(added.error.message);
    for (const write of added.value.writes) content.set(write.data, write.offset);
    return added.value.gpt;
  };
  add(
    add(table.value.gpt, 1, 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b', 8 * MIB),
    2,
    '0fc63daf-8483-4772-8e79-3d69d8477de4',
    128 * MIB,
  );
  content.set([0xfa, 0xeb, 0x3c], 0);
  // A real file system in the second partition, so that the kernel and blkid can judge.
  const fs = join(folder, 'fs');
  execFileSync('truncate', ['-s', String(128 * MIB), fs]);
  execFileSync('mkfs.ext4', ['-q', '-L', 'root-fs', '-U', '33333333-2222-4333-8444-555555555555', fs]);
  const file = openSync(fs, 'r');
  readSync(file, content, 9 * MIB, 128 * MIB, 0);
  closeSync(file);
  const random = seededRandom(3);
  for (let at = 60 * MIB; at < 100 * MIB; at += 3 * MIB) content.set(random.bytes(300_000), at);
  return content;
}

interface Depot {
  readonly server: Server;
  readonly args: WriteImageArgs;
  servedBytes: number;
  damage: ((data: Buffer, from: number) => void) | undefined;
  onRequest: (() => void) | undefined;
}

async function startDepot(image: { map: BlockMap; bytes: Uint8Array }): Promise<Depot> {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://depot');
    if (request.headers.authorization !== 'Bearer exit-token') return void response.writeHead(401).end();
    if (url.pathname === '/base/exits/exit-1/map') return void response.end(JSON.stringify(image.map));
    if (url.pathname !== '/base/exits/exit-1/extents') return void response.writeHead(404).end();
    depot.onRequest?.();
    const from = Number(url.searchParams.get('from'));
    const extents = image.map.extents.slice(from, from + Number(url.searchParams.get('count')));
    const data = Buffer.concat(extents.map((e) => image.bytes.subarray(e.offset, e.offset + e.length)));
    depot.damage?.(data, from);
    depot.servedBytes += data.length;
    response.writeHead(200, { 'content-length': data.length }).end(data);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const depot: Depot = {
    server,
    servedBytes: 0,
    damage: undefined,
    onRequest: undefined,
    args: {
      image: {
        baseUrl: `http://127.0.0.1:${port}/base/`,
        exitId: 'exit-1',
        token: 'exit-token',
        sizeBytes: image.map.sizeBytes,
        mapSha256: image.map.sha256,
      },
      rootDeviceHints: { name: target },
    },
  };
  return depot;
}

const image = imageOf(sampleImage(), { extentBytes: 4 * MIB });
const read = (offset: number, length: number): Buffer => {
  const data = Buffer.alloc(length);
  const file = openSync(target, 'r');
  readSync(file, data, 0, length, offset);
  closeSync(file);
  return data;
};
const isZero = (data: Uint8Array): boolean => Buffer.compare(data, Buffer.alloc(data.length)) === 0;

describe(`on a ${kind}`, () => {
  let depot: Depot;
  let memory: StepMemory;
  let phases: Set<string>;
  let abort: AbortController;

  const context = (): StepContext => {
    const disks = disksUnderTest();
    return {
      clock: systemClock,
      random: systemRandom,
      hardware: {
        ...createFakeHardware({ bootId: 'b', disks, bootMode: 'bios' }),
        rssBytes: () => process.memoryUsage.rss(),
      },
      disks,
      http: createDepotHttp({ clock: systemClock }),
      run: 'run-1',
      signal: abort.signal,
      memory,
      progress: ({ phase }) => void phases.add(phase),
      choseDisk() {},
      note() {},
    };
  };

  beforeEach(async () => {
    depot = await startDepot(image);
    memory = {};
    phases = new Set();
    abort = new AbortController();
    execFileSync('dd', [
      'if=/dev/zero',
      `of=${target}`,
      'bs=1M',
      `count=${DISK_BYTES / MIB}`,
      'conv=notrunc,fsync',
      'status=none',
    ]);
    // Old data in every block.
    execFileSync('sh', [
      '-c',
      `tr '\\0' '\\377' </dev/zero | dd of=${target} bs=1M count=${DISK_BYTES / MIB} iflag=fullblock conv=notrunc,fsync status=none`,
    ]);
  });
  afterEach(async () => {
    depot.server.closeAllConnections();
    await new Promise((resolve) => depot.server.close(resolve));
  });

  test('every used extent is there, holes are zero, table, drive and boot code are in order', async () => {
    const steps = context();
    const result = await writeImage(depot.args, steps);
    expect(result.disk.name).toBe(target);
    expect([...phases]).toEqual(
      expect.arrayContaining(['checking', 'wiping', 'zeroing', 'writing', 'flushing', 'finishing', 'done']),
    );
    expect(depot.servedBytes).toBe(result.writtenBytes);
    // The table was moved: sector 0 and 1 differ, all else is the image.
    expect(Buffer.compare(read(34 * 512, IMAGE_BYTES - 34 * 512), image.bytes.subarray(34 * 512))).toBe(0);
    expect(read(DISK_BYTES - 512, 8).toString()).toBe('EFI PART');
    expect([...read(0, 3)]).toEqual([0xfa, 0xeb, 0x3c]);
    expect(read(IMAGE_BYTES + 8 * MIB, 1)[0]).toBe(0xff);

    const drive = await writeConfigDrive({ configDrive: { metaData: { uuid: 'u' } }, hostname: 'h' }, steps);
    expect(drive.partition).toMatchObject({ number: 3, created: true });
    expect(await prepareBoot({}, steps)).toMatchObject({ bootMode: 'bios' });

    // sfdisk and blkid judge what we made.
    const table = JSON.parse(execFileSync('sfdisk', ['--json', target], { encoding: 'utf8' })) as {
      partitiontable: { partitions: Array<{ name: string; start: number }>; lastlba: number };
    };
    expect(table.partitiontable.partitions.map((p) => p.name)).toEqual(['part1', 'part2', 'config-2']);
    expect(execFileSync('sfdisk', ['--verify', target], { encoding: 'utf8' })).toContain('No errors detected');
    const probe = (offset: number): string =>
      execFileSync('blkid', ['-p', '-o', 'export', '-O', String(offset), target], { encoding: 'utf8' });
    expect(probe(drive.partition.startBytes)).toContain('LABEL=config-2');
    expect(probe(9 * MIB)).toContain('LABEL=root-fs');

    const erased = await eraseDevicesMetadata(steps);
    expect(erased.disks.map((d) => d.outcome)).toEqual(['erased']);
    expect(execFileSync('wipefs', ['--noheadings', target], { encoding: 'utf8' })).toBe('');
    expect(isZero(read(9 * MIB, MIB))).toBe(true);
  });

  test('cut in the middle: nothing bootable; the retry goes on where it was', async () => {
    let requests = 0;
    depot.onRequest = () => {
      if (++requests === 6) abort.abort(new Error('cancelled'));
    };
    await expect(writeImage(depot.args, context())).rejects.toThrow('cancelled');
    expect(isZero(read(0, MIB))).toBe(true);
    expect(isZero(read(IMAGE_BYTES - MIB, MIB))).toBe(true);
    expect(isZero(read(DISK_BYTES - MIB, MIB))).toBe(true);
    depot.onRequest = undefined;
    abort = new AbortController();
    await writeImage(depot.args, context());
    expect(Buffer.compare(read(34 * 512, IMAGE_BYTES - 34 * 512), image.bytes.subarray(34 * 512))).toBe(0);
  });

  test('damaged data: fails with the digest, nothing bootable', async () => {
    depot.damage = (data, from) => {
      if (from > 2) data[9]! ^= 1;
    };
    await expect(writeImage(depot.args, context())).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    expect(isZero(read(0, MIB))).toBe(true);
    expect(isZero(read(DISK_BYTES - MIB, MIB))).toBe(true);
  });

  test('an image that is too large is refused before the first write', async () => {
    const before = read(0, MIB);
    const args = { ...depot.args, image: { ...depot.args.image, sizeBytes: DISK_BYTES + 512 } };
    await expect(writeImage(args, context())).rejects.toMatchObject({ code: 'IMAGE_TOO_LARGE' });
    expect(Buffer.compare(read(0, MIB), before)).toBe(0);
    expect(depot.servedBytes).toBe(0);
  });

  test('the disk is read as the kernel shows it', async () => {
    const [disk] = await disksUnderTest().list();
    expect(disk).toMatchObject({ name: target, size: DISK_BYTES, logical_sectors: 512, read_only: false });
    expect(basename(disk!.name)).toBe(basename(target));
  });
});
