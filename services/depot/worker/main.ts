/** Entry of the depot's worker threads: one job each, synchronous reads into one buffer, no other state. */
import { readSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { createDigest } from '@bessemer/image-format';
import { inflate } from './inflate.ts';
import type { DigestJob, WorkerJob, WorkerMessage, WorkerResult } from './jobs.ts';
import { mapImage } from './map.ts';

const CHUNK_BYTES = 4 * 1024 * 1024;
const PROGRESS_BYTES = 16 * 1024 * 1024;

const send = (message: WorkerMessage): void => parentPort?.postMessage(message);

let reported = 0;
function progress(bytes: number): void {
  if (bytes - reported < PROGRESS_BYTES) return;
  reported = bytes;
  send({ kind: 'progress', bytes });
}

function digest(job: DigestJob): WorkerResult['digest'] {
  const sum = createDigest(job.algorithm);
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  let bytes = 0;
  for (;;) {
    const read = readSync(job.fd, buffer, 0, buffer.length, bytes);
    if (read === 0) return { hex: sum.hex(), bytes };
    sum.update(buffer.subarray(0, read));
    bytes += read;
    progress(bytes);
  }
}

async function run(job: WorkerJob): Promise<WorkerResult[WorkerJob['kind']]> {
  if (job.kind === 'digest') return digest(job);
  if (job.kind === 'inflate') return inflate(job, progress);
  return mapImage(job, progress);
}

try {
  send({ kind: 'done', result: await run(workerData as WorkerJob) });
} catch (error) {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  send({ kind: 'failed', message: error instanceof Error ? error.message : String(error), code });
}
