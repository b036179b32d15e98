import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addPartition,
  createGpt,
  detectSectorSize,
  type Gpt,
  type GptChange,
  guidFromBytes,
  guidToBytes,
  parseGpt,
  type Result,
  relocateBackup,
  type SectorSizeBytes,
} from './index.ts';

const MIB = 1024 * 1024;
const LINUX = '0fc63daf-8483-4772-8e79-3d69d8477de4';
const GUID = '11223344-5566-7788-99aa-bbccddeeff00';

function value<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.error.message);
  return result.value;
}
function apply(disk: Uint8Array, change: GptChange): Uint8Array {
  for (const w of change.writes) disk.set(w.data, w.offset);
  return disk;
}
function disk(sizeBytes: number, sector: SectorSizeBytes = 512): { bytes: Uint8Array; gpt: Gpt } {
  const change = value(createGpt(sizeBytes, sector, GUID));
  return { bytes: apply(new Uint8Array(sizeBytes), change), gpt: change.gpt };
}
const part = (label: string, sizeBytes: number, atEnd: boolean) => ({
  label,
  typeGuid: LINUX,
  guid: GUID,
  sizeBytes,
  atEnd,
});

test('a GUID has three little-endian groups and two as they stand (UEFI 2.10 appendix A)', () => {
  const bytes = Buffer.from('af3dc60f838472478e793d69d8477de4', 'hex');
  expect(guidFromBytes(bytes)).toBe(LINUX);
  expect(Buffer.from(guidToBytes(LINUX) ?? [])).toEqual(bytes);
  expect(guidToBytes('nothing')).toBeUndefined();
});

describe.each([512, 4096] as const)('with sectors of %i bytes', (sector) => {
  test('an empty table is read back', async () => {
    const { bytes, gpt } = disk(16 * MIB, sector);
    expect(value(parseGpt(bytes))).toEqual({ ...gpt, entries: Buffer.from(gpt.entries), mbr: new Uint8Array(gpt.mbr) });
    expect(await detectSectorSize(async (at, length) => bytes.subarray(at, at + length))).toBe(sector);
  });

  test('a table moves to a larger disk, and a partition goes to its end', () => {
    const small = disk(16 * MIB, sector);
    const root = value(addPartition(small.gpt, part('root', 4 * MIB, false)));
    const image = apply(small.bytes, root);
    image.set(Buffer.from('boot code'), 0);
    const large = new Uint8Array(64 * MIB);
    large.set(image);

    const moved = value(relocateBackup(value(parseGpt(large)), large.length));
    const change = value(addPartition(moved.gpt, part('config-2', 100_000, true)));
    apply(large, change);
    const seen = value(parseGpt(large));
    expect(seen.backupLba).toBe((64 * MIB) / sector - 1);
    expect(seen.partitions.map((p) => [p.number, p.label])).toEqual([
      [1, 'root'],
      [2, 'config-2'],
    ]);
    expect(change.partition.firstLba * sector).toBe(62 * MIB);
    expect(seen.partitions[0]?.firstLba).toBe(MIB / sector);
    expect(Buffer.from(large).toString('latin1', 0, 9)).toBe('boot code');
    expect(Buffer.from(large).readUInt32LE(446 + 12)).toBe(seen.backupLba);
    // The backup is a header of its own at the very end.
    expect(Buffer.from(large).toString('latin1', large.length - sector, large.length - sector + 8)).toBe('EFI PART');
  });
});

test('what does not fit is refused', () => {
  const { gpt } = disk(16 * MIB);
  const full = value(addPartition(gpt, part('root', 14 * MIB, false)));
  const outcome = (r: Result<unknown>): string => (r.ok ? 'ok' : `${r.error.code}: ${r.error.message}`);
  expect(outcome(relocateBackup(full.gpt, 8 * MIB))).toContain('NO_ROOM: the partitions end at byte 15728640');
  expect(outcome(addPartition(full.gpt, part('more', MIB, true)))).toContain('NO_ROOM: no gap of 1048576 bytes');
  expect(outcome(addPartition(gpt, part('x'.repeat(37), MIB, true)))).toContain('LIMIT');
  expect(outcome(addPartition(gpt, { ...part('x', MIB, true), guid: 'x' }))).toContain('MALFORMED');
  expect(outcome(addPartition(gpt, { ...part('x', MIB, true), alignBytes: 100 }))).toContain('alignBytes 100');
  expect(outcome(addPartition(gpt, part('x', -1, true)))).toContain('not the size');
  expect(outcome(relocateBackup(gpt, Number.NaN))).toContain('not the size');
  expect(outcome(createGpt(4096, 512, GUID))).toContain('NO_ROOM');
});

test('the changed table is another value', () => {
  const { gpt } = disk(16 * MIB);
  const form = (g: Gpt): unknown => ({
    ...g,
    mbr: Buffer.from(g.mbr).toString('hex'),
    entries: Buffer.from(g.entries).toString('hex'),
  });
  const before = form(gpt);
  value(addPartition(gpt, part('root', MIB, true)));
  value(relocateBackup(gpt, 32 * MIB));
  expect(form(gpt)).toEqual(before);
});

test('a foreign MBR is left alone, an empty one gets its protective record', () => {
  const { gpt } = disk(16 * MIB);
  const foreign = new Uint8Array(512);
  foreign[446 + 4] = 0x83;
  expect(value(relocateBackup({ ...gpt, mbr: foreign }, 32 * MIB)).gpt.mbr).toEqual(Buffer.from(foreign));
  const made = Buffer.from(value(relocateBackup({ ...gpt, mbr: new Uint8Array(512) }, 32 * MIB)).gpt.mbr);
  expect(made.subarray(446, 512).toString('hex')).toContain('ee');
  expect(made.readUInt16LE(510)).toBe(0xaa55);
});

describe('hostile bytes', () => {
  const { bytes, gpt } = disk(16 * MIB);
  const head = apply(bytes, value(addPartition(gpt, part('root', MIB, false)))).slice(0, 34 * 512);

  test('every truncation is refused', () => {
    for (let length = 0; length < head.length; length += 97) expect(parseGpt(head.subarray(0, length)).ok).toBe(false);
    expect(parseGpt(head).ok).toBe(true);
  });

  test('every changed bit of header and entries is noticed', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.nat(91),
          fc.nat(128 * 128 - 1).map((n) => n + 512),
        ),
        fc.nat(7),
        (at, bit) => {
          const changed = Uint8Array.from(head);
          changed[512 + at] = (changed[512 + at] ?? 0) ^ (1 << bit);
          expect(parseGpt(changed).ok).toBe(false);
        },
      ),
    );
  });

  test('random fields with right CRCs never throw', async () => {
    const { crc32 } = await import('node:zlib');
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 68, maxLength: 68 }),
        fc.uint8Array({ minLength: 128, maxLength: 128 }),
        (fields, entry) => {
          const hostile = Buffer.from(head);
          hostile.set(fields.subarray(0, 48), 512 + 24);
          hostile.set(entry, 1024);
          hostile.writeUInt32LE(crc32(hostile.subarray(1024, 1024 + 128 * 128)), 512 + 88);
          hostile.writeUInt32LE(0, 512 + 16);
          hostile.writeUInt32LE(crc32(hostile.subarray(512, 512 + 92)), 512 + 16);
          const result = parseGpt(hostile, 512);
          if (result.ok) relocateBackup(result.value, 64 * MIB);
        },
      ),
    );
  });

  test('overlapping partitions are refused', async () => {
    const { crc32 } = await import('node:zlib');
    const hostile = Buffer.from(head);
    hostile.copy(hostile, 1024 + 128, 1024, 1024 + 128);
    hostile.writeUInt32LE(crc32(hostile.subarray(1024, 1024 + 128 * 128)), 512 + 88);
    hostile.writeUInt32LE(0, 512 + 16);
    hostile.writeUInt32LE(crc32(hostile.subarray(512, 512 + 92)), 512 + 16);
    expect(parseGpt(hostile)).toMatchObject({ error: { message: 'GPT partitions 1 and 2 overlap' } });
  });
});
