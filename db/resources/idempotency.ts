/** The first answer to each Idempotency-Key. */
import { ServiceError } from '@bessemer/core';
import type { IdempotencyRecord, IdempotencyRepository, IdempotencyScope } from '../contracts/idempotency.ts';
import { first, param, statement } from '../statements/statement.ts';
import type { Builder, Row } from '../statements/statement.ts';
import type { Context } from './context.ts';

const SCOPE = { user_name: param('user'), key: param('key') };
const shifted = (b: Builder, sign: '+' | '-', name: string) =>
  b.knex.raw(`? ${sign} ?`, [b.now(), b.knex.raw('cast(? as bigint)', [param(name)])]);
const taken = (b: Builder) => ({
  request_hash: param('requestHash'),
  request_id: param('requestId'),
  claim: param('claim'),
  claimed_until: shifted(b, '+', 'claimMs'),
  answer_sealed: null,
  created_at: b.now(),
});

const get = statement((b) =>
  b
    .knex('idempotency_keys')
    .where(SCOPE)
    .where('created_at', '>', shifted(b, '-', 'keptMs'))
    .select(
      'request_hash',
      'answer_sealed',
      b.knex.raw('case when claimed_until > ? then 1 else 0 end as is_claimed', [b.now()]),
    ),
);
const insert = statement((b) =>
  b
    .knex('idempotency_keys')
    .insert({ ...SCOPE, ...taken(b) })
    .onConflict(['user_name', 'key'])
    .ignore(),
);
const replace = statement((b) =>
  b
    .knex('idempotency_keys')
    .where(SCOPE)
    .where('created_at', '<=', shifted(b, '-', 'keptMs'))
    .update(taken(b)),
);
const takeOver = statement((b) =>
  b
    .knex('idempotency_keys')
    .where({ ...SCOPE, request_hash: param('requestHash') })
    .whereNull('answer_sealed')
    .where('claimed_until', '<=', b.now())
    .update({ claim: param('claim'), claimed_until: shifted(b, '+', 'claimMs') })
    .returning('request_id'),
);
const ours = (b: Builder) =>
  b
    .knex('idempotency_keys')
    .where({ ...SCOPE, claim: param('claim') })
    .whereNull('answer_sealed');
const renew = statement((b) => ours(b).update({ claimed_until: shifted(b, '+', 'claimMs') }));
const finish = statement((b) => ours(b).update({ answer_sealed: param('answer'), claimed_until: b.now() }));
const remove = statement((b) => ours(b).delete());
const letGo = statement((b) => ours(b).update({ claimed_until: b.now() }));
const endClaims = statement((b) =>
  b
    .knex('idempotency_keys')
    .whereNull('answer_sealed')
    .where('claimed_until', '>', b.now())
    .update({ claim: null, claimed_until: b.now() }),
);
const purge = statement((b) =>
  b
    .knex('idempotency_keys')
    .where('created_at', '<=', shifted(b, '-', 'keptMs'))
    .delete(),
);

export function createIdempotencyRepository({ sql, cipher }: Context): IdempotencyRepository {
  const owner = ({ user, key }: IdempotencyScope) => `idempotency ${JSON.stringify([user, key])}`;
  const toRecord = (row: Row, scope: IdempotencyScope): IdempotencyRecord => ({
    requestHash: String(row['request_hash']),
    isClaimed: row['is_claimed'] === 1,
    answer:
      row['answer_sealed'] == null
        ? null
        : JSON.parse(cipher.open(String(row['answer_sealed']), owner(scope), 'answer')),
  });
  const find = async (scope: IdempotencyScope, keptMs: number): Promise<IdempotencyRecord | undefined> => {
    const row = await first(sql, get, { ...scope, keptMs });
    return row && toRecord(row, scope);
  };
  return {
    find,
    async claim(scope, claim) {
      const values = { ...scope, ...claim };
      // A record may go between two looks: whoever let go of it did nothing.
      for (let attempt = 0; attempt < 3; attempt++) {
        if ((await sql.run(insert, values)) > 0 || (await sql.run(replace, values)) > 0)
          return { isOurs: true, requestId: claim.requestId };
        const row = await first(sql, takeOver, values);
        if (row) return { isOurs: true, requestId: String(row['request_id']) };
        const record = await find(scope, claim.keptMs);
        if (record) return { isOurs: false, record };
      }
      throw new ServiceError('TEMPORARY_FAILURE', 'The Idempotency-Key is taken and freed all the time. Try again.');
    },
    renew: async (scope, claim, claimMs) => (await sql.run(renew, { ...scope, claim, claimMs })) > 0,
    async finish(scope, claim, answer) {
      const sealed = cipher.seal(JSON.stringify(answer), owner(scope), 'answer');
      return (await sql.run(finish, { ...scope, claim, answer: sealed })) > 0;
    },
    async release(scope, claim, { keep = false } = {}) {
      await sql.run(keep ? letGo : remove, { ...scope, claim });
    },
    endClaims: () => sql.run(endClaims),
    purge: (keptMs) => sql.run(purge, { keptMs }),
  };
}
