/** What stands between a request and its handler, the same for every operation. */
import { isServiceError } from '@bessemer/core';
import { sleep } from '@bessemer/ports';
import { createIdempotency, type Work } from './idempotency.ts';
import { createNodeWatch, type NodeWatch } from './node-watch.ts';
import { guardedServices, type Handlers, preconditionOf, tagged } from './preconditions.ts';
import { waited, waitOf } from './prefer.ts';
import type { ApiRequest, ApiServices, Handler, Reply } from './request.ts';

export interface Performer {
  /**
   * Patience with a locked node around Idempotency-Key around If-Match around Prefer around the handler; then the answer's ETag.
   * `services` are the request's own: what they show and write is what the handler may see and write.
   */
  perform(handler: Handler, request: ApiRequest, services: ApiServices): Promise<Reply>;
  readonly watch: NodeWatch;
}

/** So often a held node is looked at again. */
const LOCK_LOOK_MS = 200;

export function createPerformer(own: ApiServices, handlers: Handlers): Performer {
  const idempotency = createIdempotency(own, handlers, ['bulk']);
  const watch = createNodeWatch(own.db, own.log);

  async function conditional(handler: Handler, request: ApiRequest, within: ApiServices): Promise<Reply> {
    const precondition = preconditionOf(request, within, handlers);
    const reply = precondition
      ? await handler({ ...request, precondition }, guardedServices(within, precondition))
      : await handler(request, within);
    const waitS = waitOf(request);
    return tagged(
      request,
      waitS === undefined ? reply : await waited(request, reply, waitS, { services: within, watch, handlers }),
    );
  }
  function once(handler: Handler, request: ApiRequest, services: ApiServices): Promise<Reply> {
    const key = request.operation.method === 'POST' ? request.header('idempotency-key') : undefined;
    if (key === undefined) return conditional(handler, request, services);
    const work: Work = (attempt, within) => conditional(handler, attempt, within);
    return idempotency.once(request, key, services, work);
  }
  return {
    watch,
    // Most work on a node is short. As Ironic, we let a request wait for its end: not every client comes again after a 409.
    async perform(handler, request, services) {
      const { clock, random, config } = own;
      const untilMs = clock.monotonicMs() + config.lock_patience_ms;
      for (let attempt = request; ; ) {
        try {
          return await once(handler, attempt, services);
        } catch (error) {
          const isWorthIt = isServiceError(error, 'NODE_LOCKED') && error.context['isFinal'] !== true;
          if (!isWorthIt || clock.monotonicMs() >= untilMs || request.signal.aborted) throw error;
          await sleep(clock, LOCK_LOOK_MS, request.signal).catch(() => undefined);
          // The bus answers a repeated id with its first answer.
          attempt = { ...request, requestId: `${request.requestId}/${random.uuid()}` };
        }
      }
    },
  };
}
