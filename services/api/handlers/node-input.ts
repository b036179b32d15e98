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
import { inPython } from '../http/python.ts';
import { strictBoolean } from '../http/query.ts';
import { NODE_FIELD } from '../views/node-fields.ts';
import { networkDataProblem } from './network-data.ts';

/** RFC 3986 unreserved characters. */
const NAME = /^[A-Za-z0-9._~-]{1,255}$/;
/** What a name had to be before 1.10: that of a host. */
const HOSTNAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9_-]{0,62}[a-z0-9])*\.?$/;
const ANY_NAME_SINCE = 10;
/** Python's tools write and read UUIDs like this as well. */
const BARE_UUID = /^[0-9a-f]{32}$/i;
/** Words that stand in a node's place in a path. */
const RESERVED_NAMES = ['maintenance', 'management', 'states', 'vendor_passthru', 'detail', 'validate'];
export const MAX_DESCRIPTION_CHARS = 4096;

/**
 * A node's name at a microversion; a uuid is none. `refusal` begins the sentence that says what it is not good for.
 * @throws ServiceError INVALID_PARAMETER.
 */
export function checkNodeName(name: string, refusal: string, minor: number): void {
  const isName = NAME.test(name) && (minor >= ANY_NAME_SINCE || HOSTNAME.test(name));
  if (!isName || isUuid(name) || BARE_UUID.test(name))
    throw new ServiceError('INVALID_PARAMETER', `${refusal} '${name}'`);
  if (RESERVED_NAMES.includes(name))
    throw new ServiceError(
      'INVALID_PARAMETER',
      `The word "${name}" is reserved and can not be used as a node name. Reserved words are: ${RESERVED_NAMES.join(', ')}.`,
    );
}

/** Network data of a node as it is to be; a node may have none. @throws ServiceError INVALID_PARAMETER. */
export function checkNetworkData(value: Json | undefined, subject: 'node' | 'patch'): void {
  if (!isJsonObject(value) || Object.keys(value).length === 0) return;
  const problem = networkDataProblem(value);
  if (problem !== undefined)
    throw new ServiceError('INVALID_PARAMETER', `Schema error for ${subject}: network_data: ${problem}`);
}

/** What schedulers add up, in Ironic's order. */
const COUNTED_PROPERTIES = ['local_gb', 'cpus', 'memory_mb'];
/** What Python's `int` takes of a text. */
const INTEGER = /^\s*[+-]?\d+(_\d+)*\s*$/;

function isCount(value: Json): boolean {
  if (typeof value === 'string') return INTEGER.test(value) && Number(value.replaceAll('_', '')) >= 0;
  return typeof value === 'boolean' || (typeof value === 'number' && value > -1);
}

/** Sizes among the properties may be numbers or numbers as text. @throws ServiceError INVALID_PARAMETER. */
export function checkProperties(properties: JsonObject, uuid: string): void {
  const bad = COUNTED_PROPERTIES.flatMap((name) => {
    const value = properties[name] ?? null;
    if (value === null || isCount(value)) return [];
    return [`${name}=${typeof value === 'string' ? value : inPython(value)}`.slice(0, 100)];
  });
  if (bad.length > 0)
    throw new ServiceError(
      'INVALID_PARAMETER',
      `The following properties for node ${uuid} should be non-negative integers, but provided values are: ${bad.join(', ')}`,
    );
}

type MutablePatch = { -readonly [K in keyof NodePatch]: NodePatch[K] };

/**
 * The patch for the fields in `body` (wire names); what it refers to is looked up in `read`, inside a transaction its own view. Null empties a field; an interface that is null falls back to the default. `owner` is the node's.
 * @throws ServiceError INVALID_PARAMETER naming field and value.
 */
export async function nodePatchFrom(body: JsonObject, read: Repositories, owner: string | null): Promise<MutablePatch> {
  const patch: Record<string, unknown> = {};
  const interfaces: Partial<Record<InterfaceKind, string | null>> = {};
  for (const [wire, value] of Object.entries(body)) {
    const field = NODE_FIELD.get(wire);
    if (!field || wire === 'uuid') continue;
    if (field.interfaceKind) {
      interfaces[field.interfaceKind] = value === null ? null : String(value);
      continue;
    }
    patch[field.key!] = await valueFor(wire, field.kind, value, read, owner);
  }
  if (Object.keys(interfaces).length > 0) patch['interfaces'] = interfaces;
  if (patch['maintenance'] === false) patch['maintenanceReason'] = null;
  return patch as MutablePatch;
}

async function valueFor(
  wire: string,
  kind: string,
  value: Json,
  read: Repositories,
  owner: string | null,
): Promise<unknown> {
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
      // Whether there is such a node is nobody's business but its owner's.
      if (parent?.owner !== owner)
        throw new ServiceError(
          'INVALID_PARAMETER',
          `Unable to apply the requested parent_node '${String(value).slice(0, 60)}'. Requested value was invalid.`,
        );
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
    if (name === undefined || name === null || driver.interfaces[kind].includes(name)) continue;
    const valid = driver.interfaces[kind].map((n) => `'${n}'`).join(', ');
    throw new ServiceError(
      'INTERFACE_NOT_SUPPORTED',
      `Could not find the following interface in the 'ironic.hardware.interfaces.${kind}' entrypoint: ${name}. Valid interfaces are [${valid}].`,
    );
  }
}
