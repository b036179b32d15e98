import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkQcow2Header, detectCompression, detectDiskFormat } from './detect.ts';
import { ImageError } from './errors.ts';

const said = (fn: () => unknown): string => {
  try {
    return String(fn());
  } catch (error) {
    if (error instanceof ImageError) return `${error.code}: ${error.message}`;
    throw error;
  }
};

/** A version 3 header as docs/interop/qcow2.txt of QEMU lays it out, built byte by byte. */
function qcow2(fields: {
  version?: number;
  backing?: bigint;
  clusterBits?: number;
  size?: bigint;
  crypt?: number;
  incompatible?: bigint;
  extension?: number;
}): Buffer {
  const h = Buffer.alloc(4096);
  h.set([0x51, 0x46, 0x49, 0xfb]);
  h.writeUInt32BE(fields.version ?? 3, 4);
  h.writeBigUInt64BE(fields.backing ?? 0n, 8);
  h.writeUInt32BE(fields.clusterBits ?? 16, 20);
  h.writeBigUInt64BE(fields.size ?? 1_048_576n, 24);
  h.writeUInt32BE(fields.crypt ?? 0, 32);
  h.writeBigUInt64BE(fields.incompatible ?? 0n, 72);
  h.writeUInt32BE(104, 100);
  h.writeUInt32BE(fields.extension ?? 0, 104);
  return h;
}

test('compressions by their first bytes', () => {
  expect(detectCompression(Buffer.from('1f8b08', 'hex'))).toBe('gzip');
  expect(detectCompression(Buffer.from('fd377a585a00', 'hex'))).toBe('xz');
  expect(detectCompression(Buffer.from('28b52ffd', 'hex'))).toBe('zstd');
  expect(detectCompression(new Uint8Array(0))).toBeUndefined();
});

test('a hybrid ISO is a disk, a plain one is not', () => {
  const iso = Buffer.alloc(40_000);
  iso.write('CD001', 32_769);
  expect(said(() => detectDiskFormat(iso))).toContain('UNSUPPORTED_FORMAT: the image is in format iso');
  iso.writeUInt16LE(0xaa55, 510);
  expect(said(() => detectDiskFormat(iso))).toBe('raw');
});

describe('qcow2 headers', () => {
  test.each([
    ['sound', {}, '1048576'],
    ['version 2', { version: 2 }, '1048576'],
    ['version 9', { version: 9 }, 'UNSUPPORTED_FORMAT: qcow2 version 9'],
    ['with a backing file', { backing: 520n }, 'UNSUPPORTED_FORMAT: the qcow2 image has a backing file'],
    ['with external data', { incompatible: 4n }, 'UNSUPPORTED_FORMAT: the qcow2 image keeps its data in another file'],
    ['marked corrupt', { incompatible: 2n }, 'CORRUPT: the qcow2 image is marked as corrupt'],
    ['of the future', { incompatible: 64n }, 'uses features that are not supported'],
    ['encrypted', { crypt: 2 }, 'UNSUPPORTED_FORMAT: the qcow2 image is encrypted'],
    ['too large', { size: 1n << 62n }, 'TOO_LARGE'],
    ['of no size', { size: 0n }, 'CORRUPT'],
    ['with strange clusters', { clusterBits: 40 }, 'CORRUPT'],
    ['that names a data file', { extension: 0x44415441 }, 'names another file'],
    ['that names a backing format', { extension: 0xe2792aca }, 'names another file'],
  ])('%s', (_name, fields, expected) => {
    expect(said(() => checkQcow2Header(qcow2(fields), 1 << 30))).toContain(expected);
  });

  test('hostile bytes give an ImageError or a size', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        said(() => checkQcow2Header(bytes, 1 << 30));
        said(() => detectDiskFormat(bytes));
      }),
    );
  });
});
