import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { detectSectorSize, makeBlockMap, parseBlockMap, usedBytes } from './index.ts';

const HEX = 'ab'.repeat(32);
const good = makeBlockMap(10_000_000, 512, [
  { offset: 0, length: 4096, sha256: HEX },
  { offset: 8192, length: 4 * 1024 * 1024, sha256: HEX },
  { offset: 9_998_336, length: 4096, sha256: HEX },
]);

const message = (value: unknown, expected?: string): string => {
  const result = parseBlockMap(value, expected);
  return result.ok ? 'ok' : `${result.error.code}: ${result.error.message}`;
};
const withExtent = (extent: object): unknown => ({ ...good, extents: [extent] });

describe('parseBlockMap', () => {
  test('reads text, bytes and values alike, and forgets unknown keys', () => {
    const text = JSON.stringify({ ...good, other: 1 });
    for (const form of [text, Buffer.from(text), JSON.parse(text)])
      expect(parseBlockMap(form)).toEqual({ ok: true, value: good });
    expect(usedBytes(good)).toBe(2 * 4096 + 4 * 1024 * 1024);
  });

  test('the digest covers the canonical lines', () => {
    const lines = `block-map 1 10000000 512\n0 4096 ${HEX}\n8192 4194304 ${HEX}\n9998336 4096 ${HEX}\n`;
    expect(good.sha256).toBe(createHash('sha256').update(lines).digest('hex'));
  });

  test.each([
    ['no JSON', '{', 'MALFORMED: the block map is not JSON'],
    ['a list', [], 'MALFORMED: the block map is not a JSON object'],
    ['a later version', { ...good, version: 2 }, 'UNSUPPORTED: block map version 2 is not supported, 1 is'],
    ['no size', { ...good, sizeBytes: 0 }, 'MALFORMED: sizeBytes is 0, not a positive whole number'],
    ['a fraction', { ...good, sizeBytes: 1.5 }, 'MALFORMED: sizeBytes is 1.5, not a positive whole number'],
    ['a huge size', { ...good, sizeBytes: 2 ** 50 }, `LIMIT: sizeBytes is ${2 ** 50}, at most ${2 ** 42} are allowed`],
    ['a strange sector', { ...good, sectorSizeBytes: 520 }, 'MALFORMED: sectorSizeBytes is 520, not 512 or 4096'],
    ['no extents', { ...good, extents: null }, 'MALFORMED: extents is not an array'],
    [
      'no digest',
      { ...good, sha256: HEX.toUpperCase() },
      'MALFORMED: sha256 of the map is not 64 lower-case hexadecimal digits',
    ],
    [
      'another digest',
      { ...good, sha256: HEX },
      `MALFORMED: the map's digest is ${good.sha256}, its sha256 field says ${HEX}`,
    ],
    [
      'an odd offset',
      withExtent({ offset: 512, length: 4096, sha256: HEX }),
      'MALFORMED: extents[0].offset is 512, not a multiple of 4096',
    ],
    [
      'a negative offset',
      withExtent({ offset: -4096, length: 4096, sha256: HEX }),
      'MALFORMED: extents[0].offset is -4096, not a multiple of 4096',
    ],
    [
      'an empty extent',
      withExtent({ offset: 0, length: 0, sha256: HEX }),
      'MALFORMED: extents[0].length is 0, not a positive multiple of 4096',
    ],
    [
      'a long extent',
      withExtent({ offset: 0, length: 4_198_400, sha256: HEX }),
      'LIMIT: extents[0].length is 4198400, at most 4194304 are allowed',
    ],
    [
      'an extent behind the end',
      withExtent({ offset: 10_002_432, length: 4096, sha256: HEX }),
      'MALFORMED: extents[0] ends at 10006528, behind the end of the image at 10002432',
    ],
    [
      'an extent without digest',
      withExtent({ offset: 0, length: 4096 }),
      'MALFORMED: extents[0].sha256 is not 64 lower-case hexadecimal digits',
    ],
    ['no extent', withExtent([]), 'MALFORMED: extents[0] is not an object'],
    [
      'an overlap',
      { ...good, extents: [good.extents[1], good.extents[0]] },
      'MALFORMED: extents[1] starts at 0, before the end of its predecessor at 4202496',
    ],
  ])('refuses %s', (_name, value, expected) => {
    expect(message(value)).toBe(expected);
  });

  test('refuses a sound map that is not the expected one', () => {
    expect(message(good, HEX)).toContain('was expected');
    expect(message(good, good.sha256)).toBe('ok');
  });

  test('never throws', () => {
    fc.assert(fc.property(fc.anything(), (value) => void parseBlockMap(value)));
    fc.assert(fc.property(fc.string(), (value) => void parseBlockMap(value)));
    const mutated = fc.record(Object.fromEntries(Object.keys(good).map((k) => [k, fc.jsonValue()])));
    fc.assert(fc.property(mutated, (value) => !parseBlockMap({ ...good, ...value }).ok));
  });
});

test('an image without a GPT is taken as one of 512-byte sectors', async () => {
  expect(await detectSectorSize(async () => new Uint8Array(0))).toBe(512);
  expect(await detectSectorSize(async (_offset, length) => new Uint8Array(length).fill(0xff))).toBe(512);
});
