import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type IsoFile, type Result, readIso9660 } from './index.ts';
import { civilTime } from './iso9660-layout.ts';
import { writeIso9660 } from './iso9660-write.ts';

const MIB = 1024 * 1024;
const FILES: readonly IsoFile[] = [
  { path: 'a/b/c.txt', data: Buffer.from('c') },
  { path: 'a/empty', data: new Uint8Array(0) },
  { path: 'ünïcode name with spaces.tar.gz', data: Buffer.alloc(5000, 7) },
  { path: 'upper.TXT', data: Buffer.from('1') },
  { path: 'upper_.txt', data: Buffer.from('2') },
];
const write = (files: readonly IsoFile[]): Result<Uint8Array> =>
  writeIso9660({ volumeLabel: 'label', files, timeMs: 1e12, maxBytes: 16 * MIB });
function value<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.error.message);
  return result.value;
}
const plain = (files: readonly IsoFile[]): Record<string, string> =>
  Object.fromEntries(files.map((f) => [f.path, Buffer.from(f.data).toString('latin1')]));
const said = (result: Result<unknown>): string => (result.ok ? 'ok' : `${result.error.code}: ${result.error.message}`);

test.each([
  [0, [1970, 1, 1, 0, 0, 0]],
  [951_782_399_999, [2000, 2, 28, 23, 59, 59]],
  [951_782_400_000, [2000, 2, 29, 0, 0, 0]],
  [1_772_284_455_000, [2026, 2, 28, 13, 14, 15]],
  [4_107_542_400_000, [2100, 3, 1, 0, 0, 0]],
  [-5, [1970, 1, 1, 0, 0, 0]],
])('civil time of %i', (timeMs, fields) => {
  expect(Object.values(civilTime(timeMs))).toEqual(fields);
});

describe('the image', () => {
  test('holds what was put in, by every kind of names', () => {
    const image = value(write(FILES));
    expect(plain(value(readIso9660(image, MIB)).files)).toEqual(plain(FILES));
    expect(value(readIso9660(image, MIB)).volumeLabel).toBe('label');
    // Without the SP field of the root's record there is no Rock Ridge: the reader falls back to Joliet.
    const root = Buffer.from(image).readUInt32LE(16 * 2048 + 158) * 2048;
    const joliet = Buffer.from(image);
    joliet.fill(0, root + 34, root + 36);
    expect(plain(value(readIso9660(joliet, MIB)).files)).toEqual(plain(FILES));
    // Without the Joliet descriptor only the short names are left.
    joliet[17 * 2048] = 3;
    expect(
      value(readIso9660(joliet, MIB))
        .files.map((f) => f.path)
        .sort(),
    ).toEqual(['_n_code_.gz', 'a/b/c.txt', 'a/empty', 'upper.txt', 'upper_.txt'].sort());
  });

  test('depends on its input alone', () => {
    expect(write(FILES)).toEqual(write(FILES.toReversed()));
    expect(value(write(FILES)).length % 4096).toBe(0);
  });

  test('many files and directories spread over several sectors', () => {
    const many = Array.from({ length: 600 }, (_, i) => ({
      path: `d${i % 7}/same-first-eight-${i}.json`,
      data: Buffer.from(String(i)),
    }));
    expect(plain(value(readIso9660(value(write(many)), MIB)).files)).toEqual(plain(many));
  });

  test('any tree of allowed names comes back', () => {
    const name = fc.stringMatching(/^[a-zA-Z0-9 _äß€-]{1,40}$/).filter((n) => n.trim() !== '');
    const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((p) => p.join('/'));
    const files = fc.uniqueArray(fc.record({ path, data: fc.uint8Array({ maxLength: 3000 }) }), {
      selector: (f) => f.path,
      maxLength: 20,
    });
    fc.assert(
      fc.property(files, (list) => {
        const image = write(list);
        // A name that is a file here and a directory there is the one thing that has to be refused.
        if (!image.ok) return image.error.message.includes('a file and a directory');
        expect(plain(value(readIso9660(image.value, MIB)).files)).toEqual(plain(list));
        return true;
      }),
      { numRuns: 50 },
    );
  });

  test.each([
    ['a traversal', [{ path: '../x', data: FILES[0]!.data }], 'MALFORMED: "../x" cannot be a path'],
    ['an absolute path', [{ path: '/x', data: FILES[0]!.data }], 'cannot be a path'],
    ['a long name', [{ path: 'x'.repeat(101), data: FILES[0]!.data }], 'cannot be a path'],
    ['a deep path', [{ path: 'd/'.repeat(9) + 'x', data: FILES[0]!.data }], 'LIMIT'],
    ['a repeated path', [FILES[0]!, FILES[0]!], 'is there twice'],
    ['too much', [{ path: 'x', data: new Uint8Array(17 * MIB) }], 'LIMIT'],
  ])('refuses %s', (_name, files, expected) => {
    expect(said(write(files))).toContain(expected);
  });
});

describe('hostile images', () => {
  const image = value(write(FILES));
  const rootAt = Buffer.from(image).readUInt32LE(16 * 2048 + 158) * 2048;

  test('every truncation is refused', () => {
    for (let length = 0; length < image.length - 4096; length += 511)
      expect(readIso9660(image.subarray(0, length), MIB).ok).toBe(false);
  });

  test('changed bytes never throw, and never read more than allowed', () => {
    const change = fc.tuple(fc.nat(20 * 2048), fc.nat(255));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 12 }), (changes) => {
        const hostile = Uint8Array.from(image);
        for (const [at, byte] of changes) hostile[16 * 2048 + at] = byte;
        const result = readIso9660(hostile, MIB);
        if (result.ok) expect(result.value.files.reduce((sum, f) => sum + f.data.length, 0)).toBeLessThanOrEqual(MIB);
      }),
      { numRuns: 2000 },
    );
  });

  /** The record of the directory `a` in the root, third after itself and its parent. */
  function recordOfA(hostile: Buffer): number {
    let at = rootAt;
    while (hostile.toString('latin1', at + 33, at + 34) !== 'A' || hostile[at + 32] !== 1) at += hostile[at] ?? 0;
    return at;
  }

  test('a loop of directories is refused', () => {
    const hostile = Buffer.from(image);
    hostile.writeUInt32LE(rootAt / 2048, recordOfA(hostile) + 2);
    expect(said(readIso9660(hostile, MIB))).toContain('loop');
  });

  test('a name that leads out of the tree is refused', () => {
    const hostile = Buffer.from(image);
    const nm = hostile.indexOf('NM', recordOfA(hostile));
    expect(hostile[nm + 5]).toBe('a'.charCodeAt(0));
    hostile.write('/', nm + 5);
    expect(said(readIso9660(hostile, MIB))).toContain('not allowed');
  });

  test('files that share bytes count each', () => {
    expect(said(readIso9660(image, 4000))).toBe('LIMIT: the files of the ISO image are more than 4000 bytes');
  });

  test('bytes that are no image are named so', () => {
    expect(said(readIso9660(new Uint8Array(100_000), MIB))).toContain('no ISO image');
  });
});
