/** What tests of the log-in need: an API with users, passwords that cost nothing, and a record of refusals. */
import type { Identity, NewEvent } from '@bessemer/core';
import { type Clock, silentLog } from '@bessemer/ports';
import { ManualClock, seededRandom } from '@bessemer/ports/testing';
import { startApi, type TestApi } from '../testing.ts';
import { type Authenticator, basicAuthentication } from './authenticator.ts';
import { createLoginLimiter } from './login-limiter.ts';
import { createPasswordCheck, type PasswordCheck } from './passwords.ts';
import { createTokenCheck } from './tokens.ts';
import type { User, Users } from './users.ts';

export const basic = (credential: string) => ({ Authorization: `Basic ${btoa(credential)}` });
export const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });

/** Every user's password is `right`; the hash of a user is its name. */
const usersOf = (users: Readonly<Record<string, Omit<User, 'hash'>>>): Users => ({
  find: async (name) => (Object.hasOwn(users, name) ? { ...users[name]!, hash: `$2b$04$${name}` } : undefined),
  decoy: () => '$2b$04$nobody',
});

/** An API with http_basic: user -> role and project. */
export async function startWithUsers(
  users: Readonly<Record<string, Omit<User, 'hash'>>>,
  options: { clock?: Clock; maxFailures?: number; check?: PasswordCheck } = {},
): Promise<{ api: TestApi; refusals: NewEvent[]; compared: string[] }> {
  const clock = options.clock ?? new ManualClock();
  const refusals: NewEvent[] = [];
  const compared: string[] = [];
  const passwords = createPasswordCheck(
    undefined,
    options.check ??
      (async (password, stored) => {
        compared.push(stored);
        return password === 'right' && stored !== '$2b$04$nobody';
      }),
  );
  let authenticator: Authenticator | undefined;
  const api = await startApi({
    clock,
    authenticator: {
      strategy: 'http_basic',
      challenge: 'Basic realm="Baremetal API"',
      check: (credentials) => authenticator!.check(credentials),
    },
  });
  authenticator = basicAuthentication({
    limiter: createLoginLimiter(clock, options.maxFailures ?? 5),
    tokens: createTokenCheck({ db: api.db, clock, log: silentLog }),
    onRefused: (event) => void refusals.push(event),
    users: usersOf(users),
    passwords,
    clock,
    random: seededRandom(5),
  });
  return { api, refusals, compared };
}

/** An API that believes the header `X-Identity`: user/role/project, without a project for the system. */
export function startTrusting(
  options: Pick<NonNullable<Parameters<typeof startApi>[0]>, 'otherwise'> = {},
): Promise<TestApi> {
  return startApi({
    ...options,
    authenticator: {
      strategy: 'http_basic',
      challenge: 'Basic',
      async check({ authorization }): Promise<Identity> {
        const [user = '', role = 'reader', project] = (authorization ?? '').split('/');
        return { user, role: role as Identity['role'], project: project ?? null };
      },
    },
  });
}
export const as = (role: Identity['role'], project?: string) => ({
  Authorization: `${role}-of-${project ?? 'system'}/${role}${project === undefined ? '' : `/${project}`}`,
});
