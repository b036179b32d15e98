/** Pino behind the project's Log. One line of JSON per entry on standard error; secrets print as `[secret]`. */
import type { Log } from '@bessemer/ports';
import { destination, type Logger, pino } from 'pino';

function wrap(logger: Logger): Log {
  return {
    debug: (message, fields) => logger.debug(fields ?? {}, message),
    info: (message, fields) => logger.info(fields ?? {}, message),
    warn: (message, fields) => logger.warn(fields ?? {}, message),
    error: (message, fields) => logger.error(fields ?? {}, message),
    child: (fields) => wrap(logger.child(fields)),
  };
}

/** A log to `file`, or to standard error. It writes synchronously, so that the last words before a crash are kept. */
export function createLog(level: string, file?: string): Log {
  const to = destination({ dest: file ?? 2, sync: true, mkdir: true });
  return wrap(pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, to));
}
