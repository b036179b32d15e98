/** The published document: the contract with a description for everything and the examples in their places. */
import type { Answer, Example, ExampleFile } from '@bessemer/api-spec/testing';

export type Tree = { [key: string]: unknown };
export const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export interface Descriptions {
  readonly tags: Readonly<Record<string, string>>;
  readonly operations: Readonly<Record<string, string>>;
  readonly path: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  readonly fields: Readonly<Record<string, string>>;
  readonly schemas: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

const METHODS = ['get', 'put', 'post', 'patch', 'delete'];
const tree = (value: unknown): Tree => (isTree(value) ? value : {});
const list = (value: unknown): Tree[] => (Array.isArray(value) ? value.filter(isTree) : []);

function resolve(spec: Tree, value: unknown): Tree {
  const ref = tree(value)['$ref'];
  if (typeof ref !== 'string') return tree(value);
  let at: unknown = spec;
  for (const part of ref.slice(2).split('/')) at = tree(at)[part];
  return resolve(spec, at);
}

/** Which descriptions were put in place: what is left over describes nothing. */
class Used {
  readonly #used = new Set<string>();
  take(what: string, name: string): void {
    this.#used.add(`${what} ${name}`);
  }
  leftOver(all: Descriptions): string[] {
    const names = Object.entries(all).flatMap(([what, words]) =>
      what === 'schemas'
        ? Object.entries(words as Descriptions['schemas']).flatMap(([schema, fields]) =>
            Object.keys(fields).map((field) => `schemas ${schema}.${field}`),
          )
        : Object.keys(words as object).map((name) => `${what} ${name}`),
    );
    return names.filter((name) => !this.#used.has(name));
  }
}

/** Describes tags, operations, parameters and fields in place. Gives what has no description, and what describes nothing. */
export function describe(spec: Tree, words: Descriptions): string[] {
  const used = new Used();
  const missing = new Set<string>();
  const text = (what: Exclude<keyof Descriptions, 'schemas'>, name: string): string | undefined => {
    const found = words[what][name];
    if (found !== undefined) used.take(what, name);
    return found;
  };
  for (const tag of list(spec['tags'])) tag['description'] ??= text('tags', String(tag['name']));

  const parameter = (value: Tree): void => {
    const own = text(value['in'] === 'path' ? 'path' : 'query', String(value['name']));
    value['description'] ??= own;
    if (value['description'] === undefined) missing.add(`${String(value['in'])} parameter ${String(value['name'])}`);
  };
  const fields = (schema: Tree, owner: string): void => {
    for (const [name, value] of Object.entries(tree(schema['properties']))) {
      const special = words.schemas[owner]?.[name];
      if (special !== undefined) used.take('schemas', `${owner}.${name}`);
      const general = text('fields', name);
      const field = tree(value);
      // What stands beside a reference adds to it (JSON Schema 2020-12). YAML shares what is referred to twice: hence the copy.
      const described = { ...field, description: field['description'] ?? special ?? general };
      if (described.description === undefined) missing.add(`field ${owner}.${name}`);
      tree(schema['properties'])[name] = described;
      fields(described, owner);
    }
    for (const part of [schema['items'], schema['additionalProperties'], ...list(schema['anyOf'])])
      if (isTree(part)) fields(part, owner);
  };
  const content = (value: Tree, owner: string): void => {
    for (const media of Object.values(tree(value['content']))) fields(tree(tree(media)['schema']), owner);
  };
  const components = tree(spec['components']);
  for (const value of Object.values(tree(components['parameters']))) parameter(tree(value));
  for (const [name, value] of Object.entries(tree(components['schemas']))) fields(tree(value), name);
  for (const [name, value] of Object.entries(tree(components['responses']))) content(tree(value), name);
  for (const item of Object.values(tree(spec['paths'])).map(tree)) {
    for (const value of list(item['parameters'])) if (!value['$ref']) parameter(value);
    for (const operation of METHODS.map((method) => item[method]).filter(isTree)) {
      operation['description'] ??= text('operations', String(operation['operationId']));
      for (const value of list(operation['parameters'])) if (!value['$ref']) parameter(value);
      content(tree(operation['requestBody']), String(operation['operationId']));
    }
  }
  return [
    ...[...missing].map((what) => `nothing is said of ${what}`),
    ...used.leftOver(words).map((what) => `there is no ${what}`),
  ];
}

/** Name of the nth example of an operation. */
const nameOf = (operation: string, n: number) => (n === 0 ? operation : `${operation}${n + 1}`);

/** The media type that holds a body of this form. */
function mediaFor(content: Tree, body: unknown): Tree | undefined {
  const type = Object.keys(content).find((name) => (typeof body === 'string') === name.startsWith('text/'));
  return type === undefined ? undefined : tree(content[type]);
}

/** Adds an example to the body of a request or an answer; true when there is a place for it. */
function addTo(holder: Tree, name: string, summary: string, body: unknown): boolean {
  const media = mediaFor(tree(holder['content']), body);
  if (media) media['examples'] = { ...tree(media['examples']), [name]: { summary, value: body } };
  return media !== undefined;
}

const declared = (responses: Tree, { status }: Answer): string => (responses[status] ? String(status) : 'default');

function addExample(spec: Tree, operation: Tree, name: string, example: Example): void {
  const summary = example.say ?? String(operation['summary']);
  const responses = tree(operation['responses']);
  const key = declared(responses, example);
  // Shared parts become the operation's own, since the examples are.
  responses[key] = structuredClone(resolve(spec, responses[key]));
  const isBodyShown = example.body !== undefined && addTo(tree(responses[key]), name, summary, example.body);
  // What is refused may not be what the contract allows: it stands beside, not among the examples of the body.
  const isRefused = example.status >= 400;
  if (example.request !== undefined && !isRefused) {
    operation['requestBody'] = structuredClone(resolve(spec, operation['requestBody']));
    addTo(tree(operation['requestBody']), name, summary, example.request);
  }
  const { path, send, version, cli, status, headers } = example;
  const told = {
    ...{ name, summary, path, send, version, cli, status, headers },
    response: isBodyShown ? key : undefined,
    request: isRefused ? example.request : undefined,
  };
  operation['x-examples'] = [...((operation['x-examples'] as unknown[] | undefined) ?? []), told];
}

/**
 * Puts the examples into `spec`: bodies where OpenAPI has them, the rest of the exchange in `x-examples` of the operation. The examples
 * are told in an order for people; `x-position` is the operation's in it, where the file named like the tag comes first.
 */
export function addExamples(spec: Tree, files: readonly ExampleFile[]): void {
  for (const item of Object.values(tree(spec['paths'])).map(tree))
    for (const operation of METHODS.map((method) => item[method]).filter(isTree)) {
      const id = String(operation['operationId']);
      const slug = String((operation['tags'] as unknown[])[0]).replaceAll(' ', '-');
      const told = files.toSorted((a, b) => Number(b.name === slug) - Number(a.name === slug)).flatMap((f) => f.filled);
      operation['x-position'] = told.findIndex((example) => example.operation === id);
      const own = told.filter((example) => example.operation === id);
      for (const [n, example] of own.entries()) addExample(spec, operation, nameOf(id, n), example);
    }
}
