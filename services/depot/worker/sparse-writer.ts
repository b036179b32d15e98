import { closeSync, fsyncSync, ftruncateSync, openSync, writeSync } from 'node:fs';

const GRANULE_BYTES = 64 * 1024;
const ZERO = Buffer.alloc(GRANULE_BYTES);

/** True when `buffer` holds nothing but zeroes from `start` to `end`, which are at most GRANULE_BYTES apart. */
export function isZero(buffer: Buffer, start: number, end: number): boolean {
  return buffer.compare(ZERO, 0, end - start, start, end) === 0;
}

/** Calls `fn` for every run of granules that hold anything but zeroes. Ends are within `length`. */
export function usedRuns(buffer: Buffer, length: number, fn: (start: number, end: number) => void): void {
  let start = -1;
  for (let at = 0; at < length; at += GRANULE_BYTES) {
    const zero = isZero(buffer, at, Math.min(at + GRANULE_BYTES, length));
    if (zero && start >= 0) fn(start, at);
    if (zero) start = -1;
    else if (start < 0) start = at;
  }
  if (start >= 0) fn(start, length);
}

export function writeFully(fd: number, data: Uint8Array, position: number): void {
  for (let done = 0; done < data.length; ) done += writeSync(fd, data, done, data.length - done, position + done);
}

/** Writes a file from front to back and leaves holes where there are zeroes. */
export interface SparseWriter {
  write(data: Uint8Array): void;
  /** Sets the length, flushes to the disk and closes. */
  end(): void;
  readonly bytes: number;
}

export function createSparseWriter(path: string): SparseWriter {
  const fd = openSync(path, 'w', 0o600);
  let position = 0;
  return {
    write(data) {
      const buffer = Buffer.from(data.buffer, data.byteOffset, data.length);
      usedRuns(buffer, buffer.length, (start, end) => writeFully(fd, buffer.subarray(start, end), position + start));
      position += buffer.length;
    },
    end() {
      ftruncateSync(fd, position);
      fsyncSync(fd);
      closeSync(fd);
    },
    get bytes() {
      return position;
    },
  };
}
