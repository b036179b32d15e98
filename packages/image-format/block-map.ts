import { createHash } from 'node:crypto';
import { fail, ok, type Result } from './result.ts';

export type SectorSizeBytes = 512 | 4096;

/** A used piece of an image. `offset` and `length` are multiples of 4096, `length` is at most 4 MiB. */
export interface Extent {
  readonly offset: number;
  readonly length: number;
  /** SHA-256 of exactly `length` bytes, lower-case hexadecimal. */
  readonly sha256: string;
}

/**
 * The used parts of a raw image, ascending and without overlap; everything between them reads as zeroes.
 * `sizeBytes` is the image's own size; where it is no multiple of 4096 the last extent may reach up to the next one, padded
 * with zeroes.
 */
export interface BlockMap {
  readonly version: 1;
  readonly sizeBytes: number;
  /** The logical sector size that the image's partition table was made for. */
  readonly sectorSizeBytes: SectorSizeBytes;
  readonly extents: readonly Extent[];
  /** SHA-256 over the canonical form: see `blockMapDigest`. */
  readonly sha256: string;
}

export const EXTENT_ALIGN_BYTES = 4096;
export const MAX_EXTENT_BYTES = 4 * 1024 * 1024;
const MAX_EXTENTS = 1 << 20;
/** 4 TiB: a full image of this size is MAX_EXTENTS extents of the largest size. */
const MAX_IMAGE_BYTES = MAX_EXTENTS * MAX_EXTENT_BYTES;
/** A longer text is refused before it is parsed. */
export const MAX_BLOCK_MAP_JSON_BYTES = 160 * 1024 * 1024;

const SHA256_HEX = /^[0-9a-f]{64}$/;

/** The digest of the canonical form: one line with version, size and sector size, then `offset length sha256` per extent. */
function blockMapDigest(map: Omit<BlockMap, 'sha256'>): string {
  const hash = createHash('sha256');
  hash.update(`block-map ${map.version} ${map.sizeBytes} ${map.sectorSizeBytes}\n`);
  for (const e of map.extents) hash.update(`${e.offset} ${e.length} ${e.sha256}\n`);
  return hash.digest('hex');
}

/** Makes a map of extents that are already in order, with its digest. */
export function makeBlockMap(
  sizeBytes: number,
  sectorSizeBytes: SectorSizeBytes,
  extents: readonly Extent[],
): BlockMap {
  const body = { version: 1 as const, sizeBytes, sectorSizeBytes, extents };
  return { ...body, sha256: blockMapDigest(body) };
}

/** Bytes that have to be sent and written: the sum of the extents' lengths. */
export function usedBytes(map: BlockMap): number {
  let sum = 0;
  for (const e of map.extents) sum += e.length;
  return sum;
}

/** `sizeBytes` rounded up to the alignment of extents. */
export function paddedSizeBytes(sizeBytes: number): number {
  return Math.ceil(sizeBytes / EXTENT_ALIGN_BYTES) * EXTENT_ALIGN_BYTES;
}

/**
 * Reads a block map from JSON text, its bytes, or an already parsed value, and checks all that `BlockMap` promises, the digest
 * included. Pass `expectedSha256` when the digest was told by a trusted party.
 */
export function parseBlockMap(json: unknown, expectedSha256?: string): Result<BlockMap> {
  let value = json;
  if (typeof json === 'string' || json instanceof Uint8Array) {
    if (json.length > MAX_BLOCK_MAP_JSON_BYTES)
      return fail('LIMIT', `the block map is ${json.length} long, at most ${MAX_BLOCK_MAP_JSON_BYTES} are allowed`);
    try {
      value = JSON.parse(
        typeof json === 'string' ? json : Buffer.from(json.buffer, json.byteOffset, json.length).toString(),
      );
    } catch {
      return fail('MALFORMED', 'the block map is not JSON');
    }
  }
  if (!isObject(value)) return fail('MALFORMED', 'the block map is not a JSON object');
  const { version, sizeBytes, sectorSizeBytes, extents, sha256 } = value;
  if (version !== 1) return fail('UNSUPPORTED', `block map version ${printable(version)} is not supported, 1 is`);
  if (!isCount(sizeBytes) || sizeBytes === 0)
    return fail('MALFORMED', `sizeBytes is ${printable(sizeBytes)}, not a positive whole number`);
  if (sizeBytes > MAX_IMAGE_BYTES)
    return fail('LIMIT', `sizeBytes is ${sizeBytes}, at most ${MAX_IMAGE_BYTES} are allowed`);
  if (sectorSizeBytes !== 512 && sectorSizeBytes !== 4096)
    return fail('MALFORMED', `sectorSizeBytes is ${printable(sectorSizeBytes)}, not 512 or 4096`);
  if (!Array.isArray(extents)) return fail('MALFORMED', 'extents is not an array');
  if (extents.length > MAX_EXTENTS)
    return fail('LIMIT', `${extents.length} extents, at most ${MAX_EXTENTS} are allowed`);
  if (typeof sha256 !== 'string' || !SHA256_HEX.test(sha256))
    return fail('MALFORMED', 'sha256 of the map is not 64 lower-case hexadecimal digits');

  const endOfImage = paddedSizeBytes(sizeBytes);
  const checked: Extent[] = [];
  let endOfLast = 0;
  for (const [index, extent] of extents.entries()) {
    const at = `extents[${index}]`;
    if (!isObject(extent)) return fail('MALFORMED', `${at} is not an object`);
    const { offset, length, sha256: digest } = extent;
    if (!isCount(offset) || offset % EXTENT_ALIGN_BYTES !== 0)
      return fail('MALFORMED', `${at}.offset is ${printable(offset)}, not a multiple of ${EXTENT_ALIGN_BYTES}`);
    if (!isCount(length) || length === 0 || length % EXTENT_ALIGN_BYTES !== 0)
      return fail(
        'MALFORMED',
        `${at}.length is ${printable(length)}, not a positive multiple of ${EXTENT_ALIGN_BYTES}`,
      );
    if (length > MAX_EXTENT_BYTES)
      return fail('LIMIT', `${at}.length is ${length}, at most ${MAX_EXTENT_BYTES} are allowed`);
    if (offset < endOfLast)
      return fail('MALFORMED', `${at} starts at ${offset}, before the end of its predecessor at ${endOfLast}`);
    if (offset + length > endOfImage)
      return fail('MALFORMED', `${at} ends at ${offset + length}, behind the end of the image at ${endOfImage}`);
    if (typeof digest !== 'string' || !SHA256_HEX.test(digest))
      return fail('MALFORMED', `${at}.sha256 is not 64 lower-case hexadecimal digits`);
    endOfLast = offset + length;
    checked.push({ offset, length, sha256: digest });
  }
  const map = makeBlockMap(sizeBytes, sectorSizeBytes, checked);
  if (map.sha256 !== sha256)
    return fail('MALFORMED', `the map's digest is ${map.sha256}, its sha256 field says ${sha256}`);
  if (expectedSha256 !== undefined && expectedSha256 !== sha256)
    return fail('MALFORMED', `the map's digest is ${sha256}, ${expectedSha256} was expected`);
  return ok(map);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function printable(value: unknown): string {
  return (JSON.stringify(value) ?? 'absent').slice(0, 40);
}
