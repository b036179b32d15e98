/** The depot's HTTP exit, as the agent reads it: straight into the buffers that are written to disk. */
import { Agent, request, type IncomingMessage } from 'node:http';
import type { ImageReference } from '@bessemer/agent-protocol';
import { MAX_BLOCK_MAP_JSON_BYTES } from '@bessemer/image-format';
import type { Clock } from '@bessemer/ports';
import { ImageSourceError, type ImageSource } from './ports.ts';
import { reasonOf } from './step-failure.ts';

/** A depot that sends nothing for this long is taken for dead. */
const STALL_LIMIT_MS = 30_000;
const REFUSALS = new Set([401, 403, 404, 410]);

/** Where the bytes of an answer go. */
interface Sink {
  /** Called once with the announced length, if any; throws when it cannot be right. */
  begin(lengthBytes: number | undefined): void;
  take(chunk: Buffer): void;
  end(): void;
}

export function createDepotHttp({ clock, inFlight = 4 }: { clock: Clock; inFlight?: number }): ImageSource {
  const agent = new Agent({ keepAlive: true, maxSockets: inFlight });

  function get(image: ImageReference, path: string, signal: AbortSignal, sink: Sink): Promise<void> {
    const url = new URL(`${image.baseUrl.replace(/\/+$/, '')}/exits/${encodeURIComponent(image.exitId)}/${path}`);
    const where = `${url.host}${url.pathname}`;
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const fail = (message: string, refused = false, cause?: unknown): void => {
        finish();
        outgoing.destroy();
        reject(signal.aborted ? signal.reason : new ImageSourceError(message, refused, { cause }));
      };
      let heardMs = clock.monotonicMs();
      const watch = (): void => {
        if (clock.monotonicMs() - heardMs >= STALL_LIMIT_MS)
          return fail(`the depot at ${where} sent nothing for ${STALL_LIMIT_MS / 1000} s`);
        watcher = clock.setTimer(STALL_LIMIT_MS / 3, watch, { background: true });
      };
      let watcher = clock.setTimer(STALL_LIMIT_MS / 3, watch, { background: true });
      const onAbort = (): void => fail('aborted');
      const finish = (): void => {
        watcher.cancel();
        signal.removeEventListener('abort', onAbort);
      };
      const outgoing = request(url, { agent, headers: { authorization: `Bearer ${image.token}` } });
      signal.addEventListener('abort', onAbort, { once: true });
      outgoing.on('error', (error) =>
        fail(`the depot at ${where} cannot be reached: ${reasonOf(error)}`, false, error),
      );
      outgoing.on('response', (response: IncomingMessage) => {
        if (response.statusCode !== 200)
          return fail(`the depot at ${where} answered ${response.statusCode}`, REFUSALS.has(response.statusCode ?? 0));
        const guarded = (work: () => void): void => {
          try {
            work();
          } catch (error) {
            fail(`the answer of the depot at ${where} is not usable: ${reasonOf(error)}`, false, error);
          }
        };
        const announced = response.headers['content-length'];
        guarded(() => sink.begin(announced === undefined ? undefined : Number(announced)));
        response.on('data', (chunk: Buffer) => {
          heardMs = clock.monotonicMs();
          guarded(() => sink.take(chunk));
        });
        response.on('error', (error) =>
          fail(`the answer of the depot at ${where} broke off: ${reasonOf(error)}`, false, error),
        );
        response.on('end', () =>
          guarded(() => {
            sink.end();
            finish();
            resolve();
          }),
        );
      });
      outgoing.end();
    });
  }

  return {
    async map(image, signal) {
      const chunks: Buffer[] = [];
      let size = 0;
      await get(image, 'map', signal, {
        begin() {},
        take(chunk) {
          size += chunk.length;
          if (size > MAX_BLOCK_MAP_JSON_BYTES) throw new Error('the block map is too long');
          chunks.push(chunk);
        },
        end() {},
      });
      return Buffer.concat(chunks);
    },
    async extents(image, from, count, target, signal) {
      let filled = 0;
      await get(image, `extents?from=${from}&count=${count}`, signal, {
        begin(lengthBytes) {
          if (lengthBytes !== undefined && lengthBytes !== target.length)
            throw new Error(`it announces ${lengthBytes} bytes, ${target.length} were asked for`);
        },
        take(chunk) {
          if (filled + chunk.length > target.length)
            throw new Error(`it is longer than the ${target.length} bytes asked for`);
          target.set(chunk, filled);
          filled += chunk.length;
        },
        end() {
          if (filled < target.length) throw new Error(`it ended after ${filled} of ${target.length} bytes`);
        },
      });
    },
  };
}
