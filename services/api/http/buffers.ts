/**
 * Memory for long answers, used again: the system hands out megabytes as pages that it fills with zeros first, and the garbage
 * collector looks for them at once. Together that costs as much as making and sending the answer.
 */

/** Shorter ones cost nothing to speak of. */
const LEAST = 64 * 1024;
const STEP = 256 * 1024;
/** What is kept for later. */
const MOST_KEPT = 16 * 1024 * 1024;

const free: Buffer[] = [];
let keptBytes = 0;
/** What was taken and not yet given back. */
const lent = new WeakSet<ArrayBufferLike>();

/** At least `least` bytes, holding anything. */
export function takeBuffer(least: number): Buffer {
  if (least < LEAST) return Buffer.allocUnsafe(least);
  const at = free.findIndex((buffer) => buffer.length >= least);
  const found = at < 0 ? Buffer.allocUnsafeSlow(Math.ceil(least / STEP) * STEP) : free.splice(at, 1)[0]!;
  if (at >= 0) keptBytes -= found.length;
  lent.add(found.buffer);
  return found;
}

/** Nobody reads these bytes any more. What was not taken from here, or was given back before, is left alone. */
export function giveBack({ buffer }: Uint8Array): void {
  if (!lent.delete(buffer) || keptBytes + buffer.byteLength > MOST_KEPT) return;
  keptBytes += buffer.byteLength;
  free.push(Buffer.from(buffer as ArrayBuffer));
  free.sort((a, b) => a.length - b.length);
}
