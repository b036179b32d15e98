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

const DEFAULT_TIMEOUT_MS = 30_000;
/** How long to wait before trying a host again that nobody listened for; doubled each time. */
const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 2_000;
/** A bell that could not be delivered for so long is of no use any more: who comes later looks at the rows. */
const CAST_LIFE_MS = 600_000;
/** Casts kept while they cannot be delivered. */
const KEPT_CASTS = 10_000;

/** What became of a message: the bus took it, nobody listens for its host, or the bus went away (or refused) before it took it. */
export type Delivery = 'taken' | 'unroutable' | 'lost';

/** What a bus does for a client. Nothing here throws. */
export interface ClientBus {
  /**
   * Sends to a host, to be thrown away after `ttlMs`. `done` is called once, later, unless the answer is false: the bus is away.
   * What was not taken is sent again by the client, at the latest after `onUp`.
   */
  send(
    host: string,
    text: string,
    options: { correlationId: string; wantsAnswer: boolean; ttlMs: number },
    done: (delivery: Delivery) => void,
  ): boolean;
  ring(topic: 'events'): void;
  close(): Promise<void>;
}
export interface ClientBusEvents {
  onAnswer(correlationId: string, text: string): void;
  /** The bus is there, or there again. */
  onUp(): void;
  onRing(topic: 'events'): void;
}

/** A message on its way: a call until its answer, a cast until the bus has taken it. */
interface Message {
  readonly host: string;
  readonly text: string;
  readonly wantsAnswer: boolean;
  readonly endsAtMs: number;
  retryMs: number;
  retry: Timer | undefined;
}
interface Pending extends Message {
  readonly method: RpcMethod;
  readonly timeout: Timer;
  resolve(result: Json): void;
  reject(error: unknown): void;
}

export function createRpcClient(
  ports: { readonly clock: Clock; readonly random: Random; readonly log: Log },
  connect: (events: ClientBusEvents) => ClientBus,
): RpcClient {
  const { clock, random, log } = ports;
  const pending = new Map<string, Pending>();
  const casts = new Map<string, Message & { readonly key: string; isWaiting: boolean }>();
  const listeners = new Set<() => void>();
  let isClosed = false;

  const isOn = (id: string) => pending.has(id) || casts.has(id);
  const send = (id: string, message: Message, done: (delivery: Delivery) => void) => {
    const ttlMs = Math.max(1, Math.ceil(message.endsAtMs - clock.monotonicMs()));
    const { host, text, wantsAnswer } = message;
    if (!bus.send(host, text, { correlationId: id, wantsAnswer, ttlMs }, done)) done('lost');
  };
  /** Tries again after a while what is still wanted then. */
  const retry = (id: string, message: Message, again: () => void) => {
    if (message.retry || !isOn(id)) return;
    message.retry = clock.setTimer(message.retryMs, () => {
      message.retry = undefined;
      if (isOn(id)) again();
    });
    message.retryMs = Math.min(message.retryMs * 2, LAST_RETRY_MS);
  };
  const sendCall = (id: string, call: Pending): void =>
    send(id, call, (delivery) => {
      // What was lost is sent again when the bus is up.
      if (delivery === 'unroutable') retry(id, call, () => sendCall(id, call));
    });
  const sendCast = (id: string): void => {
    const cast = casts.get(id);
    if (!cast) return;
    if (clock.monotonicMs() >= cast.endsAtMs) return void casts.delete(id);
    cast.isWaiting = false;
    send(id, cast, (delivery) => {
      cast.isWaiting = true;
      if (delivery === 'taken') casts.delete(id);
      else if (delivery === 'unroutable') retry(id, cast, () => sendCast(id));
    });
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
    onUp() {
      for (const [id, call] of pending) sendCall(id, call);
      for (const id of [...casts.keys()]) sendCast(id);
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
        const message = { host, text, wantsAnswer: true, endsAtMs, retryMs: FIRST_RETRY_MS, retry: undefined };
        const call: Pending = { ...message, method, timeout, resolve, reject };
        pending.set(id, call);
        sendCall(id, call);
      });
      // checkResult has compared it with the contract of this method.
      return result as never;
    },
    cast(host, method, args) {
      checkArgs(method, args);
      const key = `${host} ${method} ${JSON.stringify(args)}`;
      // The same bell that still waits to be delivered will do.
      if (isClosed || casts.size >= KEPT_CASTS) return;
      for (const waiting of casts.values()) if (waiting.isWaiting && waiting.key === key) return;
      const id = random.uuid();
      casts.set(id, {
        key,
        host,
        text: JSON.stringify({ method, requestId: random.uuid(), args }),
        wantsAnswer: false,
        endsAtMs: clock.monotonicMs() + CAST_LIFE_MS,
        retryMs: FIRST_RETRY_MS,
        retry: undefined,
        isWaiting: false,
      });
      sendCast(id);
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
      for (const cast of casts.values()) cast.retry?.cancel();
      casts.clear();
      listeners.clear();
      await bus.close();
    },
  };
}
