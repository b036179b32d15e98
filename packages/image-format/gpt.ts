import { crc32 } from 'node:zlib';
import type { SectorSizeBytes } from './block-map.ts';
import { fail, ok, type Result, type SectorWrite } from './result.ts';

/** One used entry (UEFI 2.10 section 5.3.3). LBAs count sectors of the table's size; `lastLba` belongs to the partition. */
export interface GptPartition {
  /** Its place in the entry array, from 1, as Linux counts. */
  readonly number: number;
  /** Lower case, as `xxxxxxxx-xxxx-...`. */
  readonly typeGuid: string;
  readonly guid: string;
  readonly firstLba: number;
  readonly lastLba: number;
  readonly attributes: bigint;
  readonly label: string;
}

/** A GUID partition table as read from its primary header. Values are never changed in place. */
export interface Gpt {
  readonly sectorSizeBytes: SectorSizeBytes;
  readonly diskGuid: string;
  /** Where the backup header is said to be: the last sector of the disk that the table was made for. */
  readonly backupLba: number;
  readonly firstUsableLba: number;
  readonly lastUsableLba: number;
  readonly entriesLba: number;
  readonly entryCount: number;
  readonly entrySizeBytes: number;
  readonly partitions: readonly GptPartition[];
  /** The entry array as read: `entryCount * entrySizeBytes` bytes. */
  readonly entries: Uint8Array;
  /** Sector 0: boot code and the protective MBR. */
  readonly mbr: Uint8Array;
}

/** A changed table and the sectors that make it so on the disk, in the order in which they should be written. */
export interface GptChange {
  readonly gpt: Gpt;
  readonly writes: readonly SectorWrite[];
}

/** Reading this much from the start of a disk is enough for `parseGpt` on every table it accepts in practice. */
export const GPT_HEAD_BYTES = 64 * 1024;

const SIGNATURE = 'EFI PART';
const HEADER_BYTES = 92;
const MAX_ENTRIES = 4096;
const MAX_ENTRY_BYTES = 4096;
const LABEL_UNITS = 36;
const ZERO_GUID = '00000000-0000-0000-0000-000000000000';
const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const view = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
const roundUp = (value: number, unit: number): number => Math.ceil(value / unit) * unit;

/** A GUID's 16 bytes to text: the first three groups are little-endian (UEFI 2.10 appendix A). */
export function guidFromBytes(bytes: Uint8Array): string {
  const hex = (list: readonly number[]): string =>
    list.map((i) => (bytes[i] ?? 0).toString(16).padStart(2, '0')).join('');
  return [hex([3, 2, 1, 0]), hex([5, 4]), hex([7, 6]), hex([8, 9]), hex([10, 11, 12, 13, 14, 15])].join('-');
}

/** The reverse of `guidFromBytes`; undefined for text that is no GUID. */
export function guidToBytes(guid: string): Uint8Array | undefined {
  if (!GUID.test(guid.toLowerCase())) return undefined;
  const b = Buffer.from(guid.replaceAll('-', ''), 'hex');
  return Uint8Array.from([3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15].map((i) => b[i] ?? 0));
}

/**
 * Reads protective MBR, primary header and entries from `head`, the first bytes of a disk or image (GPT_HEAD_BYTES will do),
 * and checks signature, both CRCs, and that nothing lies outside what the header says (UEFI 2.10 section 5.3.2).
 * Without `sectorSizeBytes` both sizes are tried.
 */
export function parseGpt(head: Uint8Array, sectorSizeBytes?: SectorSizeBytes): Result<Gpt> {
  if (sectorSizeBytes) return parseAt(head, sectorSizeBytes);
  const first = parseAt(head, 512);
  if (first.ok) return first;
  const second = parseAt(head, 4096);
  if (second.ok) return second;
  const signed = (sector: number): boolean => view(head).toString('latin1', sector, sector + 8) === SIGNATURE;
  return signed(4096) && !signed(512) ? second : first;
}

function parseAt(head: Uint8Array, sector: SectorSizeBytes): Result<Gpt> {
  if (head.length < 2 * sector)
    return fail('MALFORMED', `a GPT needs the first ${2 * sector} bytes of the disk, ${head.length} are there`);
  const h = view(head).subarray(sector, 2 * sector);
  if (h.toString('latin1', 0, 8) !== SIGNATURE) return fail('MALFORMED', `no GPT header at byte ${sector}`);
  const headerBytes = h.readUInt32LE(12);
  if (headerBytes < HEADER_BYTES || headerBytes > sector)
    return fail('MALFORMED', `the GPT header says it is ${headerBytes} bytes long, not ${HEADER_BYTES} to ${sector}`);
  const copy = Buffer.from(h.subarray(0, headerBytes));
  copy.writeUInt32LE(0, 16);
  if (crc32(copy) !== h.readUInt32LE(16)) return fail('MALFORMED', 'the CRC of the GPT header is wrong');
  if (h.readUInt32LE(8) >>> 16 !== 1)
    return fail('UNSUPPORTED', `GPT revision ${h.readUInt32LE(8).toString(16)} is not supported, 1.x is`);

  const lba = { own: 24, backup: 32, first: 40, last: 48, entries: 72 };
  const numbers = Object.fromEntries(
    Object.entries(lba).map(([name, at]) => [name, Number(h.readBigUInt64LE(at))]),
  ) as Record<keyof typeof lba, number>;
  for (const [name, value] of Object.entries(numbers))
    if (!Number.isSafeInteger(value * sector))
      return fail('MALFORMED', `the GPT header's ${name} LBA is beyond any disk`);
  const entryCount = h.readUInt32LE(80);
  const entrySizeBytes = h.readUInt32LE(84);
  if (numbers.own !== 1) return fail('MALFORMED', `the primary GPT header says it is at LBA ${numbers.own}, not 1`);
  if (entryCount === 0 || entryCount > MAX_ENTRIES)
    return fail('LIMIT', `the GPT has ${entryCount} entries, 1 to ${MAX_ENTRIES} are allowed`);
  if (entrySizeBytes < 128 || entrySizeBytes > MAX_ENTRY_BYTES || entrySizeBytes % 128 !== 0)
    return fail(
      'MALFORMED',
      `GPT entries of ${entrySizeBytes} bytes, a multiple of 128 up to ${MAX_ENTRY_BYTES} is allowed`,
    );
  const entryBytes = entryCount * entrySizeBytes;
  const start = numbers.entries * sector;
  if (numbers.entries < 2 || numbers.entries * sector + entryBytes > numbers.first * sector)
    return fail('MALFORMED', 'the GPT entries overlap the header or the usable space');
  if (start + entryBytes > head.length)
    return fail('MALFORMED', `the GPT entries end at byte ${start + entryBytes}, only ${head.length} were read`);
  if (numbers.first > numbers.last || numbers.last >= numbers.backup)
    return fail('MALFORMED', 'the GPT header has its first usable, last usable and backup LBA out of order');
  const entries = Buffer.from(view(head).subarray(start, start + entryBytes));
  if (crc32(entries) !== h.readUInt32LE(88)) return fail('MALFORMED', 'the CRC of the GPT entries is wrong');
  const partitions = readEntries(entries, entrySizeBytes, numbers.first, numbers.last);
  if (!partitions.ok) return partitions;
  return ok({
    sectorSizeBytes: sector,
    diskGuid: guidFromBytes(h.subarray(56, 72)),
    backupLba: numbers.backup,
    firstUsableLba: numbers.first,
    lastUsableLba: numbers.last,
    entriesLba: numbers.entries,
    entryCount,
    entrySizeBytes,
    partitions: partitions.value,
    entries,
    mbr: Uint8Array.from(head.subarray(0, sector)),
  });
}

function readEntries(entries: Buffer, size: number, firstUsable: number, lastUsable: number): Result<GptPartition[]> {
  const found: GptPartition[] = [];
  for (let at = 0; at < entries.length; at += size) {
    const typeGuid = guidFromBytes(entries.subarray(at, at + 16));
    if (typeGuid === ZERO_GUID) continue;
    const number = at / size + 1;
    const firstLba = Number(entries.readBigUInt64LE(at + 32));
    const lastLba = Number(entries.readBigUInt64LE(at + 40));
    if (firstLba > lastLba || firstLba < firstUsable || lastLba > lastUsable)
      return fail(
        'MALFORMED',
        `GPT partition ${number} (LBA ${firstLba} to ${lastLba}) lies outside of the usable space`,
      );
    found.push({
      number,
      typeGuid,
      guid: guidFromBytes(entries.subarray(at + 16, at + 32)),
      firstLba,
      lastLba,
      attributes: entries.readBigUInt64LE(at + 48),
      label: entries.toString('utf16le', at + 56, at + 56 + 2 * LABEL_UNITS).split('\0', 1)[0] ?? '',
    });
  }
  const sorted = found.toSorted((a, b) => a.firstLba - b.firstLba);
  for (const [i, p] of sorted.entries()) {
    const next = sorted[i + 1];
    if (next && next.firstLba <= p.lastLba)
      return fail('MALFORMED', `GPT partitions ${p.number} and ${next.number} overlap`);
  }
  return ok(found);
}

/**
 * Moves the backup table to the true end of a disk of `diskSizeBytes` and lets the usable space reach up to it. The writes are
 * backup entries, backup header, primary entries, primary header, protective MBR (its boot code and other entries kept).
 * NO_ROOM if a partition would not fit.
 */
export function relocateBackup(gpt: Gpt, diskSizeBytes: number): Result<GptChange> {
  const sector = gpt.sectorSizeBytes;
  if (!Number.isSafeInteger(diskSizeBytes) || diskSizeBytes <= 0)
    return fail('MALFORMED', `${diskSizeBytes} is not the size of a disk`);
  const backupLba = Math.floor(diskSizeBytes / sector) - 1;
  const lastUsableLba = backupLba - entrySectors(gpt) - 1;
  const end = Math.max(gpt.firstUsableLba, ...gpt.partitions.map((p) => p.lastLba));
  if (end > lastUsableLba)
    return fail(
      'NO_ROOM',
      `the partitions end at byte ${(end + 1) * sector}, a disk of ${diskSizeBytes} bytes has room up to ${(lastUsableLba + 1) * sector}`,
    );
  const changed = { ...gpt, backupLba, lastUsableLba, mbr: protectiveMbr(gpt.mbr, backupLba) };
  return ok({ gpt: changed, writes: serializeGpt(changed) });
}

/** What `addPartition` is told. `sizeBytes` is rounded up to `alignBytes` (default 1 MiB). */
export interface NewPartition {
  /** At most 36 UTF-16 units. */
  readonly label: string;
  readonly typeGuid: string;
  readonly guid: string;
  readonly sizeBytes: number;
  /** True: as far back as it goes, so that what lies before it can grow. False: in the first gap that holds it. */
  readonly atEnd: boolean;
  readonly alignBytes?: number;
}

/**
 * Adds a partition in the first free entry. Relocate the backup first when the table came from an image smaller than the disk.
 * NO_ROOM without a gap or an entry.
 */
export function addPartition(gpt: Gpt, spec: NewPartition): Result<GptChange & { partition: GptPartition }> {
  const { sectorSizeBytes: sector, entrySizeBytes } = gpt;
  const typeGuid = guidToBytes(spec.typeGuid);
  const guid = guidToBytes(spec.guid);
  if (!typeGuid || !guid) return fail('MALFORMED', 'typeGuid and guid of a partition must be GUIDs');
  if (spec.label.length > LABEL_UNITS)
    return fail('LIMIT', `a partition label has at most ${LABEL_UNITS} UTF-16 units`);
  const alignBytes = spec.alignBytes ?? 1024 * 1024;
  if (!Number.isSafeInteger(alignBytes) || alignBytes <= 0 || alignBytes % sector !== 0)
    return fail('MALFORMED', `alignBytes ${alignBytes} is not a multiple of the sector size ${sector}`);
  if (!Number.isSafeInteger(spec.sizeBytes) || spec.sizeBytes <= 0)
    return fail('MALFORMED', `${spec.sizeBytes} is not the size of a partition`);
  const align = alignBytes / sector;
  const count = roundUp(Math.ceil(spec.sizeBytes / sector), align);
  const firstLba = findRoom(gpt, count, align, spec.atEnd);
  if (firstLba === undefined)
    return fail(
      'NO_ROOM',
      `no gap of ${count * sector} bytes between the partitions up to byte ${(gpt.lastUsableLba + 1) * sector}`,
    );
  const used = new Set(gpt.partitions.map((p) => p.number));
  let number = 1;
  while (used.has(number)) number++;
  if (number > gpt.entryCount) return fail('NO_ROOM', `all ${gpt.entryCount} entries of the GPT are in use`);

  const entries = Buffer.from(gpt.entries);
  const at = (number - 1) * entrySizeBytes;
  entries.fill(0, at, at + entrySizeBytes);
  entries.set(typeGuid, at);
  entries.set(guid, at + 16);
  entries.writeBigUInt64LE(BigInt(firstLba), at + 32);
  entries.writeBigUInt64LE(BigInt(firstLba + count - 1), at + 40);
  entries.write(spec.label, at + 56, 2 * LABEL_UNITS, 'utf16le');
  const partition: GptPartition = {
    number,
    typeGuid: spec.typeGuid.toLowerCase(),
    guid: spec.guid.toLowerCase(),
    firstLba,
    lastLba: firstLba + count - 1,
    attributes: 0n,
    label: spec.label,
  };
  const partitions = [...gpt.partitions, partition].toSorted((a, b) => a.number - b.number);
  const changed = { ...gpt, entries, partitions };
  return ok({ gpt: changed, writes: serializeGpt(changed), partition });
}

/** The first LBA of a free run of `count` sectors, aligned; undefined when there is none. */
function findRoom(gpt: Gpt, count: number, align: number, atEnd: boolean): number | undefined {
  const sorted = gpt.partitions.toSorted((a, b) => a.firstLba - b.firstLba);
  const starts = [gpt.firstUsableLba, ...sorted.map((p) => p.lastLba + 1)];
  const ends = [...sorted.map((p) => p.firstLba), gpt.lastUsableLba + 1];
  const gaps = starts.map((start, i) => ({ start, end: ends[i] ?? start }));
  if (atEnd) gaps.reverse();
  for (const gap of gaps) {
    const first = atEnd ? Math.floor((gap.end - count) / align) * align : roundUp(gap.start, align);
    if (first >= gap.start && first + count <= gap.end) return first;
  }
  return undefined;
}

/** Every sector of both copies and the protective MBR, the backup first: a cut leaves one whole table. */
function serializeGpt(gpt: Gpt): SectorWrite[] {
  const sector = gpt.sectorSizeBytes;
  const entries = Buffer.alloc(entrySectors(gpt) * sector);
  entries.set(gpt.entries);
  const backupEntriesLba = gpt.backupLba - entrySectors(gpt);
  const write = (lba: number, data: Uint8Array): SectorWrite => ({ offset: lba * sector, data });
  return [
    write(backupEntriesLba, entries),
    write(gpt.backupLba, header(gpt, gpt.backupLba, 1, backupEntriesLba)),
    write(gpt.entriesLba, entries),
    write(1, header(gpt, 1, gpt.backupLba, gpt.entriesLba)),
    write(0, gpt.mbr),
  ];
}

/** An empty table of 128 entries for a disk of `diskSizeBytes`. */
export function createGpt(
  diskSizeBytes: number,
  sectorSizeBytes: SectorSizeBytes,
  diskGuid: string,
): Result<GptChange> {
  const entrySectorCount = (128 * 128) / sectorSizeBytes;
  const backupLba = Math.floor(diskSizeBytes / sectorSizeBytes) - 1;
  if (!guidToBytes(diskGuid)) return fail('MALFORMED', 'diskGuid must be a GUID');
  if (!Number.isSafeInteger(backupLba) || backupLba < 2 * entrySectorCount + 4)
    return fail('NO_ROOM', `a disk of ${diskSizeBytes} bytes is too small for a GPT`);
  const gpt: Gpt = {
    sectorSizeBytes,
    diskGuid: diskGuid.toLowerCase(),
    backupLba,
    firstUsableLba: 2 + entrySectorCount,
    lastUsableLba: backupLba - entrySectorCount - 1,
    entriesLba: 2,
    entryCount: 128,
    entrySizeBytes: 128,
    partitions: [],
    entries: new Uint8Array(128 * 128),
    mbr: protectiveMbr(new Uint8Array(sectorSizeBytes), backupLba),
  };
  return ok({ gpt, writes: serializeGpt(gpt) });
}

function entrySectors(gpt: Gpt): number {
  return Math.ceil((gpt.entryCount * gpt.entrySizeBytes) / gpt.sectorSizeBytes);
}

function header(gpt: Gpt, ownLba: number, otherLba: number, entriesLba: number): Buffer {
  const h = Buffer.alloc(gpt.sectorSizeBytes);
  h.write(SIGNATURE, 0, 'latin1');
  h.writeUInt32LE(0x0001_0000, 8);
  h.writeUInt32LE(HEADER_BYTES, 12);
  h.writeBigUInt64LE(BigInt(ownLba), 24);
  h.writeBigUInt64LE(BigInt(otherLba), 32);
  h.writeBigUInt64LE(BigInt(gpt.firstUsableLba), 40);
  h.writeBigUInt64LE(BigInt(gpt.lastUsableLba), 48);
  h.set(guidToBytes(gpt.diskGuid) ?? new Uint8Array(16), 56);
  h.writeBigUInt64LE(BigInt(entriesLba), 72);
  h.writeUInt32LE(gpt.entryCount, 80);
  h.writeUInt32LE(gpt.entrySizeBytes, 84);
  h.writeUInt32LE(crc32(gpt.entries), 88);
  h.writeUInt32LE(crc32(h.subarray(0, HEADER_BYTES)), 16);
  return h;
}

/** UEFI 2.10 section 5.2.3: the 0xEE record covers the disk, as far as 32 bits can say; all else of the sector is kept. */
function protectiveMbr(mbr: Uint8Array, backupLba: number): Uint8Array {
  const sector = Buffer.from(mbr);
  const at = [446, 462, 478, 494].find((record) => sector[record + 4] === 0xee);
  if (at === undefined) {
    // A sector with records of other types is a hybrid or foreign MBR: not ours to change.
    if (sector.subarray(446, 510).some((byte) => byte !== 0)) return sector;
    sector.set([0x00, 0x00, 0x02, 0x00, 0xee, 0xff, 0xff, 0xff], 446);
    sector.writeUInt32LE(1, 454);
    sector.writeUInt16LE(0xaa55, 510);
  }
  sector.writeUInt32LE(Math.min(backupLba, 0xffff_ffff), (at ?? 446) + 12);
  return sector;
}

/**
 * The logical sector size that an image was made for: 4096 only where a sound GPT header is found at byte 4096 and none at
 * byte 512. `read` gives `length` bytes at `offset`, or fewer at the end of the image.
 */
export async function detectSectorSize(
  read: (offset: number, length: number) => Promise<Uint8Array>,
): Promise<SectorSizeBytes> {
  const head = await read(0, GPT_HEAD_BYTES);
  if (parseAt(head, 512).ok) return 512;
  return parseAt(head, 4096).ok ? 4096 : 512;
}
