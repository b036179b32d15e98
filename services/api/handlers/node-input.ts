/** From wire fields to a patch of the domain's node: types, limits, references. */
import {
  asChassisId,
  type DriverDescription,
  INTERFACE_KINDS,
  isJsonObject,
  isUuid,
  type InterfaceKind,
  type Json,
  type JsonObject,
  ServiceError,
} from '@bessemer/core';
import type { NodePatch, Repositories } from '@bessemer/db';
import { strictBoolean } from '../http/query.ts';
import { NODE_FIELD } from '../views/node-fields.ts';
import { networkDataProblem } from './network-data.ts';

/** RFC 3986 unreserved characters. */
const NAME = /^[A-Za-z0-9._~-]{1,255}$/;
/** What a name had to be before 1.10: that of a host. */
const HOSTNAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9_-]{0,62}[a-z0-9])*\.?$/;
const ANY_NAME_SINCE = 10;
/** Words that stand in a node's place in a path. */
const RESERVED_NAMES = ['maintenance', 'management', 'states', 'vendor_passthru', 'detail', 'validate'];
export const MAX_DESCRIPTION_CHARS = 4096;

/**
 * A node's name at a microversion; a uuid is none. `refusal` begins the sentence that says what it is not good for.
 * @throws ServiceError INVALID_PARAMETER.
 */
export function checkNodeName(name: string, refusal: string, minor: number): void {
  const isName = NAME.test(name) && (minor >= ANY_NAME_SINCE || HOSTNAME.test(name));
  if (!isName || isUuid(name)) throw new ServiceError('INVALID_PARAMETER', `${refusal} '${name}'`);
  if (RESERVED_NAMES.includes(name))
    throw new ServiceError(
      'INVALID_PARAMETER',
      `The word "${name}" is reserved and can not be used as a node name. Reserved words are: ${RESERVED_NAMES.join(', ')}.`,
    );
}

/** Network data of a new node; a node may have none. @throws ServiceError INVALID_PARAMETER. */
export function checkNewNetworkData(value: Json | undefined): void {
  if (!isJsonObject(value) || Object.keys(value).length === 0) return;
  const problem = networkDataProblem(value);
  if (problem !== undefined)
    throw new ServiceError('INVALID_PARAMETER', `Schema error for node: network_data: ${problem}`);
}

type MutablePatch = { -readonly [K in keyof NodePatch]: NodePatch[K] };

/**
 * The patch for the fields in `body` (wire names); what it refers to is looked up in `read`, inside a transaction its own view. Null empties a field; an interface that is null falls back to the default.
 * @throws ServiceError INVALID_PARAMETER naming field and value.
 */
export async function nodePatchFrom(body: JsonObject, read: Repositories): Promise<MutablePatch> {
  const patch: Record<string, unknown> = {};
  const interfaces: Partial<Record<InterfaceKind, string | null>> = {};
  for (const [wire, value] of Object.entries(body)) {
    const field = NODE_FIELD.get(wire);
    if (!field || wire === 'uuid') continue;
    if (field.interfaceKind) {
      interfaces[field.interfaceKind] = value === null ? null : String(value);
      continue;
    }
    patch[field.key!] = await valueFor(wire, field.kind, value, read);
  }
  if (Object.keys(interfaces).length > 0) patch['interfaces'] = interfaces;
  if (patch['maintenance'] === false) patch['maintenanceReason'] = null;
  return patch as MutablePatch;
}

async function valueFor(wire: string, kind: string, value: Json, read: Repositories): Promise<unknown> {
  switch (wire) {
    case 'conductor_group':
      return String(value ?? '').toLowerCase();
    case 'instance_uuid':
      if (value !== null && !isUuid(String(value)))
        throw new ServiceError('INVALID_PARAMETER', `Expected UUID for instance_uuid: ${String(value)}`);
      return value === null ? null : String(value).toLowerCase();
    case 'chassis_uuid': {
      if (value === null) return null;
      if (!isUuid(String(value)))
        throw new ServiceError('INVALID_PARAMETER', `Expected UUID for chassis_uuid: ${String(value)}`);
      const chassis = await read.chassis.find(String(value).toLowerCase());
      if (!chassis) throw new ServiceError('INVALID_PARAMETER', `Chassis ${String(value)} could not be found.`);
      return asChassisId(chassis.uuid);
    }
    case 'parent_node': {
      if (value === null) return null;
      const parent = await read.nodes.find(String(value));
      if (!parent) throw new ServiceError('INVALID_PARAMETER', `Node ${String(value)} could not be found.`);
      return parent.uuid;
    }
    case 'driver':
      if (typeof value !== 'string') throw new ServiceError('INVALID_PARAMETER', 'driver must be a name');
      return value;
  }
  if (kind === 'boolean') return value === null ? false : strictBoolean(wire, value);
  if (kind === 'tristate') return value === null ? null : strictBoolean(wire, value);
  if (kind === 'json') {
    if (value === null) return {};
    if (typeof value !== 'object' || Array.isArray(value))
      throw new ServiceError(
        'INVALID_PARAMETER',
        `Expected an object for ${wire}: ${JSON.stringify(value).slice(0, 60)}`,
      );
    return value;
  }
  if (value !== null && typeof value !== 'string')
    throw new ServiceError('INVALID_PARAMETER', `Expected text for ${wire}: ${JSON.stringify(value).slice(0, 60)}`);
  return value;
}

/** Every interface named must be one that the hardware type supports. @throws ServiceError INTERFACE_NOT_SUPPORTED. */
export function checkInterfaces(
  interfaces: Partial<Record<InterfaceKind, string | null>>,
  driver: DriverDescription,
): void {
  for (const kind of INTERFACE_KINDS) {
    const name = interfaces[kind];
    if (!name || driver.interfaces[kind].includes(name)) continue;
    const valid = driver.interfaces[kind].map((n) => `'${n}'`).join(', ');
    throw new ServiceError(
      'INTERFACE_NOT_SUPPORTED',
      `Could not find the following interface in the 'ironic.hardware.interfaces.${kind}' entrypoint: ${name}. Valid interfaces are [${valid}].`,
    );
  }
}
