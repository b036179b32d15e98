/** Which constraint a driver's error speaks of, the same for both engines. */
const UNIQUE = new Set(['SQLITE_CONSTRAINT_UNIQUE', 'SQLITE_CONSTRAINT_PRIMARYKEY', '23505']);
const FOREIGN_KEY = new Set(['SQLITE_CONSTRAINT_FOREIGNKEY', '23503']);
/** serialization_failure and deadlock_detected: the same transaction may well succeed when it is run again. */
const REPEATABLE = new Set(['40001', '40P01']);

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';

export const isUniqueViolation = (error: unknown): boolean => UNIQUE.has(codeOf(error));
export const isForeignKeyViolation = (error: unknown): boolean => FOREIGN_KEY.has(codeOf(error));
export const isSerializationFailure = (error: unknown): boolean => REPEATABLE.has(codeOf(error));

/** True when a file of SQLite cannot be written or read just now: the disk is full or fails, or somebody else holds the file. */
export const isStorageFailure = (error: unknown): boolean => /^SQLITE_(FULL|IOERR|BUSY)/.test(codeOf(error));

/** True when the server could not be reached or went away: nothing is wrong with the statement. */
export function isConnectionFailure(error: unknown): boolean {
  const code = codeOf(error);
  if (/^(08...|57P0[1-3]|53300)$/.test(code)) return true;
  if (/^(ECONNREFUSED|ECONNRESET|EPIPE|ENOENT|ETIMEDOUT|EHOSTUNREACH|ENOTFOUND|EAI_AGAIN)$/.test(code)) return true;
  // Which of these pg says depends on whether the cut was noticed before the statement was sent.
  return (
    error instanceof Error &&
    /connection terminated|connection error and is not queryable|timeout exceeded when trying to connect/i.test(
      error.message,
    )
  );
}
