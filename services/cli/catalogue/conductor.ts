/** Conductors: processes that do the work. */
import type { CommandSpec, ResourceSpec } from '../command.ts';
import { CONDUCTOR } from '../commands/fields.ts';
import { fields, LIST, long, page, SHOW } from './options.ts';

const resource: ResourceSpec = {
  path: '/v1/conductors',
  key: 'conductors',
  noun: 'conductor',
  columns: CONDUCTOR,
  detail: 'query',
};

export const COMMANDS: readonly CommandSpec[] = [
  {
    name: 'conductor list',
    summary: 'List conductors',
    resource,
    options: [...page('conductor'), ...long(CONDUCTOR)],
    shows: 'list',
    load: LIST,
  },
  {
    name: 'conductor show',
    summary: 'Show a conductor',
    resource,
    arguments: [{ name: '<conductor>', help: 'Host name of the conductor' }],
    options: [fields(CONDUCTOR)],
    shows: 'one',
    load: SHOW,
  },
];
