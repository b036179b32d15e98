/** Bearer tokens: credentials for programs. */
import type { CommandSpec, ResourceSpec } from '../command.ts';
import { TOKEN } from '../commands/fields.ts';
import { CREATE, DELETE, LIST, option, page, reset, SHOW, text } from './options.ts';

const resource: ResourceSpec = { path: '/v1/tokens', key: 'tokens', noun: 'token', columns: TOKEN, detail: 'none' };

export const COMMANDS: readonly CommandSpec[] = [
  {
    name: 'token create',
    summary: 'Make a bearer token; it is shown this once',
    resource,
    arguments: [{ name: '<name>', help: 'Unique name', field: 'name' }],
    options: [
      text('--role', 'role', 'What it may do', { isRequired: true, choices: ['reader', 'member', 'admin'] }),
      text('--project', 'project', 'Project that the role holds in; without it, the scope of who asks'),
      option('--expires-in <seconds>', 'Its life; 90 days if missing', {
        field: 'expires_in',
        as: 'text',
        isInteger: true,
        excludes: ['endless'],
      }),
      reset('--endless', 'expires_in', 'It has no end'),
    ],
    examples: ['baremetal token create ci --role member --project p --expires-in 86400 -f value -c token'],
    shows: 'one',
    load: CREATE,
  },
  {
    name: 'token list',
    summary: 'List bearer tokens',
    resource,
    options: [...page('token'), option('--long', 'Show all fields')],
    shows: 'list',
    load: LIST,
  },
  {
    name: 'token show',
    summary: 'Show a bearer token without its secret',
    resource,
    arguments: [{ name: '<token>', help: 'Name or UUID of the token' }],
    shows: 'one',
    load: SHOW,
  },
  {
    name: 'token delete',
    summary: 'Revoke bearer tokens',
    resource,
    arguments: [{ name: '<token...>', help: 'Names or UUIDs' }],
    load: DELETE,
  },
];
