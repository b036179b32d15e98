import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { bind, param, statement, statementFamily } from './statement.ts';

const one = statement((b) => ({
  query: b
    .knex('t')
    .where({ a: param('a'), b: 7 })
    .where('c', '>', b.now())
    .whereRaw(b.inList('d', 'list'))
    .select('a'),
  limit: 'limit',
}));
const params = { a: true, list: '["x"]', limit: 3 };

it('is compiled for each engine, with values in their places', () => {
  const sqlite = one.compile('sqlite');
  expect(sqlite.text).toBe(
    'select `a` from `t` where `a` = +? and `b` = +? and `c` > +? and `d` in (select value from json_each(+?)) limit +?',
  );
  expect(bind(sqlite, params, () => 42)).toEqual([1, 7, 42, '["x"]', 3]);
  const postgresql = one.compile('postgresql');
  expect(postgresql.text).toBe(
    'select "a" from "t" where "a" = $1 and "b" = $2 and "c" > (extract(epoch from clock_timestamp()) * 1000)::bigint and "d" in (select jsonb_array_elements_text($3::jsonb)) limit $4',
  );
  expect(bind(postgresql, params, () => 42)).toEqual([1, 7, '["x"]', 3]);
});

it('is compiled once', () => {
  expect(one.compile('sqlite')).toBe(one.compile('sqlite'));
});

it('wants every parameter', () => {
  expect(() => bind(one.compile('sqlite'), { a: 1, limit: 3 }, () => 0)).toThrow(/parameter list is missing/);
});

it('knows what writes', () => {
  const insert = statement((b) =>
    b
      .knex('t')
      .insert({ a: param('a') })
      .returning('a'),
  );
  expect([one.compile('sqlite').writes, insert.compile('sqlite').writes]).toEqual([false, true]);
});

it('keeps only so many shapes of a family', () => {
  const family = statementFamily();
  const shape = (n: number) => family(`${n}`, (b) => b.knex('t').where(`c${n}`, param('a')));
  for (let n = 0; n < 300; n++) shape(n).compile('sqlite');
  expect(shape(1)).toBe(shape(1));
  expect(shape(1).compile('postgresql').name).not.toBeNull();
  expect(shape(299)).not.toBe(shape(299));
  expect(shape(299).compile('postgresql').name).toBeNull();
});

it('writes provision_state in two places: when a node is created and when an event is processed', () => {
  const root = join(import.meta.dirname, '..');
  const writers = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !/\.(test|suite)\.ts$/.test(file))
    .filter((file) => /\bprovision_state: (param|provisionState)/.test(readFileSync(join(root, file), 'utf8')));
  expect(writers.toSorted()).toEqual(['resources/node-provisioning.ts', 'resources/nodes.ts']);
});
