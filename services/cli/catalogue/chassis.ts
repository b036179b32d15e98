/** Chassis: what nodes stand in. */
import type { CommandSpec, OptionSpec, ResourceSpec } from '../command.ts';
import { CHASSIS } from '../commands/fields.ts';
import {
  CREATE,
  DELETE,
  EXTRA,
  fields,
  LIST,
  long,
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
  path: '/v1/chassis',
  key: 'chassis',
  noun: 'chassis',
  columns: CHASSIS,
  hidden: ['nodes'],
  detail: 'path',
};

const chassis = { name: '<chassis>', help: 'UUID of the chassis' } as const;
const SETTINGS: readonly OptionSpec[] = [text('--description', 'description', 'Description'), EXTRA];

export const COMMANDS: readonly CommandSpec[] = [
  {
    name: 'chassis create',
    summary: 'Register a chassis',
    resource,
    options: [OWN_UUID, ...SETTINGS],
    shows: 'one',
    load: CREATE,
  },
  {
    name: 'chassis list',
    summary: 'List chassis',
    resource,
    options: [...page('chassis'), ...long(CHASSIS)],
    shows: 'list',
    load: LIST,
  },
  {
    name: 'chassis show',
    summary: 'Show a chassis',
    resource,
    arguments: [chassis],
    options: [fields(CHASSIS)],
    shows: 'one',
    load: SHOW,
  },
  {
    name: 'chassis set',
    summary: 'Change a chassis',
    resource,
    arguments: [chassis],
    options: SETTINGS,
    load: SET,
  },
  {
    name: 'chassis unset',
    summary: 'Take settings from a chassis',
    resource,
    arguments: [chassis],
    options: [reset('--description', 'description', 'Unset description'), UNSET_EXTRA],
    load: UNSET,
  },
  {
    name: 'chassis delete',
    summary: 'Remove chassis',
    resource,
    arguments: [{ name: '<chassis...>', help: 'UUIDs' }],
    load: DELETE,
  },
];
