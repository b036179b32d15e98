/** Bearer tokens, by their SHA-256. */
import { isUuid, type Role, ServiceError } from '@bessemer/core';
import type { AccessToken, TokenRepository } from '../repositories.ts';
import { planPage } from '../statements/paging.ts';
import { first, param, statement, statementFamily } from '../statements/statement.ts';
import type { Builder, Row } from '../statements/statement.ts';
import type { Context } from './context.ts';

const COLUMNS = ['uuid', 'name', 'role', 'project', 'created_by', 'created_at', 'expires_at', 'last_used_at'];
const insert = statement((b) =>
  b
    .knex('access_tokens')
    .insert({
      uuid: param('uuid'),
      name: param('name'),
      sha256: param('sha256'),
      role: param('role'),
      project: param('project'),
      created_by: param('createdBy'),
      expires_at: param('expiresAt'),
      created_at: b.now(),
    })
    .onConflict()
    .ignore(),
);
const byUuid = statement((b) => b.knex('access_tokens').where('uuid', param('ident')).select(COLUMNS));
const byName = statement((b) => b.knex('access_tokens').where('name', param('ident')).select(COLUMNS));
const open = statement((b) =>
  b
    .knex('access_tokens')
    .where('sha256', param('sha256'))
    .where((q) => q.whereNull('expires_at').orWhere('expires_at', '>', b.now()))
    .select(COLUMNS),
);
const used = statement((b) => b.knex('access_tokens').where('uuid', param('uuid')).update({ last_used_at: b.now() }));
const remove = statement((b) => b.knex('access_tokens').where('uuid', param('uuid')).delete());
const purge = statement((b) => b.knex('access_tokens').where('expires_at', '<', param('olderThan')).delete());
const lists = statementFamily();

const time = (value: Row[string] | undefined) => (value === null || value === undefined ? null : Number(value));
const toToken = (row: Row): AccessToken => ({
  uuid: String(row['uuid']),
  name: String(row['name']),
  role: row['role'] as Role,
  project: row['project'] === null ? null : String(row['project']),
  createdBy: String(row['created_by']),
  createdAt: Number(row['created_at']),
  expiresAt: time(row['expires_at']),
  lastUsedAt: time(row['last_used_at']),
});

export function createTokenRepository({ sql }: Context): TokenRepository {
  const find = async (ident: string): Promise<AccessToken | undefined> => {
    const row = isUuid(ident)
      ? await first(sql, byUuid, { ident: ident.toLowerCase() })
      : await first(sql, byName, { ident });
    return row && toToken(row);
  };
  return {
    find,
    async create(token) {
      if ((await sql.run(insert, { ...token })) === 0)
        throw new ServiceError('ALREADY_EXISTS', `A token with name ${token.name} already exists.`);
      return (await find(token.uuid))!;
    },
    async findOpen(sha256) {
      const row = await first(sql, open, { sha256 });
      return row && toToken(row);
    },
    async list(filter, page) {
      const paging = await planPage(sql, page, PAGED);
      const query = lists(`${filter.visibleTo === undefined ? '' : 'project'} | ${paging.shape}`, (b) => {
        const q = b.knex('access_tokens').select(COLUMNS);
        if (filter.visibleTo !== undefined) q.where('project', param('project'));
        paging.apply(q, b);
        return { query: q, limit: 'limit' };
      });
      return (await sql.all(query, { ...paging.params, project: filter.visibleTo ?? null })).map(toToken);
    },
    async used(uuid) {
      await sql.run(used, { uuid });
    },
    async remove(uuid) {
      if ((await sql.run(remove, { uuid })) === 0)
        throw new ServiceError('NOT_FOUND', `Token ${uuid} could not be found.`);
    },
    purge: (olderThan) => sql.run(purge, { olderThan }),
  };
}

const PAGED = {
  name: 'access_tokens',
  id: 'id',
  uuid: 'uuid',
  noun: 'token',
  columns: { uuid: 'uuid', name: 'name', created_at: 'created_at', expires_at: 'expires_at' },
  from: (b: Builder) => b.knex.queryBuilder().from('access_tokens'),
};
