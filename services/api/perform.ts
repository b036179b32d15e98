/** What stands between a request and its handler, the same for every operation: preconditions, entity tags. */
import { guardedServices, type Handlers, preconditionOf, tagged } from './preconditions.ts';
import type { ApiRequest, ApiServices, Handler, Reply } from './request.ts';

export interface Performer {
  perform(handler: Handler, request: ApiRequest): Promise<Reply>;
}

export function createPerformer(services: ApiServices, handlers: Handlers): Performer {
  async function conditional(handler: Handler, request: ApiRequest, within: ApiServices): Promise<Reply> {
    const precondition = preconditionOf(request, within, handlers);
    const reply = precondition
      ? await handler({ ...request, precondition }, guardedServices(within, precondition))
      : await handler(request, within);
    return tagged(request, reply);
  }
  return {
    perform: (handler, request) => conditional(handler, request, services),
  };
}
