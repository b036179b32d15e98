import { paddedSizeBytes, type BlockMap } from '@bessemer/image-format';

const HELD_BACK_BYTES = 1024 * 1024;

/** Byte ranges [0, headEnd) and [tailStart, end) of an image are written last: without them nothing boots or is found. */
export function heldBack(map: BlockMap): { headEnd: number; tailStart: number; end: number } {
  const end = paddedSizeBytes(map.sizeBytes);
  const headEnd = Math.min(HELD_BACK_BYTES, end);
  return { headEnd, tailStart: Math.max(headEnd, end - HELD_BACK_BYTES), end };
}
