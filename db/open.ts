/** Opens the database that the configuration names. */
import { join } from 'node:path';
import { Secret } from '@bessemer/ports';
import { lockDataDir } from './engines/data-lock.ts';
import type { OpenOptions } from './engines/options.ts';
import { openPostgres } from './engines/postgres.ts';
import { openSqlite } from './engines/sqlite.ts';
import type { Db } from './repositories.ts';

/**
 * `url` empty: SQLite in `dataDir` (file `bessemer.sqlite`), which is then locked against a second service until `close`.
 * `postgresql://...`: that server.
 * @throws Error that says what is wrong with the URL, or who holds the data directory.
 */
export async function openDatabase(
  options: OpenOptions & { readonly url: string | Secret; readonly dataDir: string },
): Promise<Db> {
  const { url, dataDir, ...others } = options;
  const address = url instanceof Secret ? url.reveal() : url;
  if (address !== '') {
    if (!/^postgres(ql)?:\/\//.test(address))
      throw new Error('database.url must be empty (SQLite in the data directory) or begin with postgresql://');
    return openPostgres({ ...others, url: address });
  }
  const lock = lockDataDir(dataDir);
  try {
    const db = await openSqlite({ ...others, file: join(dataDir, 'bessemer.sqlite') });
    return {
      ...db,
      async close() {
        await db.close();
        lock.release();
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}
