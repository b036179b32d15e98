import { type FileHandle, link, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { printableHref } from '@bessemer/core';
import { equalInConstantTime } from '@bessemer/image-format';
import type { Clock, Random } from '@bessemer/ports';
import { DETECT_BYTES, detectCompression, detectDiskFormat } from './detect.ts';
import { explainWriteError, ImageError, systemCode } from './errors.ts';
import { download } from './http-download.ts';
import { type DepotPaths, imageFiles, syncDirectory } from './paths.ts';
import type { Processes } from './processes.ts';
import type { ProgressReporter } from './progress.ts';
import type { Slots } from './slots.ts';
import { type CheckedSource, openFileSource } from './source.ts';
import type { DepotConfig } from './types.ts';
import { convertQcow2, decompress } from './unpack.ts';
import type { MapSummary } from './worker/jobs.ts';

export interface ImportDeps {
  readonly config: DepotConfig;
  readonly paths: DepotPaths;
  readonly processes: Processes;
  readonly clock: Clock;
  readonly random: Random;
  readonly fetchSlots: Slots;
  readonly conversionSlots: Slots;
  /** Evicts until so many bytes fit; rejects with NO_SPACE. */
  readonly makeRoom: (bytes: number) => Promise<void>;
}

export interface Imported extends MapSummary {
  readonly diskFormat: string;
  /** The folder with the finished image; it still has to be moved into the store. */
  readonly jobDir: string;
  readonly storedBytes: number;
}

/**
 * From a source to a folder with raw image, block map and index, all flushed: fetch, check the digest of the bytes as they came,
 * take off the compression, convert, map. Nothing reads the source's content before its digest is known to be right. On failure
 * the folder is gone; a partial download stays for the next attempt.
 */
export async function importImage(
  deps: ImportDeps,
  source: CheckedSource,
  report: ProgressReporter,
  signal: AbortSignal,
): Promise<Imported> {
  const jobDir = deps.paths.job(deps.random.uuid());
  await mkdir(jobDir, { recursive: true, mode: 0o700 });
  try {
    const isFile = source.href.protocol === 'file:';
    if (!isFile) await fetch(deps, source, report, signal);
    const handle = isFile
      ? await openFileSource(source.href, deps.config.allowedRoots)
      : await open(deps.paths.fetched(source.key), 'r');
    try {
      const release = await deps.conversionSlots.acquire({ signal, onPosition: (position) => report.queued(position) });
      try {
        return await convert(deps, source, handle, jobDir, report, signal);
      } finally {
        release();
      }
    } finally {
      await handle.close();
    }
  } catch (error) {
    await rm(jobDir, { recursive: true, force: true });
    signal.throwIfAborted();
    throw explainWriteError(error, deps.config.dataDir);
  }
}

async function fetch(
  deps: ImportDeps,
  source: CheckedSource,
  report: ProgressReporter,
  signal: AbortSignal,
): Promise<void> {
  const fetched = deps.paths.fetched(source.key);
  // A whole download of an earlier attempt that was cut before its conversion ended.
  if (await stat(fetched).catch(() => undefined)) return;
  const release = await deps.fetchSlots.acquire({ signal, onPosition: (position) => report.queued(position) });
  try {
    report.phase('fetch');
    const path = deps.paths.fetching(source.key);
    await download({
      href: source.href,
      path,
      maxBytes: deps.config.maxSourceBytes,
      idleMs: deps.config.fetchIdleMs,
      retries: deps.config.fetchRetries,
      clock: deps.clock,
      random: deps.random,
      signal,
      reserve: deps.makeRoom,
      onProgress: (bytes, totalBytes) => report.bytes(bytes, totalBytes),
    });
    await rename(path, fetched);
  } finally {
    release();
  }
}

async function convert(
  deps: ImportDeps,
  source: CheckedSource,
  handle: FileHandle,
  jobDir: string,
  report: ProgressReporter,
  signal: AbortSignal,
): Promise<Imported> {
  const { config, processes, clock } = deps;
  const isFile = source.href.protocol === 'file:';
  const before = await handle.stat();
  if (before.size > config.maxSourceBytes)
    throw new ImageError(
      'TOO_LARGE',
      `${printableHref(source.href)} is ${before.size} bytes, at most ${config.maxSourceBytes} are allowed`,
    );
  if (before.size === 0) throw new ImageError('CORRUPT', `${printableHref(source.href)} is empty`);
  await verify(deps, source, handle, before.size, report, signal);
  await deps.makeRoom(before.blocks * 512);

  const files = imageFiles(jobDir);
  const limits = { maxImageBytes: config.maxImageBytes, processes, clock, signal };
  const onProgress = (bytes: number): void => report.bytes(bytes);
  let head = await headOf(handle);
  let inner = handle;
  const unpacked = `${jobDir}/unpacked`;
  const compression = detectCompression(head);
  try {
    if (compression) {
      report.phase('convert', before.size);
      await decompress(compression, { ...limits, source: handle, target: unpacked, onProgress });
      inner = await open(unpacked, 'r');
      head = await headOf(inner);
    }
    const diskFormat = detectDiskFormat(head, source.declaredFormat);
    if (diskFormat === 'qcow2') {
      report.phase('convert', Number(Buffer.from(head).readBigUInt64BE(24)));
      await convertQcow2(head, { ...limits, source: inner, target: files.disk, onProgress });
    } else if (compression) {
      await rename(unpacked, files.disk);
    } else if (!isFile) {
      // A link, so that the download is still there if this process is killed before the image is in the store.
      await link(deps.paths.fetched(source.key), files.disk);
    }
    const copies = isFile && !compression && diskFormat === 'raw';
    const summary = await map(deps, copies ? handle : await open(files.disk, 'r'), copies, jobDir, report, signal);
    await rm(unpacked, { force: true });
    if (isFile) await assertUnchanged(handle, before, source);
    await syncDirectory(jobDir);
    const stored = await Promise.all([files.disk, files.map, files.index].map((path) => stat(path)));
    const storedBytes = stored.reduce((sum, s) => sum + s.blocks * 512, 0);
    return { ...summary, diskFormat, jobDir, storedBytes };
  } finally {
    if (inner !== handle) await inner.close();
  }
}

async function verify(
  deps: ImportDeps,
  source: CheckedSource,
  handle: FileHandle,
  sizeBytes: number,
  report: ProgressReporter,
  signal: AbortSignal,
): Promise<void> {
  const { algorithm, hex: expected } = source.digest;
  report.phase('verify', sizeBytes);
  const { hex } = await deps.processes.work(
    { kind: 'digest', fd: handle.fd, algorithm },
    { signal, onProgress: (bytes) => report.bytes(bytes) },
  );
  if (equalInConstantTime(hex, expected)) return;
  if (source.href.protocol !== 'file:') await rm(deps.paths.fetched(source.key), { force: true });
  throw new ImageError(
    'CHECKSUM_MISMATCH',
    `${printableHref(source.href)} has the ${algorithm} checksum ${hex}, ${expected} was expected: correct the checksum or the image`,
  );
}

async function map(
  deps: ImportDeps,
  handle: FileHandle,
  copies: boolean,
  jobDir: string,
  report: ProgressReporter,
  signal: AbortSignal,
): Promise<MapSummary> {
  const files = imageFiles(jobDir);
  try {
    report.phase('map', (await handle.stat()).size);
    return await deps.processes.work(
      {
        kind: 'map',
        fd: handle.fd,
        mapPath: files.map,
        indexPath: files.index,
        copyTo: copies ? files.disk : null,
        maxBytes: deps.config.maxImageBytes,
      },
      { signal, onProgress: (bytes) => report.bytes(bytes) },
    );
  } catch (error) {
    signal.throwIfAborted();
    const code = systemCode(error);
    if (code === 'EFBIG') throw new ImageError('TOO_LARGE', (error as Error).message, { cause: error });
    if (code === 'EMPTY' || code === 'CHANGED')
      throw new ImageError('CORRUPT', (error as Error).message, { cause: error });
    throw error;
  } finally {
    if (!copies) await handle.close();
  }
}

async function headOf(handle: FileHandle): Promise<Uint8Array> {
  const buffer = Buffer.alloc(DETECT_BYTES);
  const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
  return buffer.subarray(0, bytesRead);
}

/** A file that is written to while it is read would give an image that nobody has checked. */
async function assertUnchanged(
  handle: FileHandle,
  before: Awaited<ReturnType<FileHandle['stat']>>,
  source: CheckedSource,
): Promise<void> {
  const after = await handle.stat();
  if (after.size !== before.size || after.mtimeMs !== before.mtimeMs || after.ctimeMs !== before.ctimeMs)
    throw new ImageError(
      'CORRUPT',
      `${printableHref(source.href)} was changed while it was read: try again when it is whole`,
    );
}

/** Moves a finished image into the store. When the same content is there already, that one stays. */
export async function moveIntoStore(jobDir: string, imageDir: string): Promise<void> {
  const there = await stat(imageDir).catch(() => undefined);
  if (there) {
    await rm(jobDir, { recursive: true, force: true });
    return;
  }
  await rename(jobDir, imageDir);
  await syncDirectory(dirname(imageDir));
}
