import { mkdir, readdir, readFile, rename, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { printableHref } from '@bessemer/core';
import type { Clock, Log, Random } from '@bessemer/ports';
import { checkDeclared } from './detect.ts';
import { ImageError } from './errors.ts';
import { createExitRegistry, type ExitRegistry } from './exits.ts';
import { type HttpExitServer, startHttpExit } from './http-exit.ts';
import { readFile as readHref } from './http-read.ts';
import { type Imported, importImage, moveIntoStore } from './import.ts';
import { depotPaths } from './paths.ts';
import type { Processes } from './processes.ts';
import { createProgressReporter } from './progress.ts';
import { createSlots } from './slots.ts';
import { type CheckedSource, checkSource } from './source.ts';
import type { ImageRow, ImageStore } from './store.ts';
import type {
  DepotConfig,
  EnsureOptions,
  ExitRequest,
  ExitStats,
  ImageExit,
  ImageProgress,
  OpenedExit,
  ReadyImage,
} from './types.ts';

export interface DepotDeps {
  readonly store: ImageStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly config: DepotConfig;
  readonly processes: Processes;
}

/** The image store and its exit. `start` comes first, `stop` last. */
export interface Depot {
  /** Clears what an earlier process left half done, and opens the exit. Rejects when it cannot listen. */
  start(): Promise<void>;
  /** Ends all work and closes the exit. Offers stay and are there again after the next start. */
  stop(): Promise<void>;
  /**
   * Makes sure that an image is in the store, checked and mapped. The same source asked for several times at once is fetched
   * and converted once. Rejects with ImageError, or with the signal's reason.
   */
  ensure(options: EnsureOptions): Promise<ReadyImage>;
  /**
   * A small file over http(s) as it is, under the rules for the sources of images; nothing is stored. Rejects with ImageError,
   * or with the signal's reason.
   */
  read(href: URL, options: { readonly maxBytes: number; readonly signal: AbortSignal }): Promise<Uint8Array>;
  /** Offers an image to one deployment: the same request gives the same exit. Throws NOT_FOUND for an image that is gone. */
  openExit(request: ExitRequest): OpenedExit;
  /** Ends an offer and gives its last figures; undefined for an unknown one. */
  closeExit(exitId: string): ExitStats | undefined;
  /** The figures of an exit, closed ones of the last day included. They survive a restart. */
  exitStats(exitId: string): ExitStats | undefined;
  readonly exit: ImageExit;
}

interface Flight {
  readonly promise: Promise<ImageRow>;
  readonly abort: AbortController;
  readonly listeners: Set<(progress: ImageProgress) => void>;
  callers: number;
  last: ImageProgress | undefined;
}

const DAY_MS = 86_400_000;
/** Small files that are read at the same time: each is in memory as a whole. */
const MAX_READS = 8;
const READ_MS = 60_000;
const PARTIAL_LIFE_MS = 7 * DAY_MS;
/** Left free on the disk for whoever shares it. */
const SPARE_BYTES = 16 * 1024 * 1024;

export function createDepot(deps: DepotDeps): Depot {
  const { store, clock, random, log, config, processes } = deps;
  const paths = depotPaths(config.dataDir);
  const fetchSlots = createSlots(config.maxFetches);
  const conversionSlots = createSlots(config.maxConversions);
  const readSlots = createSlots(MAX_READS);
  const flights = new Map<string, Flight>();
  let exits: ExitRegistry | undefined;
  let server: HttpExitServer | undefined;
  let changing: Promise<void> = Promise.resolve();

  const started = (): { exits: ExitRegistry; server: HttpExitServer } => {
    if (!exits || !server) throw new Error('the depot is not started');
    return { exits, server };
  };
  const ready = (row: ImageRow): ReadyImage => ({
    imageId: row.id,
    sizeBytes: row.sizeBytes,
    usedBytes: row.usedBytes,
    mapSha256: row.mapSha256,
    sectorSizeBytes: row.sectorSizeBytes,
  });
  const touch = (row: ImageRow): ImageRow => {
    const touched = { ...row, lastUsedMs: clock.nowMs() };
    store.images.put(touched);
    return touched;
  };

  async function evict(row: ImageRow): Promise<void> {
    log.info('an unused image leaves the store', { imageId: row.id, bytes: row.storedBytes });
    for (const s of store.sources.all()) if (s.imageId === row.id) store.sources.remove(s.id);
    store.images.remove(row.id);
    await rm(paths.image(row.id).dir, { recursive: true, force: true });
  }

  /** One change of the store's folders at a time, so that two imports do not count on the same room. */
  function exclusively<T>(change: () => Promise<T>): Promise<T> {
    const next = changing.then(change);
    changing = next.then(
      () => undefined,
      () => undefined,
    );
    return next;
  }
  const makeRoom = (bytes: number): Promise<void> => exclusively(() => evictFor(bytes));

  async function evictFor(bytes: number): Promise<void> {
    for (;;) {
      const used = store.images.all().reduce((sum, row) => sum + row.storedBytes, 0);
      const disk = await statfs(config.dataDir);
      const free = disk.bavail * disk.bsize;
      if (used + bytes <= config.maxStoreBytes && bytes + SPARE_BYTES <= free) return;
      const inUse = exits?.imagesInUse() ?? new Set();
      const idleSinceMs = clock.nowMs() - config.keepUnusedMs;
      const [oldest] = store.images
        .all()
        .filter((row) => !inUse.has(row.id) && row.lastUsedMs <= idleSinceMs)
        .toSorted((a, b) => a.lastUsedMs - b.lastUsedMs);
      if (oldest) {
        await evict(oldest);
        continue;
      }
      throw new ImageError(
        'NO_SPACE',
        used + bytes > config.maxStoreBytes
          ? `no space left for images: ${bytes} bytes are needed, ${used} of the store's ${config.maxStoreBytes} are taken by images in use`
          : `no space left for images in ${config.dataDir}: ${bytes} bytes are needed, ${free} are free`,
      );
    }
  }

  function find(source: CheckedSource): ImageRow | undefined {
    const known = store.sources.get(source.key);
    const row = known && store.images.get(known.imageId);
    if (!known || !row) return undefined;
    checkDeclared(known.diskFormat, source.declaredFormat);
    return row;
  }

  /** Moves a finished image into the store, and only then writes the row that makes it one. */
  async function keep(imported: Imported): Promise<ImageRow> {
    const id = imported.mapSha256;
    const present = store.images.get(id);
    if (!present) await evictFor(imported.storedBytes);
    await moveIntoStore(imported.jobDir, paths.image(id).dir);
    const nowMs = clock.nowMs();
    const row: ImageRow = {
      id,
      sizeBytes: imported.sizeBytes,
      usedBytes: imported.usedBytes,
      mapSha256: imported.mapSha256,
      sectorSizeBytes: imported.sectorSizeBytes,
      storedBytes: imported.storedBytes,
      createdMs: present?.createdMs ?? nowMs,
      lastUsedMs: nowMs,
    };
    store.images.put(row);
    return row;
  }

  async function bring(
    source: CheckedSource,
    tell: (progress: ImageProgress) => void,
    signal: AbortSignal,
  ): Promise<ImageRow> {
    const startedMs = clock.monotonicMs();
    const report = createProgressReporter(clock, tell);
    const imported = await importImage(
      { config, paths, processes, clock, random, fetchSlots, conversionSlots, makeRoom },
      source,
      report,
      signal,
    );
    const row = await exclusively(() => keep(imported)).catch(async (error: unknown) => {
      await rm(imported.jobDir, { recursive: true, force: true });
      throw error;
    });
    store.sources.put({ id: source.key, imageId: row.id, diskFormat: imported.diskFormat });
    await rm(paths.fetched(source.key), { force: true });
    log.info('an image is in the store', {
      source: printableHref(source.href),
      imageId: row.id,
      sizeBytes: row.sizeBytes,
      usedBytes: row.usedBytes,
      seconds: Math.round(clock.monotonicMs() - startedMs) / 1000,
    });
    return row;
  }

  function fly(source: CheckedSource): Flight {
    const abort = new AbortController();
    const listeners = new Set<(progress: ImageProgress) => void>();
    const tell = (progress: ImageProgress): void => {
      flight.last = progress;
      for (const listener of listeners) listener(progress);
    };
    // One that was given up may still be on its way out: both would write to the same files.
    const before = flights.get(source.key)?.promise.catch(() => undefined);
    const promise = Promise.resolve(before)
      .then(() => bring(source, tell, abort.signal))
      .finally(() => flights.get(source.key) === flight && flights.delete(source.key));
    const flight: Flight = { promise, abort, listeners, callers: 0, last: undefined };
    flights.set(source.key, flight);
    promise.catch(() => undefined);
    return flight;
  }

  async function ensure({ source: given, signal, onProgress }: EnsureOptions): Promise<ReadyImage> {
    signal?.throwIfAborted();
    const source = checkSource(given);
    const present = find(source);
    if (present) return ready(touch(present));
    const flying = flights.get(source.key);
    const flight = flying && !flying.abort.signal.aborted ? flying : fly(source);
    flight.callers++;
    if (onProgress) {
      flight.listeners.add(onProgress);
      if (flight.last) onProgress(flight.last);
    }
    let onAbort: (() => void) | undefined;
    const aborted = new Promise<never>((_, reject) => {
      onAbort = () => reject(signal?.reason);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
    try {
      const row = await Promise.race([flight.promise, aborted]);
      const known = store.sources.get(source.key);
      if (known) checkDeclared(known.diskFormat, source.declaredFormat);
      return ready(row);
    } finally {
      if (onAbort) signal?.removeEventListener('abort', onAbort);
      if (onProgress) flight.listeners.delete(onProgress);
      if (--flight.callers === 0) flight.abort.abort(new Error('nobody waits for the image any more'));
    }
  }

  async function read(href: URL, options: { maxBytes: number; signal: AbortSignal }): Promise<Uint8Array> {
    const release = await readSlots.acquire({ signal: options.signal });
    try {
      const { fetchIdleMs: idleMs, fetchRetries: retries } = config;
      return await readHref({ ...options, href, withinMs: READ_MS, idleMs, retries, clock, random });
    } finally {
      release();
    }
  }

  const exit: ImageExit = {
    protocol: 'http',
    open(request) {
      const { exits: registry, server: listening } = started();
      const row = store.images.get(request.imageId);
      if (!row)
        throw new ImageError('NOT_FOUND', `image ${request.imageId.slice(0, 64)} is not in the store: ensure it first`);
      touch(row);
      return { ...registry.open(request), baseUrl: listening.baseUrl };
    },
    async readExtent(exitId, index) {
      const image = await started().exits.image(exitId);
      if (!Number.isInteger(index) || index < 0 || index >= image.index.count)
        throw new ImageError('NOT_FOUND', `there is no extent ${index}, the image has ${image.index.count}`);
      const buffer = Buffer.alloc(image.index.length(index));
      await image.read(buffer, image.index.offset(index));
      return buffer;
    },
    close: (exitId) => started().exits.close(exitId),
  };

  return {
    async start() {
      await mkdir(config.dataDir, { recursive: true, mode: 0o700 });
      await mkdir(paths.images, { recursive: true, mode: 0o700 });
      await mkdir(paths.temporary, { recursive: true, mode: 0o700 });
      await tidy();
      exits = createExitRegistry({ store, paths, clock, key: await exitKey() });
      server = await startHttpExit(config.http, exits, log);
    },
    async stop() {
      const left = [...flights.values()];
      for (const flight of left) flight.abort.abort(new Error('the depot stops'));
      await Promise.allSettled(left.map((flight) => flight.promise));
      await server?.close();
      await exits?.stop();
      server = undefined;
      exits = undefined;
    },
    ensure,
    read,
    openExit: exit.open,
    closeExit: exit.close,
    exitStats: (exitId) => started().exits.stats(exitId),
    exit,
  };

  /** After a crash: conversions start again, downloads go on, and rows and folders must agree. */
  async function tidy(): Promise<void> {
    const nowMs = clock.nowMs();
    for (const name of await readdir(paths.temporary)) {
      const path = join(paths.temporary, name);
      const age = nowMs - (await stat(path)).mtimeMs;
      if (name.startsWith('job-') || age > PARTIAL_LIFE_MS) await rm(path, { recursive: true, force: true });
    }
    const folders = new Set(await readdir(paths.images));
    for (const id of folders)
      if (!store.images.get(id)) await rm(paths.image(id).dir, { recursive: true, force: true });
    for (const row of store.images.all()) {
      const disk = await stat(paths.image(row.id).disk).catch(() => undefined);
      if (disk?.size === row.sizeBytes) continue;
      log.warn('an image is not what its row says and leaves the store', { imageId: row.id });
      await evict(row);
    }
    for (const s of store.sources.all()) if (!store.images.get(s.imageId)) store.sources.remove(s.id);
    for (const e of store.exits.all()) {
      const isOld = e.closed && nowMs - e.openedMs > DAY_MS;
      if (isOld || (!e.closed && !store.images.get(e.imageId))) store.exits.remove(e.id);
    }
  }

  /** The key that tokens are derived from: made once, readable by this user alone. */
  async function exitKey(): Promise<Uint8Array> {
    const known = await readFile(paths.exitKey).catch(() => undefined);
    if (known?.length === 32) return known;
    const key = random.bytes(32);
    await writeFile(`${paths.exitKey}.tmp`, key, { mode: 0o600 });
    await rename(`${paths.exitKey}.tmp`, paths.exitKey);
    return key;
  }
}
