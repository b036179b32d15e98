/** The HTTP exit: block map and extents of an image for whoever holds the token of an open exit. */
import { open as openFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { constants as zlibConstants, createZstdCompress } from 'node:zlib';
import { MAX_EXTENT_BYTES } from '@bessemer/image-format';
import type { Log } from '@bessemer/ports';
import type { ExitRegistry, OpenImage } from './exits.ts';
import { createSlots } from './slots.ts';
import type { DepotConfig } from './types.ts';

export interface HttpExitServer {
  /** Such as `http://192.0.2.1:6387`. */
  readonly baseUrl: string;
  close(): Promise<void>;
}

/** Reads are this large: small enough to keep many requests in little memory, large enough that their number does not count. */
const READ_BYTES = 1024 * 1024;
const MAX_COUNT = 1024;
const MAX_REQUEST_BYTES = 64 * MAX_EXTENT_BYTES;
const IDLE_MS = 60_000;
const PATH = /^\/exits\/([a-z0-9-]{1,64})\/(map|extents)$/;

/** Starts to listen. Rejects when the address is not to be had. */
export async function startHttpExit(
  config: DepotConfig['http'],
  exits: ExitRegistry,
  log: Log,
): Promise<HttpExitServer> {
  const slots = createSlots(config.maxRequests);
  const server = http.createServer({
    keepAliveTimeout: IDLE_MS,
    headersTimeout: 20_000,
    requestTimeout: 30_000,
    noDelay: true,
  });
  server.maxConnections = 1024;
  server.setTimeout(IDLE_MS);
  server.on('request', (request, response) => {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    answer(request, response, gone.signal).catch((error: unknown) => {
      if (gone.signal.aborted) return;
      log.error('an image request failed', { error: String(error) });
      if (response.headersSent) response.destroy();
      else refuse(response, 500, 'the image cannot be read');
    });
  });

  async function answer(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    gone: AbortSignal,
  ): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://depot');
    const token = /^Bearer ([\x21-\x7e]{1,256})$/i.exec(request.headers.authorization ?? '')?.[1];
    if (!token) {
      response.setHeader('www-authenticate', 'Bearer');
      return refuse(response, 401, 'a token is needed: Authorization: Bearer ...');
    }
    const [, exitId = '', what] = PATH.exec(url.pathname) ?? [];
    const row = exits.authorize(exitId, token, request.socket.remoteAddress ?? '');
    // One answer for unknown, closed, not yours and not from here: it tells nothing about other deployments.
    if (!row) return refuse(response, 404, 'there is no such exit');
    if (request.method !== 'GET') return refuse(response, 405, 'only GET is allowed');
    exits.countRequest(exitId);
    const release = await slots.acquire({ signal: gone });
    try {
      const image = await exits.image(exitId);
      if (what === 'map') await sendMap(image, response, gone);
      else await sendExtents(exitId, image, url.searchParams, request, response, gone);
    } finally {
      release();
    }
  }

  async function sendExtents(
    exitId: string,
    image: OpenImage,
    query: URLSearchParams,
    request: http.IncomingMessage,
    response: http.ServerResponse,
    gone: AbortSignal,
  ): Promise<void> {
    const from = countOf(query.get('from'));
    const count = countOf(query.get('count'));
    const { index } = image;
    if (from === undefined || count === undefined || count === 0 || count > MAX_COUNT || from + count > index.count)
      return refuse(response, 416, `from and count must name 1 to ${MAX_COUNT} of the ${index.count} extents`);
    let bytes = 0;
    for (let i = from; i < from + count; i++) bytes += index.length(i);
    if (bytes > MAX_REQUEST_BYTES)
      return refuse(response, 416, `one request may ask for ${MAX_REQUEST_BYTES} bytes, this one is for ${bytes}`);
    const compress =
      config.compress && /(^|[\s,])zstd($|[\s,;])/.test(String(request.headers['accept-encoding'] ?? ''));
    response.setHeader('content-type', 'application/octet-stream');
    if (compress) response.setHeader('content-encoding', 'zstd');
    else response.setHeader('content-length', bytes);
    const sink = compress
      ? createZstdCompress({ chunkSize: READ_BYTES, params: { [zlibConstants.ZSTD_c_compressionLevel]: 1 } })
      : response;
    if (sink !== response) {
      sink.pipe(response);
      response.once('close', () => sink.destroy());
    }
    const write = writerTo(sink, gone);
    // Two buffers take turns: one is read into while the other is on its way out.
    const buffers = [
      Buffer.allocUnsafeSlow(Math.min(READ_BYTES, bytes)),
      Buffer.allocUnsafeSlow(Math.min(READ_BYTES, bytes)),
    ];
    let turn = 0;
    let underWay: Promise<void> = Promise.resolve();
    for (const span of spans(index, from, count)) {
      const buffer = (buffers[turn] ?? Buffer.alloc(span.length)).subarray(0, span.length);
      turn = 1 - turn;
      await image.read(buffer, span.offset);
      await underWay;
      underWay = write(buffer).then(() => exits.countBytes(exitId, span.length));
      underWay.catch(() => undefined);
    }
    await underWay;
    sink.end();
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(config.port, config.address, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const { address, port, family } = server.address() as AddressInfo;
  return {
    baseUrl: config.baseUrl || `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function sendMap(image: OpenImage, response: http.ServerResponse, gone: AbortSignal): Promise<void> {
  const file = await openFile(image.mapPath, 'r');
  try {
    response.setHeader('content-type', 'application/json');
    response.setHeader('content-length', (await file.stat()).size);
    const write = writerTo(response, gone);
    for (;;) {
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafeSlow(READ_BYTES), 0, READ_BYTES);
      if (bytesRead === 0) break;
      await write(buffer.subarray(0, bytesRead));
    }
    response.end();
  } finally {
    await file.close();
  }
}

/** Reads that give the extents one after the other; extents that touch are read together. */
export function* spans(
  index: { offset(i: number): number; length(i: number): number },
  from: number,
  count: number,
): Generator<{ offset: number; length: number }> {
  let start = 0;
  let end = 0;
  for (let i = from; i <= from + count; i++) {
    const offset = i < from + count ? index.offset(i) : Number.NaN;
    if (offset === end && end > start) {
      end += index.length(i);
      continue;
    }
    for (let at = start; at < end; at += READ_BYTES) yield { offset: at, length: Math.min(READ_BYTES, end - at) };
    if (i === from + count) return;
    start = offset;
    end = start + index.length(i);
  }
}

/** Writes that resolve when the bytes have left the buffer, and reject when the other side is gone. */
function writerTo(sink: NodeJS.WritableStream, gone: AbortSignal): (data: Uint8Array) => Promise<void> {
  return (data) =>
    new Promise((resolve, reject) => {
      if (gone.aborted) return reject(gone.reason);
      const onGone = (): void => reject(gone.reason);
      gone.addEventListener('abort', onGone, { once: true });
      sink.write(data, (error) => {
        gone.removeEventListener('abort', onGone);
        if (error) reject(error);
        else resolve();
      });
    });
}

function countOf(text: string | null): number | undefined {
  return text !== null && /^\d{1,8}$/.test(text) ? Number(text) : undefined;
}

function refuse(response: http.ServerResponse, status: number, message: string): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify({ error: message })}\n`);
}
