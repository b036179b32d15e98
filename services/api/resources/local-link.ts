/** `local_link_connection` of a port: where its cable ends. Ironic takes it in four forms, or empty. */
import { isJsonObject, type Json, type JsonObject, ServiceError } from '@bessemer/core';
import { needsVersion } from '../http/versions.ts';
import { plainMac } from './resource.ts';

const NAMES = [
  'port_id',
  'switch_id',
  'hostname',
  'switch_info',
  'network_type',
  'vtep-logical-switch',
  'vtep-physical-switch',
];
const VTEP = ['vtep-logical-switch', 'vtep-physical-switch'] as const;
const VTEP_SINCE = 90;
/** From here on there are none any more. */
const VTEP_UNTIL = 105;
const FORMS = [
  ['port_id', 'switch_id'],
  ['port_id', 'hostname'],
  ['port_id', ...VTEP],
];
const NETWORK_TYPES: readonly Json[] = ['managed', 'unmanaged'];
const DATAPATH_ID = /^[0-9a-f]{16}$/;

function problem(link: JsonObject): string | undefined {
  for (const [name, value] of Object.entries(link)) {
    if (!NAMES.includes(name)) return `Additional properties are not allowed ('${name.slice(0, 60)}' was unexpected)`;
    if (typeof value !== 'string') return `${name} is not of type 'string'`;
  }
  const type = link['network_type'];
  if (type !== undefined && !NETWORK_TYPES.includes(type)) return "network_type is not one of ['managed', 'unmanaged']";
  const has = (name: string) => link[name] !== undefined;
  if (has(VTEP[0]) !== has(VTEP[1])) return `${VTEP.join(' and ')} go together`;
  if (Object.keys(link).length === 0 || type === 'unmanaged' || FORMS.some((form) => form.every(has))) return undefined;
  return `it needs ${FORMS.map((form) => form.join(' and ')).join(', or ')}, or the network_type unmanaged`;
}

/** @throws INVALID_PARAMETER for what is none of the forms, and for a switch_id that is neither a MAC address nor a datapath id. */
export function checkLocalLink(value: Json): void {
  if (!isJsonObject(value)) return;
  const wrong = problem(value);
  if (wrong !== undefined)
    throw new ServiceError('INVALID_PARAMETER', `Schema error for local_link_connection: ${wrong}`);
  const id = value['switch_id'];
  if (typeof id === 'string' && normalizedSwitch(id) === undefined)
    throw new ServiceError(
      'INVALID_PARAMETER',
      `Expected a MAC address or OpenFlow datapath ID but received ${id.slice(0, 60)}.`,
    );
}

const normalizedSwitch = (id: string): string | undefined =>
  plainMac(id) ?? (DATAPATH_ID.test(id.toLowerCase()) ? id.toLowerCase() : undefined);

/** The value to be stored: switch_id in canonical form. @throws NOT_ACCEPTABLE for a part that the microversion does not have. */
export function localLink(value: Json, minor: number): JsonObject {
  if (!isJsonObject(value)) return {};
  if (value['network_type'] !== undefined) needsVersion('network_type in local_link_connection', 64, minor);
  if (value[VTEP[0]] !== undefined) {
    needsVersion(`${VTEP[0]} in local_link_connection`, VTEP_SINCE, minor);
    if (minor >= VTEP_UNTIL)
      throw new ServiceError(
        'NOT_ACCEPTABLE',
        `Request not acceptable. ${VTEP[0]} in local_link_connection was removed with API version 1.${VTEP_UNTIL}; this request was made with 1.${minor}.`,
      );
  }
  const id = value['switch_id'];
  return typeof id === 'string' ? { ...value, switch_id: normalizedSwitch(id) ?? id } : value;
}

/** As a client of this microversion can read it: a cable of a form that it does not know is none. */
export const shownLink = (link: JsonObject, minor: number): JsonObject =>
  (minor < VTEP_SINCE || minor >= VTEP_UNTIL) && VTEP.some((name) => link[name] !== undefined) ? {} : link;
