/** What the depot's tests and its benchmark share: images made by the usual tools, a server that counts, a client of the exit. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type BlockMap, digestOf, parseBlockMap } from '@bessemer/image-format';
import { silentLog } from '@bessemer/ports';
import { seededRandom } from '@bessemer/ports/testing';
import { systemClock, systemRandom } from '@bessemer/ports/node';
import {
  createDepot,
  createFileStore,
  createProcesses,
  DEPOT_DEFAULTS,
  type Depot,
  type DepotConfig,
  type OpenedExit,
} from './index.ts';

export const MIB = 1024 * 1024;

export function configFor(dataDir: string, changes: Partial<DepotConfig> = {}): DepotConfig {
  return {
    ...DEPOT_DEFAULTS,
    dataDir,
    allowedRoots: [],
    keepUnusedMs: 0,
    http: { address: '127.0.0.1', port: 0, baseUrl: '', maxRequests: 16, compress: false },
    ...changes,
  };
}

export function depotFor(config: DepotConfig): Depot {
  mkdirSync(config.dataDir, { recursive: true });
  const store = createFileStore(join(config.dataDir, 'rows'), silentLog);
  return createDepot({
    store,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    config,
    processes: createProcesses(),
  });
}

/** A raw image: pieces of random bytes at the given offsets, holes between them. */
export function makeRaw(
  path: string,
  sizeBytes: number,
  pieces: ReadonlyArray<readonly [offset: number, length: number]>,
  seed = 1,
): string {
  const fd = openSync(path, 'w');
  const noise = Buffer.from(seededRandom(seed).bytes(MIB));
  for (const [offset, length] of pieces)
    for (let at = 0; at < length; at += MIB) {
      noise.writeUInt32LE(offset / 512 + at, 0);
      writeSync(fd, noise, 0, Math.min(MIB, length - at), offset + at);
    }
  ftruncateSync(fd, sizeBytes);
  closeSync(fd);
  return path;
}

export const sha256Of = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');
export const sourceOf = (path: string) => ({ href: `file://${path}`, checksum: sha256Of(path) });
export const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

/** Fetches map and extents of an exit and puts the image together, checking every digest. */
export async function fetchImage(
  exit: OpenedExit,
  headers: Record<string, string> = {},
): Promise<{ map: BlockMap; disk: Buffer }> {
  const get = async (path: string): Promise<Buffer> => {
    const response = await fetch(`${exit.baseUrl}/exits/${exit.exitId}/${path}`, {
      headers: { authorization: `Bearer ${exit.token}`, ...headers },
    });
    if (response.status !== 200) throw new Error(`HTTP ${response.status}: ${await response.text()}`);
    return Buffer.from(await response.arrayBuffer());
  };
  const parsed = parseBlockMap(await get('map'));
  if (!parsed.ok) throw new Error(parsed.error.message);
  const map = parsed.value;
  const disk = Buffer.alloc(Math.ceil(map.sizeBytes / 4096) * 4096);
  const batch = 5;
  for (let from = 0; from < map.extents.length; from += batch) {
    const extents = map.extents.slice(from, from + batch);
    const bytes = await get(`extents?from=${from}&count=${extents.length}`);
    let at = 0;
    for (const e of extents) {
      const data = bytes.subarray(at, at + e.length);
      if (digestOf('sha256', data) !== e.sha256) throw new Error(`extent at ${e.offset} has another digest`);
      disk.set(data, e.offset);
      at += e.length;
    }
    if (at !== bytes.length) throw new Error(`${bytes.length} bytes came, ${at} were expected`);
  }
  return { map, disk: disk.subarray(0, map.sizeBytes) };
}

export interface FileServer {
  readonly url: string;
  /** Bytes of bodies handed to the network, by path. */
  readonly sent: Map<string, number>;
  readonly ranges: string[];
  close(): Promise<void>;
}

/** Serves files of a folder, with ETag and ranges; `cutAt` ends a body after so many bytes, once per path. */
export async function serveFolder(
  dir: string,
  options: { cutAt?: number; etag?: boolean; hold?: Promise<void> } = {},
): Promise<FileServer> {
  const sent = new Map<string, number>();
  const ranges: string[] = [];
  const cut = new Set<string>();
  const server = http.createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '/');
    if (path.startsWith('/status/')) return void response.writeHead(Number(path.slice(8))).end();
    if (path.startsWith('/redirect/'))
      return void response.writeHead(302, { location: decodeURIComponent(path.slice(10)) }).end();
    let bytes: Buffer;
    try {
      bytes = readFileSync(join(dir, path));
    } catch {
      return void response.writeHead(404).end();
    }
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const etag = `"${digestOf('sha256', bytes).slice(0, 16)}"`;
    const partial = from > 0 && request.headers['if-range'] === etag;
    if (request.headers.range) ranges.push(request.headers.range);
    let body = partial ? bytes.subarray(from) : bytes;
    response.writeHead(partial ? 206 : 200, {
      'content-length': body.length,
      ...(options.etag === false ? {} : { etag }),
      ...(partial ? { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {}),
    });
    const isCut = options.cutAt !== undefined && !cut.has(path);
    cut.add(path);
    if (isCut) body = body.subarray(0, options.cutAt);
    sent.set(path, (sent.get(path) ?? 0) + body.length);
    response.write(body, () => {
      if (isCut) response.destroy();
      else void (options.hold ?? Promise.resolve()).then(() => response.end());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sent,
    ranges,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export const storedBytes = (path: string): number => statSync(path).blocks * 512;
