/** The bus of the embedded mode: the same messages, handed over within the process. */
import type { Clock, Log, Random } from '@bessemer/ports';
import { createRpcClient } from './client.ts';
import type { ClientBusEvents } from './client.ts';
import type { RpcTransport } from './contract.ts';
import { createDispatcher, memoryRequestStore } from './dispatcher.ts';
import type { Dispatcher, RequestStore } from './dispatcher.ts';

/**
 * Needs microtasks and `clock` only. `requests` keeps first answers (default: in memory).
 * `serve` throws when the host is already served.
 */
export function createMemoryTransport(options: {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly requests?: RequestStore;
}): RpcTransport {
  const { random, log, requests = memoryRequestStore() } = options;
  const servers = new Map<string, Dispatcher>();
  const clients = new Set<ClientBusEvents>();

  return {
    async serve(host, handlers) {
      if (servers.has(host)) throw new Error(`a conductor named ${host} is already on this bus`);
      const dispatcher = createDispatcher({ handlers, requests, random, log });
      servers.set(host, dispatcher);
      return {
        async close() {
          if (servers.get(host) === dispatcher) servers.delete(host);
          await dispatcher.idle();
        },
      };
    },
    async client() {
      return createRpcClient(options, (events) => {
        clients.add(events);
        return {
          send(host, text, { correlationId }, done) {
            queueMicrotask(async () => {
              const server = servers.get(host);
              done(server ? 'taken' : 'unroutable');
              const answer = await server?.handle(text);
              if (answer !== undefined) events.onAnswer(correlationId, answer);
            });
            return true;
          },
          ring(topic) {
            for (const client of clients) queueMicrotask(() => client.onRing(topic));
          },
          async close() {
            clients.delete(events);
          },
        };
      });
    },
    async close() {
      const closing = [...servers.values()];
      servers.clear();
      await Promise.all(closing.map((server) => server.idle()));
    },
  };
}
