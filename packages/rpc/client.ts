/**
 * The API's end of any bus. A call stays pending until its answer or its timeout; whenever the bus comes (back) it is sent
 * again with the same request id, so an outage delays and loses nothing, and the conductor answers a repeat only once.
 */
import { coerceError, deserializeError, ServiceError } from '@bessemer/core';
import type { Json } from '@bessemer/core';
import type { Clock, Log, Random, Timer } from '@bessemer/ports';
import type { RpcClient, RpcMethod } from './contract.ts';
import { parseAnswer } from './messages.ts';
import { checkArgs, checkResult } from './schemas.ts';

export const DEFAULT_TIMEOUT_MS = 30_000;
/** How long to wait before asking again for a host that nobody listened for. */
const RETRY_MS = 250;
/** Casts kept while the bus is away; the same cast is kept once. */
const KEPT_CASTS = 10_000;

/** What a bus does for a client. Nothing here throws; what cannot be sent now is sent again after `onUp`. */
export interface ClientBus {
  /** False when the bus is away. An answer is expected, for at most `ttlMs`; without one the call is sent again. */
  call(host: string, text: string, options: { correlationId: string; ttlMs: number }): boolean;
  /** False when the bus is away; `onLost` is called when it went away before it had taken the message. */
  cast(host: string, text: string, options: { ttlMs: number; onLost(): void }): boolean;
  ring(topic: 'events'): void;
  close(): Promise<void>;
}
export interface ClientBusEvents {
  onAnswer(correlationId: string, text: string): void;
  /** Nobody listens for the host of this call at the moment. */
  onUnroutable(correlationId: string): void;
  /** The bus is there, or there again. */
  onUp(): void;
  onRing(topic: 'events'): void;
}

interface Pending {
  readonly host: string;
  readonly text: string;
  readonly method: RpcMethod;
  readonly endsAtMs: number;
  readonly timeout: Timer;
  retry: Timer | undefined;
  resolve(result: Json): void;
  reject(error: unknown): void;
}

export function createRpcClient(
  ports: { readonly clock: Clock; readonly random: Random; readonly log: Log },
  connect: (events: ClientBusEvents) => ClientBus,
): RpcClient {
  const { clock, random, log } = ports;
  const pending = new Map<string, Pending>();
  const casts = new Map<string, { host: string; text: string }>();
  const listeners = new Set<() => void>();
  let isClosed = false;

  const send = (id: string, call: Pending) => {
    const ttlMs = Math.max(1, Math.ceil(call.endsAtMs - clock.monotonicMs()));
    bus.call(call.host, call.text, { correlationId: id, ttlMs });
  };
  const sendCast = (key: string, cast: { host: string; text: string }) => {
    const keep = () => {
      if (!isClosed && casts.size < KEPT_CASTS) casts.set(key, cast);
    };
    if (!bus.cast(cast.host, cast.text, { ttlMs: DEFAULT_TIMEOUT_MS, onLost: keep })) keep();
  };
  const finish = (id: string): Pending | undefined => {
    const call = pending.get(id);
    pending.delete(id);
    call?.timeout.cancel();
    call?.retry?.cancel();
    return call;
  };
  const rung = () => {
    for (const listener of [...listeners]) {
      try {
        listener();
      } catch (error) {
        log.error('a listener of the bus failed', { error: coerceError(error).stack });
      }
    }
  };

  const events: ClientBusEvents = {
    onAnswer(id, text) {
      const call = pending.get(id);
      const answer = parseAnswer(text);
      // An answer that comes after its timeout, or a second one to a repeat.
      if (!call) return;
      if (!answer) return log.warn('a message on the bus is no answer', { method: call.method, chars: text.length });
      finish(id);
      if (!answer.ok) return call.reject(deserializeError(answer.error));
      try {
        checkResult(call.method, answer.result);
        call.resolve(answer.result);
      } catch (error) {
        call.reject(error);
      }
    },
    onUnroutable(id) {
      const call = pending.get(id);
      if (call && !call.retry)
        call.retry = clock.setTimer(RETRY_MS, () => {
          call.retry = undefined;
          send(id, call);
        });
    },
    onUp() {
      for (const [id, call] of pending) send(id, call);
      for (const [key, cast] of [...casts]) {
        casts.delete(key);
        sendCast(key, cast);
      }
      // Rings may have been missed while the bus was away.
      rung();
    },
    onRing: rung,
  };
  const bus = connect(events);

  return {
    async call(host, method, args, { requestId, timeoutMs = DEFAULT_TIMEOUT_MS }) {
      checkArgs(method, args);
      if (isClosed) throw new ServiceError('TEMPORARY_FAILURE', 'The service is being stopped.');
      const id = random.uuid();
      const text = JSON.stringify({ method, requestId, args });
      const result = await new Promise<Json>((resolve, reject) => {
        const timeout = clock.setTimer(timeoutMs, () => {
          finish(id);
          const context = { host, method, requestId, timeoutMs };
          const message = `The conductor ${host} did not answer within ${timeoutMs / 1000} s. The request may be repeated.`;
          reject(new ServiceError('TEMPORARY_FAILURE', message, { context }));
        });
        const endsAtMs = clock.monotonicMs() + timeoutMs;
        const call: Pending = { host, text, method, endsAtMs, timeout, retry: undefined, resolve, reject };
        pending.set(id, call);
        send(id, call);
      });
      // checkResult has compared it with the contract of this method.
      return result as never;
    },
    cast(host, method, args) {
      checkArgs(method, args);
      if (isClosed) return;
      const text = JSON.stringify({ method, requestId: random.uuid(), args });
      sendCast(`${host} ${method} ${JSON.stringify(args)}`, { host, text });
    },
    ring: (topic) => bus.ring(topic),
    onRing(_topic, listener) {
      const entry = () => listener();
      listeners.add(entry);
      return () => void listeners.delete(entry);
    },
    async close() {
      if (isClosed) return;
      isClosed = true;
      for (const id of [...pending.keys()])
        finish(id)?.reject(new ServiceError('TEMPORARY_FAILURE', 'The service is being stopped.'));
      listeners.clear();
      await bus.close();
    },
  };
}
