/** A runbook named in an order to clean or service a node: its steps stand for those that the order would name itself. */
import { type JsonObject, type Node, type ProvisionVerb, ServiceError } from '@bessemer/core';
import type { ApiRequest, ApiServices } from '../request.ts';

/** From here on traits of the runbook say what nodes it is for; before, its name had to be one of the node's traits. */
const TRAITS_SINCE = 112;

const refused = (message: string) => new ServiceError('INVALID_PARAMETER', message);

/** @throws INVALID_PARAMETER for a node that the runbook is not for. */
function mustBeApproved(runbook: { uuid: string; name: string; traits: readonly string[] }, node: Node, minor: number) {
  if (minor < TRAITS_SINCE) {
    if (!node.traits.includes(runbook.name))
      throw refused(
        `This runbook has not been approved for use on this node ${node.uuid}. Please ask an administrator to add it to your node traits.`,
      );
    return;
  }
  if (runbook.traits.length === 0)
    throw refused(
      `Runbook ${runbook.uuid} has no traits configured. Please ask an administrator to add traits to the runbook.`,
    );
  if (!runbook.traits.some((trait) => node.traits.includes(trait)))
    throw refused(
      `This runbook has not been approved for use on this node ${node.uuid}. The node does not have any of the runbook's traits ${runbook.traits.join(', ')}. Please ask an administrator to add a matching trait to your node.`,
    );
}

/**
 * The order with the runbook's steps in place of its name; without a runbook, as it was given.
 * @throws RUNBOOK_NOT_FOUND; INVALID_PARAMETER for a runbook beside steps, or one that is not for this node.
 */
export async function withRunbook(
  body: JsonObject,
  verb: ProvisionVerb,
  node: Node,
  request: ApiRequest,
  services: ApiServices,
): Promise<JsonObject> {
  const ident = body['runbook'];
  if (ident === undefined || ident === null) return body;
  const runbook = await services.db.read.runbooks.find(String(ident));
  if (!runbook) throw new ServiceError('RUNBOOK_NOT_FOUND', `Runbook ${String(ident)} could not be found.`);
  mustBeApproved(runbook, node, request.minor);
  const field = verb === 'clean' ? 'clean_steps' : 'service_steps';
  if (body[field] !== undefined && body[field] !== null)
    throw refused(`Please provide either "${field}" or a runbook, but not both.`);
  const steps = runbook.steps
    .toSorted((a, b) => a.order - b.order)
    .map(({ interface: kind, step, args }) => ({ interface: kind, step, args }));
  return { ...body, [field]: steps, disable_ramdisk: body['disable_ramdisk'] ?? runbook.disableRamdisk };
}
