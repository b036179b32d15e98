/** Small files over http(s), into memory: nothing of them, which may be secret, is left on a disk. */
import { printableHref } from '@bessemer/core';
import { ImageError } from './errors.ts';
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

export interface ReadOptions extends RequestPolicy {
  /** `http:` or `https:`. */
  readonly href: URL;
  readonly maxBytes: number;
  /** For all of it: a server that sends a drop now and then keeps others from being read. */
  readonly withinMs: number;
}

/** The whole file; an interrupted transfer begins again, `retries` times. Rejects with ImageError or the signal's reason. */
export async function readFile(options: ReadOptions): Promise<Buffer> {
  const { href, withinMs, clock } = options;
  const limit = new AbortController();
  const late = new ImageError('UNREACHABLE', `${printableHref(href)} was not read within ${withinMs / 1000} s`);
  const timer = clock.setTimer(withinMs, () => limit.abort(late), { background: true });
  try {
    return await persistently({ ...options, signal: AbortSignal.any([options.signal, limit.signal]) });
  } finally {
    timer.cancel();
  }
}

async function persistently(options: ReadOptions): Promise<Buffer> {
  for (let failures = 1; ; failures++) {
    try {
      return await whileAlive(options, (signal, alive) => attempt(options, signal, alive));
    } catch (error) {
      options.signal.throwIfAborted();
      if (!(error instanceof Interrupted)) throw error;
      if (failures > options.retries) throw unreachable(options.href, error);
      await pauseBeforeRetry(options, failures);
    }
  }
}

async function attempt({ href, maxBytes }: ReadOptions, signal: AbortSignal, alive: () => void): Promise<Buffer> {
  const response = await requestHref(href, SOURCE_HEADERS, signal);
  checkStatus(href, response);
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  const checkSize = (bytes: number): void => {
    if (bytes > maxBytes)
      throw new ImageError('TOO_LARGE', `${printableHref(href)} is larger than the ${maxBytes} bytes that are allowed`);
  };
  try {
    checkSize(lengthOf(response) ?? 0);
    for await (const chunk of response as AsyncIterable<Buffer>) {
      alive();
      sizeBytes += chunk.length;
      checkSize(sizeBytes);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof ImageError || signal.aborted) throw error;
    throw new Interrupted(error instanceof Error ? error.message : String(error));
  } finally {
    response.destroy();
  }
  return Buffer.concat(chunks);
}
