/** Allocations: a node is asked for by what it must have. */
import type { CommandSpec, ResourceSpec } from '../command.ts';
import { ALLOCATION } from '../commands/fields.ts';
import {
  DELETE,
  EXTRA,
  fields,
  from,
  LIST,
  long,
  option,
  OWN_UUID,
  page,
  reset,
  SET,
  SHOW,
  text,
  UNSET,
  UNSET_EXTRA,
  WAIT,
} from './options.ts';

const resource: ResourceSpec = {
  path: '/v1/allocations',
  key: 'allocations',
  noun: 'allocation',
  columns: ALLOCATION,
  detail: 'none',
};

const allocation = { name: '<allocation>', help: 'Name or UUID of the allocation' } as const;

export const COMMANDS: readonly CommandSpec[] = [
  {
    name: 'allocation create',
    summary: 'Ask for a node',
    resource,
    options: [
      text('--resource-class', 'resource_class', 'Resource class that the node must have; needed without --node'),
      option('--trait <trait>', 'Trait that the node must have (repeat for more)', {
        isRepeated: true,
        field: 'traits',
        as: 'words',
      }),
      option('--candidate-node <node>', 'Choose among these nodes only (repeat for more)', {
        isRepeated: true,
        field: 'candidate_nodes',
        as: 'words',
        isNode: 'all',
      }),
      text('--name', 'name', 'Unique name'),
      OWN_UUID,
      text('--owner', 'owner', 'Owner'),
      EXTRA,
      text('--node', 'node', 'Make the allocation of this node, which is deployed already', { isNode: 'one' }),
      WAIT,
    ],
    examples: [
      'baremetal allocation create --resource-class large --trait CUSTOM_GPU --name job-7 --wait 60',
      "baremetal allocation create --resource-class large --candidate-node 'rack1-[01-40]'",
    ],
    shows: 'one',
    load: from(() => import('../commands/allocation.ts'), 'createAllocation'),
  },
  {
    name: 'allocation list',
    summary: 'List allocations',
    resource,
    options: [
      ...page('allocation'),
      text('--node', 'node', 'Only allocations of this node', { isNode: 'each' }),
      text('--resource-class', 'resource_class', 'Only allocations with this resource class'),
      text('--state', 'state', 'Only allocations in this state'),
      text('--owner', 'owner', 'Only allocations of this owner'),
      ...long(ALLOCATION),
    ],
    shows: 'list',
    load: LIST,
  },
  {
    name: 'allocation show',
    summary: 'Show an allocation',
    resource,
    arguments: [allocation],
    options: [fields(ALLOCATION)],
    shows: 'one',
    load: SHOW,
  },
  {
    name: 'allocation set',
    summary: 'Change an allocation',
    resource,
    arguments: [allocation],
    options: [text('--name', 'name', 'Unique name'), EXTRA],
    load: SET,
  },
  {
    name: 'allocation unset',
    summary: 'Take settings from an allocation',
    resource,
    arguments: [allocation],
    options: [reset('--name', 'name', 'Unset name'), UNSET_EXTRA],
    load: UNSET,
  },
  {
    name: 'allocation delete',
    summary: 'Give allocated nodes back',
    resource,
    arguments: [{ name: '<allocation...>', help: 'Names or UUIDs' }],
    load: DELETE,
  },
];
