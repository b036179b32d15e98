import { expect, test } from 'vitest';
import { createDigest, digestOf, equalInConstantTime, parseExpectedDigest } from './index.ts';

const SHA256_ABC = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';

test('an incremental digest equals the digest of the whole (FIPS 180-2 appendix B.1)', () => {
  const digest = createDigest('sha256');
  digest.update(Buffer.from('a'));
  digest.update(Buffer.from('bc'));
  expect(digest.hex()).toBe(SHA256_ABC);
  expect(digestOf('sha256', 'abc')).toBe(SHA256_ABC);
});

test('the algorithm is guessed by length, or named', () => {
  expect(parseExpectedDigest(` ${SHA256_ABC.toUpperCase()}\n`)).toEqual({
    ok: true,
    value: { algorithm: 'sha256', hex: SHA256_ABC },
  });
  expect(parseExpectedDigest('a'.repeat(128))).toMatchObject({ value: { algorithm: 'sha512' } });
  expect(parseExpectedDigest('a'.repeat(40), 'SHA1')).toMatchObject({ value: { algorithm: 'sha1' } });
  expect(parseExpectedDigest(SHA256_ABC, 'sha-256')).toMatchObject({ value: { algorithm: 'sha256' } });
});

test('MD5 is refused', () => {
  expect(parseExpectedDigest('a'.repeat(32))).toMatchObject({ ok: false, error: { code: 'UNSUPPORTED' } });
});

test.each([
  ['https://example.org/SHA256SUMS', undefined, 'not hexadecimal'],
  ['abcd', undefined, '4 hexadecimal digits matches no algorithm'],
  ['abcd', 'sha256', 'has 64 hexadecimal digits, this one has 4'],
  [SHA256_ABC, 'crc32', 'algorithm "crc32" is not supported'],
])('refuses %s as %s', (checksum, algorithm, said) => {
  const result = parseExpectedDigest(checksum, algorithm);
  expect(result.ok ? 'ok' : result.error.message).toContain(said);
});

test('constant-time comparison', () => {
  expect(equalInConstantTime('abc', 'abc')).toBe(true);
  expect(equalInConstantTime('abc', 'abd')).toBe(false);
  expect(equalInConstantTime('abc', 'ab')).toBe(false);
});
