/** Who may ask, as the configuration says. */
import {
  type Authenticator,
  basicAuthentication,
  createKeystoneCheck,
  createLoginLimiter,
  createPasswordCheck,
  createTokenCheck,
  createUsers,
  keystoneAuthentication,
  noAuthentication,
} from '@bessemer/api';
import { type Config, parseGrants } from '@bessemer/core';
import type { Db } from '@bessemer/db';
import type { Clock, Log, Random } from '@bessemer/ports';
import { passwordLookUp } from './credentials.ts';

/** @throws Error with every option that is missing or wrong. */
export function createAuthenticator(options: {
  config: Config;
  db: Db;
  clock: Clock;
  random: Random;
  log: Log;
}): Authenticator {
  const { db, clock, random, log } = options;
  const { api, access, keystone } = options.config;
  const { grants, problems } = parseGrants(access.users);
  if (api.auth === 'keystone') {
    if (!/^https?:\/\//.test(keystone.url)) problems.push('keystone.url must be the URL of an Identity API');
    if (keystone.password.reveal() === '') problems.push('keystone.password is missing');
  }
  if (problems.length > 0) throw new Error(`the log-in is not configured well: ${problems.join('; ')}`);
  if (api.auth === 'noauth') return noAuthentication;
  const common = {
    limiter: createLoginLimiter(clock, access.max_failed_logins),
    tokens: createTokenCheck({ db, clock, log }),
    onRefused: (event: Parameters<Parameters<typeof basicAuthentication>[0]['onRefused']>[0]) => {
      log.warn('a log-in was refused', event.data);
      if (!api.audit) return;
      db.write('log-in refused', (tx) => tx.events.append(event)).catch((error: unknown) =>
        log.error('the event of a refused log-in was not stored', { error: String(error) }),
      );
    },
  };
  if (api.auth === 'keystone')
    return keystoneAuthentication({
      ...common,
      url: keystone.url,
      keystone: createKeystoneCheck({
        url: keystone.url,
        username: keystone.username,
        password: keystone.password,
        userDomain: keystone.user_domain,
        project: keystone.project,
        projectDomain: keystone.project_domain,
        cacheMs: keystone.cache_ms,
        clock,
        random,
        log,
      }),
    });
  return basicAuthentication({
    ...common,
    users: createUsers({ file: access.user_file, grants, builtIn: passwordLookUp(db), clock, log }),
    passwords: createPasswordCheck(),
    clock,
    random,
  });
}
