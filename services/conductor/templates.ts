/** Deploy templates whose names are traits that the instance asks for. */
import type { JsonObject, Node } from '@bessemer/core';
import { ServiceError } from '@bessemer/core';
import type { Repositories } from '@bessemer/db';

/** More than an installation has; a page of the repository. */
const MOST_TEMPLATES = 1000;

/**
 * The traits of the instance. Each has to be a trait of the node.
 * @throws INVALID_PARAMETER
 */
export function instanceTraits(node: Node): readonly string[] {
  // Anything empty is no trait.
  const traits = node.instanceInfo['traits'] || [];
  if (!Array.isArray(traits) || !traits.every((trait) => typeof trait === 'string'))
    throw new ServiceError(
      'INVALID_PARAMETER',
      `Error parsing traits from Node ${node.uuid} instance_info field. A list of strings is expected.`,
    );
  const missing = traits.filter((trait) => !node.traits.includes(trait));
  if (missing.length > 0)
    throw new ServiceError(
      'INVALID_PARAMETER',
      `Cannot specify instance traits that are not also set on the node. Node ${node.uuid} is missing traits ${missing.join(', ')}`,
    );
  return traits;
}

/** The templates for the instance, as a run's input holds them: {name, steps}. @throws INVALID_PARAMETER for traits that the node has not. */
export async function templatesFor(tx: Repositories, node: Node): Promise<JsonObject[]> {
  const traits = instanceTraits(node);
  if (traits.length === 0) return [];
  const all = await tx.deployTemplates.list({}, { limit: MOST_TEMPLATES });
  return all
    .filter((template) => traits.includes(template.name))
    .map(({ name, steps }) => ({ name, steps: steps.map((step) => ({ ...step })) }));
}
