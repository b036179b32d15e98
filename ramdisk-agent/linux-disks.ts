/** Real disks: direct reads and writes, zeroing, partition tables. */
import { constants, open, writeFile, type FileHandle } from 'node:fs/promises';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Clock, Log } from '@bessemer/ports';
import { holdersOf, listDisks } from './linux-disk-list.ts';
import { attribute, numberAttribute } from './linux-sysfs.ts';
import type { DiskHandle, Disks } from './ports.ts';
import { mustRun, runProcess } from './process.ts';
import { reasonOf } from './step-failure.ts';

const WASM_PAGE_BYTES = 65_536;
const SCRATCH_BYTES = 1024 * 1024;
const ZERO_TIMEOUT_MS = 30 * 60_000;
const SETTLE_MS = 5_000;

/** The part of the WebAssembly API that is used: TypeScript declares it for browsers alone. */
const { WebAssembly: wasm } = globalThis as unknown as {
  WebAssembly: { Memory: new (limits: { initial: number; maximum: number }) => { buffer: ArrayBuffer } };
};

/**
 * Memory for direct IO. The kernel wants it aligned to sectors, which a Buffer is not; the memory of WebAssembly begins on a
 * page, and is never moved.
 */
export function alignedBuffer(sizeBytes: number): Uint8Array {
  const pages = Math.ceil(sizeBytes / WASM_PAGE_BYTES);
  const { buffer } = new wasm.Memory({ initial: pages, maximum: pages });
  alignedMemory.add(buffer);
  return new Uint8Array(buffer, 0, sizeBytes);
}

/** Where a buffer lies cannot be seen from JavaScript: these are the ones that are known to lie on a page. */
const alignedMemory = new WeakSet<ArrayBufferLike>();

export interface LinuxDisksOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Which block devices are disks; all real ones when left out. */
  readonly accept?: (kernelName: string) => boolean;
}

export function createLinuxDisks({ clock, log, accept }: LinuxDisksOptions): Disks {
  const pools = new Map<string, Uint8Array[]>();
  let scratch: Uint8Array | undefined;

  return {
    list: () => listDisks(accept),
    async open(name) {
      const sysfs = join('/sys/class/block', basename(name));
      const sizeBytes = ((await numberAttribute(join(sysfs, 'size'))) ?? 0) * 512;
      const sectorSizeBytes = (await numberAttribute(join(sysfs, 'queue/logical_block_size'))) ?? 512;
      // O_EXCL without O_CREAT: the kernel refuses a block device of which something is mounted or in use (open(2)).
      const file = await open(name, constants.O_RDWR | constants.O_DIRECT | constants.O_EXCL);
      const zeroLimit = (await numberAttribute(join(sysfs, 'queue/write_zeroes_max_bytes'))) ?? 0;
      scratch ??= alignedBuffer(SCRATCH_BYTES);
      return createDirectHandle({
        file,
        sizeBytes,
        sectorSizeBytes,
        scratch,
        writeZeroes: async (offset, length) => {
          if (zeroLimit === 0) return false;
          // -f: the device is open exclusively by ourselves.
          const args = ['-f', '-z', '-o', String(offset), '-l', String(length), name];
          const result = await runProcess(clock, 'blkdiscard', args, ZERO_TIMEOUT_MS).catch((error: unknown) => ({
            code: 1,
            stderr: reasonOf(error),
          }));
          if (result.code !== 0)
            log.warn('the disk cannot zero by itself', { disk: name, reason: result.stderr.trim() });
          return result.code === 0;
        },
      });
    },
    async release(name) {
      for (const holder of await holdersOf(basename(name))) await stopHolder(holder, clock, log);
      for (const line of (await readFile('/proc/swaps', 'utf8').catch(() => '')).split('\n')) {
        const [device] = line.split(/\s+/);
        if (device && isPartOf(device, name))
          await mustRun(clock, 'swapoff', [device]).catch((error: unknown) => log.warn(reasonOf(error)));
      }
    },
    async rereadPartitions(name) {
      const reread = await runProcess(clock, 'blockdev', ['--rereadpt', name]).catch(() => undefined);
      if (reread?.code === 0) return;
      await runProcess(clock, 'partx', ['-u', name], SETTLE_MS).catch((error: unknown) => {
        log.warn('the kernel did not read the new partition table', { disk: name, reason: reasonOf(error) });
      });
    },
    buffers(count, sizeBytes) {
      const pool = pools.get(String(sizeBytes)) ?? [];
      pools.set(String(sizeBytes), pool);
      while (pool.length < count) pool.push(alignedBuffer(sizeBytes));
      return pool.slice(0, count);
    },
  };
}

/** True for the disk itself and its partitions: `/dev/sda1` of `/dev/sda`, `/dev/nvme0n1p2` of `/dev/nvme0n1`. */
function isPartOf(device: string, disk: string): boolean {
  return device === disk || (device.startsWith(disk) && /^p?\d+$/.test(device.slice(disk.length)));
}

async function stopHolder(holder: string, clock: Clock, log: Log): Promise<void> {
  try {
    if (holder.startsWith('md')) await writeFile(`/sys/block/${holder}/md/array_state`, 'clear');
    else {
      const mapped = await attribute(`/sys/block/${holder}/dm/name`);
      await mustRun(clock, 'dmsetup', ['remove', '--force', mapped ?? holder]);
    }
    log.info('stopped what was built on the disk', { device: holder });
  } catch (error) {
    // Opening the disk will say that it is busy.
    log.warn('what is built on the disk cannot be stopped', { device: holder, reason: reasonOf(error) });
  }
}

export interface DirectHandleOptions {
  readonly file: FileHandle;
  readonly sizeBytes: number;
  readonly sectorSizeBytes: number;
  /** Aligned memory that reads and copied writes go through, one at a time. */
  readonly scratch: Uint8Array;
  readonly writeZeroes: DiskHandle['writeZeroes'];
}

/** A handle on a file that was opened with O_DIRECT. */
export function createDirectHandle(options: DirectHandleOptions): DiskHandle {
  const { file, sizeBytes, sectorSizeBytes, scratch } = options;
  let scratchFree: Promise<unknown> = Promise.resolve();
  const withScratch = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = scratchFree.then(work, work);
    scratchFree = turn.catch(() => undefined);
    return turn;
  };
  const check = (offset: number, length: number): void => {
    if (offset % sectorSizeBytes !== 0 || length % sectorSizeBytes !== 0)
      throw new RangeError(`offset ${offset} and length ${length} must be multiples of ${sectorSizeBytes}`);
    if (offset < 0 || offset + length > sizeBytes)
      throw new RangeError(`bytes ${offset} to ${offset + length} lie outside of a disk of ${sizeBytes}`);
  };
  const isAligned = (data: Uint8Array): boolean =>
    alignedMemory.has(data.buffer) && data.byteOffset % sectorSizeBytes === 0;

  async function writeAll(offset: number, data: Uint8Array): Promise<void> {
    for (let at = 0; at < data.length; ) {
      const { bytesWritten } = await file.write(data, at, data.length - at, offset + at);
      if (bytesWritten <= 0) throw new Error(`nothing was written at byte ${offset + at}`);
      at += bytesWritten;
    }
  }

  return {
    sizeBytes,
    sectorSizeBytes,
    async read(offset, length) {
      check(offset, length);
      const result = new Uint8Array(length);
      await withScratch(async () => {
        for (let at = 0; at < length; ) {
          const { bytesRead } = await file.read(scratch, 0, Math.min(scratch.length, length - at), offset + at);
          if (bytesRead <= 0) throw new Error(`nothing could be read at byte ${offset + at}`);
          result.set(scratch.subarray(0, bytesRead), at);
          at += bytesRead;
        }
      });
      return result;
    },
    async write(offset, data) {
      check(offset, data.length);
      if (isAligned(data)) return writeAll(offset, data);
      await withScratch(async () => {
        for (let at = 0; at < data.length; at += scratch.length) {
          const piece = scratch.subarray(0, Math.min(scratch.length, data.length - at));
          piece.set(data.subarray(at, at + piece.length));
          await writeAll(offset + at, piece);
        }
      });
    },
    async writeZeroes(offset, length) {
      check(offset, length);
      return options.writeZeroes(offset, length);
    },
    flush: () => file.datasync(),
    close: () => file.close(),
  };
}
