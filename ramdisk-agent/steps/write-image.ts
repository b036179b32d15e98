/**
 * Step write_image. Order matters:
 *  1. every check that can fail without touching the disk;
 *  2. old signatures away, holes zero;
 *  3. extents, each verified before it is written; what belongs to the image's first and last MiB stays in memory;
 *  4. flush; the backup GPT at the true end of the disk; the last MiB; flush; the first MiB, flush.
 * So a cut at any moment before the end leaves a disk without boot sector and partition table.
 */
import type { InventoryDisk, WriteImageArgs, WriteImageResult } from '@bessemer/agent-protocol';
import {
  GPT_HEAD_BYTES,
  paddedSizeBytes,
  parseBlockMap,
  parseGpt,
  relocateBackup,
  usedBytes,
  type BlockMap,
} from '@bessemer/image-format';
import type { DiskHandle, StepContext, WriteJournal } from '../ports.ts';
import { reasonOf, StepFailure } from '../step-failure.ts';
import { askDepot, writeExtents } from './extents.ts';
import { heldBack } from './held-back.ts';
import { rootDisk } from './root-disk.ts';
import { wipeSignatures } from './wipe.ts';

/** A map of this size describes more than half a TiB of data; a larger one would not fit the agent's memory budget. */
const MAX_MAP_BYTES = 24 * 1024 * 1024;
const ZERO_PIECE_BYTES = 1024 * 1024 * 1024;
const ZERO_BUFFER_BYTES = 4 * 1024 * 1024;

export async function writeImage(args: WriteImageArgs, context: StepContext): Promise<WriteImageResult> {
  const startedMs = context.clock.monotonicMs();
  let peakRssBytes = 0;
  const report = (phase: string, bytes: number, totalBytes: number): void => {
    peakRssBytes = Math.max(peakRssBytes, context.hardware.rssBytes());
    context.progress({ phase, bytes, totalBytes });
  };
  report('checking', 0, 0);
  const disk = await rootDisk(context, args.rootDeviceHints, args.disk);
  if (args.image.sizeBytes > disk.size) throw tooLarge(args.image.sizeBytes, disk);
  const map = await fetchMap(args, context);
  if (map.sizeBytes > disk.size) throw tooLarge(map.sizeBytes, disk);
  if (map.sectorSizeBytes !== disk.logical_sectors)
    throw new StepFailure(
      'SECTOR_SIZE_MISMATCH',
      `the image was made for sectors of ${map.sectorSizeBytes} bytes and ${disk.name} has sectors of ${disk.logical_sectors}: its partition table would not be found. Use an image made for this disk, or another disk. Nothing was written.`,
    );
  context.signal.throwIfAborted();

  const journal = journalFor(map, context);
  await context.disks.release(disk.name);
  const handle = await context.disks.open(disk.name).catch((error: unknown) => {
    throw new StepFailure('WRITE_FAILED', `${disk.name} cannot be opened for writing: ${reasonOf(error)}`, {
      cause: error,
    });
  });
  try {
    await guardWrites(disk, context, async () => {
      if (!journal.prepared) {
        report('wiping', 0, 0);
        await wipeSignatures(handle);
        journal.zeroedBy = await zeroHoles(handle, map, context, report);
        journal.prepared = true;
      }
      await writeExtents({ handle, map, journal, image: args.image, context, report });
      report('flushing', usedBytes(map), usedBytes(map));
      await handle.flush();
      context.signal.throwIfAborted();
      report('finishing', usedBytes(map), usedBytes(map));
      await finish(handle, map, journal);
      journal.complete = true;
    });
  } finally {
    await handle.close();
  }
  await context.disks.rereadPartitions(disk.name);
  report('done', usedBytes(map), usedBytes(map));
  return {
    disk: context.memory.disk!,
    imageSizeBytes: map.sizeBytes,
    writtenBytes: usedBytes(map),
    fetchedBytes: journal.fetchedBytes,
    zeroedBy: journal.zeroedBy,
    peakRssBytes,
    durationMs: Math.round(context.clock.monotonicMs() - startedMs),
  };
}

function tooLarge(sizeBytes: number, disk: InventoryDisk): StepFailure {
  return new StepFailure(
    'IMAGE_TOO_LARGE',
    `the image has ${sizeBytes} bytes and ${disk.name} (serial ${disk.serial || 'unknown'}) only ${disk.size}: choose a larger disk by properties.root_device, or a smaller image. Nothing was written.`,
  );
}

async function fetchMap(args: WriteImageArgs, context: StepContext): Promise<BlockMap> {
  const { image } = args;
  const bytes = await askDepot(context, () => context.http.map(image, context.signal));
  if (bytes.length > MAX_MAP_BYTES)
    throw new StepFailure(
      'BAD_BLOCK_MAP',
      `the block map has ${bytes.length} bytes, at most ${MAX_MAP_BYTES} are taken`,
    );
  const map = parseBlockMap(bytes, image.mapSha256);
  if (!map.ok)
    throw new StepFailure(
      'BAD_BLOCK_MAP',
      `the block map of the image is not usable: ${map.error.message}. Nothing was written.`,
    );
  if (map.value.sizeBytes !== image.sizeBytes)
    throw new StepFailure(
      'BAD_BLOCK_MAP',
      `the block map is of an image of ${map.value.sizeBytes} bytes, ${image.sizeBytes} were announced. Nothing was written.`,
    );
  return map.value;
}

/** Goes on with what an earlier attempt of this run left, when it was the same image; a complete write is done anew. */
function journalFor(map: BlockMap, context: StepContext): WriteJournal {
  const earlier = context.memory.written;
  if (earlier && earlier.mapSha256 === map.sha256 && !earlier.complete) return earlier;
  const journal: WriteJournal = {
    mapSha256: map.sha256,
    prepared: false,
    zeroedBy: 'written',
    done: new Uint8Array(map.extents.length),
    head: new Uint8Array(heldBack(map).headEnd),
    tail: new Uint8Array(heldBack(map).end - heldBack(map).tailStart),
    fetchedBytes: 0,
    complete: false,
  };
  context.memory.written = journal;
  return journal;
}

async function guardWrites(disk: InventoryDisk, context: StepContext, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    context.signal.throwIfAborted();
    if (error instanceof StepFailure) throw error;
    throw new StepFailure(
      'WRITE_FAILED',
      `writing to ${disk.name} (serial ${disk.serial || 'unknown'}) failed: ${reasonOf(error)}. Check the disk, then retry.`,
      {
        cause: error,
      },
    );
  }
}

/** Ranges of the image between its extents, ascending. */
function holesOf(map: BlockMap): Array<{ offset: number; length: number }> {
  const holes: Array<{ offset: number; length: number }> = [];
  let at = 0;
  for (const extent of [...map.extents, { offset: paddedSizeBytes(map.sizeBytes), length: 0 }]) {
    if (extent.offset > at) holes.push({ offset: at, length: extent.offset - at });
    at = extent.offset + extent.length;
  }
  return holes;
}

/**
 * Makes all that the image leaves out read as zero. A device that can do it itself gets the whole range in one go per piece;
 * another one is written only where there are holes, so that nothing is written twice.
 */
async function zeroHoles(
  handle: DiskHandle,
  map: BlockMap,
  context: StepContext,
  report: (phase: string, bytes: number, totalBytes: number) => void,
): Promise<'write-zeroes' | 'written'> {
  const end = Math.min(paddedSizeBytes(map.sizeBytes), handle.sizeBytes);
  let offset = 0;
  while (offset < end) {
    context.signal.throwIfAborted();
    const length = Math.min(ZERO_PIECE_BYTES, end - offset);
    if (!(await handle.writeZeroes(offset, length))) break;
    offset += length;
    report('zeroing', offset, end);
  }
  if (offset >= end) return 'write-zeroes';
  const [zeroes] = context.disks.buffers(1, ZERO_BUFFER_BYTES) as [Uint8Array];
  zeroes.fill(0);
  const holes = holesOf(map);
  const total = holes.reduce((sum, hole) => sum + hole.length, 0);
  let zeroed = 0;
  for (const hole of holes) {
    const holeEnd = Math.min(hole.offset + hole.length, handle.sizeBytes);
    for (let at = hole.offset; at < holeEnd; ) {
      context.signal.throwIfAborted();
      const length = Math.min(zeroes.length, holeEnd - at);
      await handle.write(at, zeroes.subarray(0, length));
      at += length;
      zeroed += length;
      report('zeroing', zeroed, total);
    }
  }
  return 'written';
}

async function finish(handle: DiskHandle, map: BlockMap, journal: WriteJournal): Promise<void> {
  const { tailStart, headEnd } = heldBack(map);
  const head = Uint8Array.from(journal.head);
  const tail = journal.tail.subarray(0, Math.max(0, Math.min(journal.tail.length, handle.sizeBytes - tailStart)));
  if (tail.length > 0) await handle.write(tailStart, tail);

  // The table gets its backup at the true end before the primary appears, so that it is never seen pointing at nothing.
  const gpt = head.length >= GPT_HEAD_BYTES ? parseGpt(head, map.sectorSizeBytes) : undefined;
  if (gpt?.ok) {
    const moved = relocateBackup(gpt.value, handle.sizeBytes);
    if (!moved.ok)
      throw new StepFailure(
        'PARTITION_FAILED',
        `the image's partition table does not fit the disk: ${moved.error.message}`,
      );
    for (const write of moved.value.writes) {
      if (write.offset + write.data.length <= headEnd) head.set(write.data, write.offset);
      else await handle.write(write.offset, write.data);
    }
  }
  await handle.flush();
  // Sector 0 and the primary header go in the very last write.
  const first = Math.min(head.length, 4096);
  if (head.length > first) {
    await handle.write(first, head.subarray(first));
    await handle.flush();
  }
  await handle.write(0, head.subarray(0, first));
  await handle.flush();
}
