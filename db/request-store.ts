import type { JsonObject } from '@bessemer/core';
import type { Db } from './repositories.ts';

/** The store of first answers that a bus wants, each kept in a transaction of its own. */
export function requestStore(db: Db): {
  get(requestId: string): Promise<JsonObject | undefined>;
  put(requestId: string, answer: JsonObject): Promise<void>;
} {
  return {
    get: (requestId) => db.read.requests.get(requestId),
    put: (requestId, answer) => db.write('keep answer', (tx) => tx.requests.put(requestId, answer)),
  };
}
