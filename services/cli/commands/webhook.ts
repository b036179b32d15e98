/** Webhooks: how far the delivery is, and what was given up. */
import { isOn, type Run } from '../command.ts';
import { usageError } from '../errors.ts';
import type { Value } from '../output/python.ts';
import { fetchList, isRecord, listOf, oneOf, record, type Record_ } from './values.ts';

const pathOf = (args: readonly string[], below: string): string =>
  `/v1/webhooks/${encodeURIComponent(args[0]!)}/${below}`;

export const showDelivery: Run = async ({ args, api }) => oneOf(record(await api.get(pathOf(args, 'delivery'))), []);

export const listLetters: Run = async ({ args, options, api }) => {
  const limit = options['limit'] as number | undefined;
  const letters = await fetchList(api, pathOf(args, 'dead_letters'), 'dead_letters', { limit });
  const items = letters.map((letter): Record_ => {
    const event = letter['event'] as Value | undefined;
    return isRecord(event) ? { ...letter, event: event['type'] ?? null } : letter;
  });
  const fields = ['id', 'event', 'attempts', 'status', 'error', 'at', 'redelivering'];
  return listOf(items, fields, ['ID', 'Event', 'Attempts', 'Status', 'Error', 'At', 'Redelivering']);
};

/** @throws CliError with exit code 2 for an id that is no number. */
const idsOf = (args: readonly string[]): number[] =>
  args.slice(1).map((id) => {
    if (!/^\d+$/.test(id))
      throw usageError(`${id} is no id of an event; see: baremetal webhook letter list ${args[0]}`);
    return Number(id);
  });

export const sendLetters: Run = async ({ args, api, io }) => {
  const ids = idsOf(args);
  const answer = record(await api.request('POST', pathOf(args, 'redeliver'), { body: ids.length > 0 ? { ids } : {} }));
  io.out(`Sending ${String(answer['redelivering'])} again\n`);
  return undefined;
};

export const deleteLetters: Run = async ({ spec, args, options, api }) => {
  const ids = idsOf(args);
  if (isOn(options, 'all') === ids.length > 0)
    throw usageError(`baremetal ${spec.name}: name the events to drop, or give --all, and not both.`);
  if (ids.length === 0) await api.request('DELETE', pathOf(args, 'dead_letters'));
  for (const id of ids) await api.request('DELETE', pathOf(args, `dead_letters/${id}`));
  return undefined;
};
