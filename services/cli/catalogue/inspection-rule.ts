/** Inspection rules: what is done with what an inspection finds. */
import type { CommandSpec, OptionSpec, ResourceSpec } from '../command.ts';
import { INSPECTION_RULE } from '../commands/fields.ts';
import {
  CREATE,
  DELETE,
  fields,
  integer,
  json,
  keys,
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
} from './options.ts';

const resource: ResourceSpec = {
  path: '/v1/inspection_rules',
  key: 'inspection_rules',
  noun: 'rule',
  columns: INSPECTION_RULE,
  detail: 'query',
};

const rule = { name: '<rule>', help: 'UUID of the rule' } as const;
const SETTINGS: readonly OptionSpec[] = [
  text('--description', 'description', 'Description'),
  integer('--priority', 'priority', 'Rules of higher priority come first'),
  text('--phase', 'phase', 'When it is applied, such as main'),
  json('--conditions', 'conditions', 'What must hold'),
];

export const COMMANDS: readonly CommandSpec[] = [
  {
    name: 'inspection rule create',
    summary: 'Make an inspection rule',
    resource,
    options: [
      OWN_UUID,
      ...SETTINGS,
      option('--sensitive <boolean>', 'Whether its conditions and actions are hidden', {
        field: 'sensitive',
        as: 'boolean',
      }),
      json('--actions', 'actions', 'What is then done', { isRequired: true }),
    ],
    examples: ['baremetal inspection rule create --priority 100 --conditions conditions.yaml --actions actions.yaml'],
    shows: 'one',
    load: CREATE,
  },
  {
    name: 'inspection rule list',
    summary: 'List inspection rules',
    resource,
    options: [...page('rule'), ...long(INSPECTION_RULE)],
    shows: 'list',
    load: LIST,
  },
  {
    name: 'inspection rule show',
    summary: 'Show an inspection rule',
    resource,
    arguments: [rule],
    options: [fields(INSPECTION_RULE)],
    shows: 'one',
    load: SHOW,
  },
  {
    name: 'inspection rule set',
    summary: 'Change an inspection rule',
    resource,
    arguments: [rule],
    options: [...SETTINGS, json('--actions', 'actions', 'What is then done')],
    load: SET,
  },
  {
    name: 'inspection rule unset',
    summary: 'Take settings from an inspection rule',
    resource,
    arguments: [rule],
    options: [
      reset('--description', 'description', 'Unset description'),
      reset('--priority', 'priority', 'Unset priority'),
      reset('--phase', 'phase', 'Unset phase'),
      keys('--condition', 'conditions', 'Place of the condition to remove, from 0'),
      keys('--action', 'actions', 'Place of the action to remove, from 0'),
    ],
    load: UNSET,
  },
  {
    name: 'inspection rule delete',
    summary: 'Remove inspection rules',
    resource,
    arguments: [{ name: '<rule...>', help: 'UUIDs' }],
    load: DELETE,
  },
];
