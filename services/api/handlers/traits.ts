/** Traits of a node: what an allocation or a deploy template may ask for. */
import { isTrait, type Json, type JsonObject, MAX_TRAITS, ServiceError } from '@bessemer/core';
import { type ApiRequest, type ApiServices, type Handler, noContent, ok } from '../request.ts';
import { freeNode } from '../resources/of-node.ts';
import { findNode } from './find-node.ts';

/** The trait as given. @throws INVALID_PARAMETER. */
export function checkTrait(value: Json, what: string): string {
  if (typeof value === 'string' && isTrait(value)) return value;
  throw new ServiceError(
    'INVALID_PARAMETER',
    `Schema error for ${what}: '${String(value).slice(0, 80)}' is not valid under any of the given schemas. Possible root cause: '${String(value).slice(0, 80)}' does not match '^CUSTOM_[A-Z0-9_]+$'`,
  );
}

async function change(
  request: ApiRequest,
  services: ApiServices,
  next: (traits: readonly string[], nodeUuid: string) => readonly string[],
): Promise<void> {
  const { uuid } = await findNode(request, request.params['node']!, services);
  await services.db.write('node traits', async (tx) => {
    const node = await freeNode(tx, uuid);
    if (!node) return;
    const traits = [...new Set(next(node.traits, node.uuid))].toSorted();
    if (traits.length > MAX_TRAITS)
      throw new ServiceError(
        'INVALID_PARAMETER',
        `Could not modify traits for node ${node.uuid} as it would exceed the maximum number of traits per node (${traits.length} vs. ${MAX_TRAITS})`,
      );
    await tx.nodes.update(uuid, { traits });
  });
}

export const getTraits: Handler = async (request, services) =>
  ok({ traits: [...(await findNode(request, request.params['node']!, services)).traits] });

export const setTraits: Handler = async (request, services) => {
  const given = (request.body as JsonObject)['traits'];
  if (!Array.isArray(given))
    throw new ServiceError(
      'MISSING_PARAMETER',
      'A single node trait may be added via PUT /v1/nodes/<node identifier>/traits/<trait> with no body, or all node traits may be replaced via PUT /v1/nodes/<node identifier>/traits with the list of traits specified in the request body.',
    );
  const traits = given.map((trait) => checkTrait(trait, 'body'));
  await change(request, services, () => traits);
  return noContent;
};

export const addTrait: Handler = async (request, services) => {
  const trait = checkTrait(request.params['trait']!, 'trait');
  await change(request, services, (traits) => [...traits, trait]);
  return {
    ...noContent,
    headers: { Location: `${request.base}/v1/nodes/${request.params['node']}/traits/${trait}` },
  };
};

export const removeTrait: Handler = async (request, services) => {
  const trait = request.params['trait']!;
  await change(request, services, (traits, nodeUuid) => {
    if (!traits.includes(trait))
      throw new ServiceError('NOT_FOUND', `Node ${nodeUuid} doesn't have a trait '${trait}'`);
    return traits.filter((t) => t !== trait);
  });
  return noContent;
};

export const removeTraits: Handler = async (request, services) => {
  await change(request, services, () => []);
  return noContent;
};
