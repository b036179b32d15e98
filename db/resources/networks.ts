/** Networks that ports refer to. */
import { ServiceError } from '@bessemer/core';
import type { Network, NetworkId } from '@bessemer/core';
import type { NetworkRepository } from '../repositories.ts';
import { first, param, statement } from '../statements/statement.ts';
import type { Row } from '../statements/statement.ts';
import { isForeignKeyViolation, isUniqueViolation } from '../statements/violations.ts';
import type { Context } from './context.ts';

const COLUMNS = ['uuid', 'name', 'cidr', 'vlan', 'role', 'dhcp'];
const put = statement((b) =>
  b
    .knex('networks')
    .insert({ ...Object.fromEntries(COLUMNS.map((c) => [c, param(c)])), created_at: b.now() })
    .onConflict('uuid')
    .merge(COLUMNS)
    .returning([...COLUMNS, 'created_at']),
);
const list = statement((b) =>
  b
    .knex('networks')
    .orderBy('name')
    .select([...COLUMNS, 'created_at']),
);
const byName = statement((b) =>
  b
    .knex('networks')
    .where('name', param('name'))
    .select([...COLUMNS, 'created_at']),
);
const remove = statement((b) => b.knex('networks').where('uuid', param('uuid')).delete());

const toNetwork = (row: Row): Network => ({
  uuid: row['uuid'] as NetworkId,
  name: String(row['name']),
  cidr: String(row['cidr']),
  vlan: row['vlan'] === null ? null : Number(row['vlan']),
  role: row['role'] as Network['role'],
  dhcp: row['dhcp'] as Network['dhcp'],
  createdAt: Number(row['created_at']),
});

export function createNetworkRepository({ sql }: Context): NetworkRepository {
  return {
    async put({ uuid, name, cidr, vlan, role, dhcp }) {
      try {
        return toNetwork((await sql.all(put, { uuid, name, cidr, vlan, role, dhcp }))[0]!);
      } catch (error) {
        if (!isUniqueViolation(error)) throw error;
        throw new ServiceError('INVALID_PARAMETER', `A network with name ${name} already exists.`, { cause: error });
      }
    },
    list: async () => (await sql.all(list)).map(toNetwork),
    async findByName(name) {
      const row = await first(sql, byName, { name });
      return row && toNetwork(row);
    },
    async remove(uuid) {
      try {
        if ((await sql.run(remove, { uuid })) === 0)
          throw new ServiceError('NOT_FOUND', `Network ${uuid} could not be found.`);
      } catch (error) {
        if (!isForeignKeyViolation(error)) throw error;
        throw new ServiceError('INVALID_PARAMETER', `Network ${uuid} still has ports.`, { cause: error });
      }
    },
  };
}
