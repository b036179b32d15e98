/** The scaled engine: a pool, READ COMMITTED with explicit conditional updates, named prepared statements. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { coerceError, isServiceError, ServiceError } from '@bessemer/core';
import { Secret, sleep } from '@bessemer/ports';
import pg from 'pg';
import { migrate } from '../migrations/index.ts';
import type { Db, Repositories, WriteOptions } from '../repositories.ts';
import { createRepositories } from '../resources/index.ts';
import { createCipher } from '../secrets.ts';
import { knex } from '../statements/knex.ts';
import { bind } from '../statements/statement.ts';
import type { Params, Row, Sql, Statement } from '../statements/statement.ts';
import { isConnectionFailure, isSerializationFailure } from '../statements/violations.ts';
import { createBell } from './bell.ts';
import type { OpenOptions } from './options.ts';
import { createPostgresBell } from './postgres-bell.ts';

const CONNECT_TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 60_000;
/** A statement of ours takes milliseconds; one that takes this long holds locks that others wait for. */
const STATEMENT_TIMEOUT_MS = 60_000;
const MAX_ATTEMPTS = 8;
/** Any number, the same in every release: held while one process migrates. */
const MIGRATION_LOCK = 7_205_759;

const INT8 = 20;
/** Everything stored is text or a number that fits a double: bigint columns are times, ids and fences. */
const types = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === INT8 ? Number : pg.types.getTypeParser(oid, format as 'text'),
};

/**
 * Opens a pool on `url` (postgresql://user:password@host:port/database, or `?host=` with a socket's folder).
 * @throws Error when the server cannot be reached or the schema cannot be brought up to date.
 */
export async function openPostgres(
  options: OpenOptions & { readonly url: string | Secret; readonly poolSize?: number },
): Promise<Db> {
  const { clock, random, log, fenceCheck = true } = options;
  const cipher = createCipher(options.secrets, random);
  const settings = {
    connectionString: options.url instanceof Secret ? options.url.reveal() : options.url,
    application_name: 'bessemer',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    types,
  };
  const pool = new pg.Pool({ ...settings, max: options.poolSize ?? 10, idleTimeoutMillis: IDLE_TIMEOUT_MS });
  // A connection that breaks is replaced by the pool; without listeners it would end the process.
  pool.on('error', (error) => log.warn('an idle database connection broke', { error: error.message }));
  pool.on('connect', (client) => void client.on('error', () => {}));
  try {
    if (options.migrate ?? true) await migratePostgres(settings);
    await repairAfterRestore(pool);
  } catch (error) {
    await pool.end();
    throw error;
  }

  const insideWrite = new AsyncLocalStorage<string>();
  const local = createBell(log);
  const bell = createPostgresBell({ settings, pool, clock, log, ring: local.ring });
  let closed = false;

  const refuseInside = (what: string) => {
    const name = insideWrite.getStore();
    if (name !== undefined)
      throw new Error(`${what} inside db.write('${name}') is outside its transaction: use the tx that was passed in`);
    if (closed) throw new Error('the database is closed');
  };
  const readSql: Sql = {
    engine: 'postgresql',
    async all(statement, params) {
      refuseInside('db.read');
      if (statement.compile('postgresql').writes) throw new Error('db.read does not write: use db.write');
      try {
        return (await query(pool, statement, params)).rows;
      } catch (error) {
        throw translate(error);
      }
    },
    async values(statement, params) {
      return (await readSql.all(statement, params)).map((row) => Object.values(row));
    },
    async run() {
      throw new Error('db.read does not write: use db.write');
    },
  };

  /** One attempt at a transaction. */
  async function attempt<T>(
    name: string,
    fn: (tx: Repositories) => Promise<T>,
    options: WriteOptions,
  ): Promise<{ value: T; hasEvents: boolean }> {
    const client = await pool.connect();
    let broken: Error | undefined;
    const onError = (error: Error) => void (broken = error);
    client.on('error', onError);
    let hasEvents = false;
    let isOver = false;
    const guard = () => {
      if (isOver) throw new Error(`the transaction '${name}' is over: something in it was not awaited`);
    };
    const sql: Sql = {
      engine: 'postgresql',
      async all(statement, params) {
        guard();
        return (await query(client, statement, params)).rows;
      },
      async values(statement, params) {
        guard();
        return (await query(client, statement, params)).rows.map((row) => Object.values(row));
      },
      async run(statement, params) {
        guard();
        return (await query(client, statement, params)).rowCount ?? 0;
      },
    };
    try {
      await client.query(options.snapshot ? 'begin isolation level repeatable read' : 'begin');
      const tx = createRepositories({ sql, cipher, fenceCheck, onEvent: () => void (hasEvents = true) });
      const value = await insideWrite.run(name, () => fn(tx));
      isOver = true;
      const { command } = await client.query('commit');
      // A statement that failed and was caught has ended the transaction: the server answers COMMIT with ROLLBACK.
      if (command !== 'COMMIT')
        throw new Error(`the transaction '${name}' was rolled back: a failed statement was ignored`);
      return { value, hasEvents };
    } catch (error) {
      isOver = true;
      try {
        if (!broken) await client.query('rollback');
      } catch (failure) {
        broken = coerceError(failure);
      }
      throw error;
    } finally {
      client.off('error', onError);
      client.release(broken);
    }
  }

  async function write<T>(name: string, fn: (tx: Repositories) => Promise<T>, options: WriteOptions = {}): Promise<T> {
    refuseInside('db.write');
    for (let number = 1; ; number++) {
      try {
        const { value, hasEvents } = await attempt(name, fn, options);
        if (hasEvents) {
          local.ring();
          bell.announce();
        }
        return value;
      } catch (error) {
        if (!isSerializationFailure(rootOf(error)) || number >= MAX_ATTEMPTS) throw translate(error);
        log.debug('a transaction is run again', { name, number, error: coerceError(error).message });
        await sleep(clock, random.float() * 5 * 2 ** number);
      }
    }
  }

  return {
    engine: 'postgresql',
    read: createRepositories({ sql: readSql, cipher, fenceCheck, onEvent() {} }),
    write,
    async now() {
      try {
        const { rows } = await pool.query('select (extract(epoch from clock_timestamp()) * 1000)::bigint as now');
        return rows[0].now;
      } catch (error) {
        throw translate(error);
      }
    },
    onEvents(listener) {
      const stop = local.listen(listener);
      bell.start();
      return stop;
    },
    async close() {
      if (closed) return;
      closed = true;
      await bell.close();
      await pool.end();
    },
  };
}

function query(
  on: Pick<pg.Pool, 'query'> | Pick<pg.PoolClient, 'query'>,
  statement: Statement,
  params: Params = {},
): Promise<pg.QueryResult<Row>> {
  const compiled = statement.compile('postgresql');
  const { name, text } = compiled;
  const values = bind(compiled, params, unusedClock);
  return on.query<Row>(name === null ? { text, values } : { name, text, values });
}

/** On PostgreSQL the server's clock is in the statement's text. */
const unusedClock = (): number => {
  throw new Error('a statement for PostgreSQL asked for the time of this process');
};

/** The driver's error below what a repository made of it. */
const rootOf = (error: unknown): unknown => (isServiceError(error) && error.cause !== undefined ? error.cause : error);

function translate(error: unknown): unknown {
  if (isServiceError(error) || !(isConnectionFailure(error) || isSerializationFailure(error))) return error;
  return new ServiceError('TEMPORARY_FAILURE', 'The database cannot be reached at the moment. Try again.', {
    cause: error,
  });
}

/** One process migrates at a time, whichever release it is of; the lock goes with the connection. */
async function migratePostgres(settings: pg.ClientConfig): Promise<void> {
  const holder = new pg.Client({ ...settings, statement_timeout: 0 });
  await holder.connect();
  try {
    await holder.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
    const pool = new pg.Pool({ ...settings, statement_timeout: 0, max: 2 });
    const k = knex({ client: 'pg', connectionPool: pool });
    try {
      await migrate(k);
    } finally {
      await k.destroy();
      await pool.end();
    }
  } finally {
    await holder.end();
  }
}

/**
 * A dump that was restored into another server brings transaction ids that this one has yet to reach: such events would stay
 * invisible for a long time. They are all settled, so they go before everything else, in the order of their ids.
 */
async function repairAfterRestore(pool: pg.Pool): Promise<void> {
  await pool.query("update events set xid = '0' where xid >= pg_snapshot_xmax(pg_current_snapshot())");
}
