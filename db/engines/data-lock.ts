/**
 * Keeps a second service out of a data directory. The lock is SQLite's own on a small file, which the kernel drops with the
 * process, however it ends: a lock left by kill -9 cannot be.
 */
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';

export interface DataLock {
  release(): void;
}

/**
 * Takes the lock of `dataDir`, making the directory (mode 0700) when it is missing.
 * @throws Error naming the holder's process id when another process has it.
 */
export function lockDataDir(dataDir: string): DataLock {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const file = join(dataDir, 'service.lock');
  closeSync(openSync(file, 'a', 0o600));
  const db = new Database(file, { timeout: 0 });
  try {
    // A reserved lock keeps other writers out and lets them read who we are.
    db.exec('begin immediate; create table if not exists holder (pid integer); delete from holder');
    db.prepare('insert into holder values (?)').run(process.pid);
    db.exec('commit; begin immediate');
  } catch (cause) {
    const holder = readHolder(db);
    db.close();
    throw new Error(
      `The data directory ${dataDir} is in use by another service (process ${holder ?? 'unknown'}). Stop that one first, or give this one a data directory of its own.`,
      { cause },
    );
  }
  return { release: () => db.close() };
}

function readHolder(db: Database.Database): unknown {
  try {
    return db.prepare('select pid from holder').pluck().get();
  } catch {
    // It is being written at this very moment.
    return undefined;
  }
}
