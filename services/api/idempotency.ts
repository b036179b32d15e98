/**
 * Idempotency-Key: a POST that is sent again gets the first answer again, and what it makes is made once.
 *
 * What only the database knows is done in one transaction together with the record of the answer, so that no crash can come
 * between them. A request that asks a conductor cannot be: its key is claimed first, and every attempt has the same request id,
 * which the bus answers with the first answer, and makes objects under the same UUIDs, so that a later attempt finds what an
 * earlier one made. Which of the two it is shows the request itself, at its first word to a conductor: then the transaction is
 * undone and the other way is taken.
 */
import { hash } from 'node:crypto';
import { OPERATIONS } from '@bessemer/api-spec';
import { coerceError, isJsonObject, isServiceError, type Json, type JsonObject, ServiceError } from '@bessemer/core';
import type { Db, IdempotencyRecord, IdempotencyScope, Repositories } from '@bessemer/db';
import type { Timer } from '@bessemer/ports';
import type { OperationId } from './handlers/index.ts';
import { type Handlers, tagged } from './preconditions.ts';
import type { ApiRequest, ApiServices, Reply } from './request.ts';

export type Work = (request: ApiRequest, services: ApiServices) => Promise<Reply>;

const KEPT_MS = 24 * 3_600_000;
/** A claim that nobody renews for so long is free for the next attempt. */
const CLAIM_MS = 60_000;
const RENEW_MS = 20_000;
const KEY = /^[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?$/;

/** Undoes the transaction; the request goes the other way. */
class NotInOneTransaction extends Error {}

/** Undoes the transaction, in which nothing was done: another attempt has given the answer meanwhile. */
class AnsweredMeanwhile extends Error {
  readonly reply: Reply;
  constructor(reply: Reply) {
    super('answered meanwhile');
    this.reply = reply;
  }
}

/** JSON text that does not depend on the order of names. */
function canonical(value: Json | undefined): string {
  return JSON.stringify(value ?? null, (_name, item: unknown) =>
    item !== null && typeof item === 'object' && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}

function digestOf(request: ApiRequest): string {
  const { operation, params, query, minor, body } = request;
  return hash('sha256', canonical([operation.path, { ...params }, query.toString(), minor, body ?? null]), 'hex');
}

const isKept = (reply: Reply): boolean => reply.status < 300 && !reply.stream && !reply.bytes;
const stored = ({ status, body, headers }: Reply): JsonObject => ({
  status,
  body: body ?? null,
  headers: { ...headers },
});

/** What a record means for a request with this digest; undefined: the way is free. @throws ServiceError 409, 422. */
function outcomeOf(record: IdempotencyRecord, digest: string): Reply | undefined {
  if (record.requestHash !== digest)
    throw new ServiceError(
      'IDEMPOTENCY_KEY_REUSED',
      'This Idempotency-Key came with another request before: send the same request again, or take a fresh key.',
    );
  if (record.answer) {
    const { status, body, headers } = record.answer as unknown as {
      status: number;
      body: JsonObject | string | null;
      headers: Record<string, string>;
    };
    return { status, ...(body === null ? {} : { body }), headers: { ...headers, 'Idempotency-Replayed': 'true' } };
  }
  if (record.isClaimed) throw inProgress();
  return undefined;
}

const inProgress = () =>
  new ServiceError(
    'REQUEST_IN_PROGRESS',
    'The first request with this Idempotency-Key is still at work: ask again in a second for its answer.',
  );

const isBelow = (path: string, of: string) => path.startsWith(`${of}/{`) && !path.slice(of.length + 1).includes('/');

/** UUIDs of version 4 form that follow from a request id: each attempt at a request draws the same ones. */
function uuidsOf(requestId: string): () => string {
  let count = 0;
  return () => {
    const hex = hash('sha256', `${requestId} ${count++}`, 'hex');
    const variant = '89ab'[Number.parseInt(hex[16]!, 16) % 4];
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
  };
}

export interface Idempotency {
  /** Does the work with the request's services, or gives the answer that the same request of the same user got before. */
  once(request: ApiRequest, key: string, services: ApiServices, work: Work): Promise<Reply>;
}

/** `alwaysClaimed`: operations that take long or make transactions of their own. */
export function createIdempotency(
  own: ApiServices,
  handlers: Handlers,
  alwaysClaimed: readonly OperationId[],
): Idempotency {
  const { db, random, clock, log } = own;
  const claimed = new Set<string>(alwaysClaimed);
  /** Digests of what this process is at work on. */
  const underWay = new Map<string, string>();

  async function inOneTransaction(
    request: ApiRequest,
    services: ApiServices,
    scope: IdempotencyScope,
    digest: string,
    work: Work,
  ): Promise<Reply> {
    const { rpc } = services;
    let after: Array<() => void> = [];
    const { reply } = await services.db.write(`once.${request.operation.operationId}`, async (tx) => {
      after = [];
      let mustSplit = false;
      const claim = random.uuid();
      const taken = await tx.idempotency.claim(scope, claimFor(digest, request.requestId, claim));
      if (!taken.isOurs) {
        const first = outcomeOf(taken.record, digest);
        throw first ? new AnsweredMeanwhile(first) : inProgress();
      }
      let firstResult: unknown;
      const write: Db['write'] = async <T>(_name: string, fn: (inner: Repositories) => Promise<T>): Promise<T> => {
        try {
          const result = await fn(tx);
          firstResult ??= result;
          return result;
        } catch (error) {
          // Nothing undoes this part alone: if the request goes on after it, it needs transactions of its own.
          mustSplit = true;
          throw error;
        }
      };
      const within: ApiServices = {
        ...services,
        db: { ...services.db, read: tx, write },
        rpc: {
          ...rpc,
          async call() {
            mustSplit = true;
            throw new NotInOneTransaction();
          },
          cast: (...args) => void after.push(() => rpc.cast(...args)),
          ring: (...args) => void after.push(() => rpc.ring(...args)),
        },
      };
      const made = await work(request, within);
      if (mustSplit) throw new NotInOneTransaction();
      if (isKept(made)) await tx.idempotency.finish(scope, claim, stored(made));
      else await tx.idempotency.release(scope, claim);
      // Whoever notes what transactions make finds it in their result, as if the handler's own were the outermost.
      return { ...(isJsonObject(firstResult as Json) ? (firstResult as object) : {}), reply: made };
    });
    for (const tell of after) tell();
    return reply;
  }

  /** The answer to a creation that an earlier attempt has done and not recorded. */
  async function madeBefore(request: ApiRequest, within: ApiServices): Promise<Reply | undefined> {
    const { operation, params, base } = request;
    const shows = OPERATIONS.find((o) => o.method === 'GET' && isBelow(o.path, operation.path));
    if (!shows) return undefined;
    const asked = isJsonObject(request.body ?? null) ? (request.body as JsonObject)['uuid'] : undefined;
    const uuid = typeof asked === 'string' ? asked : uuidsOf(request.requestId)();
    const name = shows.path.slice(operation.path.length + 2, -1);
    try {
      const shown = await handlers[shows.operationId as OperationId](
        {
          ...request,
          operation: shows,
          params: { ...params, [name]: uuid },
          query: new URLSearchParams(),
          body: undefined,
        },
        within,
      );
      return tagged(request, { ...shown, status: 201, headers: { Location: `${base}${operation.path}/${uuid}` } });
    } catch (error) {
      if (isServiceError(error) && error.status === 404) return undefined;
      throw error;
    }
  }

  /** Renews the claim until it is stopped. */
  function renewing(scope: IdempotencyScope, claim: string): { stop(): void } {
    let timer: Timer | undefined;
    let isStopped = false;
    const next = () => {
      timer = clock.setTimer(
        RENEW_MS,
        () =>
          void db
            .write('renew idempotency key', (tx) => tx.idempotency.renew(scope, claim, CLAIM_MS))
            .catch((error: unknown) => log.warn('a claim was not renewed', { error: coerceError(error).message }))
            .then(() => {
              if (!isStopped) next();
            }),
        { background: true },
      );
    };
    next();
    return {
      stop() {
        isStopped = true;
        timer?.cancel();
      },
    };
  }

  async function underClaim(
    request: ApiRequest,
    services: ApiServices,
    scope: IdempotencyScope,
    digest: string,
    work: Work,
  ): Promise<Reply> {
    const claim = random.uuid();
    const taken = await db.write('claim idempotency key', (tx) =>
      tx.idempotency.claim(scope, claimFor(digest, request.requestId, claim)),
    );
    if (!taken.isOurs) {
      const first = outcomeOf(taken.record, digest);
      if (first) return first;
      throw inProgress();
    }
    const renewal = renewing(scope, claim);
    try {
      const { requestId } = taken;
      const attempt = { ...request, requestId };
      const within = { ...services, random: { ...services.random, uuid: uuidsOf(requestId) } };
      const made = requestId === request.requestId ? undefined : await madeBefore(attempt, within);
      const reply = made ?? (await work(attempt, within));
      await settle(isKept(reply) ? stored(reply) : undefined, false);
      return reply;
    } catch (error) {
      // A refusal has done nothing. Of a failure on our side nobody knows what was done: the next attempt asks under the same id.
      await settle(undefined, !isServiceError(error) || error.status >= 500);
      throw error;
    } finally {
      renewal.stop();
    }
    /** The answer goes out whatever becomes of its record: the claim runs out by itself. */
    async function settle(answer: JsonObject | undefined, keep: boolean): Promise<void> {
      try {
        await db.write('keep first answer', async (tx) => {
          if (answer) await tx.idempotency.finish(scope, claim, answer);
          else await tx.idempotency.release(scope, claim, { keep });
        });
      } catch (error) {
        log.warn('a first answer was not kept', { error: coerceError(error).message });
      }
    }
  }

  return {
    async once(request, key, services, work) {
      if (!KEY.test(key))
        throw new ServiceError('INVALID_PARAMETER', 'An Idempotency-Key is 1 to 255 printable ASCII characters.');
      const scope = { user: userOf(request), key };
      const digest = digestOf(request);
      const name = JSON.stringify([scope.user, key]);
      const other = underWay.get(name);
      if (other !== undefined) outcomeOf({ requestHash: other, isClaimed: true, answer: null }, digest);
      underWay.set(name, digest);
      try {
        const record = await db.read.idempotency.find(scope, KEPT_MS);
        const first = record && outcomeOf(record, digest);
        if (first) return first;
        const { operationId } = request.operation;
        if (!claimed.has(operationId)) {
          try {
            return await inOneTransaction(request, services, scope, digest, work);
          } catch (error) {
            if (error instanceof AnsweredMeanwhile) return error.reply;
            if (!(error instanceof NotInOneTransaction)) throw error;
            claimed.add(operationId);
          }
        }
        return await underClaim(request, services, scope, digest, work);
      } finally {
        underWay.delete(name);
      }
    },
  };
}

const claimFor = (requestHash: string, requestId: string, claim: string) => ({
  requestHash,
  requestId,
  claim,
  claimMs: CLAIM_MS,
  keptMs: KEPT_MS,
});

/** Whose key it is: one name in another project, or in another role, is another user, who does not see the same. */
const userOf = ({ identity }: ApiRequest): string => JSON.stringify([identity.user, identity.role, identity.project]);
