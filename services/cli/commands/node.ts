/** Nodes: register, show, change, maintenance, validate. */
import { isOn, type Run, textOption } from '../command.ts';
import { CliError } from '../errors.ts';
import { bodyOf, entriesOf, findBy, resourceOf } from './resource.ts';
import {
  fieldsOption,
  fieldsQuery,
  jsonArgument,
  listOf,
  oneOf,
  patch,
  record,
  type Record_,
  sortItems,
} from './values.ts';

/** The path of the node that the first argument names. */
export const nodePath = (args: readonly string[], below = ''): string =>
  `/v1/nodes/${encodeURIComponent(args[0]!)}${below}`;

const hiddenOf = (hidden: readonly string[] | undefined) => ['links', ...(hidden ?? [])];

export const createNode: Run = async (invocation) => {
  const { spec, api } = invocation;
  const { path, hidden } = resourceOf(spec);
  const node = record(await api.request('POST', path, { body: await bodyOf(invocation) }));
  return oneOf({ chassis_uuid: '', ...node }, hiddenOf(hidden));
};

export const showNode: Run = async (invocation) => {
  const { spec, args, options, api } = invocation;
  const resource = resourceOf(spec);
  const node = isOn(options, 'instance')
    ? await findBy(invocation, resource, { instance_uuid: args[0]! })
    : record(await api.get(nodePath(args), fieldsQuery(options)));
  const fields = fieldsOption(options);
  const isWhole = !fields || fields.includes('chassis_uuid');
  return oneOf(isWhole ? { chassis_uuid: '', ...node } : node, hiddenOf(resource.hidden));
};

export const setNode: Run = async (invocation) => {
  const { args, options, io, api } = invocation;
  const resets = isOn(options, 'resetInterfaces');
  if (resets && options['driver'] === undefined)
    throw new CliError('--reset-interfaces can only be specified with --driver');
  // First: a changed name would hide the node from the next request.
  const raid = textOption(options, 'targetRaidConfig');
  if (raid !== undefined)
    await api.request('PUT', nodePath(args, '/states/raid'), {
      body: await jsonArgument(raid, 'target_raid_config', io),
    });
  const entries = await entriesOf(invocation);
  if (entries.length === 0 && raid !== undefined) return undefined;
  await patch(invocation, nodePath(args), entries, 'set', resets ? { reset_interfaces: 'True' } : {});
  return undefined;
};

export const unsetNode: Run = async (invocation) => {
  const { args, options, api } = invocation;
  const isRaid = isOn(options, 'targetRaidConfig');
  if (isRaid) await api.request('PUT', nodePath(args, '/states/raid'), { body: {} });
  const entries = await entriesOf(invocation);
  if (entries.length === 0 && isRaid) return undefined;
  await patch(invocation, nodePath(args), entries, 'unset');
  return undefined;
};

export const validateNode: Run = async ({ args, api }) => {
  const interfaces = record(await api.get(nodePath(args, '/validate')));
  const items = Object.entries(interfaces).map(([name, value]): Record_ => ({ interface: name, ...record(value) }));
  return listOf(sortItems(items, 'interface'), ['interface', 'result', 'reason']);
};

export const setMaintenance: Run = async ({ args, options, api }) => {
  await api.request('PUT', nodePath(args, '/maintenance'), { body: { reason: textOption(options, 'reason') ?? null } });
  return undefined;
};

export const unsetMaintenance: Run = async ({ args, api }) => {
  await api.request('DELETE', nodePath(args, '/maintenance'));
  return undefined;
};
