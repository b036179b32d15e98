import { createHmac } from 'node:crypto';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { equalInConstantTime, EXTENT_ALIGN_BYTES } from '@bessemer/image-format';
import type { Clock, Timer } from '@bessemer/ports';
import { ImageError } from './errors.ts';
import { decodeExtentIndex, type ExtentIndex } from './extent-index.ts';
import type { DepotPaths } from './paths.ts';
import type { ExitRow, ImageStore } from './store.ts';
import type { ExitRequest, ExitStats } from './types.ts';

/** Figures of an exit reach the disk after so many bytes or so long, whatever comes first: what a `kill -9` may lose. */
const PERSIST_BYTES = 8 * 1024 * 1024;
const PERSIST_MS = 100;

/** An image opened for reading. */
export interface OpenImage {
  readonly index: ExtentIndex;
  readonly mapPath: string;
  /** Fills `target` from byte `offset`; what lies behind the end of the file is zero. */
  read(target: Buffer, offset: number): Promise<void>;
}

/** The offers of images to deployments: rows in the store, tokens derived from the depot's key, figures that survive. */
export interface ExitRegistry {
  open(request: ExitRequest): { exitId: string; token: string };
  close(exitId: string): ExitStats | undefined;
  stats(exitId: string): ExitStats | undefined;
  /** The row, if the exit is open, the token right and the address allowed. Unknown ids cost the same time. */
  authorize(exitId: string, token: string, address: string): ExitRow | undefined;
  /** Images with an open exit. */
  imagesInUse(): ReadonlySet<string>;
  countRequest(exitId: string): void;
  countBytes(exitId: string, bytes: number): void;
  /** The image of an open exit. Rejects with NOT_FOUND. */
  image(exitId: string): Promise<OpenImage>;
  /** Writes the figures and closes the files. */
  stop(): Promise<void>;
}

interface Figures {
  bytes: number;
  requests: number;
  persistedBytes: number;
}

export function createExitRegistry(deps: {
  store: ImageStore;
  paths: DepotPaths;
  clock: Clock;
  key: Uint8Array;
}): ExitRegistry {
  const { store, paths, clock, key } = deps;
  const figures = new Map<string, Figures>();
  const opened = new Map<string, Promise<{ image: OpenImage; handle: FileHandle }>>();
  let timer: Timer | undefined;

  const derive = (purpose: string, value: string): string =>
    createHmac('sha256', key).update(`${purpose}\0${value}`).digest('hex');
  const tokenOf = (exitId: string): string => derive('token', exitId);
  const figuresOf = (exitId: string): Figures => {
    const row = store.exits.get(exitId);
    const found = figures.get(exitId) ?? {
      bytes: row?.bytesServed ?? 0,
      requests: row?.requests ?? 0,
      persistedBytes: row?.bytesServed ?? 0,
    };
    figures.set(exitId, found);
    return found;
  };
  const persist = (exitId: string): void => {
    const row = store.exits.get(exitId);
    const seen = figures.get(exitId);
    if (!row || !seen || (row.bytesServed === seen.bytes && row.requests === seen.requests)) return;
    seen.persistedBytes = seen.bytes;
    store.exits.put({ ...row, bytesServed: seen.bytes, requests: seen.requests });
  };
  const persistAll = (): void => {
    timer?.cancel();
    timer = undefined;
    for (const exitId of figures.keys()) persist(exitId);
  };
  const persistSoon = (): void => {
    timer ??= clock.setTimer(PERSIST_MS, persistAll, { background: true });
  };
  const statsOf = (exitId: string): ExitStats | undefined => {
    if (!store.exits.get(exitId)) return undefined;
    const { bytes, requests } = figuresOf(exitId);
    return { bytesServed: bytes, requests };
  };
  const forget = async (imageId: string): Promise<void> => {
    const entry = opened.get(imageId);
    opened.delete(imageId);
    await entry?.then(({ handle }) => handle.close()).catch(() => undefined);
  };

  return {
    open(request) {
      const exitId = derive('exit', JSON.stringify([request.imageId, request.deploymentId])).slice(0, 32);
      const row = store.exits.get(exitId);
      const allowAddress = request.allowAddress ?? null;
      if (!row || row.closed || row.allowAddress !== allowAddress)
        store.exits.put({
          id: exitId,
          imageId: request.imageId,
          deploymentId: request.deploymentId,
          allowAddress,
          closed: false,
          bytesServed: row?.bytesServed ?? 0,
          requests: row?.requests ?? 0,
          openedMs: clock.nowMs(),
        });
      return { exitId, token: tokenOf(exitId) };
    },
    close(exitId) {
      const row = store.exits.get(exitId);
      if (!row) return undefined;
      const { bytes, requests } = figuresOf(exitId);
      store.exits.put({ ...row, closed: true, bytesServed: bytes, requests });
      figures.delete(exitId);
      if (!store.exits.all().some((r) => !r.closed && r.imageId === row.imageId)) void forget(row.imageId);
      return { bytesServed: bytes, requests };
    },
    stats: statsOf,
    authorize(exitId, token, address) {
      const right = equalInConstantTime(token, tokenOf(exitId));
      const row = store.exits.get(exitId);
      if (!right || !row || row.closed) return undefined;
      return row.allowAddress === null || row.allowAddress === plainAddress(address) ? row : undefined;
    },
    imagesInUse: () =>
      new Set(
        store.exits
          .all()
          .filter((r) => !r.closed)
          .map((r) => r.imageId),
      ),
    countRequest(exitId) {
      figuresOf(exitId).requests++;
      persistSoon();
    },
    countBytes(exitId, bytes) {
      const seen = figuresOf(exitId);
      seen.bytes += bytes;
      if (seen.bytes - seen.persistedBytes >= PERSIST_BYTES) persist(exitId);
      else persistSoon();
    },
    async image(exitId) {
      const row = store.exits.get(exitId);
      if (!row || row.closed) throw new ImageError('NOT_FOUND', 'there is no such exit');
      let entry = opened.get(row.imageId);
      if (!entry) {
        entry = openImage(paths, row.imageId);
        opened.set(row.imageId, entry);
        entry.catch(() => opened.delete(row.imageId));
      }
      return (await entry).image;
    },
    async stop() {
      persistAll();
      await Promise.all([...opened.keys()].map(forget));
    },
  };
}

async function openImage(paths: DepotPaths, imageId: string): Promise<{ image: OpenImage; handle: FileHandle }> {
  const files = paths.image(imageId);
  const index = decodeExtentIndex(await readFile(files.index));
  const handle = await open(files.disk, 'r');
  const read = async (target: Buffer, offset: number): Promise<void> => {
    for (let done = 0; done < target.length; ) {
      const { bytesRead } = await handle.read(target, done, target.length - done, offset + done);
      if (bytesRead === 0) {
        // Only the padding of the last extent may be missing.
        if (target.length - done >= EXTENT_ALIGN_BYTES)
          throw new ImageError('CORRUPT', `image ${imageId} is shorter than its block map says`);
        target.fill(0, done);
        return;
      }
      done += bytesRead;
    }
  };
  return { handle, image: { index, mapPath: files.map, read } };
}

/** An IPv4 address that came over a socket of both families looks like `::ffff:192.0.2.1`. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}
