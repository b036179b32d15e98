/**
 * One request and its answer over node:http. A framework costs as much again as everything else that happens to a read of one
 * node: contexts, delegated headers, middleware.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline, Readable } from 'node:stream';
import { giveBack } from './buffers.ts';

export type Body = string | Uint8Array | AsyncIterable<string> | undefined;

export interface Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly method: string;
  /** As it was sent, without the query. */
  readonly path: string;
  /** Without the question mark. */
  readonly querystring: string;
  /** Host and port as the client named them, or empty. */
  readonly host: string;
  /** A header of the request, or empty. */
  get(name: string): string;
  /** Sets a header of the answer. */
  set(name: string, value: string): void;
  /**
   * Sends the answer; bytes are the exchange's from then on. A text without a Content-Type is plain; a stream ends early when
   * the client has gone.
   */
  send(status: number, body: Body): void;
}

/** Who reads nothing of a long answer for so long has gone, and the answer would stay in memory. */
const STALLED_MS = 120_000;
const LONG_BYTES = 64 * 1024;

const HAS_NO_BODY: ReadonlySet<number> = new Set([204, 304]);

/**
 * Path and query of a request target (RFC 9112, 3.2): proxies send the absolute form, and `*` is the service as a whole.
 * undefined for what is none of these.
 */
export function pathOf(target: string): string | undefined {
  if (target.startsWith('/') || target === '*') return target;
  const origin = /^https?:\/\/[^/?#]+/i.exec(target)?.[0];
  return origin === undefined ? undefined : target.slice(origin.length);
}

/** `onBreak` is told of an answer that broke while it was sent; `url` is path and query. */
export function createExchange(
  req: IncomingMessage,
  res: ServerResponse,
  onBreak: (error: Error) => void,
  url: string,
  stalledMs = STALLED_MS,
): Exchange {
  const question = url.indexOf('?');
  const headers: Record<string, string> = {};
  res.on('error', onBreak);
  return {
    req,
    res,
    method: req.method ?? 'GET',
    path: (question < 0 ? url : url.slice(0, question)) || '/',
    querystring: question < 0 ? '' : url.slice(question + 1),
    host: req.headers.host ?? '',
    get(name) {
      const value = req.headers[name.toLowerCase()];
      return typeof value === 'string' ? value : (value?.join(', ') ?? '');
    },
    set: (name, value) => void (headers[name] = value),
    send(status, body) {
      if (body === undefined || HAS_NO_BODY.has(status)) {
        delete headers['Content-Type'];
        if (!HAS_NO_BODY.has(status)) headers['Content-Length'] = '0';
        res.writeHead(status, headers).end();
        return;
      }
      headers['Content-Type'] ??= 'text/plain; charset=utf-8';
      if (typeof body === 'string' || body instanceof Uint8Array) {
        const length = typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength;
        headers['Content-Length'] = String(length);
        if (length > LONG_BYTES) res.setTimeout(stalledMs, () => res.destroy());
        // The system has all of it then. Of what could not be sent somebody may still be reading.
        if (typeof body !== 'string') res.once('finish', () => giveBack(body));
        res.writeHead(status, headers).end(body);
        return;
      }
      res.writeHead(status, headers).flushHeaders();
      pipeline(Readable.from(body), res, (error) => {
        if (error) onBreak(error);
      });
    },
  };
}
