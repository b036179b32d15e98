/** Nodes: register, list, show, change, remove, look. */
import { type Invocation, isOn, listOption, type Run, textOption } from '../command.ts';
import { CliError } from '../errors.ts';
import type { Value } from '../output/python.ts';
import { INTERFACES, NODE_FIELDS, NODE_LONG_FIELDS } from './fields.ts';
import {
  add,
  addAll,
  deleteEach,
  fieldsOption,
  fieldsQuery,
  isRecord,
  jsonArgument,
  keyValues,
  listCommand,
  listOf,
  loose,
  oneOf,
  type PatchEntry,
  patch,
  record,
  type Record_,
  remove,
  sortItems,
} from './values.ts';

const HIDDEN = ['links', 'ports', 'portgroups', 'states', 'volume'];
/** The path of the node that the first argument names. */
export const nodePath = (args: readonly string[], below = ''): string =>
  `/v1/nodes/${encodeURIComponent(args[0]!)}${below}`;
const camel = (field: string): string => field.replace(/_([a-z])/g, (_, c: string) => c.toUpperCase());

const NODE_TEXTS = [
  'chassis_uuid',
  'driver',
  'uuid',
  'name',
  'conductor_group',
  'owner',
  'description',
  'lessee',
  'resource_class',
  ...INTERFACES.map((i) => `${i}_interface`),
];

export const createNode: Run = async ({ options, api, io }) => {
  const body: Record<string, unknown> = {};
  for (const field of [...NODE_TEXTS, 'firmware_interface', 'shard', 'parent_node', 'instance_name']) {
    const value = textOption(options, camel(field));
    if (value !== undefined) body[field] = value;
  }
  if (typeof options['automatedClean'] === 'boolean') body['automated_clean'] = options['automatedClean'];
  const pairs = { driverInfo: 'driver_info', extra: 'extra', property: 'properties', instanceInfo: 'instance_info' };
  for (const [option, field] of Object.entries(pairs)) {
    const given = listOption(options, option);
    if (given.length > 0) body[field] = keyValues(given);
  }
  const networkData = textOption(options, 'networkData');
  if (networkData !== undefined)
    body['network_data'] = await jsonArgument(networkData, 'static network configuration', io);
  const node = record(await api.request('POST', '/v1/nodes', { body }));
  return oneOf({ chassis_uuid: '', ...node }, HIDDEN);
};

export const listNodes: Run = (invocation) => {
  const { options } = invocation;
  const bool = (name: string) => (typeof options[name] === 'boolean' ? (options[name] ? 'True' : 'False') : undefined);
  const filters: Record<string, string | undefined> = {
    associated: isOn(options, 'associated') ? 'True' : isOn(options, 'unassociated') ? 'False' : undefined,
    maintenance: bool('maintenance'),
    retired: bool('retired'),
    sharded: bool('sharded'),
    include_children: isOn(options, 'includeChildren') ? 'True' : undefined,
    chassis_uuid: textOption(options, 'chassis'),
  };
  for (const field of [
    'fault',
    'conductor_group',
    'provision_state',
    'driver',
    'resource_class',
    'conductor',
    'owner',
    'lessee',
    'description_contains',
    'shard',
    'parent_node',
    'instance_name',
  ])
    filters[field] = textOption(options, camel(field));
  return listCommand(
    invocation,
    { path: '/v1/nodes', key: 'nodes', fields: NODE_FIELDS, longFields: NODE_LONG_FIELDS },
    filters,
  );
};

export const showNode: Run = async ({ args, options, api }) => {
  const fields = fieldsOption(options);
  let node: Record_;
  if (isOn(options, 'instance')) {
    const query = fields
      ? { instance_uuid: args[0]!, ...fieldsQuery(options) }
      : { instance_uuid: args[0]!, detail: 'True' };
    const found = record(await api.get('/v1/nodes', query))['nodes'];
    const first = Array.isArray(found) ? (found[0] as Value | undefined) : undefined;
    if (!isRecord(first)) throw new CliError(`There is no node with instance ${args[0]}.`);
    node = first;
  } else node = record(await api.get(nodePath(args), fieldsQuery(options)));
  return oneOf(!fields || fields.includes('chassis_uuid') ? { chassis_uuid: '', ...node } : node, HIDDEN);
};

export const setNode: Run = async (invocation) => {
  const { args, options, io, api } = invocation;
  // First: a changed name would hide the node from the next request.
  const raid = textOption(options, 'targetRaidConfig');
  if (raid !== undefined)
    await api.request('PUT', nodePath(args, '/states/raid'), {
      body: await jsonArgument(raid, 'target_raid_config', io),
    });
  const entries: PatchEntry[] = [];
  for (const field of [
    'instance_uuid',
    'name',
    'chassis_uuid',
    'driver',
    'resource_class',
    'conductor_group',
    'protected',
    'protected_reason',
    'retired',
    'retired_reason',
    'owner',
    'lessee',
    'description',
    'shard',
    'parent_node',
    'instance_name',
  ]) {
    const value = options[camel(field)];
    if (value === true) entries.push(add(field, 'True'));
    else if (typeof value === 'string' && value !== '') entries.push(add(field, loose(value)));
  }
  if (typeof options['automatedClean'] === 'boolean')
    entries.push(add('automated_clean', options['automatedClean'] ? 'True' : 'False'));
  if (typeof options['disablePowerOff'] === 'boolean')
    entries.push(add('disable_power_off', options['disablePowerOff']));
  if (isOn(options, 'resetInterfaces') && options['driver'] === undefined)
    throw new CliError('--reset-interfaces can only be specified with --driver');
  for (const name of [...INTERFACES, 'firmware']) {
    const value = textOption(options, `${name}Interface`);
    if (value) entries.push(add(`${name}_interface`, loose(value)));
    else if (isOn(options, camel(`reset_${name}_interface`))) entries.push(remove(`${name}_interface`));
  }
  entries.push(
    ...addAll('properties', listOption(options, 'property')),
    ...addAll('extra', listOption(options, 'extra')),
    ...addAll('driver_info', listOption(options, 'driverInfo')),
    ...addAll('instance_info', listOption(options, 'instanceInfo')),
  );
  const networkData = textOption(options, 'networkData');
  if (networkData !== undefined)
    entries.push(add('network_data', await jsonArgument(networkData, 'static network configuration', io)));
  if (entries.length === 0 && raid !== undefined) return undefined;
  await patch(
    invocation,
    nodePath(args),
    entries,
    'set',
    isOn(options, 'resetInterfaces') ? { reset_interfaces: 'True' } : {},
  );
  return undefined;
};

export const unsetNode: Run = async (invocation) => {
  const { args, options, api } = invocation;
  if (isOn(options, 'targetRaidConfig')) await api.request('PUT', nodePath(args, '/states/raid'), { body: {} });
  const entries: PatchEntry[] = [];
  for (const field of [
    'instance_uuid',
    'name',
    'chassis_uuid',
    'resource_class',
    'conductor_group',
    'automated_clean',
    ...INTERFACES.map((i) => `${i}_interface`),
    'firmware_interface',
    'protected',
    'protected_reason',
    'retired',
    'retired_reason',
    'owner',
    'lessee',
    'description',
    'shard',
    'parent_node',
    'instance_name',
    'disable_power_off',
  ])
    if (isOn(options, camel(field))) entries.push(remove(field));
  for (const [option, field] of [
    ['property', 'properties'],
    ['extra', 'extra'],
    ['driverInfo', 'driver_info'],
    ['instanceInfo', 'instance_info'],
  ] as const)
    entries.push(...listOption(options, option).map((key) => remove(`${field}/${key}`)));
  if (isOn(options, 'networkData')) entries.push(remove('network_data'));
  if (entries.length === 0 && isOn(options, 'targetRaidConfig')) return undefined;
  await patch(invocation, nodePath(args), entries, 'unset');
  return undefined;
};

export const deleteNodes: Run = (invocation) => deleteEach(invocation, 'node', 'nodes');

export const validateNode: Run = async ({ args, api }) => {
  const interfaces = record(await api.get(nodePath(args, '/validate')));
  const items = Object.entries(interfaces).map(([name, value]): Record_ => ({ interface: name, ...record(value) }));
  return listOf(sortItems(items, 'interface'), ['interface', 'result', 'reason'], ['Interface', 'Result', 'Reason']);
};

export const setMaintenance: Run = async ({ args, options, api }) => {
  await api.request('PUT', nodePath(args, '/maintenance'), { body: { reason: textOption(options, 'reason') ?? null } });
  return undefined;
};
export const unsetMaintenance: Run = async ({ args, api }) => {
  await api.request('DELETE', nodePath(args, '/maintenance'));
  return undefined;
};

export const setBootDevice: Run = async ({ args, options, api }) => {
  const body = { boot_device: args[1]!, persistent: isOn(options, 'persistent') };
  await api.request('PUT', nodePath(args, '/management/boot_device'), { body });
  return undefined;
};
export const showBootDevice: Run = async ({ args, options, api }) => {
  if (!isOn(options, 'supported')) return oneOf(record(await api.get(nodePath(args, '/management/boot_device'))), []);
  const answer = record(await api.get(nodePath(args, '/management/boot_device/supported')));
  const devices = answer['supported_boot_devices'];
  return oneOf({ ...answer, supported_boot_devices: Array.isArray(devices) ? devices.join(', ') : '' }, []);
};

export const injectNmi: Run = async ({ args, api }) => {
  await api.request('PUT', nodePath(args, '/management/inject_nmi'), { body: {} });
  return undefined;
};

export const saveInventory: Run = async ({ args, options, api, io }) => {
  const { dumps } = await import('../output/python.ts');
  const text = dumps(await api.get(nodePath(args, '/inventory')), undefined);
  const file = textOption(options, 'file');
  if (file === undefined) io.out(`${text}\n`);
  else io.writeFile(file, text);
  return undefined;
};

const time = (value: Value | undefined): string => (typeof value === 'string' ? value : '');

export const why: Run = async ({ args, api }) => {
  const answer = record(await api.get(nodePath(args, '/why')));
  const waiting = answer['waiting_for'];
  const progress = answer['progress'];
  const run = answer['run'];
  const pairs: Array<readonly [string, Value]> = [
    ['provision_state', answer['provision_state'] ?? null],
    ['summary', answer['summary'] ?? null],
  ];
  if (isRecord(run))
    pairs.push(
      ['run', `${time(run['verb'])} ${time(run['id'])}`],
      ['step', run['step'] ?? null],
      ['deadline', run['deadline'] ?? null],
    );
  if (isRecord(waiting)) {
    pairs.push(['waits_for', waiting['what'] ?? null], ['from', waiting['from'] ?? null]);
    pairs.push(['since', waiting['since'] ?? null], ['until', waiting['until'] ?? null]);
    if (waiting['position'] !== null) pairs.push(['position', waiting['position'] ?? null]);
  }
  if (isRecord(progress))
    for (const field of ['phase', 'bytes', 'total_bytes', 'bytes_per_second', 'eta_seconds'])
      if (progress[field] !== null && progress[field] !== undefined) pairs.push([field, progress[field]!]);
  pairs.push(['last_error', answer['last_error'] ?? null], ['what_to_do', answer['what_to_do'] ?? null]);
  return { kind: 'one', pairs };
};

export const timeline: Run = async ({ args, options, api, io }: Invocation) => {
  const run = textOption(options, 'run');
  const answer = record(await api.get(nodePath(args, '/timeline'), run ? { run } : {}));
  const found = answer['run'];
  if (!isRecord(found))
    throw new CliError(`Nothing was done with node ${args[0]} yet.`, {
      hint: `Next: baremetal node manage ${args[0]}`,
    });
  const phases = (Array.isArray(answer['phases']) ? answer['phases'] : []) as readonly Record_[];
  if (typeof found['error'] === 'string') io.err(`The run failed: ${found['error']}\n`);
  return listOf(phases, ['phase', 'started_at', 'seconds', 'detail'], ['Phase', 'Started At', 'Seconds', 'Detail']);
};

export const unknownMachines: Run = async ({ api }) => {
  const machines = record(await api.get('/v1/unknown_machines'))['machines'];
  return listOf(
    Array.isArray(machines) ? (machines as Record_[]) : [],
    ['mac', 'uuid', 'serial', 'arch', 'platform', 'address', 'first_seen_at', 'last_seen_at', 'requests'],
    ['MAC', 'UUID', 'Serial', 'Arch', 'Platform', 'Address', 'First Seen At', 'Last Seen At', 'Requests'],
  );
};
