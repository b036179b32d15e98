/** Deploy templates: deploy steps that a trait of an instance asks for. */
import type { CommandSpec, ResourceSpec } from '../command.ts';
import { DEPLOY_TEMPLATE } from '../commands/fields.ts';
import {
  CREATE,
  DELETE,
  EXTRA,
  fields,
  json,
  LIST,
  long,
  OWN_UUID,
  page,
  SET,
  SHOW,
  text,
  UNSET,
  UNSET_EXTRA,
} from './options.ts';

const resource: ResourceSpec = {
  path: '/v1/deploy_templates',
  key: 'deploy_templates',
  noun: 'deploy template',
  columns: DEPLOY_TEMPLATE,
  detail: 'query',
};

const template = { name: '<template>', help: 'Name or UUID of the template' } as const;
const STEPS = 'Its steps, each with interface, step, args and priority';

export const COMMANDS: readonly CommandSpec[] = [
  {
    name: 'deploy template create',
    summary: 'Make a deploy template',
    resource,
    arguments: [{ name: '<name>', help: 'Unique name: a trait, such as CUSTOM_RAID10', field: 'name' }],
    options: [OWN_UUID, EXTRA, json('--steps', 'steps', STEPS, { isRequired: true })],
    examples: ['baremetal deploy template create CUSTOM_RAID10 --steps steps.yaml'],
    shows: 'one',
    load: CREATE,
  },
  {
    name: 'deploy template list',
    summary: 'List deploy templates',
    resource,
    options: [...page('template'), ...long(DEPLOY_TEMPLATE)],
    shows: 'list',
    load: LIST,
  },
  {
    name: 'deploy template show',
    summary: 'Show a deploy template',
    resource,
    arguments: [template],
    options: [fields(DEPLOY_TEMPLATE)],
    shows: 'one',
    load: SHOW,
  },
  {
    name: 'deploy template set',
    summary: 'Change a deploy template',
    resource,
    arguments: [template],
    options: [text('--name', 'name', 'Unique name: a trait'), json('--steps', 'steps', STEPS), EXTRA],
    load: SET,
  },
  {
    name: 'deploy template unset',
    summary: 'Take settings from a deploy template',
    resource,
    arguments: [template],
    options: [UNSET_EXTRA],
    load: UNSET,
  },
  {
    name: 'deploy template delete',
    summary: 'Remove deploy templates',
    resource,
    arguments: [{ name: '<template...>', help: 'Names or UUIDs' }],
    load: DELETE,
  },
];
