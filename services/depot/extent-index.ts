import type { Extent } from '@bessemer/image-format';

/** Where extents are, without their digests: read by the exit at once, whatever the length of the map. */
export interface ExtentIndex {
  readonly count: number;
  offset(index: number): number;
  length(index: number): number;
}

/** Two doubles per extent, offset and length, in the machine's byte order: the file never leaves the machine. */
export function encodeExtentIndex(extents: readonly Extent[]): Uint8Array {
  const numbers = new Float64Array(extents.length * 2);
  for (const [i, e] of extents.entries()) {
    numbers[2 * i] = e.offset;
    numbers[2 * i + 1] = e.length;
  }
  return new Uint8Array(numbers.buffer);
}

export function decodeExtentIndex(bytes: Uint8Array): ExtentIndex {
  const numbers = new Float64Array(Uint8Array.from(bytes).buffer);
  return {
    count: numbers.length / 2,
    offset: (index) => numbers[2 * index] ?? 0,
    length: (index) => numbers[2 * index + 1] ?? 0,
  };
}
