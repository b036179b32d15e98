/** Validates tokens with a Keystone (Identity API v3, GET /v3/auth/tokens). */
import { type Identity, parseTime, type Role, ServiceError } from '@bessemer/core';
import type { Clock, Log, Random, Secret } from '@bessemer/ports';
import { createRemembered } from './remembered.ts';

export interface KeystoneOptions {
  /** With or without /v3. */
  readonly url: string;
  readonly username: string;
  readonly password: Secret;
  readonly userDomain: string;
  readonly project: string;
  readonly projectDomain: string;
  /** Longest time a validated token is believed. */
  readonly cacheMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly fetch?: typeof globalThis.fetch;
}

/** A log-in outlives a slow Keystone by this much, not longer. */
const TIMEOUT_MS = 10_000;
const MAX_TOKENS = 10_000;
/** A refused token is refused again without asking. */
const REFUSED_MS = 10_000;
/** Fernet and JWS tokens are far shorter; PKI tokens are gone since 2016. */
const MAX_TOKEN_LENGTH = 8192;
/** The service's own token is renewed this long before it ends. */
const RENEW_MS = 60_000;

interface TokenBody {
  readonly user?: { readonly name?: unknown; readonly id?: unknown };
  readonly project?: { readonly id?: unknown; readonly name?: unknown; readonly domain?: { readonly name?: unknown } };
  readonly system?: { readonly all?: unknown };
  readonly roles?: ReadonlyArray<{ readonly name?: unknown }>;
  readonly expires_at?: unknown;
}

const unreachable = (cause?: unknown) =>
  new ServiceError(
    'TEMPORARY_FAILURE',
    'The identity service (Keystone) does not answer, so it cannot be known who asks: try again soon.',
    { cause },
  );

/**
 * The strongest of our roles that a token's roles hold: `manager` is a member here. The role `service` is a system
 * administrator with system scope, a system member in the service's own project, a member in any other.
 */
function grantOf(body: TokenBody, options: KeystoneOptions): { role: Role; project: string | null } | undefined {
  const names = new Set((body.roles ?? []).map((role) => String(role.name).toLowerCase()));
  const isSystem = body.system?.all === true;
  const projectId = body.project?.id;
  if (!isSystem && typeof projectId !== 'string') return undefined;
  const isServiceProject =
    body.project?.name === options.project && (body.project?.domain?.name ?? 'Default') === options.projectDomain;
  if (!isSystem && isServiceProject && names.has('service')) return { role: 'member', project: null };
  const role: Role | undefined =
    names.has('admin') || (isSystem && names.has('service'))
      ? 'admin'
      : ['member', 'manager', 'service'].some((name) => names.has(name))
        ? 'member'
        : names.has('reader')
          ? 'reader'
          : undefined;
  return role && { role, project: isSystem ? null : (projectId as string) };
}

export interface KeystoneCheck {
  /** The identity of a token that was validated not long ago. */
  known(token: string): Identity | undefined;
  /**
   * The identity of an `X-Auth-Token`; undefined when Keystone does not know it (any more).
   * @throws ServiceError TEMPORARY_FAILURE when Keystone does not answer, or does not take our own credentials; FORBIDDEN when the
   * token has no scope or no role that counts here.
   */
  check(token: string): Promise<Identity | undefined>;
}

/** Keystone is asked once per token, by a user of our own. */
export function createKeystoneCheck(options: KeystoneOptions): KeystoneCheck {
  const { clock, random, log } = options;
  const fetch = options.fetch ?? globalThis.fetch;
  const url = `${options.url.replace(/\/+$/, '').replace(/\/v3$/, '')}/v3/auth/tokens`;
  const remembered = createRemembered<Identity | null>({ clock, random, most: MAX_TOKENS });
  const underWay = new Map<string, Promise<Identity | undefined>>();
  let own: { token: string; until: number } | undefined;
  let renewing: Promise<string> | undefined;

  async function ask(init: RequestInit): Promise<Response> {
    const stop = new AbortController();
    const timer = clock.setTimer(TIMEOUT_MS, () => stop.abort(new Error(`no answer within ${TIMEOUT_MS} ms`)));
    try {
      const response = await fetch(url, { ...init, signal: stop.signal, redirect: 'error' });
      if (response.status >= 500) throw new Error(`status ${response.status}`);
      return new Response(await response.text(), { status: response.status, headers: response.headers });
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : '';
      log.error('Keystone does not answer', { url, error: `${String(error)}${cause}` });
      throw unreachable(error);
    } finally {
      timer.cancel();
    }
  }

  async function logIn(): Promise<string> {
    const domain = { name: options.userDomain };
    const response = await ask({
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({
        auth: {
          identity: {
            methods: ['password'],
            password: { user: { name: options.username, domain, password: options.password.reveal() } },
          },
          scope: { project: { name: options.project, domain: { name: options.projectDomain } } },
        },
      }),
    });
    const token = response.headers.get('X-Subject-Token');
    if (response.status !== 201 || !token) {
      log.error('Keystone does not take the credentials of keystone.username', { url, status: response.status });
      throw unreachable();
    }
    own = { token, until: clock.nowMs() + lifeOf(await bodyOf(response)) - RENEW_MS };
    return token;
  }
  const ownToken = async (): Promise<string> =>
    own && clock.nowMs() < own.until
      ? own.token
      : (renewing ??= logIn().finally(() => {
          renewing = undefined;
        }));

  /** What is left of the token's life, in ms; none when it is not said. */
  const lifeOf = (body: TokenBody): number => {
    const end = parseTime(body.expires_at);
    return end === undefined ? 0 : Math.max(0, end - clock.nowMs());
  };
  async function bodyOf(response: Response): Promise<TokenBody> {
    try {
      const { token } = (await response.json()) as { token?: unknown };
      if (typeof token === 'object' && token !== null) return token;
    } catch {
      // Answered below: what is no JSON is as wrong as JSON of another form.
    }
    log.error('Keystone answers in a form that is not of its version 3', { url, status: response.status });
    throw unreachable();
  }

  async function validate(token: string): Promise<Identity | undefined> {
    for (const isLast of [false, true]) {
      const response = await ask({ headers: { 'X-Auth-Token': await ownToken(), 'X-Subject-Token': token } });
      if (response.status === 200) {
        const body = await bodyOf(response);
        const lifeMs = lifeOf(body);
        if (lifeMs <= 0) return undefined;
        const grant = grantOf(body, options);
        const user = String(body.user?.name ?? body.user?.id ?? 'unknown');
        if (!grant)
          throw new ServiceError(
            'FORBIDDEN',
            `The token of ${user} must be of a project or of the system, with one of the roles admin, member, reader.`,
          );
        const identity: Identity = { user, ...grant, expiresAt: clock.nowMs() + lifeMs };
        remembered.set(token, identity, Math.min(lifeMs, options.cacheMs));
        return identity;
      }
      if (response.status === 404 || response.status === 400) {
        remembered.set(token, null, Math.min(REFUSED_MS, options.cacheMs));
        return undefined;
      }
      // Our own token may have been revoked before its time.
      own = undefined;
      if (isLast || response.status !== 401) {
        log.error('Keystone does not let us validate tokens', { url, status: response.status });
        throw unreachable();
      }
    }
    return undefined;
  }

  return {
    known: (token) => remembered.get(token) ?? undefined,
    async check(token) {
      if (token.length > MAX_TOKEN_LENGTH || !/^[\x21-\x7e]+$/.test(token)) return undefined;
      const known = remembered.get(token);
      if (known !== undefined) return known ?? undefined;
      // A client that starts many requests at once asks Keystone once.
      let found = underWay.get(token);
      if (!found) underWay.set(token, (found = validate(token).finally(() => underWay.delete(token))));
      return found;
    },
  };
}
