import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where built images are kept unless told otherwise: `bessemer` in the user's cache (XDG Base Directory Specification). */
export const cacheDirOf = (env: Readonly<Record<string, string | undefined>>): string =>
  join(env['XDG_CACHE_HOME'] || join(env['HOME'] || homedir(), '.cache'), 'bessemer');
