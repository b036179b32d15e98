/** Step erase_devices_metadata: no disk of the machine shows a partition table or a file system afterwards. */
import type { EraseResult, InventoryDisk } from '@bessemer/agent-protocol';
import { GPT_HEAD_BYTES, parseGpt } from '@bessemer/image-format';
import type { DiskHandle, StepContext } from '../ports.ts';
import { describeDisk, identityOf, isOnNetwork } from '../root-device.ts';
import { reasonOf, StepFailure } from '../step-failure.ts';
import { wipeSignatures } from './wipe.ts';

export async function eraseDevicesMetadata(context: StepContext): Promise<EraseResult> {
  const disks = await context.disks.list();
  const results: Array<EraseResult['disks'][number]> = [];
  const failures: string[] = [];
  // What an interrupted write left on a disk is gone after this.
  delete context.memory.written;
  for (const [index, disk] of disks.entries()) {
    context.signal.throwIfAborted();
    context.progress({ phase: `erasing ${disk.name}`, bytes: index, totalBytes: disks.length });
    const reason = disk.read_only
      ? 'read-only'
      : disk.removable
        ? 'removable'
        : isOnNetwork(disk)
          ? `on a storage network (${disk.tran}), which other machines may share`
          : disk.size === 0
            ? 'no medium'
            : undefined;
    if (reason) {
      results.push({ disk: identityOf(disk), outcome: 'skipped', reason });
      continue;
    }
    try {
      await eraseDisk(disk, context);
      results.push({ disk: identityOf(disk), outcome: 'erased' });
    } catch (error) {
      failures.push(`${describeDisk(disk)}: ${reasonOf(error)}`);
    }
  }
  if (failures.length > 0)
    throw new StepFailure(
      'ERASE_FAILED',
      `${failures.length} of ${disks.length} disks could not be erased: ${failures.join('; ')}. Remove or replace them, then retry.`,
    );
  return { disks: results };
}

async function eraseDisk(disk: InventoryDisk, context: StepContext): Promise<void> {
  await context.disks.release(disk.name);
  const handle = await context.disks.open(disk.name);
  try {
    await wipeSignatures(handle, await partitionsOf(handle));
  } finally {
    await handle.close();
  }
  await context.disks.rereadPartitions(disk.name);
}

/** Byte ranges of the partitions of a GPT or MBR, as far as it can be read. */
async function partitionsOf(handle: DiskHandle): Promise<Array<{ start: number; size: number }>> {
  const head = await handle.read(0, Math.min(GPT_HEAD_BYTES, handle.sizeBytes));
  const gpt = parseGpt(head);
  const sector = handle.sectorSizeBytes;
  if (gpt.ok) {
    const unit = gpt.value.sectorSizeBytes;
    return aligned(
      gpt.value.partitions.map((p) => ({ start: p.firstLba * unit, size: (p.lastLba - p.firstLba + 1) * unit })),
      handle,
    );
  }
  if (head[510] !== 0x55 || head[511] !== 0xaa) return [];
  const view = Buffer.from(head.buffer, head.byteOffset, head.length);
  const primary = [446, 462, 478, 494]
    .filter((at) => view[at + 4] !== 0)
    .map((at) => ({ start: view.readUInt32LE(at + 8) * sector, size: view.readUInt32LE(at + 12) * sector }));
  return aligned(primary, handle);
}

/** Leaves out what a damaged table puts outside of the disk or off its sectors. */
function aligned(
  ranges: Array<{ start: number; size: number }>,
  handle: DiskHandle,
): Array<{ start: number; size: number }> {
  const sector = handle.sectorSizeBytes;
  return ranges.filter(
    ({ start, size }) => size > 0 && start % sector === 0 && size % sector === 0 && start + size <= handle.sizeBytes,
  );
}
