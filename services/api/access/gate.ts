/** Lets a request through to its handler, with what it may see: who asks, whether they may, and the database as theirs. */
import type { OperationSpec } from '@bessemer/api-spec';
import {
  type ErrorCode,
  hasRole,
  type Identity,
  isJsonObject,
  type Json,
  type Role,
  ServiceError,
} from '@bessemer/core';
import { type Db, scopedDb } from '@bessemer/db';
import { type OwnedPolicy, type PlainPolicy, POLICIES, type Policy, type Roles } from './policy.ts';

/** Of a request, what decides. `body` is undefined before it has been read. */
export interface Asked {
  readonly operation: OperationSpec;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly body?: Json | undefined;
}

type Relation = 'owner' | 'lessee';
interface Relations {
  readonly owner: boolean;
  readonly lessee: boolean;
}
const OWNED: Relations = { owner: true, lessee: false };

const describeScope = (identity: Identity) =>
  identity.project === null ? 'in the whole system' : `in project ${identity.project}`;

function forbidden(
  identity: Identity,
  operation: string,
  roles: Roles | { project?: Role; system: Role },
): ServiceError {
  const needs = Object.entries(roles).flatMap(([scope, role]) =>
    ['system', 'project', 'owner', 'lessee'].includes(scope) && role ? [`${role} (${scope})`] : [],
  );
  return new ServiceError(
    'FORBIDDEN',
    `Access was denied to the following resource: ${operation}. It needs ${needs.join(' or ')}; ${identity.user} is ${identity.role} ${describeScope(identity)}.`,
  );
}

/** May the role do it, in one of these relations? */
function allows(roles: Roles, identity: Identity, relations: Relations): boolean {
  if (identity.project === null) return hasRole(identity.role, roles.system);
  return (['owner', 'lessee'] as const satisfies readonly Relation[]).some((relation) => {
    const least = roles[relation];
    return relations[relation] && least !== undefined && hasRole(identity.role, least);
  });
}

const NOT_FOUND: Readonly<Record<OwnedPolicy['about'], readonly [noun: string, code: ErrorCode]>> = {
  node: ['Node', 'NODE_NOT_FOUND'],
  port: ['Port', 'PORT_NOT_FOUND'],
  portgroup: ['Portgroup', 'PORTGROUP_NOT_FOUND'],
  connector: ['Volume connector', 'VOLUME_CONNECTOR_NOT_FOUND'],
  target: ['Volume target', 'VOLUME_TARGET_NOT_FOUND'],
  allocation: ['Allocation', 'ALLOCATION_NOT_FOUND'],
  runbook: ['Runbook', 'RUNBOOK_NOT_FOUND'],
  token: ['Token', 'NOT_FOUND'],
};
const notFound = (about: OwnedPolicy['about'], ident: string) => {
  const [noun, code] = NOT_FOUND[about];
  return new ServiceError(code, `${noun} ${ident} could not be found.`);
};

async function relationsToNode(ident: string, project: string, db: Db): Promise<Relations | undefined> {
  const found = await db.read.nodes.find(ident);
  return found && { owner: found.owner === project, lessee: found.lessee === project };
}

/** How the project stands to what the operation is about; undefined when it sees no such thing. `db` shows only what it sees. */
async function relationsOf(
  about: OwnedPolicy['about'],
  ident: string,
  project: string,
  db: Db,
): Promise<Relations | undefined> {
  const { read } = db;
  const throughNode = async (item: { readonly nodeUuid: string } | undefined) =>
    item && relationsToNode(item.nodeUuid, project, db);
  const own = (item: { readonly owner: string | null } | undefined) =>
    item && { owner: item.owner === project, lessee: item.owner !== project };
  switch (about) {
    case 'node':
      return relationsToNode(ident, project, db);
    case 'port':
      return throughNode(await read.ports.find(ident));
    case 'portgroup':
      return throughNode(await read.portgroups.find(ident));
    case 'connector':
      return throughNode(await read.volumeConnectors.find(ident));
    case 'target':
      return throughNode(await read.volumeTargets.find(ident));
    case 'allocation':
      return own(await read.allocations.find(ident));
    case 'runbook':
      return own(await read.runbooks.find(ident));
    case 'token':
      return (await read.tokens.find(ident)) && OWNED;
  }
}

/** What a field's new value is, by the field's name. */
function changedFields(body: Json | undefined): ReadonlyMap<string, Json | undefined> {
  if (Array.isArray(body))
    return new Map(
      body.flatMap((operation) => {
        if (!isJsonObject(operation) || typeof operation['path'] !== 'string') return [];
        const [, name = '', ...rest] = operation['path'].split('/');
        return [[name, rest.length === 0 ? operation['value'] : undefined] as const];
      }),
    );
  return new Map(isJsonObject(body) ? Object.entries(body) : []);
}

/**
 * Checks a request against its row of the table. Called without a body first, so that nothing is read from who may not ask.
 * `db` must show only what the identity may see.
 * @throws ServiceError FORBIDDEN; the resource's NOT_FOUND for what the identity may not know of.
 */
export async function authorize(asked: Asked, identity: Identity, db: Db): Promise<void> {
  const { operationId } = asked.operation;
  const policy = POLICIES[operationId];
  if (!policy) throw new ServiceError('FORBIDDEN', `Access was denied to the following resource: ${operationId}.`);
  if (policy.about === 'public') return;
  const relations = await checkOperation(asked, policy, identity, db);
  if (relations === undefined || asked.body === undefined) return;
  const fields = changedFields(asked.body);
  const steps = fields.get('runbook');
  // A runbook is run by who may see it: its own, and the public ones.
  if (typeof steps === 'string' && identity.project !== null && !(await db.read.runbooks.find(steps)))
    throw notFound('runbook', steps);
  if (!policy.fields) return;
  for (const name of fields.keys()) {
    const roles = Object.hasOwn(policy.fields, name) ? policy.fields[name] : undefined;
    if (roles && !allows(roles, identity, relations)) throw forbidden(identity, `${operationId}: ${name}`, roles);
  }
}

const isPlain = (policy: OwnedPolicy | PlainPolicy): policy is PlainPolicy =>
  policy.about === 'service' || policy.about === 'list';

/** The relations that hold for the fields; undefined when that is not known yet. */
async function checkOperation(
  asked: Asked,
  policy: Exclude<Policy, { about: 'public' }>,
  identity: Identity,
  db: Db,
): Promise<Relations | undefined> {
  const { operationId } = asked.operation;
  if (identity.project === null) {
    if (!hasRole(identity.role, policy.system)) throw forbidden(identity, operationId, policy);
    return OWNED;
  }
  if (isPlain(policy)) {
    if (policy.project === undefined || !hasRole(identity.role, policy.project))
      throw forbidden(identity, operationId, policy);
    return OWNED;
  }
  const { about } = policy;
  if (policy.at && 'body' in policy.at) {
    // A role that suffices in no relation is refused before the body is read.
    if (!allows(policy, identity, { owner: true, lessee: true })) throw forbidden(identity, operationId, policy);
    return asked.body === undefined ? undefined : checkNodesIn(asked, policy, policy.at.body, identity, db);
  }
  const ident = policy.at
    ? (policy.at.query.map((name) => asked.query.get(name)).find((v) => v !== null) ?? undefined)
    : asked.params[about];
  // Not named at all: the handler says what is missing.
  if (ident === undefined) return undefined;
  const relations = await relationsOf(about, ident, identity.project, db);
  if (!relations) throw notFound(about, ident);
  if (!allows(policy, identity, relations)) throw forbidden(identity, operationId, policy);
  // What is moved to another node must be allowed there as well.
  if (about !== 'node') await checkNodesIn(asked, policy, ['node_uuid', 'node_ident'], identity, db);
  return relations;
}

/** A node that a body names must be one on which the operation is allowed. One that is not seen is the handler's to refuse. */
async function checkNodesIn(
  asked: Asked,
  policy: OwnedPolicy,
  names: readonly string[],
  identity: Identity,
  db: Db,
): Promise<Relations | undefined> {
  const fields = changedFields(asked.body);
  let found: Relations | undefined;
  for (const name of names) {
    const ident = fields.get(name);
    if (typeof ident !== 'string') continue;
    found = await relationsToNode(ident, identity.project!, db);
    if (found && !allows(policy, identity, found)) throw forbidden(identity, asked.operation.operationId, policy);
  }
  return found;
}

/** The database as the identity may see it. Those of projects are made once each. */
export function createViews(db: Db): (identity: Identity) => Db {
  const known = new Map<string, Db>();
  return ({ project, role }) => {
    if (project === null) return db;
    const key = `${role} ${project}`;
    let found = known.get(key);
    if (!found) {
      if (known.size >= 1000) known.clear();
      known.set(key, (found = scopedDb(db, { project, role })));
    }
    return found;
  };
}
