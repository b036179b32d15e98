/** Old signatures: what a kernel, firmware or cloud-init could take for something that is on the disk. */
import type { DiskHandle } from '../ports.ts';

const MIB = 1024 * 1024;
/**
 * Zeroed at both ends. The first MiB holds MBR, primary GPT, LVM labels, md 1.1 and 1.2 superblocks and those of most file
 * systems; btrfs's is at 64 KiB, its copy at 64 MiB, ZFS's labels in the first and last 512 KiB, md 0.90 and 1.0 in the last
 * 128 KiB, the backup GPT in the last 33 sectors, firmware RAID (DDF, Intel) in the last sectors.
 */
const EDGE_BYTES = MIB;
const BTRFS_COPY = { offset: 64 * MIB, length: 4096 };

/** Removes signatures from the whole disk and from the start and end of each partition given. Sizes in bytes. */
export async function wipeSignatures(
  disk: DiskHandle,
  partitions: ReadonlyArray<{ readonly start: number; readonly size: number }> = [],
): Promise<void> {
  // Partitions first: while the table is there, a cut leaves a disk that can be wiped again the same way.
  for (const { start, size } of partitions) await wipeEdges(disk, start, size);
  await wipeEdges(disk, 0, disk.sizeBytes);
  await disk.flush();
}

async function wipeEdges(disk: DiskHandle, start: number, size: number): Promise<void> {
  const unit = Math.max(disk.sectorSizeBytes, 512);
  const end = Math.min(start + size, disk.sizeBytes);
  const head = Math.min(EDGE_BYTES, end - start);
  if (BTRFS_COPY.offset + BTRFS_COPY.length <= end - start)
    await disk.write(start + BTRFS_COPY.offset, new Uint8Array(BTRFS_COPY.length));
  const tailStart = Math.max(start + head, Math.floor((end - EDGE_BYTES) / unit) * unit);
  if (tailStart < end) await disk.write(tailStart, new Uint8Array(end - tailStart));
  if (head > 0) await disk.write(start, new Uint8Array(head));
}
