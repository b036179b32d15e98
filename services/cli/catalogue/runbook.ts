/** Runbooks: named steps for cleaning and servicing, which their owner may be allowed to run. */
import type { CommandSpec, OptionSpec, ResourceSpec } from '../command.ts';
import { RUNBOOK } from '../commands/fields.ts';
import {
  CREATE,
  DELETE,
  EXTRA,
  fields,
  from,
  json,
  LIST,
  long,
  on,
  option,
  OWN_UUID,
  page,
  reset,
  SET,
  SHOW,
  text,
  UNSET,
  UNSET_EXTRA,
} from './options.ts';

const resource: ResourceSpec = {
  path: '/v1/runbooks',
  key: 'runbooks',
  noun: 'runbook',
  columns: RUNBOOK,
  detail: 'query',
};

const runbook = { name: '<runbook>', help: 'Name or UUID of the runbook' } as const;
const traits = () => import('../commands/traits.ts');
const STEPS = 'Its steps, each with interface, step, args and order';
const SETTINGS: readonly OptionSpec[] = [
  text('--description', 'description', 'Description'),
  option('--public [boolean]', 'Whether others than its owner may use it', {
    bareValue: 'true',
    field: 'public',
    as: 'boolean',
  }),
  text('--owner', 'owner', 'Owner'),
  EXTRA,
];

export const COMMANDS: readonly CommandSpec[] = [
  {
    name: 'runbook create',
    summary: 'Make a runbook',
    resource,
    options: [
      text('--name', 'name', 'Unique name', { isRequired: true }),
      OWN_UUID,
      ...SETTINGS,
      json('--steps', 'steps', STEPS, { isRequired: true }),
      on('--disable-ramdisk', 'disable_ramdisk', 'Its steps need no ramdisk'),
    ],
    examples: ['baremetal runbook create --name CUSTOM_BURN_IN --steps steps.yaml'],
    shows: 'one',
    load: CREATE,
  },
  {
    name: 'runbook list',
    summary: 'List runbooks',
    resource,
    options: [...page('runbook'), ...long(RUNBOOK)],
    shows: 'list',
    load: LIST,
  },
  {
    name: 'runbook show',
    summary: 'Show a runbook',
    resource,
    arguments: [runbook],
    options: [fields(RUNBOOK)],
    shows: 'one',
    load: SHOW,
  },
  {
    name: 'runbook set',
    summary: 'Change a runbook',
    resource,
    arguments: [runbook],
    options: [
      text('--name', 'name', 'Unique name'),
      ...SETTINGS,
      json('--steps', 'steps', STEPS),
      option('--disable-ramdisk [boolean]', 'Whether its steps need no ramdisk', {
        bareValue: 'true',
        field: 'disable_ramdisk',
        as: 'boolean',
      }),
    ],
    load: SET,
  },
  {
    name: 'runbook unset',
    summary: 'Take settings from a runbook',
    resource,
    arguments: [runbook],
    options: [
      reset('--name', 'name', 'Unset name'),
      reset('--description', 'description', 'Unset description'),
      reset('--public', 'public', 'Only its owner may use it'),
      reset('--owner', 'owner', 'Unset owner'),
      UNSET_EXTRA,
      reset('--disable-ramdisk', 'disable_ramdisk', 'Its steps need the ramdisk'),
    ],
    load: UNSET,
  },
  {
    name: 'runbook delete',
    summary: 'Remove runbooks',
    resource,
    arguments: [{ name: '<runbook...>', help: 'Names or UUIDs' }],
    load: DELETE,
  },
  {
    name: 'runbook trait list',
    summary: 'List the traits of a runbook',
    arguments: [runbook],
    shows: 'list',
    load: from(traits, 'listRunbookTraits'),
  },
  {
    name: 'runbook trait add',
    summary: 'Give a runbook traits: it serves nodes that have one of them',
    arguments: [runbook, { name: '<trait...>', help: 'Traits to add' }],
    load: from(traits, 'addRunbookTraits'),
  },
  {
    name: 'runbook trait remove',
    summary: 'Take traits from a runbook',
    arguments: [runbook, { name: '[trait...]', help: 'Traits to remove' }],
    options: [option('--all', 'Remove all traits')],
    load: from(traits, 'removeRunbookTraits'),
  },
];
