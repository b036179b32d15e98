/** Schemas in words: a row per field, nested ones below their parents. Objects that many answers show are described once per page. */
import { NODE_FIELD } from '../views/node-fields.ts';
import { html, type Html, prose } from './html.ts';
import { isObject, list, type Model, object } from './model.ts';

type Schema = Readonly<Record<string, unknown>>;

/** Schemas that are one word. */
const WORDS: Readonly<Record<string, string>> = {
  Bool: 'boolean',
  Time: 'time or null',
  Text: 'text or null',
  Json: 'object or null',
  Links: 'links',
};
const TYPES: Readonly<Record<string, string>> = {
  string: 'text',
  object: 'object',
  array: 'list',
  integer: 'integer',
  number: 'number',
  boolean: 'boolean',
};

const nameOf = (schema: Schema): string | undefined =>
  typeof schema['$ref'] === 'string' ? schema['$ref'].split('/').at(-1) : undefined;

/** Type and description of a field or a parameter. */
export const meaning = (type: Html, description: string): Html =>
  html`<span class="type">${type}</span>${description !== '' && html` · ${prose(description)}`}`;

/** Requests say which fields are required; an answer has them or not. */
export type Use = 'request' | 'answer';

export interface FieldWriter {
  /** The type of a schema in words; names of objects are links. */
  type(schema: Schema, use: Use): Html;
  /** A table of the fields of an object, or of a list of objects; undefined when it has none. */
  table(schema: Schema, use: Use): Html | undefined;
  /** Objects that were linked to so far, by name, and where first. */
  readonly linked: ReadonlyMap<string, Use>;
}

/** Whether a schema with this name is described apart and linked to. */
export const isApart = (schema: Schema): boolean => isObject(schema['properties']);

/** Least microversion of a field of a node. */
const sinceOf = (owner: string | undefined, field: string): number =>
  owner === 'Node' || owner === 'NodeCreate' ? (NODE_FIELD.get(field)?.since ?? 1) : 1;

export const sinceMark = (since: number): Html | undefined =>
  since > 1 ? html`<span class="since" title="since microversion 1.${since}">1.${since}</span>` : undefined;

export function createFieldWriter({ schemas }: Model): FieldWriter {
  const linked = new Map<string, Use>();
  const resolve = (schema: Schema): Schema => {
    const name = nameOf(schema);
    return name === undefined ? schema : { ...resolve(schemas[name] ?? {}), ...schema, $ref: undefined };
  };

  function limits(schema: Schema): string {
    const { minLength, maxLength, minimum, maximum, minItems, maxItems, pattern, format } = schema;
    const range = (least: unknown, most: unknown, unit: string): string | undefined => {
      const [from, to] = [least, most].map((n) => (n === undefined ? undefined : Number(n).toLocaleString('en')));
      if (from !== undefined && to !== undefined) return `${from} to ${to}${unit}`;
      if (from !== undefined) return `at least ${from}${unit}`;
      return to === undefined ? undefined : `at most ${to}${unit}`;
    };
    const said = [
      range(minLength, maxLength, ' characters'),
      range(minimum, maximum, ''),
      range(minItems, maxItems, ' items'),
      format === 'uuid' ? 'a UUID' : undefined,
      typeof pattern === 'string' ? `matches ${pattern}` : undefined,
    ];
    return said.filter((s) => s !== undefined).join(', ');
  }

  function words(schema: Schema, use: Use): Html {
    const name = nameOf(schema);
    if (name !== undefined && WORDS[name] !== undefined) return html`${WORDS[name]}`;
    if (name !== undefined && isApart(schemas[name] ?? {})) {
      if (!linked.has(name)) linked.set(name, use);
      return html`<a href="#object-${name}">${name}</a>`;
    }
    const { enum: values, type, items, anyOf } = resolve(schema);
    if (Array.isArray(values))
      return html`${values.map((value, i) => html`${i > 0 && ' | '}<code>${value === null ? 'null' : String(value)}</code>`)}`;
    if (Array.isArray(anyOf))
      return html`${anyOf.filter(isObject).map((s, i) => html`${i > 0 && ' or '}${described(s, use)}`)}`;
    const types = [type].flat().filter((t) => t !== undefined);
    if (types.length === 0) return html`anything`;
    return html`${types.map((t, i) => {
      const isListOf = t === 'array' && isObject(items) && Object.keys(items).length > 0;
      return html`${i > 0 && ' or '}${TYPES[String(t)] ?? String(t)}${isListOf && html` of ${words(items, use)}`}`;
    })}`;
  }
  function described(schema: Schema, use: Use): Html {
    const more = limits(resolve(schema));
    return html`${words(schema, use)}${more !== '' && html`<span class="limit">, ${more}</span>`}`;
  }

  /** The object whose fields are told below a field: of itself, or of the entries of a list. */
  function inner(schema: Schema): { readonly at: string; readonly schema: Schema } | undefined {
    const whole = resolve(schema);
    if (isObject(whole['properties'])) return { at: '', schema: whole };
    const items = whole['items'];
    if (isObject(items) && isObject(resolve(items)['properties'])) return { at: '[]', schema: resolve(items) };
    return undefined;
  }

  function rows(schema: Schema, owner: string | undefined, prefix: string, use: Use): Html[] {
    const required = new Set(list(schema['required']));
    return Object.entries(object(schema['properties'])).flatMap(([name, value]) => {
      const field = object(value);
      const whole = resolve(field);
      const items = isObject(whole['items']) ? whole['items'] : {};
      // What has a name is described apart.
      const below = nameOf(field) !== undefined || nameOf(items) !== undefined ? undefined : inner(field);
      return [
        html`<tr><th scope="row"><code>${prefix !== '' && html`<span class="in">${prefix}</span>`}${name}</code>${use === 'request' && required.has(name) && html` <span class="must">required</span>`}${sinceMark(sinceOf(owner, name))}</th><td>${meaning(described(field, use), String(whole['description'] ?? ''))}</td></tr>`,
        ...(below ? rows(below.schema, undefined, `${prefix}${name}${below.at}.`, use) : []),
      ];
    });
  }

  return {
    linked,
    type: described,
    table(schema, use) {
      const found = inner(schema);
      if (!found) return undefined;
      const prefix = found.at === '' ? '' : `${found.at}.`;
      return html`<table class="fields">${rows(found.schema, nameOf(schema), prefix, use)}</table>`;
    },
  };
}
