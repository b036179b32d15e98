/**
 * Statements: built once with knex, kept as text with named slots, run prepared on the driver. Building a query with knex on
 * every call would cost twenty times what SQLite needs to answer it.
 */
import { knex } from './knex.ts';
import type { Knex } from 'knex';

export type Engine = 'sqlite' | 'postgresql';
/** What a driver takes as the value of one parameter. */
export type Value = string | number | null;
export type Row = Readonly<Record<string, Value>>;
export type Params = Readonly<Record<string, Value | boolean>>;

export interface Compiled {
  /** Name of the server-side prepared statement; null for one that is not worth keeping. */
  readonly name: string | null;
  readonly text: string;
  readonly slots: readonly Slot[];
  readonly writes: boolean;
}
type Slot = { readonly param: string } | { readonly constant: Value };

/** What a definition builds its query with. */
export interface Builder {
  readonly engine: Engine;
  readonly knex: Knex;
  /** Database time in ms: the server's own on PostgreSQL, the injected clock on SQLite. */
  now(): Knex.Raw;
  /** Database time, but always later than what the column holds: a time that tells two changes apart. */
  later(column: string): Knex.Raw;
  /** A condition `column IN (the strings of the JSON list in the parameter)`: one statement for lists of any length. */
  inList(column: string, param: string): Knex.Raw;
}

type Query = Knex.QueryBuilder | Knex.Raw;
/** `limit` names the parameter with the greatest number of rows. */
export type Build = (b: Builder) => Query | { readonly query: Query; readonly limit: string };

export interface Statement {
  compile(engine: Engine): Compiled;
}

const MARK = '\u0001';
const NOW = 'now ms';

/** The place of a named parameter, to be used wherever knex takes a value. */
export const param = (name: string): string => MARK + name;

const builders = new Map<Engine, Builder>();

function builderOf(engine: Engine): Builder {
  const known = builders.get(engine);
  if (known) return known;
  const k = knex({ client: engine === 'sqlite' ? 'better-sqlite3' : 'pg', useNullAsDefault: true });
  const builder: Builder = {
    engine,
    knex: k,
    now: () =>
      engine === 'sqlite' ? k.raw('?', [param(NOW)]) : k.raw('(extract(epoch from clock_timestamp()) * 1000)::bigint'),
    later: (column) =>
      engine === 'sqlite'
        ? k.raw('max(?, coalesce(??, 0) + 1)', [param(NOW), column])
        : k.raw('greatest((extract(epoch from clock_timestamp()) * 1000)::bigint, coalesce(??, 0) + 1)', [column]),
    inList: (column, name) =>
      engine === 'sqlite'
        ? k.raw('?? in (select value from json_each(?))', [column, param(name)])
        : k.raw('?? in (select jsonb_array_elements_text(?::jsonb))', [column, param(name)]),
  };
  builders.set(engine, builder);
  return builder;
}

let names = 0;

function compile(engine: Engine, build: Build, keep: boolean): Compiled {
  const built = build(builderOf(engine));
  const { query, limit } = 'query' in built ? built : { query: built, limit: undefined };
  const native = query.toSQL().toNative();
  const slots = native.bindings.map((value): Slot => {
    if (typeof value === 'string' && value.startsWith(MARK)) return { param: value.slice(MARK.length) };
    if (value === null || typeof value === 'string' || typeof value === 'number') return { constant: value };
    if (typeof value === 'boolean') return { constant: Number(value) };
    throw new TypeError(`a statement has a constant of type ${typeof value}: ${native.sql}`);
  });
  let text = native.sql;
  // knex takes only integers for a limit, so the place of the parameter is appended.
  if (limit !== undefined) {
    slots.push({ param: limit });
    text += engine === 'sqlite' ? ' limit ?' : ` limit $${slots.length}`;
  }
  // SQLite (built with STAT4) plans a join anew whenever a parameter that it looked at is bound again: 150 us instead of 7.
  // It does not look behind a unary plus, which changes nothing else.
  if (engine === 'sqlite') text = text.replaceAll('?', '+?');
  return {
    name: keep ? `b${++names}` : null,
    text,
    slots,
    writes: !/^\s*select/i.test(text),
  };
}

/** One statement, compiled for an engine when it is first used there. */
export function statement(build: Build): Statement {
  const compiled = new Map<Engine, Compiled>();
  return {
    compile(engine) {
      let found = compiled.get(engine);
      if (!found) compiled.set(engine, (found = compile(engine, build, true)));
      return found;
    },
  };
}

/** So many shapes of one family are kept; a client that asks for ever new combinations of columns costs only itself. */
const KEPT_SHAPES = 200;

/**
 * Statements that differ in their shape: which columns are written, which filters are given. `shape` must name everything
 * that `build` looks at.
 */
export function statementFamily(): (shape: string, build: Build) => Statement {
  const kept = new Map<string, Statement>();
  return (shape, build) => {
    const found = kept.get(shape);
    if (found) return found;
    if (kept.size >= KEPT_SHAPES) return { compile: (engine) => compile(engine, build, false) };
    const made = statement(build);
    kept.set(shape, made);
    return made;
  };
}

/** The driver's list of values for one run. @throws TypeError for a parameter that was not given. */
export function bind(compiled: Compiled, params: Params, nowMs: () => number): Value[] {
  return compiled.slots.map((slot) => {
    if ('constant' in slot) return slot.constant;
    if (slot.param === NOW) return nowMs();
    const value = params[slot.param];
    if (value === undefined) throw new TypeError(`parameter ${slot.param} is missing for: ${compiled.text}`);
    return typeof value === 'boolean' ? Number(value) : value;
  });
}

/** Runs statements on one connection, in or outside a transaction. */
export interface Sql {
  readonly engine: Engine;
  /** Rows of a query, or of a write with RETURNING. */
  all(statement: Statement, params?: Params): Promise<Row[]>;
  /** The same as lists of values in the order of the query's columns: for many rows that are only forwarded. */
  values(statement: Statement, params?: Params): Promise<Value[][]>;
  /** How many rows a write changed. */
  run(statement: Statement, params?: Params): Promise<number>;
}

/** The first row, or undefined. */
export async function first(sql: Sql, wanted: Statement, params?: Params): Promise<Row | undefined> {
  return (await sql.all(wanted, params))[0];
}
