/** Downloads over http(s) into a file that a later attempt, or a later process, can go on with. */
import { open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { BlockList, isIP, isIPv6 } from 'node:net';
import { lookup as systemLookup } from 'node:dns';
import type { Clock, Random } from '@bessemer/ports';
import { sleep } from '@bessemer/ports';
import { explainWriteError, ImageError, systemCode } from './errors.ts';
import { printableHref } from './source.ts';

export interface DownloadOptions {
  readonly href: URL;
  /** The file; what is known of its origin stands in `{path}.json`. */
  readonly path: string;
  readonly maxBytes: number;
  readonly idleMs: number;
  readonly retries: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
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

const MAX_REDIRECTS = 5;
const FIRST_RETRY_MS = 500;
const BLOCK_BYTES = 64 * 1024;

/** Addresses that no image comes from: the services of a cloud's hypervisor, and the machine itself when a redirect points there. */
const LINK_LOCAL = new BlockList();
LINK_LOCAL.addSubnet('169.254.0.0', 16);
LINK_LOCAL.addSubnet('fe80::', 10, 'ipv6');
// The unspecified addresses lead to the machine itself.
LINK_LOCAL.addSubnet('0.0.0.0', 8);
LINK_LOCAL.addAddress('::', 'ipv6');
const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8);
LOOPBACK.addAddress('::1', 'ipv6');

class Interrupted extends Error {}

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
      if (failures > options.retries)
        throw new ImageError('UNREACHABLE', `${printableHref(options.href)} cannot be read: ${error.message}`, {
          cause: error,
        });
      await sleep(options.clock, FIRST_RETRY_MS * 2 ** failures * (0.5 + options.random.float() / 2), options.signal);
    }
  }
}

async function attempt(options: DownloadOptions): Promise<void> {
  const { path, href } = options;
  const known = await readOrigin(path, href);
  const have = known ? await sizeOf(path) : 0;
  const headers: http.OutgoingHttpHeaders = { 'accept-encoding': 'identity', 'user-agent': 'bessemer-depot' };
  if (known && have > 0) {
    headers['range'] = `bytes=${have}-`;
    headers['if-range'] = known.validator;
  }
  const idle = new AbortController();
  const signal = AbortSignal.any([options.signal, idle.signal]);
  let timer = options.clock.setTimer(options.idleMs, () => idle.abort(), { background: true });
  const alive = (): void => {
    timer.cancel();
    timer = options.clock.setTimer(options.idleMs, () => idle.abort(), { background: true });
  };
  try {
    const response = await request(href, headers, signal, MAX_REDIRECTS, false);
    alive();
    await receive(options, response, known, have, alive);
  } catch (error) {
    if (idle.signal.aborted && !options.signal.aborted) throw new Interrupted(`nothing came for ${options.idleMs} ms`);
    throw error;
  } finally {
    timer.cancel();
  }
}

async function receive(
  options: DownloadOptions,
  response: http.IncomingMessage,
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
  if (status !== 200 && status !== 206) {
    response.destroy();
    if (status === 404 || status === 410) throw new ImageError('NOT_FOUND', `${shown} does not exist (HTTP ${status})`);
    if (status >= 500 || status === 429) throw new Interrupted(`the server answered HTTP ${status}`);
    throw new ImageError('UNREACHABLE', `${shown} was refused by its server: HTTP ${status}`);
  }
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers['content-range'] ?? '');
  if (status === 206 && (!range || Number(range[1]) !== have)) {
    response.destroy();
    await rm(`${path}.json`, { force: true });
    throw new Interrupted('the server sent another range than was asked for');
  }
  const start = status === 206 ? have : 0;
  const length = response.headers['content-length'];
  const totalBytes = length !== undefined && /^\d{1,15}$/.test(length) ? start + Number(length) : null;
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
  response: http.IncomingMessage,
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

function request(
  href: URL,
  headers: http.OutgoingHttpHeaders,
  signal: AbortSignal,
  redirects: number,
  isRedirect: boolean,
): Promise<http.IncomingMessage> {
  const blocked = (address: string): boolean => {
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    return LINK_LOCAL.check(address, family) || (isRedirect && LOOPBACK.check(address, family));
  };
  const refusal = (): ImageError =>
    new ImageError('FORBIDDEN_SOURCE', `${printableHref(href)} leads to an address that images may not come from`);
  const host = href.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) && blocked(host)) return Promise.reject(refusal());
  return new Promise((resolve, reject) => {
    const client = href.protocol === 'https:' ? https : http;
    const lookup: typeof systemLookup = ((name: string, options: object, callback: (...args: unknown[]) => void) =>
      systemLookup(name, { ...options, all: true }, (error, addresses) => {
        if (error) return callback(error);
        const first = addresses[0];
        if (!first || addresses.some((a) => blocked(a.address))) return callback(refusal());
        if ('all' in options && options.all) return callback(null, addresses);
        callback(null, first.address, first.family);
      })) as typeof systemLookup;
    const outgoing = client.get(href, { headers, signal, lookup, agent: false }, (response) => {
      const location = response.headers.location;
      if (![301, 302, 303, 307, 308].includes(response.statusCode ?? 0) || !location) return resolve(response);
      response.destroy();
      const next = URL.canParse(location, href.href) ? new URL(location, href.href) : undefined;
      if (!next || !['http:', 'https:'].includes(next.protocol) || redirects === 0)
        return reject(
          new ImageError('UNREACHABLE', `${printableHref(href)} redirects to where images cannot be read from`),
        );
      const sameMachine = next.host === href.host;
      request(next, headers, signal, redirects - 1, isRedirect || !sameMachine).then(resolve, reject);
    });
    outgoing.on('error', (error) => {
      if (error instanceof ImageError || signal.aborted) return reject(error);
      const code = systemCode(error);
      // A name that does not exist will not appear within seconds; everything else on the way may pass.
      if (code === 'ENOTFOUND')
        return reject(
          new ImageError('UNREACHABLE', `${printableHref(href)}: the name of the server is unknown`, { cause: error }),
        );
      reject(new Interrupted(error.message));
    });
  });
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
