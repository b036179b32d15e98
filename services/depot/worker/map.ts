import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, readSync } from 'node:fs';
import {
  detectSectorSize,
  digestOf,
  EXTENT_ALIGN_BYTES,
  type Extent,
  MAX_EXTENT_BYTES,
  makeBlockMap,
  usedBytes,
} from '@bessemer/image-format';
import { encodeExtentIndex } from '../extent-index.ts';
import type { MapJob, MapSummary } from './jobs.ts';
import { usedRuns, writeFully } from './sparse-writer.ts';

/**
 * Reads the image in windows of one extent's largest size. An extent is a run of used granules of 64 KiB within a window, so
 * that none crosses a multiple of 4 MiB, and its digest is taken while its bytes are in the cache.
 */
export async function mapImage(job: MapJob, progress: (bytes: number) => void): Promise<MapSummary> {
  const sizeBytes = fstatSync(job.fd).size;
  if (sizeBytes === 0) throw Object.assign(new Error('the image is empty'), { code: 'EMPTY' });
  if (sizeBytes > job.maxBytes)
    throw Object.assign(new Error(`the image is ${sizeBytes} bytes, at most ${job.maxBytes} are allowed`), {
      code: 'EFBIG',
    });
  const target = job.copyTo === null ? job.fd : openSync(job.copyTo, 'w', 0o600);
  const window = Buffer.alloc(MAX_EXTENT_BYTES);
  const extents: Extent[] = [];
  for (let offset = 0; offset < sizeBytes; offset += MAX_EXTENT_BYTES) {
    const length = Math.min(MAX_EXTENT_BYTES, sizeBytes - offset);
    readFully(job.fd, window, length, offset);
    const padded = Math.ceil(length / EXTENT_ALIGN_BYTES) * EXTENT_ALIGN_BYTES;
    window.fill(0, length, padded);
    usedRuns(window, padded, (start, end) => {
      const data = window.subarray(start, end);
      extents.push({ offset: offset + start, length: end - start, sha256: digestOf('sha256', data) });
      if (job.copyTo !== null) writeFully(target, data, offset + start);
    });
    progress(offset + length);
  }
  if (job.copyTo !== null) ftruncateSync(target, sizeBytes);
  fsyncSync(target);
  if (job.copyTo !== null) closeSync(target);

  const head = Buffer.alloc(MAX_EXTENT_BYTES);
  const sectorSizeBytes = await detectSectorSize(async (at, length) =>
    head.subarray(0, readSync(job.fd, head, 0, Math.min(length, head.length), at)),
  );
  const map = makeBlockMap(sizeBytes, sectorSizeBytes, extents);
  writeFlushed(job.mapPath, Buffer.from(JSON.stringify(map)));
  writeFlushed(job.indexPath, encodeExtentIndex(extents));
  return { sizeBytes, usedBytes: usedBytes(map), mapSha256: map.sha256, sectorSizeBytes };
}

function writeFlushed(path: string, data: Uint8Array): void {
  const fd = openSync(path, 'w', 0o600);
  writeFully(fd, data, 0);
  fsyncSync(fd);
  closeSync(fd);
}

function readFully(fd: number, buffer: Buffer, length: number, position: number): void {
  for (let done = 0; done < length; ) {
    const read = readSync(fd, buffer, done, length - done, position + done);
    if (read === 0) throw Object.assign(new Error('the image became shorter while it was read'), { code: 'CHANGED' });
    done += read;
  }
}
