/** Port groups: ports that are bonded. */
import type { CommandSpec, OptionSpec, ResourceSpec } from '../command.ts';
import { PORT_GROUP } from '../commands/fields.ts';
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
  path: '/v1/portgroups',
  key: 'portgroups',
  noun: 'port group',
  columns: PORT_GROUP,
  hidden: ['ports'],
  detail: 'path',
};

const group = { name: '<port-group>', help: 'Name or UUID of the port group' } as const;
const SETTINGS: readonly OptionSpec[] = [
  text('--address', 'address', 'MAC address'),
  text('--name', 'name', 'Unique name'),
  EXTRA,
  text('--mode', 'mode', 'Bonding mode of Linux, such as active-backup', { as: 'verbatim' }),
  pairs('--property', 'properties', 'Property of the bond'),
  on('--support-standalone-ports', 'standalone_ports_supported', 'Its ports may be used alone', {
    excludes: ['unsupportStandalonePorts'],
  }),
  off('--unsupport-standalone-ports', 'standalone_ports_supported', 'Its ports may not be used alone'),
  text('--physical-network', 'physical_network', 'Physical network its ports are plugged into'),
  text('--category', 'category', 'Kind of port group, for choosing among them'),
];

export const COMMANDS: readonly CommandSpec[] = [
  {
    name: 'port group create',
    summary: 'Register a port group of a node',
    resource,
    options: [
      text('--node', 'node_uuid', 'Its node, by UUID or name', { isRequired: true, isNode: 'one' }),
      OWN_UUID,
      ...SETTINGS,
    ],
    examples: ['baremetal port group create --node 8dd6... --name bond0 --mode active-backup'],
    shows: 'one',
    load: CREATE,
  },
  {
    name: 'port group list',
    summary: 'List port groups',
    resource,
    options: [
      ...page('port group'),
      text('--address', 'address', 'Only the port group with this MAC address'),
      text('--node', 'node', 'Only port groups of this node', { isNode: 'each' }),
      option('--shards <shard...>', 'Only port groups of nodes in these shards', {
        isRepeated: true,
        field: 'shard',
        as: 'words',
      }),
      ...long(PORT_GROUP),
    ],
    shows: 'list',
    load: LIST,
  },
  {
    name: 'port group show',
    summary: 'Show a port group',
    resource,
    arguments: [{ name: '<id>', help: 'Name or UUID, or MAC address with --address' }],
    options: [option('--address', '<id> is a MAC address'), fields(PORT_GROUP)],
    shows: 'one',
    load: SHOW,
  },
  {
    name: 'port group set',
    summary: 'Change a port group',
    resource,
    arguments: [group],
    options: [text('--node', 'node_uuid', 'Its node, by UUID or name', { isNode: 'one' }), ...SETTINGS],
    load: SET,
  },
  {
    name: 'port group unset',
    summary: 'Take settings from a port group',
    resource,
    arguments: [group],
    options: [
      reset('--name', 'name', 'Unset name'),
      reset('--address', 'address', 'Unset address'),
      UNSET_EXTRA,
      keys('--property', 'properties', 'Property to remove'),
      reset('--physical-network', 'physical_network', 'Unset physical network'),
      reset('--category', 'category', 'Unset category'),
    ],
    load: UNSET,
  },
  {
    name: 'port group delete',
    summary: 'Remove port groups',
    resource,
    arguments: [{ name: '<port-group...>', help: 'Names or UUIDs' }],
    load: DELETE,
  },
];
