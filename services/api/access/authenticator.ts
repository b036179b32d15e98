/** Finds out who asks: passwords, tokens of a Keystone, our own tokens. */
import { type Identity, type NewEvent, ServiceError } from '@bessemer/core';
import type { Clock, Random } from '@bessemer/ports';
import type { KeystoneCheck } from './keystone.ts';
import type { Attempt, LoginLimiter } from './login-limiter.ts';
import type { PasswordCheck } from './passwords.ts';
import { createRemembered } from './remembered.ts';
import { isOwnToken } from './tokens.ts';
import type { Users } from './users.ts';

/** What a request shows. */
export interface Credentials {
  /** The header Authorization. */
  readonly authorization?: string | undefined;
  /** The header X-Auth-Token. */
  readonly authToken?: string | undefined;
  /** The client's address. */
  readonly address: string;
}

export interface Authenticator {
  readonly strategy: 'noauth' | 'http_basic' | 'keystone';
  /** For WWW-Authenticate in a refusal. */
  readonly challenge: string;
  /**
   * Who asks.
   * @throws ServiceError NOT_AUTHENTICATED; TOO_MANY_REQUESTS after too many failures; TEMPORARY_FAILURE when it cannot be known now.
   */
  check(credentials: Credentials): Promise<Identity>;
}

/** Everybody is the administrator of the whole system. */
const ANYBODY: Identity = { user: 'anonymous', role: 'admin', project: null };
export const noAuthentication: Authenticator = { strategy: 'noauth', challenge: '', check: async () => ANYBODY };

type TokenCheck = (token: string) => Promise<Identity | undefined>;

interface Common {
  readonly limiter: LoginLimiter;
  /** Our own bearer tokens. */
  readonly tokens: TokenCheck;
  /** Gets an event of each refused log-in. */
  readonly onRefused: (event: NewEvent) => void;
}

/** How long a verified password is remembered; a changed user is noticed at once all the same. */
const REMEMBER_MS = 10 * 60_000;
const MAX_REMEMBERED = 1_000;

const CHALLENGE_BASIC = 'Basic realm="Baremetal API"';

const refusal = (what: string) => new ServiceError('NOT_AUTHENTICATED', what);

/** The token of ours that is shown, in either header: clients of Ironic can send it as X-Auth-Token. */
function ownTokenOf({ authorization, authToken }: Credentials): string | undefined {
  const bearer = /^Bearer +(\S{1,200}) *$/i.exec(authorization ?? '')?.[1];
  if (bearer !== undefined) return bearer;
  return authToken !== undefined && isOwnToken(authToken) ? authToken : undefined;
}

function refused(common: Common, address: string, user: string | null, reason: string): void {
  common.onRefused({
    type: 'access.refused',
    nodeUuid: null,
    runId: null,
    severity: 'warning',
    data: { user, address, reason },
  });
}

function refuseToken(common: Common, address: string): never {
  refused(common, address, null, 'unknown or expired token');
  throw refusal('The token is not valid: it is unknown, was revoked or has expired.');
}

/** A token of ours is looked up before anything is counted: nobody guesses 256 bits, and its users must not wait for a guesser. */
async function checkOwnToken(common: Common, token: string, address: string): Promise<Identity> {
  const identity = await common.tokens(token);
  if (identity) return identity;
  common.limiter.begin(address);
  return refuseToken(common, address);
}

/** Runs a check; what fails for another reason than the credential does not count. */
async function settled<T>(attempt: Attempt, check: () => Promise<T | undefined>): Promise<T | undefined> {
  let found: T | undefined;
  try {
    found = await check();
  } catch (error) {
    attempt.undecided();
    throw error;
  }
  if (found !== undefined) attempt.succeeded();
  return found;
}

/** HTTP basic authentication (RFC 7617), and our own tokens. */
export function basicAuthentication(
  options: Common & { users: Users; passwords: PasswordCheck; clock: Clock; random: Random },
): Authenticator {
  const { users, passwords, limiter } = options;
  const remembered = createRemembered<string>({ ...options, most: MAX_REMEMBERED });
  return {
    strategy: 'http_basic',
    challenge: CHALLENGE_BASIC,
    async check(credentials) {
      const token = ownTokenOf(credentials);
      if (token !== undefined) return checkOwnToken(options, token, credentials.address);
      const encoded = /^Basic ([A-Za-z0-9+/=_-]{1,2048})$/i.exec(credentials.authorization ?? '')?.[1];
      const text = encoded === undefined ? '' : Buffer.from(encoded, 'base64').toString('utf8');
      const colon = text.indexOf(':');
      if (colon < 1)
        throw refusal(
          'Incorrect username or password: send HTTP basic authentication, for example the credential of the profile that the service wrote at its first start, or a token.',
        );
      const name = text.slice(0, colon);
      const user = await users.find(name);
      const identity = user && { user: name, role: user.role, project: user.project };
      // A password is right as long as the hash that it was compared with is the user's.
      if (identity && remembered.get(text) === user.hash) return identity;
      const attempt = limiter.begin(credentials.address, name);
      const isRight = await settled(attempt, async () => {
        const fits = await passwords(text.slice(colon + 1), user?.hash ?? users.decoy());
        return fits && user ? true : undefined;
      });
      if (isRight && identity) {
        remembered.set(text, user.hash, REMEMBER_MS);
        return identity;
      }
      refused(options, credentials.address, name.slice(0, 100), 'unknown user or wrong password');
      throw refusal('Incorrect username or password.');
    },
  };
}

/** Tokens of a Keystone in X-Auth-Token, and our own. */
export function keystoneAuthentication(options: Common & { keystone: KeystoneCheck; url: string }): Authenticator {
  const { keystone, limiter } = options;
  return {
    strategy: 'keystone',
    challenge: `Keystone uri="${options.url.replaceAll(/["\\]/g, '')}"`,
    async check(credentials) {
      const own = ownTokenOf(credentials);
      if (own !== undefined) return checkOwnToken(options, own, credentials.address);
      const { authToken, address } = credentials;
      if (!authToken)
        throw refusal('The request you have made requires authentication: send a token of Keystone in X-Auth-Token.');
      const known = keystone.known(authToken);
      if (known) return known;
      // Counted first: who makes tokens up must not have Keystone asked about each.
      const attempt = limiter.begin(address);
      return (await settled(attempt, () => keystone.check(authToken))) ?? refuseToken(options, address);
    },
  };
}
