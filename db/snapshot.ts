/** For rooms that change what they have read. */
import type { Db } from './repositories.ts';

/** `db` whose transactions overwrite nothing that was changed since they read it: all have `WriteOptions.snapshot`. */
export const snapshotDb = (db: Db): Db => ({
  ...db,
  write: (name, fn, options) => db.write(name, fn, { ...options, snapshot: true }),
});
