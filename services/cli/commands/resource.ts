/** The commands that every collection of the API has: create, list, show, set, unset, delete. The catalogue tells fields and columns. */
import {
  attributeOf,
  type CommandSpec,
  type Invocation,
  isOn,
  longFlag,
  type OptionSpec,
  type ResourceSpec,
  type Run,
  textOption,
} from '../command.ts';
import { CliError } from '../errors.ts';
import type { Output } from '../output/format.ts';
import type { Value } from '../output/python.ts';
import { presentFields } from './fields.ts';
import {
  add,
  addAll,
  booleanArgument,
  fetchList,
  fieldsOption,
  fieldsQuery,
  isRecord,
  jsonArgument,
  keyValues,
  listOf,
  loose,
  oneOf,
  pairsText,
  type PatchEntry,
  patch,
  record,
  type Record_,
  remove,
  sortItems,
} from './values.ts';

/** The collection that a command works on. */
export function resourceOf(spec: CommandSpec): ResourceSpec {
  if (!spec.resource) throw new Error(`The command ${spec.name} has no resource in the catalogue.`);
  return spec.resource;
}

export const pathOf = (resource: ResourceSpec, id: string): string => `${resource.path}/${encodeURIComponent(id)}`;

/** Whether the flag of an option was given: of `--no-x`, the value of `x` is false. */
const isGiven = (option: OptionSpec, value: unknown): boolean =>
  value !== undefined && (typeof value !== 'boolean' || value === !longFlag(option).startsWith('--no-'));

/** The options of the command that fill a field and were given, with their values. */
function* filled({ spec, options }: Invocation): Generator<[OptionSpec & { field: string }, unknown]> {
  for (const option of spec.options ?? []) {
    const value = options[attributeOf(option)];
    if (option.field !== undefined && isGiven(option, value)) yield [{ ...option, field: option.field }, value];
  }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The service takes a UUID in these fields; people have names. */
async function nodeUuidOf(ident: string, { api }: Invocation): Promise<string> {
  if (UUID.test(ident)) return ident;
  const node = record(
    await api.request('GET', `/v1/nodes/${encodeURIComponent(ident)}`, { query: { fields: 'uuid' } }),
  );
  return String(node['uuid']);
}

/** The body of a request that creates. */
export async function bodyOf(invocation: Invocation): Promise<Record<string, unknown>> {
  const body: Record<string, unknown> = {};
  invocation.spec.arguments?.forEach((argument, i) => {
    if (argument.field !== undefined) body[argument.field] = invocation.args[i];
  });
  for (const [option, value] of filled(invocation)) {
    const { field } = option;
    switch (option.as) {
      case 'pairs':
        body[field] = { ...(body[field] as object | undefined), ...keyValues(value as readonly string[]) };
        break;
      case 'json':
        body[field] = await jsonArgument(value as string, field, invocation.io);
        break;
      case 'boolean':
        body[field] = booleanArgument(value as string, longFlag(option));
        break;
      case 'on':
      case 'off':
        body[field] = option.as === 'on';
        break;
      case 'reset':
        body[field] = null;
        break;
      default:
        body[field] = field === 'node_uuid' ? await nodeUuidOf(String(value), invocation) : value;
    }
  }
  return body;
}

/** The entries of a request that changes or takes away. */
export async function entriesOf(invocation: Invocation): Promise<PatchEntry[]> {
  const entries: PatchEntry[] = [];
  for (const [option, value] of filled(invocation)) {
    const { field } = option;
    switch (option.as) {
      case 'pairs':
        entries.push(...addAll(field, value as readonly string[]));
        break;
      case 'keys':
        entries.push(...(value as readonly string[]).map((key) => remove(`${field}/${key}`)));
        break;
      case 'json':
        entries.push(add(field, await jsonArgument(value as string, field, invocation.io)));
        break;
      case 'boolean':
        entries.push(add(field, booleanArgument(value as string, longFlag(option))));
        break;
      // Python's words: what Ironic's client sends for flags, and what every service reads.
      case 'on':
        entries.push(add(field, 'True'));
        break;
      case 'off':
        entries.push(add(field, 'False'));
        break;
      case 'reset':
        entries.push(remove(field));
        break;
      case 'verbatim':
        if (value !== '') entries.push(add(field, value));
        break;
      default:
        if (value === '') break;
        if (field === 'node_uuid') entries.push(add(field, await nodeUuidOf(String(value), invocation)));
        else entries.push(add(field, typeof value === 'string' ? loose(value) : value));
    }
  }
  return entries;
}

/** The query of a list's filters. */
function filtersOf(invocation: Invocation): Record<string, string> {
  const filters: Record<string, string> = {};
  for (const [option, value] of filled(invocation))
    filters[option.field] =
      option.as === 'on' || option.as === 'off'
        ? option.as === 'on'
          ? 'True'
          : 'False'
        : Array.isArray(value)
          ? value.join(',')
          : String(value);
  return filters;
}

/** A new object with all its fields, also those that the service leaves out. */
export function createdOf(resource: ResourceSpec, item: Record_): Output {
  const fields = presentFields(resource.columns, [item]);
  return oneOf(Object.fromEntries(fields.map((field) => [field, field in item ? item[field]! : ''])), []);
}

export const createOne: Run = async (invocation) => {
  const { spec, api } = invocation;
  const resource = resourceOf(spec);
  const item = record(await api.request('POST', resource.path, { body: await bodyOf(invocation) }));
  return resource.key === 'chassis' ? oneOf(item, ['links', 'nodes']) : createdOf(resource, item);
};

export const listAll: Run = async (invocation) => {
  const { spec, options, api } = invocation;
  const resource = resourceOf(spec);
  const { columns } = resource;
  const limit = options['limit'] as number | undefined;
  if (limit !== undefined && limit < 0) throw new CliError(`Expected non-negative --limit, got ${limit}`);
  const isLong = isOn(options, 'long');
  const wanted = isLong ? undefined : fieldsOption(options);
  const query = {
    limit,
    marker: textOption(options, 'marker'),
    ...(isLong && resource.detail === 'query' ? { detail: 'True' } : {}),
    ...(wanted ? { fields: wanted.join(',') } : {}),
    ...filtersOf(invocation),
  };
  const path = isLong && resource.detail === 'path' ? `${resource.path}/detail` : resource.path;
  const items = sortItems(await fetchList(api, path, resource.key, query), textOption(options, 'sort'));
  const asText = resource.pairsAsText ?? [];
  const shown =
    asText.length === 0
      ? items
      : items.map((item): Record_ => {
          const texts = asText.flatMap((field) => {
            const value = item[field] as Value | undefined;
            return isRecord(value) ? [[field, pairsText(value)] as const] : [];
          });
          return { ...item, ...Object.fromEntries(texts) };
        });
  return listOf(shown, wanted ?? (isLong ? presentFields(columns, items) : columns.fields));
};

/** The one that a filter finds. @throws CliError when there is none. */
export async function findBy(
  { api, options }: Invocation,
  resource: ResourceSpec,
  filter: Readonly<Record<string, string>>,
): Promise<Record_> {
  const path = fieldsOption(options) ? resource.path : `${resource.path}/detail`;
  const found = record(await api.get(path, { ...filter, ...fieldsQuery(options) }))[resource.key];
  const first = Array.isArray(found) ? (found[0] as Value | undefined) : undefined;
  if (isRecord(first)) return first;
  const [[what, value]] = Object.entries(filter) as [[string, string]];
  throw new CliError(`There is no ${resource.noun} with ${what.replaceAll('_', ' ')} ${value}.`);
}

export const showOne: Run = async (invocation) => {
  const { spec, args, options, api } = invocation;
  const resource = resourceOf(spec);
  const item = isOn(options, 'address')
    ? await findBy(invocation, resource, { address: args[0]! })
    : record(await api.get(pathOf(resource, args[0]!), fieldsQuery(options)));
  return oneOf(item, ['links', ...(resource.hidden ?? [])]);
};

export const setOne: Run = async (invocation) => {
  const path = pathOf(resourceOf(invocation.spec), invocation.args[0]!);
  await patch(invocation, path, await entriesOf(invocation), 'set');
  return undefined;
};

export const unsetOne: Run = async (invocation) => {
  const path = pathOf(resourceOf(invocation.spec), invocation.args[0]!);
  await patch(invocation, path, await entriesOf(invocation), 'unset');
  return undefined;
};

/** Deletes each, says so, and goes on after a failure. */
export const deleteEach: Run = async ({ spec, args, api, io }) => {
  const resource = resourceOf(spec);
  let failed = 0;
  for (const name of args) {
    try {
      await api.request('DELETE', pathOf(resource, name));
      io.out(`Deleted ${resource.noun} ${name}\n`);
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      failed += 1;
      io.err(`Failed to delete ${resource.noun} ${name}: ${error.message}\n`);
    }
  }
  return failed === 0 ? 0 : 1;
};
