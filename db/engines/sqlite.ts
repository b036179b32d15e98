/** The embedded engine: better-sqlite3, WAL, synchronous=FULL; one writer, and a second connection that only reads. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { closeSync, openSync } from 'node:fs';
import { coerceError, ServiceError } from '@bessemer/core';
import type { Clock } from '@bessemer/ports';
import Database from 'better-sqlite3';
import { knex } from '../statements/knex.ts';
import { migrate } from '../migrations/index.ts';
import type { Db, Repositories } from '../repositories.ts';
import type { ConductorCache } from '../resources/context.ts';
import { createRepositories } from '../resources/index.ts';
import { createCipher } from '../secrets.ts';
import { bind } from '../statements/statement.ts';
import { isStorageFailure } from '../statements/violations.ts';
import type { Compiled, Params, Row, Sql, Statement, Value } from '../statements/statement.ts';
import { createBell } from './bell.ts';
import type { OpenOptions } from './options.ts';
import { createSqliteWriter } from './sqlite-writer.ts';

type Connection = Database.Database;
const BUSY_TIMEOUT_MS = 5_000;

/**
 * Opens a database file, or one in memory with `:memory:`. In memory there is one connection: a read that comes while a
 * batch of writes is open waits for its end (which takes microtasks only), so it never sees what may still be rolled back.
 * @throws Error when the file cannot be opened.
 */
export async function openSqlite(options: OpenOptions & { readonly file: string }): Promise<Db> {
  const { file, clock, log, fenceCheck = true } = options;
  const inMemory = file === ':memory:';
  const cipher = createCipher(options.secrets, options.random);
  const bell = createBell(log);
  const writeConnection = await openWriter(options, inMemory);
  const readConnection = inMemory ? writeConnection : new Database(file, { readonly: true, timeout: BUSY_TIMEOUT_MS });
  const write = prepared(writeConnection, clock);
  const read = inMemory ? write : prepared(readConnection, clock);
  // The data directory is locked: all that is written of conductors is written here.
  const conductorCache: ConductorCache = { nowMs: () => clock.nowMs(), known: undefined };
  const insideWrite = new AsyncLocalStorage<string>();
  let closed = false;

  // All requests of one turn of the event loop are there when it reaches its check phase. In memory time may be virtual.
  const gather = inMemory ? () => Promise.resolve() : () => new Promise<void>((resolve) => setImmediate(resolve));
  const writer = createSqliteWriter(writeConnection, gather);

  const refuseInside = (what: string) => {
    const name = insideWrite.getStore();
    if (name !== undefined)
      throw new Error(`${what} inside db.write('${name}') would wait for itself: use the tx that was passed in`);
    if (closed) throw new Error('the database is closed');
  };
  const readSql: Sql = {
    engine: 'sqlite',
    async all(statement, params) {
      refuseInside('db.read');
      if (statement.compile('sqlite').writes) throw new Error('db.read does not write: use db.write');
      while (inMemory && writer.busy) await writer.busy;
      return read.all(statement, params);
    },
    async values(statement, params) {
      refuseInside('db.read');
      if (statement.compile('sqlite').writes) throw new Error('db.read does not write: use db.write');
      while (inMemory && writer.busy) await writer.busy;
      return read.values(statement, params);
    },
    async run() {
      throw new Error('db.read does not write: use db.write');
    },
  };

  /** What SQLite says of a full disk, in words for whoever asked. @throws TEMPORARY_FAILURE. */
  async function written<T>(fn: () => Promise<T>): Promise<T> {
    try {
      return await writer.write(fn);
    } catch (error) {
      if (!isStorageFailure(error)) throw error;
      const { message } = coerceError(error);
      throw new ServiceError(
        'TEMPORARY_FAILURE',
        `The database cannot be written: ${message}. Nothing was changed; see to the disk that holds the data directory, and try again.`,
        { cause: error },
      );
    }
  }

  return {
    engine: 'sqlite',
    read: createRepositories({ sql: readSql, cipher, fenceCheck, onEvent() {}, conductorCache }),
    async write<T>(name: string, fn: (tx: Repositories) => Promise<T>): Promise<T> {
      refuseInside('db.write');
      let hasEvents = false;
      let hasConductors = false;
      const value = await written(async () => {
        let isOver = false;
        const guard = () => {
          if (isOver) throw new Error(`the transaction '${name}' is over: something in it was not awaited`);
        };
        const sql: Sql = {
          engine: 'sqlite',
          async all(statement, params) {
            guard();
            return write.all(statement, params);
          },
          async values(statement, params) {
            guard();
            return write.values(statement, params);
          },
          async run(statement, params) {
            guard();
            return write.run(statement, params);
          },
        };
        const tx = createRepositories({
          sql,
          cipher,
          fenceCheck,
          onEvent: () => void (hasEvents = true),
          onConductors: () => void (hasConductors = true),
        });
        try {
          return await insideWrite.run(name, () => fn(tx));
        } finally {
          isOver = true;
        }
      });
      if (hasConductors) conductorCache.known = undefined;
      if (hasEvents) bell.ring();
      return value;
    },
    now: async () => clock.nowMs(),
    onEvents: (listener) => bell.listen(listener),
    async close() {
      if (closed) return;
      closed = true;
      await writer.idle();
      if (!inMemory) readConnection.close();
      writeConnection.close();
    },
  };
}

/** Statements prepared once per connection. */
function prepared(connection: Connection, clock: Clock) {
  const objects = new WeakMap<Compiled, Database.Statement>();
  const lists = new WeakMap<Compiled, Database.Statement>();
  const nowMs = () => Math.floor(clock.nowMs());
  const prepare = (known: typeof objects, compiled: Compiled): Database.Statement => {
    let found = known.get(compiled);
    if (!found) {
      found = connection.prepare(compiled.text);
      known.set(compiled, known === lists ? found.raw() : found);
    }
    return found;
  };
  return {
    all(statement: Statement, params: Params = {}): Row[] {
      const compiled = statement.compile('sqlite');
      return prepare(objects, compiled).all(...bind(compiled, params, nowMs)) as Row[];
    },
    values(statement: Statement, params: Params = {}): Value[][] {
      const compiled = statement.compile('sqlite');
      return prepare(lists, compiled).all(...bind(compiled, params, nowMs)) as Value[][];
    },
    run(statement: Statement, params: Params = {}): number {
      const compiled = statement.compile('sqlite');
      return prepare(objects, compiled).run(...bind(compiled, params, nowMs)).changes;
    },
  };
}

/** A migrated database in memory, as bytes: opening another one is a copy. */
let template: Buffer | undefined;

async function openWriter(options: OpenOptions & { readonly file: string }, inMemory: boolean): Promise<Connection> {
  const { file, migrate: wanted = true } = options;
  if (inMemory) {
    if (wanted && !template) {
      const made = new Database(':memory:');
      await migrateSqlite(made);
      template = made.serialize();
      made.close();
    }
    const connection = wanted && template ? new Database(Buffer.from(template)) : new Database(':memory:');
    connection.pragma('foreign_keys = on');
    return connection;
  }
  // Made here, so that nobody else can read it; the WAL inherits its mode.
  closeSync(openSync(file, 'a', 0o600));
  const connection = new Database(file, { timeout: BUSY_TIMEOUT_MS });
  connection.pragma('journal_mode = wal');
  connection.pragma('synchronous = full');
  connection.pragma('foreign_keys = on');
  if (wanted) await migrateSqlite(connection);
  return connection;
}

/** Lets knex run its migrations on a connection that is ours. */
async function migrateSqlite(connection: Connection): Promise<void> {
  const k = knex({
    client: 'better-sqlite3',
    useNullAsDefault: true,
    connectionPool: {
      acquire: () => ({ promise: Promise.resolve(connection) }),
      release: () => true,
      destroy: async () => {},
      numFree: () => 0,
      numUsed: () => 1,
      numPendingAcquires: () => 0,
    },
  });
  await migrate(k);
  await k.destroy();
}
