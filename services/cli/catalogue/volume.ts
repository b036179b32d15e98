/** Volumes: how a node reaches its storage, and what it finds there. */
import type { CommandSpec, OptionSpec, ResourceSpec } from '../command.ts';
import { VOLUME_CONNECTOR, VOLUME_TARGET } from '../commands/fields.ts';
import {
  CREATE,
  DELETE,
  EXTRA,
  fields,
  keys,
  LIST,
  long,
  option,
  OWN_UUID,
  page,
  pairs,
  SET,
  SHOW,
  text,
  UNSET,
  UNSET_EXTRA,
} from './options.ts';

const connectors: ResourceSpec = {
  path: '/v1/volume/connectors',
  key: 'connectors',
  noun: 'volume connector',
  columns: VOLUME_CONNECTOR,
  detail: 'query',
};
const targets: ResourceSpec = {
  path: '/v1/volume/targets',
  key: 'targets',
  noun: 'volume target',
  columns: VOLUME_TARGET,
  detail: 'query',
};

type Need = { readonly isRequired?: true };
const node = (need: Need): OptionSpec =>
  text('--node', 'node_uuid', 'Its node, by UUID or name', { isNode: 'one', ...need });
const connectorSettings = (need: Need): readonly OptionSpec[] => [
  node(need),
  text('--type', 'type', 'Kind of its identity', {
    choices: ['iqn', 'ip', 'mac', 'wwnn', 'wwpn', 'port', 'portgroup'],
    ...need,
  }),
  text('--connector-id', 'connector_id', 'Its identity, such as the IQN of the initiator', need),
  EXTRA,
];
const targetSettings = (need: Need): readonly OptionSpec[] => [
  node(need),
  text('--type', 'volume_type', 'Kind of volume, such as iscsi or fibre_channel', need),
  pairs('--property', 'properties', 'Property of the volume'),
  option('--boot-index <index>', 'Place in the boot order; 0: the node boots from it', {
    isInteger: true,
    field: 'boot_index',
    as: 'text',
    ...need,
  }),
  text('--volume-id', 'volume_id', 'Identity of the volume in the storage', need),
  EXTRA,
];

/** The commands that connectors and targets have alike. */
const commandsOf = (
  name: string,
  resource: ResourceSpec,
  settings: (need: Need) => readonly OptionSpec[],
  unset: readonly OptionSpec[],
): readonly CommandSpec[] => {
  const one = { name: `<${name}>`, help: `UUID of the volume ${name}` };
  return [
    {
      name: `volume ${name} create`,
      summary: `Register a volume ${name} of a node`,
      resource,
      options: [...settings({ isRequired: true }), OWN_UUID],
      shows: 'one',
      load: CREATE,
    },
    {
      name: `volume ${name} list`,
      summary: `List volume ${name}s`,
      resource,
      options: [
        text('--node', 'node', `Only volume ${name}s of this node`, { isNode: 'each' }),
        ...page(`volume ${name}`),
        ...long(resource.columns),
      ],
      shows: 'list',
      load: LIST,
    },
    {
      name: `volume ${name} show`,
      summary: `Show a volume ${name}`,
      resource,
      arguments: [one],
      options: [fields(resource.columns)],
      shows: 'one',
      load: SHOW,
    },
    {
      name: `volume ${name} set`,
      summary: `Change a volume ${name}`,
      resource,
      arguments: [one],
      options: settings({}),
      load: SET,
    },
    {
      name: `volume ${name} unset`,
      summary: `Take settings from a volume ${name}`,
      resource,
      arguments: [one],
      options: unset,
      load: UNSET,
    },
    {
      name: `volume ${name} delete`,
      summary: `Remove volume ${name}s`,
      resource,
      arguments: [{ name: `<${name}...>`, help: 'UUIDs' }],
      load: DELETE,
    },
  ];
};

export const COMMANDS: readonly CommandSpec[] = [
  ...commandsOf('connector', connectors, connectorSettings, [UNSET_EXTRA]),
  ...commandsOf('target', targets, targetSettings, [
    UNSET_EXTRA,
    keys('--property', 'properties', 'Property to remove'),
  ]),
];
