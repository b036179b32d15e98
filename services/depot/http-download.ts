/** Downloads over http(s) into a file that a later attempt, or a later process, can go on with. */
import { open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { printableHref } from '@bessemer/core';
import { explainWriteError, ImageError } from './errors.ts';
import {
  checkStatus,
  Interrupted,
  lengthOf,
  pauseBeforeRetry,
  requestHref,
  type RequestPolicy,
  SOURCE_HEADERS,
  unreachable,
  whileAlive,
} from './http-request.ts';

export interface DownloadOptions extends RequestPolicy {
  readonly href: URL;
  /** The file; what is known of its origin stands in `{path}.json`. */
  readonly path: string;
  readonly maxBytes: number;
  readonly onProgress: (bytes: number, totalBytes: number | null) => void;
  /** Called once the size is known, before the first byte is written; rejects when there is no room. */
  readonly reserve: (bytes: number) => Promise<void>;
}

/** What ties a partial file to its origin. */
interface Origin {
  readonly href: string;
  /** A strong ETag, or a date: the validator for `If-Range` (RFC 9110 section 13.1.5). */
  readonly validator: string;
  readonly totalBytes: number | null;
}

const BLOCK_BYTES = 64 * 1024;

/**
 * Downloads to `path`. An interrupted transfer is resumed by a range request while the server's validator is the same, else
 * started again; `retries` times in a row without a new byte. Rejects with ImageError or the signal's reason.
 */
export async function download(options: DownloadOptions): Promise<void> {
  let failures = 0;
  for (;;) {
    const before = await sizeOf(options.path);
    try {
      await attempt(options);
      await rm(`${options.path}.json`, { force: true });
      return;
    } catch (error) {
      options.signal.throwIfAborted();
      if (!(error instanceof Interrupted)) throw error;
      failures = (await sizeOf(options.path)) > before ? 0 : failures + 1;
      if (failures > options.retries) throw unreachable(options.href, error);
      await pauseBeforeRetry(options, failures);
    }
  }
}

async function attempt(options: DownloadOptions): Promise<void> {
  const { path, href } = options;
  const known = await readOrigin(path, href);
  const have = known ? await sizeOf(path) : 0;
  const headers: OutgoingHttpHeaders = { ...SOURCE_HEADERS };
  if (known && have > 0) {
    headers['range'] = `bytes=${have}-`;
    headers['if-range'] = known.validator;
  }
  await whileAlive(options, async (signal, alive) => {
    const response = await requestHref(href, headers, signal);
    alive();
    await receive(options, response, known, have, alive);
  });
}

async function receive(
  options: DownloadOptions,
  response: IncomingMessage,
  known: Origin | undefined,
  have: number,
  alive: () => void,
): Promise<void> {
  const { path, href } = options;
  const status = response.statusCode ?? 0;
  const shown = printableHref(href);
  if (status === 416 && known && have === known.totalBytes) return void response.destroy();
  if (status === 416) {
    response.destroy();
    await rm(`${path}.json`, { force: true });
    throw new Interrupted('the server refused to go on');
  }
  if (status !== 206) checkStatus(href, response);
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers['content-range'] ?? '');
  if (status === 206 && (!range || Number(range[1]) !== have)) {
    response.destroy();
    await rm(`${path}.json`, { force: true });
    throw new Interrupted('the server sent another range than was asked for');
  }
  const start = status === 206 ? have : 0;
  const lengthBytes = lengthOf(response);
  const totalBytes = lengthBytes === null ? null : start + lengthBytes;
  if ((totalBytes ?? 0) > options.maxBytes) {
    response.destroy();
    throw new ImageError('TOO_LARGE', `${shown} is ${totalBytes} bytes, at most ${options.maxBytes} are allowed`);
  }
  try {
    if (totalBytes !== null) await options.reserve(totalBytes - start);
    const etag = response.headers['etag'];
    const validator = etag && !etag.startsWith('W/') ? etag : response.headers['last-modified'];
    if (start === 0) await rm(path, { force: true });
    if (validator) await writeOrigin(path, { href: href.href, validator, totalBytes });
    else await rm(`${path}.json`, { force: true });
  } catch (error) {
    response.destroy();
    throw explainWriteError(error, path);
  }
  const bytes = await store(options, response, start, totalBytes, alive);
  if (totalBytes !== null && bytes !== totalBytes)
    throw new Interrupted(`the transfer ended at byte ${bytes} of ${totalBytes}`);
}

/** Appends the body. Blocks of zeroes become holes, but the file is never longer than what came. */
async function store(
  options: DownloadOptions,
  response: IncomingMessage,
  start: number,
  totalBytes: number | null,
  alive: () => void,
): Promise<number> {
  const file = await open(options.path, start > 0 ? 'r+' : 'w', 0o600);
  const zero = Buffer.alloc(BLOCK_BYTES);
  let position = start;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      alive();
      if (position + chunk.length > options.maxBytes)
        throw new ImageError(
          'TOO_LARGE',
          `${printableHref(options.href)} is larger than the ${options.maxBytes} bytes that are allowed`,
        );
      for (let at = 0; at < chunk.length; ) {
        const size = Math.min(chunk.length - at, BLOCK_BYTES);
        if (chunk.compare(zero, 0, size, at, at + size) === 0) at += size;
        else at += (await file.write(chunk, at, chunk.length - at, position + at)).bytesWritten;
      }
      position += chunk.length;
      options.onProgress(position, totalBytes);
    }
    await file.truncate(position);
    await file.sync();
    return position;
  } catch (error) {
    const explained = explainWriteError(error, options.path);
    if (explained instanceof ImageError || options.signal.aborted) throw explained;
    throw new Interrupted(error instanceof Error ? error.message : String(error));
  } finally {
    response.destroy();
    await file.close();
  }
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    (s) => s.size,
    () => 0,
  );
}

async function readOrigin(path: string, href: URL): Promise<Origin | undefined> {
  try {
    const origin = JSON.parse(await readFile(`${path}.json`, 'utf8')) as Origin;
    return origin.href === href.href && typeof origin.validator === 'string' ? origin : undefined;
  } catch {
    return undefined;
  }
}

async function writeOrigin(path: string, origin: Origin): Promise<void> {
  await writeFile(`${path}.json.tmp`, JSON.stringify(origin), { mode: 0o600 });
  await rename(`${path}.json.tmp`, `${path}.json`);
}
