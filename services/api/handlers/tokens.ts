/** Bearer tokens: made, listed, revoked. The token itself is shown once. */
import { formatTime, hasRole, type JsonObject, type Role, ServiceError } from '@bessemer/core';
import type { AccessToken } from '@bessemer/db';
import { newToken, tokenHash } from '../access/tokens.ts';
import { pageOf } from '../http/query.ts';
import { type ApiRequest, type ApiServices, created, type Handler, noContent, ok } from '../request.ts';
import { collection, linksTo } from '../views/links.ts';

const DAY_S = 86_400;
const DEFAULT_LIFE_S = 90 * DAY_S;
/** Expired tokens stay in the list this long. */
const KEEP_EXPIRED_MS = 30 * DAY_S * 1000;

const view = (token: AccessToken, base: string): JsonObject => ({
  uuid: token.uuid,
  name: token.name,
  role: token.role,
  project: token.project,
  created_by: token.createdBy,
  created_at: formatTime(token.createdAt),
  expires_at: formatTime(token.expiresAt),
  last_used_at: formatTime(token.lastUsedAt),
  links: linksTo(base, `tokens/${token.uuid}`),
});

async function findToken(request: ApiRequest, services: ApiServices): Promise<AccessToken> {
  const ident = request.params['token']!;
  const token = await services.db.read.tokens.find(ident);
  if (!token) throw new ServiceError('NOT_FOUND', `Token ${ident} could not be found.`);
  return token;
}

/** The end of the new token's life. Nothing outlives the token that made it. */
function endOf(request: ApiRequest, nowMs: number): number | null {
  const { expires_in: lifeS = DEFAULT_LIFE_S } = request.body as { expires_in?: number | null };
  const wanted = lifeS === null ? null : nowMs + lifeS * 1000;
  const last = request.identity.expiresAt;
  return last === undefined ? wanted : Math.min(wanted ?? last, last);
}

export const createToken: Handler = async (request, services) => {
  const { identity } = request;
  const body = request.body as { name: string; role: Role; project?: string | null };
  const project = body.project ?? identity.project;
  if (identity.project !== null && project !== identity.project)
    throw new ServiceError('FORBIDDEN', `A token made in project ${identity.project} is of that project.`);
  if (!hasRole(identity.role, body.role))
    throw new ServiceError('FORBIDDEN', `A token cannot have a role above yours, which is ${identity.role}.`);
  const secret = newToken(services.random);
  const token = await services.db.write('create token', async (tx) => {
    const nowMs = await services.db.now();
    await tx.tokens.purge(nowMs - KEEP_EXPIRED_MS);
    return tx.tokens.create({
      uuid: services.random.uuid(),
      name: body.name,
      sha256: tokenHash(secret),
      role: body.role,
      project,
      createdBy: identity.user,
      expiresAt: endOf(request, nowMs),
    });
  });
  return created({ ...view(token, request.base), token: secret }, `${request.base}/v1/tokens/${token.uuid}`);
};

export const listTokens: Handler = async (request, services) => {
  const { query, base } = request;
  const page = pageOf(query, services.config.max_limit, ['uuid', 'name', 'created_at', 'expires_at']);
  const tokens = await services.db.read.tokens.list({}, page);
  const items = tokens.map((token) => view(token, base));
  return ok(
    collection('tokens', items, { base, path: 'tokens', limit: page.limit, query, marker: tokens.at(-1)?.uuid }),
  );
};

export const getToken: Handler = async (request, services) =>
  ok(view(await findToken(request, services), request.base));

export const deleteToken: Handler = async (request, services) => {
  const { uuid } = await findToken(request, services);
  await services.db.write('revoke token', (tx) => tx.tokens.remove(uuid));
  return noContent;
};
