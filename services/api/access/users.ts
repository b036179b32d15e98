/** The users with passwords: those of an htpasswd file, and the administrator of the first start. */
import { readFile, stat } from 'node:fs/promises';
import type { Grant } from '@bessemer/core';
import type { Clock, Log } from '@bessemer/ports';
import { bcryptProblem } from './passwords.ts';

export interface User extends Grant {
  readonly hash: string;
}

export interface Users {
  find(name: string): Promise<User | undefined>;
  /** The hash that an unknown user's password is compared with, so that it takes as long as a wrong password. */
  decoy(): string;
}

/** The file is looked at this often when requests come. */
const LOOK_MS = 1_000;
/** Larger is no file of users. */
const MAX_BYTES = 4 * 1024 * 1024;
/** What the database says of the administrator is believed this long. */
const BUILT_IN_MS = 30_000;
const NO_HASH = 'scrypt::';
const ALL: Grant = { role: 'admin', project: null };

/** Users and hashes of an htpasswd file, with the lines that are none. Bcrypt only, as Ironic takes it. */
export function parseUserFile(text: string): { hashes: Map<string, string>; problems: string[] } {
  const hashes = new Map<string, string>();
  const problems: string[] = [];
  text.split(/\r?\n/).forEach((raw, i) => {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) return;
    const colon = line.indexOf(':');
    const user = line.slice(0, Math.max(colon, 0));
    const hash = line.slice(colon + 1);
    const problem = colon < 1 ? 'is not user:hash' : bcryptProblem(hash);
    if (problem !== undefined) problems.push(`line ${i + 1}${user === '' ? '' : ` (${user})`} ${problem}`);
    // The first line of a user counts, as for other readers of such files.
    else if (!hashes.has(user)) hashes.set(user, hash);
  });
  return { hashes, problems };
}

/**
 * Users of the file, else of `builtIn` (a stored hash, or undefined). A changed file holds within a second; one that cannot be
 * read has no users. With grants, a user that they do not name may not log in; without, all are system administrators.
 */
export function createUsers(options: {
  /** Empty: no file. */
  file: string;
  grants: ReadonlyMap<string, Grant>;
  builtIn(name: string): Promise<string | undefined>;
  clock: Clock;
  log: Log;
}): Users {
  const { file, grants, clock, log } = options;
  let hashes: ReadonlyMap<string, string> = new Map();
  let seen = '';
  let lookAt = -Infinity;
  let looking: Promise<void> | undefined;
  const known = new Map<string, { hash: string | undefined; until: number }>();

  async function look(): Promise<void> {
    try {
      const { mtimeMs, size, ino, ctimeMs } = await stat(file);
      const mark = `${mtimeMs} ${ctimeMs} ${size} ${ino}`;
      if (mark === seen) return;
      if (size > MAX_BYTES) throw new Error(`it has ${size} bytes, more than ${MAX_BYTES}`);
      const read = parseUserFile(await readFile(file, 'utf8'));
      hashes = read.hashes;
      seen = mark;
      for (const problem of read.problems.slice(0, 20)) log.warn('a user cannot log in', { file, problem });
      const nameless = grants.size === 0 ? [] : [...hashes.keys()].filter((name) => !grants.has(name));
      if (nameless.length > 0)
        log.warn('users without a role cannot log in: name them in access.users', {
          file,
          users: nameless.slice(0, 20),
        });
      log.info('read the users', { file, users: hashes.size });
    } catch (error) {
      hashes = new Map();
      if (seen !== 'unread')
        log.error('the file of users cannot be read: nobody of it may log in', { file, error: String(error) });
      seen = 'unread';
    }
  }
  async function refresh(): Promise<void> {
    if (file === '') return;
    if (!looking && clock.monotonicMs() >= lookAt)
      looking = look().finally(() => {
        lookAt = clock.monotonicMs() + LOOK_MS;
        looking = undefined;
      });
    await looking;
  }
  async function builtIn(name: string): Promise<string | undefined> {
    const found = known.get(name);
    if (found && clock.monotonicMs() < found.until) return found.hash;
    const hash = await options.builtIn(name);
    // Names that do not exist are not remembered: anybody can make up any number of them.
    if (hash !== undefined) known.set(name, { hash, until: clock.monotonicMs() + BUILT_IN_MS });
    else known.delete(name);
    return hash;
  }

  return {
    async find(name) {
      await refresh();
      const hash = hashes.get(name);
      if (hash !== undefined) {
        const grant = grants.size === 0 ? ALL : grants.get(name);
        return grant && { ...grant, hash };
      }
      const own = await builtIn(name);
      return own === undefined ? undefined : { ...ALL, hash: own };
    },
    decoy: () => hashes.values().next().value ?? NO_HASH,
  };
}
