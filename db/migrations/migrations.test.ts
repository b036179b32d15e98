import Database from 'better-sqlite3';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '@bessemer/ports';
import { ManualClock, seededRandom } from '@bessemer/ports/testing';
import { afterAll, expect, it } from 'vitest';
import { openSqlite } from '../engines/sqlite.ts';
import { addNode } from '../suite/fixtures.ts';
import { testSecrets } from '../testing.ts';
import { MIGRATIONS } from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'bessemer-migrations-'));
afterAll(() => rmSync(folder, { recursive: true }));
const options = { clock: new ManualClock(), random: seededRandom(1), log: silentLog, secrets: testSecrets };

it('make the schema that is written down: a released migration is never edited', async () => {
  const file = join(folder, 'schema.sqlite');
  await (await openSqlite({ ...options, file })).close();
  const db = new Database(file, { readonly: true });
  const made = db
    .prepare(
      "select sql from sqlite_master where sql is not null and name not like 'knex%' order by tbl_name, type desc, name",
    )
    .pluck()
    .all();
  db.close();
  await expect(`${made.join(';\n')};\n`).toMatchFileSnapshot('schema.sql');
});

it('are made once, and accept a schema that a later release has expanded', async () => {
  const file = join(folder, 'again.sqlite');
  const first = await openSqlite({ ...options, file });
  await addNode(first, { name: 'kept' });
  await first.close();
  const db = new Database(file);
  db.exec("alter table nodes add column later text; insert into knex_migrations (name) values ('9999-later')");
  db.exec('update knex_migrations_lock set is_locked = 1');
  db.close();
  const second = await openSqlite({ ...options, file });
  expect((await second.read.nodes.find('kept'))?.name).toBe('kept');
  await second.close();
});

it('have names in their order', () => {
  const names = MIGRATIONS.map((migration) => migration.name);
  expect(names).toEqual(names.toSorted());
  for (const name of names) expect(name).toMatch(/^\d{4}-[a-z0-9-]+$/);
});
