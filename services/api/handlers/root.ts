/** Version documents, health, metrics. */
import type { JsonObject } from '@bessemer/core';
import { MAX_MINOR, MIN_MINOR } from '../http/versions.ts';
import { type Handler, ok } from '../request.ts';
import { linksTo } from '../views/links.ts';

const versionDocument = (base: string): JsonObject => ({
  id: 'v1',
  links: [{ href: `${base}/v1/`, rel: 'self' }],
  status: 'CURRENT',
  min_version: `1.${MIN_MINOR}`,
  version: `1.${MAX_MINOR}`,
});

/** Resources linked from /v1 by the microversion they came with; only what this service answers. */
const RESOURCES: ReadonlyArray<readonly [name: string, since: number]> = [
  ['chassis', 1],
  ['nodes', 1],
  ['ports', 1],
  ['drivers', 1],
  ['portgroups', 23],
  ['volume', 32],
  ['conductors', 49],
  ['allocations', 52],
  ['events', 54],
  ['deploy_templates', 55],
  ['shards', 82],
  ['runbooks', 92],
  ['inspection_rules', 96],
];

export const getRoot: Handler = async ({ base }) =>
  ok({
    name: 'OpenStack Ironic API',
    description: 'Bessemer: bare metal provisioning, compatible with the API of OpenStack Ironic',
    default_version: versionDocument(base),
    versions: [versionDocument(base)],
  });

export const getV1: Handler = async ({ base, minor }) => {
  const body: JsonObject = {
    id: 'v1',
    links: [{ href: `${base}/v1/`, rel: 'self' }],
    media_types: { base: 'application/json', type: 'application/vnd.openstack.ironic.v1+json' },
    version: versionDocument(base),
  };
  for (const [name, since] of RESOURCES) if (since <= minor) body[name] = linksTo(base, `${name}/`);
  return ok(body);
};

export const getHealth: Handler = async (_request, { db, log }) => {
  try {
    await db.now();
    return { status: 200, body: 'OK' };
  } catch (error) {
    log.error('health check: the database does not answer', { error: String(error) });
    return { status: 503, body: 'The database does not answer.' };
  }
};
