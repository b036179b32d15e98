/** The images of the simulated depot, the disks they are written to, and the comparison of the two. */
import { addPartition, createGpt, digestOf, GPT_HEAD_BYTES, parseGpt, type BlockMap } from '@bessemer/image-format';
import { seededRandom } from '@bessemer/ports/testing';
import { imageOf, type FakeMedium } from '@bessemer/ramdisk-agent/testing';

const MIB = 1024 * 1024;
const PAGE_BYTES = 4096;
const ESP_GUID = 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b';
const IMAGE_BYTES = 4 * MIB;
/** Sector 0 after its boot code, and the primary table: these are the disk's own once the table has been fitted to it. */
const OWN_FROM = 440;
const OWN_TO = 34 * 512;

export interface SimImage {
  readonly source: string;
  readonly checksum: string;
  readonly map: BlockMap;
  readonly bytes: Uint8Array;
}

/** An image with a partition table, boot code, an EFI partition, data before and behind the first MiB, and holes. */
export function createImage(name: string, seed: number): SimImage {
  const random = seededRandom(seed);
  const content = new Uint8Array(IMAGE_BYTES);
  const empty = createGpt(IMAGE_BYTES, 512, random.uuid());
  if (!empty.ok) throw new Error(empty.error.message);
  const table = addPartition(empty.value.gpt, {
    label: 'esp',
    typeGuid: ESP_GUID,
    guid: random.uuid(),
    sizeBytes: MIB,
    atEnd: false,
  });
  if (!table.ok) throw new Error(table.error.message);
  for (const write of table.value.writes) content.set(write.data, write.offset);
  content.set(random.bytes(400), 0);
  for (const offset of [MIB / 2, MIB + 65_536, 2 * MIB, 2 * MIB + 131_072, 3 * MIB])
    content.set(random.bytes(PAGE_BYTES), offset);
  const { map, bytes } = imageOf(content, { extentBytes: 65_536 });
  return { source: `http://images.test/${name}`, checksum: digestOf('sha256', bytes), map, bytes };
}

const ZERO_PAGE = Buffer.alloc(PAGE_BYTES);

/** A disk's contents in pages; pages of zeroes take no room, so that thousands of machines fit. */
export function createSparseMedium(): FakeMedium {
  const pages = new Map<number, Buffer>();
  function each(offset: number, length: number, visit: (page: number, from: number, to: number, at: number) => void) {
    for (let at = 0; at < length; ) {
      const from = (offset + at) % PAGE_BYTES;
      const to = Math.min(PAGE_BYTES, from + length - at);
      visit(Math.floor((offset + at) / PAGE_BYTES), from, to, at);
      at += to - from;
    }
  }
  return {
    read(offset, length) {
      const result = new Uint8Array(length);
      each(offset, length, (page, from, to, at) => {
        const found = pages.get(page);
        if (found) result.set(found.subarray(from, to), at);
      });
      return result;
    },
    write(offset, data) {
      each(offset, data.length, (page, from, to, at) => {
        const piece = data.subarray(at, at + to - from);
        if (piece.length === PAGE_BYTES && ZERO_PAGE.equals(piece)) return void pages.delete(page);
        let found = pages.get(page);
        if (!found) pages.set(page, (found = Buffer.alloc(PAGE_BYTES)));
        found.set(piece, from);
      });
    },
    zero(offset, length) {
      each(offset, length, (page, from, to) => {
        if (from === 0 && to === PAGE_BYTES) pages.delete(page);
        else pages.get(page)?.fill(0, from, to);
      });
    },
  };
}

/** Whether firmware would start it: boot code with its mark, and a sound table with an EFI partition. */
export function isBootable(medium: FakeMedium): boolean {
  const head = medium.read(0, GPT_HEAD_BYTES);
  if (head[510] !== 0x55 || head[511] !== 0xaa) return false;
  const gpt = parseGpt(head);
  return gpt.ok && gpt.value.partitions.some((partition) => partition.typeGuid === ESP_GUID);
}

const viewOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);

/** What is wrong with a disk that should hold the image and a config drive; undefined when nothing is. */
export function differenceOf(medium: FakeMedium, image: SimImage): string | undefined {
  const expected = viewOf(image.bytes);
  const found = viewOf(medium.read(0, expected.length));
  const differs = (from: number, to: number): boolean => !found.subarray(from, to).equals(expected.subarray(from, to));
  if (differs(0, OWN_FROM)) return 'the boot code differs';
  // Holes read as zeroes in the image, so this compares them too.
  for (let from = OWN_TO; from < expected.length; from += PAGE_BYTES)
    if (differs(from, Math.min(from + PAGE_BYTES, expected.length))) return `the bytes from ${from} on differ`;
  const gpt = parseGpt(medium.read(0, GPT_HEAD_BYTES));
  if (!gpt.ok) return `the partition table is not sound: ${gpt.error.message}`;
  if (!gpt.value.partitions.some((partition) => partition.label === 'config-2')) return 'there is no config drive';
  return undefined;
}
