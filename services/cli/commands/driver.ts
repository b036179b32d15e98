/** Drivers and what they take. */
import { isOn, type Run, textOption } from '../command.ts';
import { DRIVER, labelOf, presentFields } from './fields.ts';
import {
  fieldsOption,
  fieldsQuery,
  listOf,
  oneOf,
  record,
  type Record_,
  sortItems,
  withJoinedLists,
} from './values.ts';

const pathOf = (args: readonly string[], below = ''): string => `/v1/drivers/${encodeURIComponent(args[0]!)}${below}`;

export const listDrivers: Run = async ({ options, api }) => {
  const isLong = isOn(options, 'long');
  const wanted = isLong ? undefined : fieldsOption(options);
  const query = {
    type: textOption(options, 'type'),
    detail: isLong ? 'True' : undefined,
    ...(wanted ? { fields: wanted.join(',') } : {}),
  };
  const drivers = record(await api.get('/v1/drivers', query))['drivers'];
  const items = sortItems(Array.isArray(drivers) ? (drivers as Record_[]) : [], 'name').map(withJoinedLists);
  const fields = wanted ?? (isLong ? presentFields(DRIVER, items) : DRIVER.fields);
  // The default columns and the long ones have a head of their own for the name.
  return listOf(
    items,
    fields,
    fields.map((f) => (f === 'name' && !wanted ? 'Supported driver(s)' : labelOf(f))),
  );
};

export const showDriver: Run = async ({ args, options, api }) =>
  oneOf(withJoinedLists(record(await api.get(pathOf(args), fieldsQuery(options)))), ['links', 'properties']);

/** Names and what they mean. */
const listMeanings =
  (below: string): Run =>
  async ({ args, api }) => {
    const properties = record(await api.get(pathOf(args, below)));
    const rows = Object.entries(properties).toSorted(([a], [b]) => (a < b ? -1 : 1));
    return { kind: 'list', heads: ['Property', 'Description'], rows };
  };
export const listDriverProperties = listMeanings('/properties');
export const listDriverRaidProperties = listMeanings('/raid/logical_disk_properties');
