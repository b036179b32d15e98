/** The conductor's end of any bus: checks, calls the handler, and answers a repeat of a request id with the first answer. */
import { createHash } from 'node:crypto';
import { coerceError, isServiceError, serializeError, ServiceError } from '@bessemer/core';
import type { Json, JsonObject } from '@bessemer/core';
import type { Log, Random } from '@bessemer/ports';
import type { RpcHandlers } from './contract.ts';
import { asAnswer, parseRequest } from './messages.ts';
import type { Answer, RequestMessage } from './messages.ts';
import { checkArgs, checkResult, isRpcMethod, METHOD_SCHEMAS } from './schemas.ts';

/** Where first answers are kept; the database's `requests`, written in a transaction of its own. */
export interface RequestStore {
  get(requestId: string): Promise<JsonObject | undefined>;
  put(requestId: string, answer: JsonObject): Promise<void>;
}

const REMEMBERED = 1000;

/** Keeps the last thousand answers in memory: for tests, and where a restart may forget. */
export function memoryRequestStore(): RequestStore {
  const answers = new Map<string, JsonObject>();
  return {
    get: async (requestId) => answers.get(requestId),
    async put(requestId, answer) {
      if (answers.has(requestId)) return;
      answers.set(requestId, answer);
      if (answers.size > REMEMBERED) answers.delete(answers.keys().next().value!);
    },
  };
}

export interface Dispatcher {
  /** The answer to a request in JSON text, as JSON text; undefined for a cast and for what is no request. Never throws. */
  handle(text: string): Promise<string | undefined>;
  /** Resolves when no handler is at work. */
  idle(): Promise<void>;
}

type AnyHandler = (args: unknown, context: { requestId: string }) => Promise<Json | void>;

export function createDispatcher(options: {
  readonly handlers: RpcHandlers;
  readonly requests: RequestStore;
  readonly random: Random;
  readonly log: Log;
}): Dispatcher {
  const { handlers, requests, random, log } = options;
  const underWay = new Map<string, Promise<Answer>>();
  const atWork = new Set<Promise<unknown>>();

  async function run({ method, requestId, args }: RequestMessage): Promise<Answer> {
    try {
      if (!isRpcMethod(method))
        throw new ServiceError('INVALID_PARAMETER', `This conductor's release does not know the method ${method}.`);
      checkArgs(method, args);
      // The arguments have just been checked against this very method.
      const handler = handlers[method] as AnyHandler;
      const result = (await handler(args, { requestId })) ?? null;
      checkResult(method, result);
      return { ok: true, result };
    } catch (error) {
      const errorId = random.uuid();
      if (isServiceError(error)) log.info('a call was refused', { method, requestId, code: error.code });
      else log.error('a call failed', { method, requestId, errorId, error: coerceError(error).stack });
      return { ok: false, error: serializeError(error, errorId) };
    }
  }

  async function answerOnce(key: string, request: RequestMessage): Promise<Answer> {
    try {
      const earlier = asAnswer(await requests.get(key));
      if (earlier) return earlier;
    } catch (error) {
      // Without knowing whether it was done, it is not done again.
      return { ok: false, error: serializeError(error, random.uuid()) };
    }
    const answer = await run(request);
    // What failed on our side, for now, may succeed when it is asked again.
    if (answer.ok || new ServiceError(answer.error.code, '').status < 500) {
      try {
        await requests.put(key, { ...answer } as JsonObject);
      } catch (error) {
        log.warn('an answer could not be kept: a repeat would be done again', { error: coerceError(error).message });
      }
    }
    return answer;
  }

  async function handle(text: string): Promise<string | undefined> {
    const request = parseRequest(text);
    if (!request) {
      log.warn('a message on the bus is no request', { chars: text.length });
      return undefined;
    }
    if (isRpcMethod(request.method) && METHOD_SCHEMAS[request.method].kind === 'cast') {
      await run(request);
      return undefined;
    }
    const key = keyOf(request);
    let answer = underWay.get(key);
    if (!answer) {
      answer = answerOnce(key, request).finally(() => underWay.delete(key));
      underWay.set(key, answer);
    }
    return JSON.stringify(await answer);
  }

  return {
    handle(text) {
      const work = handle(text);
      atWork.add(work);
      void work.finally(() => atWork.delete(work));
      return work;
    },
    async idle() {
      while (atWork.size > 0) await Promise.allSettled(atWork);
    },
  };
}

/** One request of a client may lead to several calls: a repeat is the same method with the same arguments, in whatever order. */
function keyOf({ requestId, method, args }: RequestMessage): string {
  const text = JSON.stringify(args, (_name, value: unknown) =>
    value !== null && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
  return `${requestId} ${method} ${createHash('sha256').update(`${requestId} ${text}`).digest('base64url')}`;
}
