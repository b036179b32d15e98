/** A node as the wire shows it at a microversion. */
import { formatTime, isJsonObject, type Json, type JsonObject, type Node, type ProvisionState } from '@bessemer/core';
import { isMaskedField, MASK } from '@bessemer/db';
import { linksTo } from './links.ts';
import { NODE_FIELD, NODE_SUBRESOURCES } from './node-fields.ts';

/** A copy with every value under a secret's name masked, at any depth. */
export function maskSecrets(value: JsonObject): JsonObject {
  const mask = (name: string, v: Json): Json => {
    if (isMaskedField(name) && v !== null && v !== '') return MASK;
    if (Array.isArray(v)) return v.map((item) => mask('', item));
    return isJsonObject(v) ? maskSecrets(v) : v;
  };
  return Object.fromEntries(Object.entries(value).map(([name, v]) => [name, mask(name, v)]));
}

/** instance_info as shown: secrets, a config drive and image URLs with credentials are masked. */
export function maskInstanceInfo(value: JsonObject): JsonObject {
  const shown = maskSecrets(value);
  for (const name of ['configdrive', 'image_url'])
    if (Object.hasOwn(shown, name) && shown[name] !== null && shown[name] !== '') shown[name] = MASK;
  return shown;
}

/** The name of a state at a microversion: `available` was null below 1.2, `inspect wait` is new in 1.39. */
export function stateName(state: ProvisionState | null, minor: number): string | null {
  if (state === 'available' && minor < 2) return null;
  if (state === 'inspect wait' && minor < 39) return 'inspecting';
  return state;
}

export interface NodeViewContext {
  readonly base: string;
  readonly minor: number;
  /** Host of the conductor that would work on the node. */
  readonly conductorOf: (node: Node) => string | null;
  /** The interface that is used for a kind where the node names none. */
  readonly defaultInterface: (node: Node, kind: string) => string | null;
}

function valueOf(node: Node, wire: string, context: NodeViewContext): Json {
  if (wire === 'reservation') return node.reservation?.conductor ?? null;
  if (wire === 'health') return null;
  if (wire === 'conductor') return context.conductorOf(node);
  if (wire === 'driver_info') return maskSecrets(node.driverInfo);
  if (wire === 'driver_internal_info') return maskSecrets(node.driverInternalInfo);
  if (wire === 'instance_info') return maskInstanceInfo(node.instanceInfo);
  if (wire === 'provision_state') return stateName(node.provisionState, context.minor);
  if (wire === 'target_provision_state') return stateName(node.targetProvisionState, context.minor);
  const field = NODE_FIELD.get(wire)!;
  if (field.interfaceKind)
    return node.interfaces[field.interfaceKind] ?? context.defaultInterface(node, field.interfaceKind);
  const value = node[field.key!];
  if (field.kind === 'time') return formatTime(value as number | null);
  return value as Json;
}

/** The fields asked for, in the table's order, with links. A full view (`isFull`) has the links of its sub-resources. */
export function nodeView(node: Node, fields: readonly string[], isFull: boolean, context: NodeViewContext): JsonObject {
  const view: JsonObject = {};
  for (const wire of fields) view[wire] = valueOf(node, wire, context);
  view['links'] = linksTo(context.base, `nodes/${node.uuid}`);
  if (isFull)
    for (const [name, since] of NODE_SUBRESOURCES)
      if (since <= context.minor) view[name] = linksTo(context.base, `nodes/${node.uuid}/${name}`);
  return view;
}

/** The states sub-resource. */
export function statesView(node: Node, minor: number): JsonObject {
  return {
    console_enabled: node.consoleEnabled,
    last_error: node.lastError,
    power_state: node.powerState,
    provision_state: stateName(node.provisionState, minor),
    target_power_state: node.targetPowerState,
    target_provision_state: stateName(node.targetProvisionState, minor),
    provision_updated_at: formatTime(node.provisionUpdatedAt),
    ...(minor >= 12 ? { raid_config: node.raidConfig, target_raid_config: node.targetRaidConfig } : {}),
    ...(minor >= 75 ? { boot_mode: node.bootMode, secure_boot: node.secureBoot } : {}),
  };
}
