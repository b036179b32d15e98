/** Files over HTTP: one folder, whole or by a range (RFC 9110 section 14), streamed. */
import { open, realpath, stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';

export interface Served {
  readonly status: number;
  /** Of the body, handed to the network. */
  readonly bytes: number;
  /** True when the last byte of the file was among them and none was missing. */
  readonly complete: boolean;
}

/** Large reads: the default of 64 KiB halves the rate. */
const CHUNK_BYTES = 1024 * 1024;
const NAME = /^[A-Za-z0-9_][A-Za-z0-9._+-]*(\/[A-Za-z0-9_][A-Za-z0-9._+-]*)*$/;

/**
 * Sends the regular file `name` (segments of letters, digits, `. _ + -`, joined by slashes) below `folder`; anything else,
 * symbolic links that lead outside included, is 404. Answers GET and HEAD.
 */
export async function serveFile(
  req: IncomingMessage,
  res: ServerResponse,
  folder: string,
  name: string,
): Promise<Served> {
  const file = await findFile(folder, name);
  if (!file) {
    sendText(res, 404, `no artefact ${JSON.stringify(name.slice(0, 200))}\n`);
    return { status: 404, bytes: 0, complete: false };
  }
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const range = parseRange(req.headers.range, size);
    res.setHeader('accept-ranges', 'bytes');
    if (range === 'unsatisfiable') {
      res.setHeader('content-range', `bytes */${size}`);
      sendText(res, 416, `the file has ${size} bytes\n`);
      return { status: 416, bytes: 0, complete: false };
    }
    const { first, last } = range ?? { first: 0, last: size - 1 };
    const status = range ? 206 : 200;
    if (range) res.setHeader('content-range', `bytes ${first}-${last}/${size}`);
    res.writeHead(status, { 'content-type': 'application/octet-stream', 'content-length': last - first + 1 });
    if (req.method === 'HEAD' || size === 0) {
      res.end();
      return { status, bytes: 0, complete: size === 0 };
    }
    let bytes = 0;
    const body = handle.createReadStream({ start: first, end: last, highWaterMark: CHUNK_BYTES, autoClose: false });
    body.on('data', (chunk) => {
      bytes += chunk.length;
    });
    // A client that goes away in the middle is an outcome, not an error.
    const whole = await pipeline(body, res).then(
      () => true,
      () => false,
    );
    return { status, bytes, complete: whole && last === size - 1 && bytes === last - first + 1 };
  } finally {
    await handle.close();
  }
}

async function findFile(folder: string, name: string): Promise<string | undefined> {
  if (!NAME.test(name) || name.length > 512) return undefined;
  try {
    const root = await realpath(folder);
    const file = await realpath(join(root, name));
    return file.startsWith(`${root}${sep}`) && (await stat(file)).isFile() ? file : undefined;
  } catch {
    return undefined;
  }
}

/** A single range of bytes; undefined when there is none, or one of a kind that may be ignored (several, another unit). */
export function parseRange(
  header: string | undefined,
  sizeBytes: number,
): { first: number; last: number } | 'unsatisfiable' | undefined {
  const [, from, to] = /^bytes=([0-9]{0,15})-([0-9]{0,15})$/.exec(header ?? '') ?? [];
  if (from === undefined || to === undefined || (from === '' && to === '')) return undefined;
  if (from === '') {
    const length = Math.min(Number(to), sizeBytes);
    return length === 0 ? 'unsatisfiable' : { first: sizeBytes - length, last: sizeBytes - 1 };
  }
  const first = Number(from);
  const last = to === '' ? sizeBytes - 1 : Math.min(Number(to), sizeBytes - 1);
  if (to !== '' && Number(to) < first) return undefined;
  return first >= sizeBytes ? 'unsatisfiable' : { first, last };
}

export function sendText(res: ServerResponse, status: number, text: string): void {
  res.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'content-length': Buffer.byteLength(text) });
  res.end(text);
}
