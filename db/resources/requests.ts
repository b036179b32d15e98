/** The first answer to each request id. */
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

export function createRequestRepository({ sql }: Context): RequestRepository {
  return {
    async get(requestId) {
      const row = await first(sql, get, { requestId });
      return row && JSON.parse(String(row['answer']));
    },
    async put(requestId, answer) {
      await sql.run(put, { requestId, answer: JSON.stringify(answer) });
    },
    purge: (olderThan) => sql.run(purge, { olderThan }),
  };
}
