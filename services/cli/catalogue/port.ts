/** Ports: network cards of nodes. */
import type { CommandSpec, OptionSpec, ResourceSpec } from '../command.ts';
import { PORT } from '../commands/fields.ts';
import {
  CREATE,
  DELETE,
  EXTRA,
  fields,
  keys,
  LIST,
  long,
  off,
  on,
  option,
  OWN_UUID,
  page,
  pairs,
  reset,
  SET,
  SHOW,
  text,
  UNSET,
  UNSET_EXTRA,
} from './options.ts';

const resource: ResourceSpec = {
  path: '/v1/ports',
  key: 'ports',
  noun: 'port',
  columns: PORT,
  detail: 'path',
  pairsAsText: ['extra'],
};

const port = { name: '<port>', help: 'UUID of the port' } as const;
const SETTINGS: readonly OptionSpec[] = [
  EXTRA,
  pairs(
    '--local-link-connection',
    'local_link_connection',
    'Where it is plugged in: switch_id, port_id, switch_info, hostname',
  ),
  text('--port-group', 'portgroup_uuid', 'UUID of its port group'),
  text('--physical-network', 'physical_network', 'Physical network it is plugged into'),
  on('--is-smartnic', 'is_smartnic', 'It is a Smart NIC'),
  text('--name', 'name', 'Unique name'),
  text('--description', 'description', 'Description'),
  text('--vendor', 'vendor', 'Who made it'),
  text('--category', 'category', 'Kind of port, for choosing among them'),
];

export const COMMANDS: readonly CommandSpec[] = [
  {
    name: 'port create',
    summary: 'Register a port of a node',
    resource,
    arguments: [{ name: '<address>', help: 'MAC address', field: 'address' }],
    options: [
      text('--node', 'node_uuid', 'Its node, by UUID or name', { isRequired: true, isNode: 'one' }),
      OWN_UUID,
      ...SETTINGS,
      option('-l, --local-link <key=value>', 'Former spelling of --local-link-connection', {
        isRepeated: true,
        field: 'local_link_connection',
        as: 'pairs',
      }),
      option('--pxe-enabled <boolean>', 'Whether it boots from the network', { field: 'pxe_enabled', as: 'text' }),
    ],
    examples: ['baremetal port create 52:54:00:12:34:56 --node 8dd6... --pxe-enabled true'],
    shows: 'one',
    load: CREATE,
  },
  {
    name: 'port list',
    summary: 'List ports',
    resource,
    options: [
      text('--address', 'address', 'Only the port with this MAC address'),
      text('--node', 'node', 'Only ports of this node', { isNode: 'each' }),
      text('--port-group', 'portgroup', 'Only ports of this port group'),
      ...page('port'),
      ...long(PORT),
    ],
    shows: 'list',
    load: LIST,
  },
  {
    name: 'port show',
    summary: 'Show a port',
    resource,
    arguments: [{ name: '<id>', help: 'UUID, or MAC address with --address' }],
    options: [option('--address', '<id> is a MAC address'), fields(PORT)],
    shows: 'one',
    load: SHOW,
  },
  {
    name: 'port set',
    summary: 'Change a port',
    resource,
    arguments: [port],
    options: [
      text('--node', 'node_uuid', 'Its node, by UUID or name', { isNode: 'one' }),
      text('--address', 'address', 'MAC address'),
      ...SETTINGS,
      on('--pxe-enabled', 'pxe_enabled', 'It boots from the network', { excludes: ['pxeDisabled'] }),
      off('--pxe-disabled', 'pxe_enabled', 'It does not boot from the network'),
    ],
    load: SET,
  },
  {
    name: 'port unset',
    summary: 'Take settings from a port',
    resource,
    arguments: [port],
    options: [
      UNSET_EXTRA,
      keys('--local-link-connection', 'local_link_connection', 'Entry of local_link_connection to remove'),
      reset('--port-group', 'portgroup_uuid', 'Take it out of its port group'),
      reset('--physical-network', 'physical_network', 'Unset physical network'),
      off('--is-smartnic', 'is_smartnic', 'It is no Smart NIC'),
      reset('--name', 'name', 'Unset name'),
      reset('--description', 'description', 'Unset description'),
      reset('--vendor', 'vendor', 'Unset vendor'),
      reset('--category', 'category', 'Unset category'),
    ],
    load: UNSET,
  },
  {
    name: 'port delete',
    summary: 'Remove ports',
    resource,
    arguments: [{ name: '<port...>', help: 'UUIDs' }],
    load: DELETE,
  },
];
