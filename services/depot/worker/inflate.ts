import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import type { InflateJob, WorkerResult } from './jobs.ts';
import { createSparseWriter } from './sparse-writer.ts';

const CHUNK_BYTES = 1024 * 1024;

/** Inflates gzip, all members of it. Throws EFBIG above the limit and zlib's own errors for damaged data. */
export async function inflate(job: InflateJob, progress: (bytes: number) => void): Promise<WorkerResult['inflate']> {
  const source = createReadStream('', { fd: job.fd, start: 0, autoClose: false, highWaterMark: CHUNK_BYTES });
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  source.on('error', (error) => gunzip.destroy(error));
  source.pipe(gunzip);
  const target = createSparseWriter(job.target);
  for await (const chunk of gunzip as AsyncIterable<Buffer>) {
    if (target.bytes + chunk.length > job.maxBytes)
      throw Object.assign(new Error(`the image inflates to more than ${job.maxBytes} bytes`), { code: 'EFBIG' });
    target.write(chunk);
    progress(source.bytesRead);
  }
  target.end();
  return { bytes: target.bytes };
}
