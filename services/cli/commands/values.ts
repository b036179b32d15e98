/** Arguments of the form key=value, JSON from an argument or a file, and answers as rows. */
import type { Invocation, Io, Options } from '../command.ts';
import { listOption } from '../command.ts';
import type { Api } from '../connection/http.ts';
import { CliError, usageError } from '../errors.ts';
import type { Output } from '../output/format.ts';
import { Float, repr, str, type Value } from '../output/python.ts';
import { labelOf } from './fields.ts';

export type Record_ = Readonly<Record<string, Value>>;
export const isRecord = (value: unknown): value is Record_ =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Float);

/** An answer that must be an object. */
export function record(value: Value): Record_ {
  if (!isRecord(value)) throw new CliError('The service answered something else than an object.');
  return value;
}

/** `key=value`: the value is JSON when it reads as JSON, else text. */
export function keyValue(text: string): [string, unknown] {
  const at = text.indexOf('=');
  if (at < 0) throw new CliError(`Attributes must be a list of PATH=VALUE not "${text}"`);
  const value = text.slice(at + 1);
  try {
    return [text.slice(0, at), JSON.parse(value)];
  } catch {
    return [text.slice(0, at), value];
  }
}

export const keyValues = (texts: readonly string[]): Record<string, unknown> => Object.fromEntries(texts.map(keyValue));

export interface PatchEntry {
  readonly op: 'add' | 'remove';
  readonly path: string;
  readonly value?: unknown;
}
export const add = (path: string, value: unknown): PatchEntry => ({ op: 'add', path: `/${path}`, value });
export const remove = (path: string): PatchEntry => ({ op: 'remove', path: `/${path}` });
/** Entries for `--extra a=1 --extra b=2`. */
export const addAll = (field: string, texts: readonly string[]): PatchEntry[] =>
  texts.map((text) => {
    const [key, value] = keyValue(text);
    return add(`${field}/${key}`, value);
  });
/** Reads a value as `field=text` would be: JSON when it reads as JSON. */
export const loose = (text: string): unknown => keyValue(`x=${text}`)[1];

/**
 * What a text of JSON or YAML holds.
 * @param name of the file or source, for the message.
 * @throws CliError when it is neither.
 */
export async function parseData(content: string, name: string): Promise<unknown> {
  try {
    return JSON.parse(content);
  } catch (error) {
    // JSON that is cut or misspelt often reads as YAML of another meaning.
    if (/^\s*[[{]/.test(content)) throw new CliError(`${name} cannot be read as JSON: ${(error as Error).message}`);
  }
  const { parse } = await import('yaml');
  try {
    return parse(content, { version: '1.1', maxAliasCount: 100, prettyErrors: true }) as unknown;
  } catch (error) {
    throw new CliError(`${name} cannot be read as YAML: ${(error as Error).message.split('\n')[0]}`);
  }
}

/** JSON given as an argument, as the name of a file of JSON or YAML, or `-` for standard input. */
export async function jsonArgument(text: string, what: string, io: Io): Promise<unknown> {
  if (text.trim() === '') throw usageError(`${what} is empty.`);
  if (text === '-') return parseData(await io.readInput(), `The ${what} from standard input`);
  if (io.isFile(text)) return parseData(io.readFile(text), `The ${what} from file ${text}`);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CliError(
      `The ${what} cannot be read as JSON from the argument, and it is no file either: ${(error as Error).message}`,
    );
  }
}

const TRUE = ['1', 't', 'true', 'on', 'y', 'yes'];
const FALSE = ['0', 'f', 'false', 'off', 'n', 'no'];
/** @throws CliError with exit code 2 for a word that says neither. */
export function booleanArgument(text: string, name: string): boolean {
  const word = text.trim().toLowerCase();
  if (TRUE.includes(word)) return true;
  if (FALSE.includes(word)) return false;
  throw usageError(`${name} is true or false, not "${text}".`);
}

/** An object as rows of field and value, in alphabetical order, without what is only for machines. */
export function oneOf(item: Record_, hidden: readonly string[]): Output {
  const pairs = Object.entries(item)
    .filter(([key]) => !hidden.includes(key))
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return { kind: 'one', pairs };
}

function compareBy(field: string, isDescending: boolean) {
  const number = (v: Value) =>
    v instanceof Float ? v.value : typeof v === 'number' || typeof v === 'bigint' ? Number(v) : undefined;
  return (a: Record_, b: Record_): number => {
    const [x, y] = [a[field] ?? null, b[field] ?? null];
    if (x === null || y === null) return Number(x === null) - Number(y === null);
    const [p, q] = [number(x) ?? str(x), number(y) ?? str(y)];
    const order = p < q ? -1 : p > q ? 1 : 0;
    return isDescending ? -order : order;
  };
}

/**
 * Sorts by `key[:asc|desc],...`.
 * @throws CliError for a direction that is neither, and for a field that was not fetched.
 */
export function sortItems(items: readonly Record_[], sort: string | undefined): readonly Record_[] {
  if (!sort) return items;
  let sorted = [...items];
  for (const part of sort.trim().split(',').toReversed()) {
    const [key, direction] = part.split(':', 2) as [string, string | undefined];
    if (key === '') throw new CliError("'<empty string>' is not a valid sort key");
    if (direction !== undefined && direction !== 'asc' && direction !== 'desc')
      throw new CliError(
        `'${direction || '<empty string>'}' is not a valid sort direction for sort key ${key}, use 'asc' or 'desc' instead`,
      );
    if (sorted.some((item) => !Object.hasOwn(item, key)))
      throw new CliError(`Resource doesn't have field ${key}`, {
        hint: 'Sorted is what is fetched: the fields of the list, of --long, or of --fields.',
      });
    sorted = sorted.toSorted(compareBy(key, direction === 'desc'));
  }
  return sorted;
}

/** Items under the heads of their fields. */
export const listOf = (
  items: readonly Record_[],
  fields: readonly string[],
  heads: readonly string[] = fields.map(labelOf),
): Output => ({
  kind: 'list',
  heads,
  fields,
  rows: items.map((item) => fields.map((field) => item[field] ?? (field in item ? null : ''))),
});

/** An object as `a='1', b.c='2'`, in alphabetical order: how lists of ports show `extra`. */
export function pairsText(value: Record_, prefix = ''): string {
  return Object.entries(value)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, v]) => {
      const name = prefix === '' ? key : `${prefix}.${key}`;
      if (isRecord(v)) return pairsText(v, name);
      return v === null ? `${name}=` : `${name}='${str(v)}'`;
    })
    .join(', ');
}

/** Lists as words with commas between. */
export const withJoinedLists = (item: Record_): Record_ =>
  Object.fromEntries(
    Object.entries(item).map(([k, v]) => [
      k,
      Array.isArray(v) ? v.map((x: Value) => (typeof x === 'string' ? x : repr(x))).join(', ') : v,
    ]),
  );

/** All items of a collection: one page without a limit, all pages with 0, else as many as the limit says. */
export async function fetchList(
  api: Api,
  path: string,
  key: string,
  query: Record<string, string | number | boolean | undefined>,
): Promise<readonly Record_[]> {
  const { limit } = query as { limit?: number };
  const first = { ...query };
  if (!limit) delete first['limit'];
  let page = record(await api.get(path, first));
  const items: Record_[] = [];
  for (;;) {
    const found = page[key];
    if (!Array.isArray(found)) throw new CliError(`The service answered no list of ${key}.`);
    items.push(...(found as Record_[]));
    const next = page['next'];
    if (limit === undefined || typeof next !== 'string' || (limit > 0 && items.length >= limit)) break;
    const url = new URL(next);
    page = record(await api.get(url.pathname.replace(/^.*(?=\/v1\/)/, ''), Object.fromEntries(url.searchParams)));
  }
  return limit ? items.slice(0, limit) : items;
}

/** The fields of `--fields`, undefined without it. */
export function fieldsOption(options: Options): readonly string[] | undefined {
  const fields = listOption(options, 'fields');
  return fields.length === 0 ? undefined : fields;
}
/** The query of `--fields`. */
export const fieldsQuery = (options: Options): { fields?: string } => {
  const fields = fieldsOption(options);
  return fields ? { fields: fields.join(',') } : {};
};

/** Sends a PATCH, or says that nothing was to be changed. */
export async function patch(
  { api, io }: Invocation,
  path: string,
  entries: readonly PatchEntry[],
  verb: 'set' | 'unset',
  query = {},
): Promise<void> {
  if (entries.length === 0) io.err(`Please specify what to ${verb}.\n`);
  else await api.request('PATCH', path, { body: entries, query });
}
