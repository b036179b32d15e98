/** Small facts of the installation. */
import type { SettingRepository } from '../repositories.ts';
import { first, param, statement } from '../statements/statement.ts';
import type { Context } from './context.ts';

const get = statement((b) => b.knex('settings').where('name', param('name')).select('value', 'is_sealed'));
const put = statement((b) =>
  b
    .knex('settings')
    .insert({ name: param('name'), value: param('value'), is_sealed: param('isSealed') })
    .onConflict('name')
    .merge(['value', 'is_sealed']),
);

export function createSettingRepository({ sql, cipher }: Context): SettingRepository {
  const owner = (name: string) => `setting ${name}`;
  return {
    async get(name) {
      const row = await first(sql, get, { name });
      if (!row) return undefined;
      const value = String(row['value']);
      return row['is_sealed'] === 1 ? cipher.open(value, owner(name), 'value') : value;
    },
    async put(name, value, { secret = false } = {}) {
      const stored = secret ? cipher.seal(value, owner(name), 'value') : value;
      await sql.run(put, { name, value: stored, isSealed: secret });
    },
  };
}
