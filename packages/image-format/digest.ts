import { createHash, timingSafeEqual } from 'node:crypto';
import { fail, ok, type Result } from './result.ts';

/** Ironic's `os_hash_algo` names that are accepted. */
const DIGEST_ALGORITHMS = ['md5', 'sha1', 'sha256', 'sha512'] as const;
export type DigestAlgorithm = (typeof DIGEST_ALGORITHMS)[number];

const DIGEST_HEX_LENGTH: Readonly<Record<DigestAlgorithm, number>> = {
  md5: 32,
  sha1: 40,
  sha256: 64,
  sha512: 128,
};

/** An expected digest: `hex` is lower case and as long as its algorithm says. */
export interface ExpectedDigest {
  readonly algorithm: DigestAlgorithm;
  readonly hex: string;
}

/**
 * Reads a checksum as Ironic's API gives it: `os_hash_value` with `os_hash_algo`, or `image_checksum` alone, whose algorithm is
 * guessed by its length. MD5 can be forged, so it is refused.
 */
export function parseExpectedDigest(checksum: string, algorithm?: string): Result<ExpectedDigest> {
  const hex = checksum.trim().toLowerCase();
  if (!/^[0-9a-f]+$/.test(hex))
    return fail(
      'MALFORMED',
      'the image checksum is not hexadecimal: give the digest itself, not the address of a list',
    );
  const name = algorithm?.trim().toLowerCase().replace('-', '');
  const found = name
    ? DIGEST_ALGORITHMS.find((a) => a === name)
    : DIGEST_ALGORITHMS.find((a) => DIGEST_HEX_LENGTH[a] === hex.length);
  if (!found)
    return fail(
      'UNSUPPORTED',
      name
        ? `checksum algorithm "${name.slice(0, 32)}" is not supported: use sha256 or sha512`
        : `an image checksum of ${hex.length} hexadecimal digits matches no algorithm: use sha256 (64 digits) or sha512 (128 digits)`,
    );
  if (hex.length !== DIGEST_HEX_LENGTH[found])
    return fail(
      'MALFORMED',
      `a ${found} checksum has ${DIGEST_HEX_LENGTH[found]} hexadecimal digits, this one has ${hex.length}`,
    );
  if (found === 'md5')
    return fail('UNSUPPORTED', 'MD5 checksums can be forged and are refused: give a sha256 or sha512 checksum');
  return ok({ algorithm: found, hex });
}

/** An incremental digest. `hex()` ends it. */
export interface Digest {
  update(data: Uint8Array): void;
  hex(): string;
}

export function createDigest(algorithm: DigestAlgorithm): Digest {
  const hash = createHash(algorithm);
  return { update: (data) => void hash.update(data), hex: () => hash.digest('hex') };
}

/** The digest of one piece of bytes, lower-case hexadecimal. */
export function digestOf(algorithm: DigestAlgorithm, data: Uint8Array | string): string {
  return createHash(algorithm).update(data).digest('hex');
}

/** Compares two digests or tokens in constant time; strings of different length are unequal. */
export function equalInConstantTime(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}
