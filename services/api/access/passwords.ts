/** Checks passwords against what is stored: scrypt for the administrator that we make, bcrypt for htpasswd files. */
import { scrypt, timingSafeEqual } from 'node:crypto';
import { ServiceError } from '@bessemer/core';
import type { Random } from '@bessemer/ports';
import { createBcryptWorker } from './bcrypt-worker.ts';

const KEY_BYTES = 32;
// scrypt with N=2^14 costs about 40 ms: too dear for every request, so verified credentials are remembered for a while.
const COST = { N: 16_384, r: 8, p: 1 };

const derive = (password: string, salt: Uint8Array): Promise<Buffer> =>
  new Promise((resolve, reject) =>
    scrypt(password, salt, KEY_BYTES, COST, (error, key) => (error ? reject(error) : resolve(key))),
  );

/** `scrypt:<salt>:<key>` in base64url, to be stored. */
export async function hashPassword(password: string, random: Random): Promise<string> {
  const salt = random.bytes(16);
  return `scrypt:${Buffer.from(salt).toString('base64url')}:${(await derive(password, salt)).toString('base64url')}`;
}

/** bcrypt of a cost that is looked at within a second; more would let one log-in hold up all others. */
const BCRYPT = /^\$2[aby]?\$(\d\d)\$[./A-Za-z0-9]{53}$/;
const MAX_BCRYPT_COST = 14;

/** What is wrong with a stored bcrypt hash, or undefined. */
export function bcryptProblem(hash: string): string | undefined {
  const cost = BCRYPT.exec(hash)?.[1];
  if (cost === undefined) return 'is no bcrypt hash; make it with: htpasswd -nB USER';
  if (Number(cost) > MAX_BCRYPT_COST || Number(cost) < 4)
    return `has a cost of ${Number(cost)}; 4 to ${MAX_BCRYPT_COST} are taken: htpasswd -nB -C 10 USER`;
  return undefined;
}

/** True when the password is the one of the hash. Takes as long for a hash that is none. */
export type PasswordCheck = (password: string, stored: string) => Promise<boolean>;

/** Hashing works on threads that others need too: a flood of passwords must not have them all. */
const MAX_RUNNING = 2;
const MAX_WAITING = 32;

/** Runs at most MAX_RUNNING at a time, in order. @throws ServiceError TEMPORARY_FAILURE when MAX_WAITING wait already. */
function createQueue(): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: Array<() => void> = [];
  let running = 0;
  return async (work) => {
    if (running >= MAX_RUNNING) {
      if (waiting.length >= MAX_WAITING)
        throw new ServiceError(
          'TEMPORARY_FAILURE',
          'Too many passwords are being checked at this moment: try again in a second.',
        );
      // Who leaves hands its place over, so that nobody slips in between.
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else running++;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  };
}

/** `deriveKey` is scrypt and `bcrypt` a worker thread, or what a test puts in their place. */
export function createPasswordCheck(
  deriveKey: typeof derive = derive,
  bcrypt: PasswordCheck = createBcryptWorker(),
): PasswordCheck {
  const queued = createQueue();
  return (password, stored) =>
    queued(async () => {
      if (stored.startsWith('$2')) return bcrypt(password, stored);
      const [, salt = 'AAAAAAAAAAAAAAAAAAAAAA', hash = ''] = stored.split(':');
      const derived = await deriveKey(password, Buffer.from(salt, 'base64url'));
      const expected = Buffer.from(hash, 'base64url');
      return expected.length === derived.length && timingSafeEqual(derived, expected);
    });
}
