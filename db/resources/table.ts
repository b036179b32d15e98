/** A resource that lies in one table with uuid, created_at and updated_at: what all such resources share. */
import { isUuid, ServiceError } from '@bessemer/core';
import type { ErrorCode } from '@bessemer/core';
import type { Knex } from 'knex';
import type { ResourceRepository } from '../contracts/resource.ts';
import { fromRow, toColumns } from '../rows.ts';
import type { Columns } from '../rows.ts';
import { planPage } from '../statements/paging.ts';
import { first, param, statement, statementFamily } from '../statements/statement.ts';
import type { Builder, Row, Value } from '../statements/statement.ts';
import { isForeignKeyViolation, isUniqueViolation } from '../statements/violations.ts';
import type { Context } from './context.ts';

export interface TableFilter {
  /** `name` is that of the parameter that holds the value. */
  apply(query: Knex.QueryBuilder, b: Builder, name: string): void;
  /** What the parameter holds; as it is unless told, lists as JSON. */
  value?(given: unknown): Value;
}

export interface TableSpec {
  readonly table: string;
  /** All columns, `uuid`, `created_at` and `updated_at` among them. */
  readonly columns: Columns;
  /** As in "A portgroup with name x already exists." */
  readonly noun: string;
  readonly notFound: { readonly code: ErrorCode; readonly message: (ident: string) => string };
  /** Columns that find an item besides its uuid; `parse` answers undefined for a text that is no such value. */
  readonly idents?: ReadonlyArray<{ readonly column: string; readonly parse?: (ident: string) => string | undefined }>;
  /** Unique columns besides the uuid, alone or together. */
  readonly uniques?: ReadonlyArray<{
    readonly columns: readonly string[];
    readonly message: (values: Readonly<Record<string, Value>>) => string;
  }>;
  /** What a property holds when a new item does not say. */
  readonly defaults: Readonly<Record<string, unknown>>;
  /** Filters that do more than compare the column of their name. */
  readonly filters?: Readonly<Record<string, TableFilter>>;
  /** Brings values into their stored form. @throws INVALID_PARAMETER. */
  normalize?(values: Record<string, Value>): void;
  /** The row refers to something that is not there. */
  missingReference?(values: Readonly<Record<string, Value>>): ServiceError;
  /** Looked at before a row is removed: these rows forbid it. */
  readonly heldBy?: {
    readonly table: string;
    readonly column: string;
    readonly refuse: (uuid: string) => ServiceError;
  };
}

const NOT_PATCHED = new Set(['uuid', 'createdAt', 'updatedAt']);

/** For resources of a node: those whose node the project owns or leases. */
export const visibleThroughNode = (table: string): TableFilter => ({
  apply: (query, b, name) =>
    void query.whereExists(
      b.knex
        .select(b.knex.raw('1'))
        .from('nodes')
        .whereRaw('?? = ??', ['nodes.uuid', `${table}.node_uuid`])
        .where((either) => either.where('nodes.owner', param(name)).orWhere('nodes.lessee', param(name))),
    ),
});

/** For resources of a node: those whose node has one of these values in a column. */
export const nodeColumnIn = (table: string, column: string): TableFilter => ({
  apply: (query, b, name) =>
    void query.whereIn(
      `${table}.node_uuid`,
      b.knex
        .from('nodes')
        .select('uuid')
        .where(b.inList(`nodes.${column}`, name)),
    ),
});

/** Makes the repository's factory; statements are compiled once per table and process. */
export function tableRepository<T extends { readonly uuid: string }, F extends object>(
  spec: TableSpec,
): (context: Context) => ResourceRepository<T, F> {
  const { table, columns, filters = {} } = spec;
  const names = Object.keys(columns);
  const columnOf = new Map(Object.entries(columns).map(([name, column]) => [column.property, name]));
  const sortable = Object.fromEntries(
    names.filter((name) => ['text', 'number', 'boolean'].includes(columns[name]!.kind)).map((name) => [name, name]),
  );
  const idents = [{ column: 'uuid', parse: (text: string) => (isUuid(text) ? text.toLowerCase() : undefined) }];
  const uniques = [
    {
      columns: ['uuid'],
      message: (values: Readonly<Record<string, Value>>) =>
        `${/^[aeiou]/.test(spec.noun) ? 'An' : 'A'} ${spec.noun} with UUID ${values['uuid']} already exists.`,
    },
    ...(spec.uniques ?? []),
  ];
  const paged = {
    name: table,
    id: `${table}.id`,
    uuid: `${table}.uuid`,
    noun: spec.noun,
    columns: sortable,
    from: (b: Builder) => b.knex.queryBuilder().from(table),
  };
  const selects = statementFamily();
  const inserts = statementFamily();
  const updates = statementFamily();
  const lists = statementFamily();
  const remove = statement((b) => b.knex(table).where('uuid', param('uuid')).delete());
  const held = spec.heldBy;
  const findHolder =
    held && statement((b) => b.knex(held.table).where(held.column, param('uuid')).select(held.column).limit(1));
  const selectBy = (by: readonly string[]) =>
    selects(by.join(), (b) =>
      b
        .knex(table)
        .where(Object.fromEntries(by.map((c) => [c, param(c)])))
        .select(names),
    );
  const notFound = (ident: string) => new ServiceError(spec.notFound.code, spec.notFound.message(ident));
  const taken = (values: Readonly<Record<string, Value>>, unique: (typeof uniques)[number], cause?: unknown) =>
    new ServiceError('ALREADY_EXISTS', unique.message(values), { cause });

  return ({ sql, cipher }) => {
    const toItem = (row: Row): T => fromRow(row, columns, cipher, String(row['uuid'])) as unknown as T;
    const valuesOf = (uuid: string, patch: object): Record<string, Value> => {
      for (const property of Object.keys(patch))
        if (NOT_PATCHED.has(property)) throw new TypeError(`${property} is not changed by update`);
      const values = toColumns(patch as Record<string, unknown>, columns, cipher, uuid);
      spec.normalize?.(values);
      return values;
    };
    const foreignKey = (error: unknown, values: Readonly<Record<string, Value>>): unknown =>
      isForeignKeyViolation(error) && spec.missingReference ? spec.missingReference(values) : error;

    const find = async (ident: string): Promise<T | undefined> => {
      // A name that looks like a UUID is not looked for: it would stand for an item that is gone.
      for (const { column, parse } of isUuid(ident) ? idents : (spec.idents ?? [])) {
        const value = parse ? parse(ident) : ident;
        const row = value === undefined ? undefined : await first(sql, selectBy([column]), { [column]: value });
        if (row) return toItem(row);
      }
      return undefined;
    };
    const mustFind = async (uuid: string): Promise<T> => {
      const item = await find(uuid);
      if (!item) throw notFound(uuid);
      return item;
    };

    return {
      find,
      async create({ uuid, ...patch }) {
        const values = { ...valuesOf(uuid, { ...spec.defaults, ...patch }), uuid: uuid.toLowerCase() };
        const written = Object.keys(values).toSorted();
        const insert = inserts(written.join(), (b) =>
          b
            .knex(table)
            .insert({ ...Object.fromEntries(written.map((c) => [c, param(c)])), created_at: b.now() })
            .onConflict()
            .ignore(),
        );
        let count: number;
        try {
          count = await sql.run(insert, values);
        } catch (error) {
          throw foreignKey(error, values);
        }
        if (count > 0) return mustFind(uuid);
        for (const unique of uniques) {
          const key = Object.fromEntries(unique.columns.map((c) => [c, (values as Record<string, Value>)[c] ?? null]));
          if (await first(sql, selectBy(unique.columns), key)) throw taken(values, unique);
        }
        throw taken(values, uniques[0]!);
      },
      async list(filter, page) {
        const given = Object.entries(filter).filter(([, value]) => value !== undefined);
        const paging = await planPage(sql, page, paged);
        const shape = given.map(([name]) => name).toSorted();
        const query = lists(`${shape.join()} | ${paging.shape}`, (b) => {
          const q = b.knex(table).select(names.map((name) => `${table}.${name}`));
          for (const name of shape) {
            const own = filters[name];
            if (own) own.apply(q, b, `f_${name}`);
            else q.where(`${table}.${columnOf.get(name)!}`, param(`f_${name}`));
          }
          paging.apply(q, b);
          return { query: q, limit: 'limit' };
        });
        const params = given.map(([name, value]): [string, Value] => [
          `f_${name}`,
          filters[name]?.value
            ? filters[name].value(value)
            : Array.isArray(value)
              ? JSON.stringify(value)
              : typeof value === 'boolean'
                ? Number(value)
                : (value as Value),
        ]);
        return (await sql.all(query, { ...Object.fromEntries(params), ...paging.params })).map(toItem);
      },
      async update(uuid, patch) {
        const values = valuesOf(uuid, patch);
        const written = Object.keys(values).toSorted();
        const update = updates(written.join(), (b) =>
          b
            .knex(table)
            .where('uuid', param('uuid'))
            .update({ ...Object.fromEntries(written.map((c) => [c, param(c)])), updated_at: b.later('updated_at') }),
        );
        let count: number;
        try {
          count = await sql.run(update, { ...values, uuid });
        } catch (error) {
          if (!isUniqueViolation(error)) throw foreignKey(error, values);
          const text = error instanceof Error ? error.message : '';
          throw taken(values, uniques.findLast((u) => u.columns.every((c) => text.includes(c))) ?? uniques[0]!, error);
        }
        if (count === 0) throw notFound(uuid);
        return mustFind(uuid);
      },
      async remove(uuid) {
        if (held && findHolder && (await first(sql, findHolder, { uuid }))) throw held.refuse(uuid);
        try {
          if ((await sql.run(remove, { uuid })) === 0) throw notFound(uuid);
        } catch (error) {
          throw held && isForeignKeyViolation(error) ? held.refuse(uuid) : error;
        }
      },
    };
  };
}
