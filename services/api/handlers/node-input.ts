/** From wire fields to a patch of the domain's node: types, limits, references. */
import {
  asChassisId,
  type DriverDescription,
  INTERFACE_KINDS,
  isUuid,
  type InterfaceKind,
  type Json,
  type JsonObject,
  ServiceError,
} from '@bessemer/core';
import type { NodePatch, Repositories } from '@bessemer/db';
import { strictBoolean } from '../http/query.ts';
import { NODE_FIELD } from '../views/node-fields.ts';

/** RFC 3986 unreserved characters; a uuid is no name. */
const NAME = /^[A-Za-z0-9._~-]+$/;

type MutablePatch = { -readonly [K in keyof NodePatch]: NodePatch[K] };

/**
 * The patch for the fields in `body` (wire names); what it refers to is looked up in `read`, inside a transaction its own view. Null empties a field; an interface that is null falls back to the default.
 * @throws ServiceError INVALID_PARAMETER naming field and value.
 */
export async function nodePatchFrom(
  body: JsonObject,
  read: Repositories,
  verb: 'create' | 'patch',
): Promise<MutablePatch> {
  const patch: Record<string, unknown> = {};
  const interfaces: Partial<Record<InterfaceKind, string | null>> = {};
  for (const [wire, value] of Object.entries(body)) {
    const field = NODE_FIELD.get(wire);
    if (!field || wire === 'uuid') continue;
    if (field.interfaceKind) {
      interfaces[field.interfaceKind] = value === null ? null : String(value);
      continue;
    }
    patch[field.key!] = await valueFor(wire, field.kind, value, read, verb);
  }
  if (Object.keys(interfaces).length > 0) patch['interfaces'] = interfaces;
  if (patch['maintenance'] === false) patch['maintenanceReason'] = null;
  return patch as MutablePatch;
}

async function valueFor(wire: string, kind: string, value: Json, read: Repositories, verb: string): Promise<unknown> {
  switch (wire) {
    case 'name':
      if (value !== null && (!NAME.test(String(value)) || isUuid(String(value))))
        throw new ServiceError(
          'INVALID_PARAMETER',
          `Cannot ${verb === 'create' ? 'create' : 'update'} node with invalid name '${String(value)}'`,
        );
      return value;
    case 'conductor_group':
      return String(value ?? '').toLowerCase();
    case 'instance_uuid':
      if (value !== null && !isUuid(String(value)))
        throw new ServiceError('INVALID_PARAMETER', `Expected UUID for instance_uuid: ${String(value)}`);
      return value === null ? null : String(value).toLowerCase();
    case 'chassis_uuid': {
      if (value === null) return null;
      const chassis = isUuid(String(value)) ? await read.chassis.find(String(value).toLowerCase()) : undefined;
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
      if (typeof value !== 'string' || value === '')
        throw new ServiceError('INVALID_PARAMETER', 'driver must be a name');
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
