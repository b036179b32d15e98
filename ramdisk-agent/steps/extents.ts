/** Fetching, verifying and writing the extents of a block map, several at a time, with patience for a depot that comes back. */
import type { ImageReference } from '@bessemer/agent-protocol';
import { digestOf, MAX_EXTENT_BYTES, usedBytes, type BlockMap } from '@bessemer/image-format';
import { sleep } from '@bessemer/ports';
import { ImageSourceError, type DiskHandle, type StepContext, type WriteJournal } from '../ports.ts';
import { StepFailure } from '../step-failure.ts';
import { heldBack } from './held-back.ts';

const IN_FLIGHT = 4;
/** A request carries whole extents up to the size of a buffer. */
const MAX_BATCH_EXTENTS = 512;
const MAX_FETCHES_OF_BAD_DATA = 3;
/** A service that was killed needs seconds to come back; a machine room that lost its network, minutes. */
const UNREACHABLE_PATIENCE_MS = 15 * 60_000;
/** After a restart the depot may not know an exit until the conductor opens it again. */
const REFUSED_PATIENCE_MS = 60_000;
const FIRST_RETRY_MS = 250;
const MAX_RETRY_MS = 5_000;

/** Asks the depot, again and again while that makes sense. Fails with DEPOT_UNREACHABLE or DEPOT_REFUSED. */
export async function askDepot<T>(context: StepContext, ask: () => Promise<T>): Promise<T> {
  const { clock, random, signal } = context;
  let failingSinceMs: number | undefined;
  for (let attempt = 0; ; attempt++) {
    try {
      return await ask();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ImageSourceError)) throw error;
      failingSinceMs ??= clock.monotonicMs();
      const patienceMs = error.refused ? REFUSED_PATIENCE_MS : UNREACHABLE_PATIENCE_MS;
      if (clock.monotonicMs() - failingSinceMs >= patienceMs)
        throw new StepFailure(
          error.refused ? 'DEPOT_REFUSED' : 'DEPOT_UNREACHABLE',
          `${error.message}; tried for ${Math.round(patienceMs / 1000)} s. ${error.refused ? 'Retry the step, so that the image is offered anew.' : "Check the depot and the machine's network, then retry."}`,
          { cause: error },
        );
      if (attempt === 0) context.note('warn', `${error.message}; trying again`);
      await sleep(clock, Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** attempt) * (0.5 + random.float() / 2), signal);
    }
  }
}

interface Batch {
  readonly from: number;
  readonly count: number;
  readonly length: number;
}

/** Runs of extents that are not done, each at most one buffer long. */
export function batchesOf(map: BlockMap, done: Uint8Array): Batch[] {
  const batches: Batch[] = [];
  let open: { from: number; count: number; length: number } | undefined;
  for (const [i, extent] of map.extents.entries()) {
    const joins =
      open &&
      open.from + open.count === i &&
      open.count < MAX_BATCH_EXTENTS &&
      open.length + extent.length <= MAX_EXTENT_BYTES;
    if (done[i]) continue;
    if (open && joins) {
      open.count++;
      open.length += extent.length;
    } else {
      open = { from: i, count: 1, length: extent.length };
      batches.push(open);
    }
  }
  return batches;
}

interface ExtentWork {
  readonly handle: DiskHandle;
  readonly map: BlockMap;
  readonly journal: WriteJournal;
  readonly image: ImageReference;
  readonly context: StepContext;
  readonly report: (phase: string, bytes: number, totalBytes: number) => void;
}

/** Writes all extents that the journal does not have, and marks them in it. */
export async function writeExtents(work: ExtentWork): Promise<void> {
  const { map, journal, context, report } = work;
  const batches = batchesOf(map, journal.done);
  const total = usedBytes(map);
  let written = total - batches.reduce((sum, batch) => sum + batch.length, 0);
  report('writing', written, total);
  let next = 0;
  // One worker's failure stops the others, so that nothing is written any more when the step ends.
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const worker = async (buffer: Uint8Array): Promise<void> => {
    try {
      for (let batch = batches[next++]; batch; batch = batches[next++]) {
        signal.throwIfAborted();
        await writeBatch({ ...work, context: { ...context, signal } }, batch, buffer.subarray(0, batch.length));
        written += batch.length;
        report('writing', written, total);
      }
    } catch (error) {
      stop.abort(error);
      throw error;
    }
  };
  const buffers = context.disks.buffers(IN_FLIGHT, MAX_EXTENT_BYTES);
  const results = await Promise.allSettled(buffers.map(worker));
  context.signal.throwIfAborted();
  if (stop.signal.aborted) throw stop.signal.reason;
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
}

async function writeBatch(work: ExtentWork, batch: Batch, buffer: Uint8Array): Promise<void> {
  const { map, journal, image, context } = work;
  for (let fetches = 1; ; fetches++) {
    await askDepot(context, () => context.http.extents(image, batch.from, batch.count, buffer, context.signal));
    journal.fetchedBytes += batch.length;
    const bad = await writeVerified(work, batch, buffer);
    if (bad === undefined) return;
    const extent = map.extents[bad]!;
    const message = `extent ${bad} of the image (offset ${extent.offset}, ${extent.length} bytes) does not have the SHA-256 ${extent.sha256} of the block map`;
    if (fetches >= MAX_FETCHES_OF_BAD_DATA)
      throw new StepFailure(
        'DIGEST_MISMATCH',
        `${message}, ${fetches} times in a row. The depot's copy or the network damages data; the disk was left without partition table.`,
      );
    context.note('warn', `${message}; fetching it again`);
  }
}

/** Writes the extents of a batch that are sound; returns the number of the first that is not. */
async function writeVerified(work: ExtentWork, batch: Batch, buffer: Uint8Array): Promise<number | undefined> {
  const { map, journal, handle } = work;
  const sha256 = work.context.sha256 ?? ((data: Uint8Array) => digestOf('sha256', data));
  let at = 0;
  for (let i = batch.from; i < batch.from + batch.count; i++) {
    const extent = map.extents[i]!;
    const data = buffer.subarray(at, at + extent.length);
    at += extent.length;
    if (journal.done[i]) continue;
    if ((await sha256(data)) !== extent.sha256) return i;
    await writeExtent(handle, map, journal, extent.offset, data);
    journal.done[i] = 1;
  }
  return undefined;
}

async function writeExtent(
  handle: DiskHandle,
  map: BlockMap,
  journal: WriteJournal,
  offset: number,
  data: Uint8Array,
): Promise<void> {
  const { headEnd, tailStart } = heldBack(map);
  const end = offset + data.length;
  if (offset < headEnd) journal.head.set(data.subarray(0, Math.min(end, headEnd) - offset), offset);
  if (end > tailStart) {
    const from = Math.max(offset, tailStart);
    journal.tail.set(data.subarray(from - offset), from - tailStart);
  }
  const from = Math.max(offset, headEnd);
  const to = Math.min(end, tailStart, handle.sizeBytes);
  if (from < to) await handle.write(from, data.subarray(from - offset, to - offset));
}
