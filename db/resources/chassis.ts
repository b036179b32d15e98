/** Chassis. */
import { ServiceError } from '@bessemer/core';
import type { Chassis } from '@bessemer/core';
import type { ChassisRepository } from '../repositories.ts';
import { CHASSIS_COLUMNS, fromRow, toColumns } from '../rows.ts';
import { planPage } from '../statements/paging.ts';
import { first, param, statement, statementFamily } from '../statements/statement.ts';
import type { Builder, Row } from '../statements/statement.ts';
import { isForeignKeyViolation } from '../statements/violations.ts';
import type { Context } from './context.ts';

const NAMES = Object.keys(CHASSIS_COLUMNS);
const insert = statement((b) =>
  b
    .knex('chassis')
    .insert({ uuid: param('uuid'), description: param('description'), extra: param('extra'), created_at: b.now() })
    .onConflict()
    .ignore(),
);
const get = statement((b) => b.knex('chassis').where('uuid', param('uuid')).select(NAMES));
const deleteChassis = statement((b) => b.knex('chassis').where('uuid', param('uuid')).delete());
const anyNode = statement((b) => b.knex('nodes').where('chassis_uuid', param('uuid')).select('uuid').limit(1));
const updates = statementFamily();
const lists = statementFamily();

const notFound = (uuid: string) => new ServiceError('CHASSIS_NOT_FOUND', `Chassis ${uuid} could not be found.`);

export function createChassisRepository({ sql, cipher }: Context): ChassisRepository {
  const toChassis = (row: Row): Chassis => fromRow(row, CHASSIS_COLUMNS, cipher, '') as unknown as Chassis;
  const find = async (uuid: string): Promise<Chassis | undefined> => {
    const row = await first(sql, get, { uuid: uuid.toLowerCase() });
    return row && toChassis(row);
  };
  const mustFind = async (uuid: string): Promise<Chassis> => {
    const chassis = await find(uuid);
    if (!chassis) throw notFound(uuid);
    return chassis;
  };
  return {
    find,
    async create({ uuid, description = null, extra = {} }) {
      if ((await sql.run(insert, { uuid, description, extra: JSON.stringify(extra) })) === 0)
        throw new ServiceError('CHASSIS_ALREADY_EXISTS', `A chassis with UUID ${uuid} already exists.`);
      return mustFind(uuid);
    },
    async list(page) {
      const paging = await planPage(sql, page, PAGED);
      const query = lists(paging.shape, (b) => {
        const q = b.knex('chassis').select(NAMES);
        paging.apply(q, b);
        return { query: q, limit: 'limit' };
      });
      return (await sql.all(query, paging.params)).map(toChassis);
    },
    async update(uuid, patch) {
      const values = toColumns(patch, CHASSIS_COLUMNS, cipher, '');
      const columns = Object.keys(values).toSorted();
      const update = updates(columns.join(), (b) =>
        b
          .knex('chassis')
          .where('uuid', param('uuid'))
          .update({ ...Object.fromEntries(columns.map((c) => [c, param(c)])), updated_at: b.later('updated_at') }),
      );
      if ((await sql.run(update, { ...values, uuid })) === 0) throw notFound(uuid);
      return mustFind(uuid);
    },
    async remove(uuid) {
      const notEmpty = (cause?: unknown) =>
        new ServiceError(
          'CHASSIS_NOT_EMPTY',
          `Cannot complete the requested action because chassis ${uuid} contains nodes.`,
          { cause },
        );
      if (await first(sql, anyNode, { uuid })) throw notEmpty();
      try {
        if ((await sql.run(deleteChassis, { uuid })) === 0) throw notFound(uuid);
      } catch (error) {
        throw isForeignKeyViolation(error) ? notEmpty(error) : error;
      }
    },
  };
}

const PAGED = {
  name: 'chassis',
  id: 'id',
  uuid: 'uuid',
  noun: 'chassis',
  columns: { uuid: 'uuid', description: 'description', created_at: 'created_at', updated_at: 'updated_at' },
  from: (b: Builder) => b.knex.queryBuilder().from('chassis'),
};
