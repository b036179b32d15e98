/** Sends over HTTP and HTTPS within limits: no redirect is followed, no address that nobody means, one deadline for all of it. */
import { lookup as lookUpName } from 'node:dns';
import { Agent as HttpAgent, type RequestOptions } from 'node:http';
import http from 'node:http';
import https, { Agent as HttpsAgent } from 'node:https';
import { coerceError, egressProblem, isForbiddenAddress } from '@bessemer/core';
import type { Clock } from '@bessemer/ports';

/** An answer's status, or why there was none. */
export type SendResult =
  | { readonly status: number; readonly error?: undefined }
  | { readonly status: null; readonly error: string };

export interface WebhookSender {
  /** Never throws. */
  send(request: {
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
    readonly signal: AbortSignal;
  }): Promise<SendResult>;
  close(): void;
}

/** From the look-up of the name to the answer's headers. */
export const SEND_TIMEOUT_MS = 10_000;
/** What an answer may hold for its connection to be used again; nobody reads it. */
const MAX_ANSWER_BYTES = 64 * 1024;
const MAX_SOCKETS = 4;

class ForbiddenAddress extends Error {}

/** Looks at each address of a name: one that was harmless when the webhook was made may have moved. */
const lookup: NonNullable<RequestOptions['lookup']> = (hostname, options, callback) => {
  lookUpName(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) return callback(error, '', 4);
    const allowed = addresses.filter(({ address }) => !isForbiddenAddress(address));
    const first = allowed[0];
    if (!first) return callback(new ForbiddenAddress(`nothing is sent to ${addresses[0]?.address}`), '', 4);
    if (options.all) return callback(null, allowed);
    callback(null, first.address, first.family);
  });
};

export function createHttpSender(clock: Clock): WebhookSender {
  const options = { keepAlive: true, maxSockets: MAX_SOCKETS, maxFreeSockets: 1 };
  const agents = { 'http:': new HttpAgent(options), 'https:': new HttpsAgent(options) };

  return {
    send({ url, headers, body, signal }) {
      const problem = egressProblem(url);
      if (problem !== undefined) return Promise.resolve({ status: null, error: problem });
      const isSecure = url.startsWith('https:');
      return new Promise((resolve) => {
        const request = (isSecure ? https : http).request(url, {
          method: 'POST',
          headers: { ...headers, 'Content-Length': String(Buffer.byteLength(body)) },
          agent: agents[isSecure ? 'https:' : 'http:'],
          lookup,
        });
        const timer = clock.setTimer(
          SEND_TIMEOUT_MS,
          () => request.destroy(new Error(`no answer within ${SEND_TIMEOUT_MS / 1000} seconds`)),
          { background: true },
        );
        const abort = () => request.destroy(new Error('the service ends'));
        const end = () => {
          timer.cancel();
          signal.removeEventListener('abort', abort);
        };
        signal.addEventListener('abort', abort);
        if (signal.aborted) abort();
        request.once('response', (response) => {
          resolve({ status: response.statusCode ?? 0 });
          let bytes = 0;
          response.on('data', (chunk: Buffer) => {
            bytes += chunk.length;
            if (bytes > MAX_ANSWER_BYTES) request.destroy();
          });
          response.once('error', () => {});
        });
        request.once('close', end);
        // After the answer has begun nobody waits for this any more.
        request.on('error', (error) => resolve({ status: null, error: coerceError(error).message }));
        request.end(body);
      });
    },
    close() {
      for (const agent of Object.values(agents)) agent.destroy();
    },
  };
}
