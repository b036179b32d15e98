/** For tests of any room: a database in memory, a throw-away PostgreSQL. */
import { silentLog } from '@bessemer/ports';
import { ManualClock, seededRandom } from '@bessemer/ports/testing';
import type { OpenOptions } from './engines/options.ts';
import { openSqlite } from './engines/sqlite.ts';
import { startPostgres as start } from './postgres-testing.ts';
import type { TestPostgres } from './postgres-testing.ts';
import type { Db } from './repositories.ts';
import type { SecretKeys } from './secrets.ts';

/** A fixed key: what it closes is no secret. */
export const testSecrets: SecretKeys = { keyId: 'test', key: new Uint8Array(32).fill(7) };

/** A fresh, migrated database in memory. Without options time stands still (ManualClock) and chance is seeded. */
export function memoryDb(options: Partial<OpenOptions> = {}): Promise<Db> {
  return openSqlite({
    file: ':memory:',
    clock: options.clock ?? new ManualClock(),
    random: options.random ?? seededRandom(1),
    log: options.log ?? silentLog,
    secrets: options.secrets ?? testSecrets,
    fenceCheck: options.fenceCheck ?? true,
  });
}

export type { TestPostgres } from './postgres-testing.ts';

/** Starts a throw-away PostgreSQL whose databases hold secrets under `testSecrets`. @throws Error when there is none installed. */
export const startPostgres = (): Promise<TestPostgres> => start(testSecrets);
