/** The first answer to each request id. */
import type { JsonObject } from '@bessemer/core';
import type { RequestRepository } from '../repositories.ts';
import { first, param, statement } from '../statements/statement.ts';
import type { Context } from './context.ts';

const get = statement((b) => b.knex('requests').where('request_id', param('requestId')).select('answer'));
const put = statement((b) =>
  b
    .knex('requests')
    .insert({ request_id: param('requestId'), answer: param('answer'), created_at: b.now() })
    .onConflict('request_id')
    .ignore(),
);
const purge = statement((b) => b.knex('requests').where('created_at', '<', param('olderThan')).delete());

export function createRequestRepository({ sql, cipher }: Context): RequestRepository {
  return {
    async get(requestId) {
      const row = await first(sql, get, { requestId });
      return row && (cipher.openJson(String(row['answer']), requestId, 'answer') as JsonObject);
    },
    async put(requestId, answer) {
      // A console's address or what a vendor's method says may be as good as a password.
      await sql.run(put, { requestId, answer: cipher.seal(JSON.stringify(answer), requestId, 'answer') });
    },
    purge: (olderThan) => sql.run(purge, { olderThan }),
  };
}
