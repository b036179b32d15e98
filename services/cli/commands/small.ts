/** Ports, chassis, drivers and conductors. */
import { isOn, listOption, type Run, textOption } from '../command.ts';
import { CliError } from '../errors.ts';
import type { Value } from '../output/python.ts';
import {
  CHASSIS_FIELDS,
  CHASSIS_LONG_FIELDS,
  CONDUCTOR_FIELDS,
  CONDUCTOR_LONG_FIELDS,
  DRIVER_FIELDS,
  DRIVER_LONG_FIELDS,
  labelOf,
  PORT_FIELDS,
  PORT_LONG_FIELDS,
} from './fields.ts';
import {
  add,
  addAll,
  deleteEach,
  fieldsOption,
  fieldsQuery,
  isRecord,
  keyValues,
  listCommand,
  listOf,
  loose,
  oneOf,
  pairsText,
  type PatchEntry,
  patch,
  record,
  type Record_,
  remove,
  sortItems,
  withJoinedLists,
} from './values.ts';

const pathOf = (collection: string, id: string): string => `/v1/${collection}/${encodeURIComponent(id)}`;
const entry = (field: string, value: string | undefined): PatchEntry[] => (value ? [add(field, loose(value))] : []);

export const createPort: Run = async ({ args, options, api }) => {
  const body: Record<string, unknown> = { address: args[0]! };
  const texts = {
    node: 'node_uuid',
    uuid: 'uuid',
    pxeEnabled: 'pxe_enabled',
    portGroup: 'portgroup_uuid',
    physicalNetwork: 'physical_network',
    name: 'name',
    description: 'description',
  };
  for (const [option, field] of Object.entries(texts)) {
    const value = textOption(options, option);
    if (value !== undefined) body[field] = value;
  }
  if (listOption(options, 'extra').length > 0) body['extra'] = keyValues(listOption(options, 'extra'));
  const link = listOption(options, 'localLinkConnection');
  if (link.length > 0) body['local_link_connection'] = keyValues(link);
  if (isOn(options, 'isSmartnic')) body['is_smartnic'] = true;
  const port = record(await api.request('POST', '/v1/ports', { body }));
  return oneOf(Object.fromEntries(PORT_LONG_FIELDS.map((f) => [f, f in port ? port[f]! : ''])), []);
};

const withExtraText = (port: Record_): Record_ =>
  isRecord(port['extra']) ? { ...port, extra: pairsText(port['extra']) } : port;

export const listPorts: Run = (invocation) => {
  const { options } = invocation;
  const filters = {
    address: textOption(options, 'address'),
    node: textOption(options, 'node'),
    portgroup: textOption(options, 'portGroup'),
  };
  return listCommand(
    invocation,
    { path: '/v1/ports', key: 'ports', fields: PORT_FIELDS, longFields: PORT_LONG_FIELDS, shown: withExtraText },
    filters,
  );
};

export const showPort: Run = async ({ args, options, api }) => {
  const fields = fieldsQuery(options);
  if (!isOn(options, 'address')) return oneOf(record(await api.get(pathOf('ports', args[0]!), fields)), ['links']);
  const query = fieldsOption(options) ? fields : { detail: 'True' };
  const ports = record(await api.get('/v1/ports', { address: args[0]!, ...query }))['ports'];
  const port = Array.isArray(ports) ? (ports[0] as Value | undefined) : undefined;
  if (!isRecord(port)) throw new CliError(`There is no port with address ${args[0]}.`);
  return oneOf(port, ['links']);
};

export const setPort: Run = async (invocation) => {
  const { args, options } = invocation;
  const entries = [
    ...entry('node_uuid', textOption(options, 'node')),
    ...entry('address', textOption(options, 'address')),
    ...addAll('extra', listOption(options, 'extra')),
    ...entry('portgroup_uuid', textOption(options, 'portGroup')),
    ...addAll('local_link_connection', listOption(options, 'localLinkConnection')),
    ...(isOn(options, 'pxeEnabled') ? [add('pxe_enabled', 'True')] : []),
    ...(isOn(options, 'pxeDisabled') ? [add('pxe_enabled', 'False')] : []),
    ...entry('physical_network', textOption(options, 'physicalNetwork')),
    ...(isOn(options, 'isSmartnic') ? [add('is_smartnic', 'True')] : []),
    ...entry('name', textOption(options, 'name')),
    ...entry('description', textOption(options, 'description')),
  ];
  await patch(invocation, pathOf('ports', args[0]!), entries, 'set');
  return undefined;
};

export const unsetPort: Run = async (invocation) => {
  const { args, options } = invocation;
  const flags = {
    portGroup: 'portgroup_uuid',
    physicalNetwork: 'physical_network',
    name: 'name',
    description: 'description',
  };
  const entries = [
    ...listOption(options, 'extra').map((key) => remove(`extra/${key}`)),
    ...Object.entries(flags).flatMap(([option, field]) => (isOn(options, option) ? [remove(field)] : [])),
    ...(isOn(options, 'isSmartnic') ? [add('is_smartnic', 'False')] : []),
  ];
  await patch(invocation, pathOf('ports', args[0]!), entries, 'unset');
  return undefined;
};

export const deletePorts: Run = (invocation) => deleteEach(invocation, 'port', 'ports');

export const createChassis: Run = async ({ options, api }) => {
  const extra = listOption(options, 'extra');
  const body = {
    description: textOption(options, 'description'),
    uuid: textOption(options, 'uuid'),
    ...(extra.length > 0 ? { extra: keyValues(extra) } : {}),
  };
  return oneOf(record(await api.request('POST', '/v1/chassis', { body })), ['links', 'nodes']);
};

export const listChassis: Run = (invocation) =>
  listCommand(invocation, {
    path: '/v1/chassis',
    key: 'chassis',
    fields: CHASSIS_FIELDS,
    longFields: CHASSIS_LONG_FIELDS,
  });

export const showChassis: Run = async ({ args, options, api }) =>
  oneOf(record(await api.get(pathOf('chassis', args[0]!), fieldsQuery(options))), ['links', 'nodes']);

export const setChassis: Run = async (invocation) => {
  const { args, options } = invocation;
  const entries = [
    ...entry('description', textOption(options, 'description')),
    ...addAll('extra', listOption(options, 'extra')),
  ];
  await patch(invocation, pathOf('chassis', args[0]!), entries, 'set');
  return undefined;
};

export const unsetChassis: Run = async (invocation) => {
  const { args, options } = invocation;
  const entries = [
    ...(isOn(options, 'description') ? [remove('description')] : []),
    ...listOption(options, 'extra').map((key) => remove(`extra/${key}`)),
  ];
  await patch(invocation, pathOf('chassis', args[0]!), entries, 'unset');
  return undefined;
};

export const deleteChassis: Run = (invocation) => deleteEach(invocation, 'chassis', 'chassis');

export const listDrivers: Run = async ({ options, api }) => {
  const isLong = isOn(options, 'long');
  const fields = isLong ? DRIVER_LONG_FIELDS : (fieldsOption(options) ?? DRIVER_FIELDS);
  const query = {
    type: textOption(options, 'type'),
    detail: isLong ? 'True' : undefined,
    ...(isLong ? {} : fieldsQuery(options)),
  };
  const drivers = record(await api.get('/v1/drivers', query))['drivers'];
  const items = sortItems(Array.isArray(drivers) ? (drivers as Record_[]) : [], 'name').map(withJoinedLists);
  // The default columns and the long ones have a head of their own for the name.
  const isOwn = isLong || !fieldsOption(options);
  return listOf(
    items,
    fields,
    fields.map((f) => (f === 'name' && isOwn ? 'Supported driver(s)' : labelOf(f))),
  );
};

export const showDriver: Run = async ({ args, options, api }) =>
  oneOf(withJoinedLists(record(await api.get(pathOf('drivers', args[0]!), fieldsQuery(options)))), [
    'links',
    'properties',
  ]);

export const listDriverProperties: Run = async ({ args, api }) => {
  const properties = record(await api.get(`${pathOf('drivers', args[0]!)}/properties`));
  const rows = Object.entries(properties).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return { kind: 'list', heads: ['Property', 'Description'], rows };
};

export const listConductors: Run = (invocation) =>
  listCommand(invocation, {
    path: '/v1/conductors',
    key: 'conductors',
    fields: CONDUCTOR_FIELDS,
    longFields: CONDUCTOR_LONG_FIELDS,
  });

export const showConductor: Run = async ({ args, options, api }) =>
  oneOf(record(await api.get(pathOf('conductors', args[0]!), fieldsQuery(options))), ['links']);
