/** Chassis: groups of nodes. */
import { asChassisId, type Chassis, isUuid, type JsonObject, ServiceError } from '@bessemer/core';
import { applyPatch, type PatchOperation } from '../http/patch.ts';
import { booleanParameter, fieldsOf, pageOf } from '../http/query.ts';
import { type ApiRequest, type ApiServices, created, type Handler, noContent, ok, type Reply } from '../request.ts';
import { collection } from '../views/links.ts';
import { chassisFieldTable, chassisView } from '../views/small.ts';

async function findChassis(ident: string, services: ApiServices): Promise<Chassis> {
  const chassis = await services.db.read.chassis.find(ident.toLowerCase());
  if (!chassis) throw new ServiceError('CHASSIS_NOT_FOUND', `Chassis ${ident} could not be found.`);
  return chassis;
}

async function listReply(request: ApiRequest, services: ApiServices, isDetail: boolean, path: string): Promise<Reply> {
  const { query } = request;
  const { fields, isExplicit } = fieldsOf(query, isDetail, chassisFieldTable, request.minor);
  const page = pageOf(query, services.config.max_limit, ['uuid', 'description', 'created_at', 'updated_at']);
  const found = await services.db.read.chassis.list(page);
  const isFull = !isExplicit && (isDetail || booleanParameter(query, 'detail') === true);
  const items = found.map((c) => chassisView(c, fields, isFull, request.base));
  return ok(
    collection('chassis', items, { base: request.base, path, limit: page.limit, query, marker: found.at(-1)?.uuid }),
  );
}

export const listChassis: Handler = (request, services) => listReply(request, services, false, 'chassis');
export const listChassisDetail: Handler = (request, services) => listReply(request, services, true, 'chassis/detail');

export const getChassis: Handler = async (request, services) => {
  const chassis = await findChassis(request.params['chassis']!, services);
  const hasFields = request.query.has('fields');
  const fields = hasFields
    ? fieldsOf(request.query, false, chassisFieldTable, request.minor).fields
    : chassisFieldTable.all;
  return ok(chassisView(chassis, fields, !hasFields, request.base));
};

export const createChassis: Handler = async (request, services) => {
  const body = request.body as JsonObject;
  const uuid = body['uuid'] ?? services.random.uuid();
  if (typeof uuid !== 'string' || !isUuid(uuid))
    throw new ServiceError('INVALID_PARAMETER', `Expected UUID for uuid: ${String(uuid)}`);
  const chassis = await services.db.write('create chassis', (tx) =>
    tx.chassis.create({
      uuid: asChassisId(uuid),
      description: (body['description'] ?? null) as string | null,
      extra: (body['extra'] ?? {}) as JsonObject,
    }),
  );
  return created(
    chassisView(chassis, chassisFieldTable.all, true, request.base),
    `${request.base}/v1/chassis/${chassis.uuid}`,
  );
};

export const patchChassis: Handler = async (request, services) => {
  const operations = request.body as unknown as PatchOperation[];
  const bad = operations.map((o) => o.path.split('/')[1]!).find((name) => name !== 'description' && name !== 'extra');
  if (bad !== undefined)
    throw new ServiceError(
      'INVALID_PARAMETER',
      `Cannot patch /${bad}. Only the following can be updated: description, extra`,
    );
  const found = await findChassis(request.params['chassis']!, services);
  const after = applyPatch({ description: found.description, extra: found.extra }, operations, request.minor);
  const description = after['description'] ?? null;
  if (description !== null && (typeof description !== 'string' || description.length > 255))
    throw new ServiceError('INVALID_PARAMETER', 'Expected text of at most 255 characters for description');
  const chassis = await services.db.write('patch chassis', (tx) =>
    tx.chassis.update(found.uuid, { description, extra: (after['extra'] ?? {}) as JsonObject }),
  );
  return ok(chassisView(chassis, chassisFieldTable.all, true, request.base));
};

export const deleteChassis: Handler = async (request, services) => {
  const chassis = await findChassis(request.params['chassis']!, services);
  await services.db.write('delete chassis', (tx) => tx.chassis.remove(chassis.uuid));
  return noContent;
};
