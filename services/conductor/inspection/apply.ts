/** Follows the inspection rules when an inspection has found something, in the transaction that ends it. */
import type { JsonObject, NewEvent, Node, Port } from '@bessemer/core';
import type { NodePatch, PortPatch, Repositories } from '@bessemer/db';
import { applyRules } from './rules.ts';

const NODE_FIELDS = {
  properties: 'properties',
  driver_info: 'driverInfo',
  extra: 'extra',
  instance_info: 'instanceInfo',
  description: 'description',
  resource_class: 'resourceClass',
  owner: 'owner',
  lessee: 'lessee',
  shard: 'shard',
} as const satisfies Record<string, keyof NodePatch>;
const PORT_FIELDS = {
  extra: 'extra',
  local_link_connection: 'localLinkConnection',
  physical_network: 'physicalNetwork',
  pxe_enabled: 'pxeEnabled',
  description: 'description',
  vendor: 'vendor',
  category: 'category',
} as const satisfies Record<string, keyof PortPatch>;
/** Shown to rules, not theirs to change. */
const NODE_FACTS = { uuid: 'uuid', name: 'name', driver: 'driver', conductor_group: 'conductorGroup' } as const;

function wire(item: object, fields: Readonly<Record<string, string>>): JsonObject {
  return Object.fromEntries(
    Object.entries(fields).map(([name, key]) => [name, (item as Record<string, never>)[key] ?? null]),
  );
}
/** The fields that are not as they were. */
function changes(before: JsonObject, after: JsonObject, fields: Readonly<Record<string, string>>): object {
  return Object.fromEntries(
    Object.entries(fields)
      .filter(([name]) => JSON.stringify(before[name] ?? null) !== JSON.stringify(after[name] ?? null))
      .map(([name, key]) => [key, after[name] ?? null]),
  );
}

type Note = Pick<NewEvent, 'type' | 'severity' | 'data'>;
const noteOf = ({ level, text }: { readonly level: string; readonly text: string }): Note => ({
  type: 'inspection.note',
  severity: level === 'warning' ? 'warning' : ['error', 'critical'].includes(level) ? 'error' : 'info',
  data: { text },
});

export interface RulesFollowed {
  /** To be written with what else the end of the inspection changes. */
  readonly nodePatch: NodePatch;
  /** What rules were told to say. */
  readonly notes: readonly Note[];
  readonly failure: string | null;
}

/** Ports and plugin data are written here; when a rule fails, nothing is. */
export async function followRules(tx: Repositories, node: Node): Promise<RulesFollowed> {
  const rules = await tx.inspectionRules.list({}, { limit: 1000 });
  const found = rules.length === 0 ? null : await tx.nodes.getInventory(node.uuid);
  if (!found) return { nodePatch: {}, notes: [], failure: null };
  const ports = await tx.ports.list({ nodeUuid: node.uuid }, { limit: 1000 });
  const portFacts = (port: Port) => ({ ...wire(port, PORT_FIELDS), address: port.address, uuid: port.uuid });
  const before = { ...wire(node, NODE_FIELDS), ...wire(node, NODE_FACTS) };
  const ruled = applyRules(rules, {
    node: before,
    traits: node.traits,
    ports: ports.map(portFacts),
    inventory: found.inventory,
    pluginData: found.pluginData,
  });
  const notes = ruled.log.map(noteOf);
  if (ruled.failure !== null) return { nodePatch: {}, notes, failure: ruled.failure };
  await tx.nodes.setInventory(node.uuid, { inventory: found.inventory, pluginData: ruled.pluginData });
  for (const [i, port] of ports.entries()) {
    const patch = changes(portFacts(port), ruled.ports[i]!, PORT_FIELDS) as PortPatch;
    if (Object.keys(patch).length > 0) await tx.ports.update(port.uuid, patch);
  }
  const isSame = JSON.stringify(ruled.traits) === JSON.stringify(node.traits.toSorted());
  return {
    nodePatch: { ...changes(before, ruled.node, NODE_FIELDS), ...(isSame ? {} : { traits: ruled.traits }) },
    notes,
    failure: null,
  };
}
