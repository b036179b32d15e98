/** Everything that is stored, behind repositories; the only room that knows SQL and knex. */
export * from './repositories.ts';
export type * from './contracts/idempotency.ts';
export type * from './contracts/webhooks.ts';
export type { DataLock } from './engines/data-lock.ts';
export type { OpenOptions } from './engines/options.ts';
export { openPostgres } from './engines/postgres.ts';
export { openSqlite } from './engines/sqlite.ts';
export { openDatabase } from './open.ts';
export { requestStore } from './request-store.ts';
export { scopedDb } from './scope.ts';
export type { Scope } from './scope.ts';
export { snapshotDb } from './snapshot.ts';
export { isMaskedField, isSecretField, MASK } from './secrets.ts';
export type { SecretKey, SecretKeys } from './secrets.ts';
