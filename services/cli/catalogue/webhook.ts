/** Webhooks: where events are sent. */
import type { CommandSpec, OptionSpec, ResourceSpec } from '../command.ts';
import { WEBHOOK } from '../commands/fields.ts';
import {
  CREATE,
  DELETE,
  from,
  LIST,
  off,
  on,
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
  path: '/v1/webhooks',
  key: 'webhooks',
  noun: 'webhook',
  columns: WEBHOOK,
  detail: 'none',
};

const webhook = { name: '<webhook>', help: 'Name or UUID of the webhook' } as const;
const commands = () => import('../commands/webhook.ts');
const SETTINGS: readonly OptionSpec[] = [
  text('--name', 'name', 'Unique name'),
  option('--event <pattern>', 'Types of events, such as node.* (repeat for more); without it all', {
    isRepeated: true,
    field: 'events',
    as: 'words',
  }),
  text('--nodes', 'nodes', 'Range of nodes, such as rack1-[01-40]; without it all', { as: 'verbatim' }),
  text('--severity', 'severity', 'Least severity', { choices: ['info', 'warning', 'error'] }),
  text('--secret', 'secret', 'Signs what is sent; at least 16 characters', { as: 'verbatim' }),
  on('--enable', 'enabled', 'Send', { excludes: ['disable'] }),
  off('--disable', 'enabled', 'Do not send'),
];

export const COMMANDS: readonly CommandSpec[] = [
  {
    name: 'webhook create',
    summary: 'Have events sent to a URL from now on',
    resource,
    arguments: [{ name: '<url>', help: 'Where they are sent: http or https', field: 'url' }],
    options: [OWN_UUID, ...SETTINGS],
    examples: ["baremetal webhook create https://ops.example/hook --event 'node.*' --nodes 'rack1-[01-40]'"],
    shows: 'one',
    load: CREATE,
  },
  {
    name: 'webhook list',
    summary: 'List webhooks',
    resource,
    options: [...page('webhook'), option('--long', 'Show all fields')],
    shows: 'list',
    load: LIST,
  },
  {
    name: 'webhook show',
    summary: 'Show a webhook',
    resource,
    arguments: [webhook],
    shows: 'one',
    load: SHOW,
  },
  {
    name: 'webhook set',
    summary: 'Change a webhook',
    resource,
    arguments: [webhook],
    options: [text('--url', 'url', 'Where events are sent', { as: 'verbatim' }), ...SETTINGS],
    load: SET,
  },
  {
    name: 'webhook unset',
    summary: 'Take settings from a webhook',
    resource,
    arguments: [webhook],
    options: ['name', 'events', 'nodes', 'severity', 'secret'].map((f) => reset(`--${f}`, f, `Unset ${f}`)),
    load: UNSET,
  },
  {
    name: 'webhook delete',
    summary: 'Remove webhooks',
    resource,
    arguments: [{ name: '<webhook...>', help: 'Names or UUIDs' }],
    load: DELETE,
  },
  {
    name: 'webhook delivery show',
    summary: 'Show how far the delivery of a webhook is',
    arguments: [webhook],
    shows: 'one',
    load: from(commands, 'showDelivery'),
  },
  {
    name: 'webhook letter list',
    summary: 'List events that a webhook has given up',
    arguments: [webhook],
    options: [option('--limit <limit>', 'Most entries to show; 0: all', { isInteger: true })],
    shows: 'list',
    load: from(commands, 'listLetters'),
  },
  {
    name: 'webhook letter send',
    summary: 'Send given up events again, those named or all',
    arguments: [webhook, { name: '[id...]', help: 'Ids of the events' }],
    load: from(commands, 'sendLetters'),
  },
  {
    name: 'webhook letter delete',
    summary: 'Drop given up events, those named or all',
    arguments: [webhook, { name: '[id...]', help: 'Ids of the events' }],
    options: [option('--all', 'Drop all')],
    load: from(commands, 'deleteLetters'),
  },
];
