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

/** scrypt works on the threads that also read files and resolve names: a flood of passwords must not have them all. */
const MAX_DERIVATIONS = 2;
const MAX_WAITING = 32;

/** Runs at most MAX_DERIVATIONS at a time, in order. @throws ServiceError TEMPORARY_FAILURE when MAX_WAITING wait already. */
function createGate(): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: Array<() => void> = [];
  let running = 0;
  return async (work) => {
    if (running >= MAX_DERIVATIONS) {
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

export interface Authenticator {
  readonly strategy: 'noauth' | 'http_basic';
  /** Resolves when the request may go on. @throws ServiceError NOT_AUTHENTICATED; TEMPORARY_FAILURE when too many ask. */
  check(authorization: string | undefined): Promise<void>;
}

export const noAuthentication: Authenticator = { strategy: 'noauth', check: async () => {} };

/** `lookUp` gives the stored hash of a user; `deriveKey` is scrypt, or what a test puts in its place. */
export function basicAuthentication(
  lookUp: (user: string) => Promise<string | undefined>,
  random: Random,
  deriveKey: typeof derive = derive,
): Authenticator {
  const gate = createGate();
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
      const derived = await gate(() => deriveKey(text.slice(colon + 1), Buffer.from(salt, 'base64url')));
      const expected = Buffer.from(hash, 'base64url');
      if (expected.length !== derived.length || !timingSafeEqual(derived, expected)) throw refused();
      if (remembered.size > 1000) remembered.clear();
      remembered.add(key);
    },
  };
}

/**
 * Without authentication the address that we listen on is all that keeps strangers out, and a browser on this machine would let
 * a foreign page in: by a name of its own that leads here (DNS rebinding), or by a request that needs no permission.
 * @throws ServiceError FORBIDDEN unless host and origin are this machine, or the configured public endpoint.
 */
export function checkLocalCaller(host: string, origin: string, publicEndpoint: string): void {
  const known = nameIn(publicEndpoint);
  const isOurs = (url: string) => {
    const name = nameIn(url);
    return name !== undefined && (LOCAL_NAME.test(name) || name === known);
  };
  const foreign =
    host !== '' && !isOurs(`http://${host}`) ? host : origin !== '' && !isOurs(origin) ? origin : undefined;
  if (foreign === undefined) return;
  throw new ServiceError(
    'FORBIDDEN',
    `Without authentication (api.auth is noauth) only this machine is answered, not ${foreign.slice(0, 100)}: ask http://127.0.0.1, set api.public_endpoint, or use http_basic.`,
  );
}

const LOCAL_NAME = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;
const nameIn = (url: string): string | undefined => (URL.canParse(url) ? new URL(url).hostname : undefined);
