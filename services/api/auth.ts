/** Who asks. `noauth` listens on loopback only; `http_basic` compares a salted hash in constant time. */
import { scrypt, timingSafeEqual } from 'node:crypto';
import { ServiceError } from '@bessemer/core';
import type { Random } from '@bessemer/ports';

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

export interface Authenticator {
  readonly strategy: 'noauth' | 'http_basic';
  /** Resolves when the request may go on. @throws ServiceError NOT_AUTHENTICATED. */
  check(authorization: string | undefined): Promise<void>;
}

export const noAuthentication: Authenticator = { strategy: 'noauth', check: async () => {} };

/** `lookUp` gives the stored hash of a user. */
export function basicAuthentication(
  lookUp: (user: string) => Promise<string | undefined>,
  random: Random,
): Authenticator {
  const remembered = new Set<string>();
  const mark = Buffer.from(random.bytes(16)).toString('base64url');
  const refused = () =>
    new ServiceError(
      'NOT_AUTHENTICATED',
      'Incorrect username or password: send HTTP basic authentication with the credential of the profile that the service wrote at its first start.',
    );
  return {
    strategy: 'http_basic',
    async check(authorization) {
      const encoded = /^Basic ([A-Za-z0-9+/=_-]{1,2048})$/.exec(authorization ?? '')?.[1];
      if (encoded === undefined) throw refused();
      const key = `${mark}${encoded}`;
      if (remembered.has(key)) return;
      const text = Buffer.from(encoded, 'base64').toString('utf8');
      const colon = text.indexOf(':');
      const stored = colon < 0 ? undefined : await lookUp(text.slice(0, colon));
      // An unknown user costs the same time as a wrong password.
      const [, salt = 'AAAAAAAAAAAAAAAAAAAAAA', hash = ''] = stored?.split(':') ?? [];
      const derived = await derive(text.slice(colon + 1), Buffer.from(salt, 'base64url'));
      const expected = Buffer.from(hash, 'base64url');
      if (expected.length !== derived.length || !timingSafeEqual(derived, expected)) throw refused();
      if (remembered.size > 1000) remembered.clear();
      remembered.add(key);
    },
  };
}
