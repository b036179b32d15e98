import { ImageError } from './errors.ts';

export type Compression = 'gzip' | 'xz' | 'zstd';
export type DiskFormat = 'raw' | 'qcow2';

/** This much of the start of a file is enough for `detectCompression` and `detectDiskFormat`. */
export const DETECT_BYTES = 64 * 1024;

const startsWith = (head: Uint8Array, ...bytes: number[]): boolean => bytes.every((b, i) => head[i] === b);
const text = (head: Uint8Array, at: number, length: number): string =>
  Buffer.from(head.subarray(at, at + length)).toString('latin1');

/** The compression around an image, by its first bytes; undefined for none. */
export function detectCompression(head: Uint8Array): Compression | undefined {
  if (startsWith(head, 0x1f, 0x8b)) return 'gzip';
  if (startsWith(head, 0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00)) return 'xz';
  if (startsWith(head, 0x28, 0xb5, 0x2f, 0xfd)) return 'zstd';
  return undefined;
}

/** Forms that would be written to a disk as garbage if they were taken for raw. */
const REFUSED: ReadonlyArray<readonly [string, (head: Uint8Array) => boolean]> = [
  ['bzip2', (h) => text(h, 0, 3) === 'BZh' && text(h, 4, 6) === '1AY&SY'],
  ['zip', (h) => startsWith(h, 0x50, 0x4b, 0x03, 0x04)],
  ['7z', (h) => startsWith(h, 0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c)],
  ['vmdk', (h) => text(h, 0, 4) === 'KDMV' || text(h, 0, 4) === 'COWD' || text(h, 0, 21) === '# Disk DescriptorFile'],
  ['vhdx', (h) => text(h, 0, 8) === 'vhdxfile'],
  ['vhd', (h) => text(h, 0, 8) === 'conectix'],
  ['vdi', (h) => startsWith(h.subarray(64), 0x7f, 0x10, 0xda, 0xbe)],
  ['qed', (h) => startsWith(h, 0x51, 0x45, 0x44, 0x00)],
  ['luks', (h) => startsWith(h, 0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe)],
  ['squashfs', (h) => text(h, 0, 4) === 'hsqs'],
  ['tar', (h) => text(h, 257, 5) === 'ustar'],
  ['iso', (h) => text(h, 32_769, 5) === 'CD001' && !(h[510] === 0x55 && h[511] === 0xaa)],
];

/**
 * The format of an image that is not compressed. Throws UNSUPPORTED_FORMAT for another known one, and for one that differs from
 * what the operator `declared`: an image that lies about its format could make a converter read other files.
 */
export function detectDiskFormat(head: Uint8Array, declared?: string): DiskFormat {
  const other = REFUSED.find(([, matches]) => matches(head))?.[0] ?? detectCompression(head);
  if (other)
    throw new ImageError(
      'UNSUPPORTED_FORMAT',
      `the image is in format ${other}: give a raw or qcow2 image, as it is or compressed once by gzip, xz or zstd`,
    );
  const found: DiskFormat = startsWith(head, 0x51, 0x46, 0x49, 0xfb) ? 'qcow2' : 'raw';
  checkDeclared(found, declared);
  return found;
}

/** Throws UNSUPPORTED_FORMAT when the operator declared another disk format than the one found. */
export function checkDeclared(found: string, declared: string | undefined): void {
  if (!declared || declared.toLowerCase() === found) return;
  throw new ImageError(
    'UNSUPPORTED_FORMAT',
    `the image is declared as ${declared.slice(0, 32)} and is ${found}: correct image_disk_format`,
  );
}

const QCOW2_CORRUPT = 1n << 1n;
const QCOW2_EXTERNAL_DATA = 1n << 2n;
const QCOW2_KNOWN_INCOMPATIBLE = 0x1fn;
const EXTENSION_EXTERNAL_DATA = 0x44415441;
const EXTENSION_BACKING_FORMAT = 0xe2792aca;

/**
 * Checks a qcow2 header (docs/interop/qcow2.txt of QEMU) before any tool opens the file: no backing file, no external data file,
 * no encryption, not marked corrupt, and a size within the limit. Gives the size of the disk. Throws ImageError.
 */
export function checkQcow2Header(head: Uint8Array, maxImageBytes: number): number {
  const h = Buffer.from(head.buffer, head.byteOffset, head.length);
  if (h.length < 104) throw new ImageError('CORRUPT', 'the qcow2 image is shorter than its header');
  const version = h.readUInt32BE(4);
  if (version !== 2 && version !== 3)
    throw new ImageError('UNSUPPORTED_FORMAT', `qcow2 version ${version} is not supported, 2 and 3 are`);
  if (h.readBigUInt64BE(8) !== 0n || h.readUInt32BE(16) !== 0)
    throw new ImageError(
      'UNSUPPORTED_FORMAT',
      'the qcow2 image has a backing file, which is refused: flatten it by qemu-img convert',
    );
  if (h.readUInt32BE(32) !== 0)
    throw new ImageError('UNSUPPORTED_FORMAT', 'the qcow2 image is encrypted, which is not supported');
  const clusterBits = h.readUInt32BE(20);
  if (clusterBits < 9 || clusterBits > 21)
    throw new ImageError('CORRUPT', `the qcow2 image has clusters of 2^${clusterBits} bytes`);
  const size = h.readBigUInt64BE(24);
  if (size > BigInt(maxImageBytes))
    throw new ImageError('TOO_LARGE', `the image is a disk of ${size} bytes, at most ${maxImageBytes} are allowed`);
  if (size === 0n) throw new ImageError('CORRUPT', 'the qcow2 image is a disk of no size');
  const incompatible = version === 3 ? h.readBigUInt64BE(72) : 0n;
  if (incompatible & QCOW2_EXTERNAL_DATA)
    throw new ImageError(
      'UNSUPPORTED_FORMAT',
      'the qcow2 image keeps its data in another file, which is refused: convert it by qemu-img convert',
    );
  if (incompatible & QCOW2_CORRUPT)
    throw new ImageError('CORRUPT', 'the qcow2 image is marked as corrupt: repair it by qemu-img check');
  if (incompatible & ~QCOW2_KNOWN_INCOMPATIBLE)
    throw new ImageError('UNSUPPORTED_FORMAT', 'the qcow2 image uses features that are not supported');
  const headerBytes = version === 3 ? h.readUInt32BE(100) : 72;
  for (let at = headerBytes; at + 8 <= Math.min(h.length, 1 << clusterBits); ) {
    const type = h.readUInt32BE(at);
    if (type === 0) break;
    if (type === EXTENSION_EXTERNAL_DATA || type === EXTENSION_BACKING_FORMAT)
      throw new ImageError('UNSUPPORTED_FORMAT', 'the qcow2 header names another file or its format, which is refused');
    at += 8 + Math.ceil(h.readUInt32BE(at + 4) / 8) * 8;
  }
  return Number(size);
}
