/** The API's contract as data: made from openapi.yaml, which is written by hand. */
import { readFile } from 'node:fs/promises';
import spec from './generated/openapi.json' with { type: 'json' };

export interface ParameterSpec {
  readonly name: string;
  readonly in: 'query' | 'path';
  readonly schema: object;
  /** Least microversion 1.N that knows it. */
  readonly since: number;
}

export interface OperationSpec {
  readonly operationId: string;
  readonly method: string;
  /** Path with `{name}` for parameters. */
  readonly path: string;
  /** Least microversion 1.N; below it the answer is 404. */
  readonly since: number;
  readonly isPublic: boolean;
  readonly parameters: readonly ParameterSpec[];
  readonly bodySchema: object | undefined;
  readonly bodyRequired: boolean;
  /** Schema of the JSON body by status; undefined: no JSON body. */
  readonly responses: Readonly<Record<string, object | undefined>>;
}

type Loose = Record<string, unknown>;
const isObject = (value: unknown): value is Loose => typeof value === 'object' && value !== null;

function resolve(value: unknown): Loose {
  if (!isObject(value)) return {};
  const ref = value['$ref'];
  if (typeof ref !== 'string') return value;
  let at: unknown = spec;
  for (const part of ref.slice(2).split('/')) at = isObject(at) ? at[part] : undefined;
  return resolve(at);
}

function jsonSchema(content: unknown): object | undefined {
  const media = isObject(content) ? content['application/json'] : undefined;
  const schema = isObject(media) ? media['schema'] : undefined;
  return isObject(schema) ? schema : undefined;
}

const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const METHODS = ['get', 'put', 'post', 'patch', 'delete'];

/** Every operation of the specification, in its order. */
export const OPERATIONS: readonly OperationSpec[] = Object.entries(spec.paths as Loose).flatMap(([path, item]) => {
  if (!isObject(item)) return [];
  return METHODS.filter((method) => isObject(item[method])).map((method): OperationSpec => {
    const operation = item[method] as Loose;
    const parameters = [...list(item['parameters']), ...list(operation['parameters'])].map(resolve);
    const body = resolve(operation['requestBody']);
    return {
      operationId: String(operation['operationId']),
      method: method.toUpperCase(),
      path,
      since: Number(operation['x-since'] ?? 1),
      isPublic: Array.isArray(operation['security']) && operation['security'].length === 0,
      parameters: parameters.map((p) => ({
        name: String(p['name']),
        in: p['in'] === 'path' ? 'path' : 'query',
        schema: resolve(p['schema']),
        since: Number(p['x-since'] ?? 1),
      })),
      bodySchema: jsonSchema(body['content']),
      bodyRequired: body['required'] === true,
      responses: Object.fromEntries(
        Object.entries(isObject(operation['responses']) ? operation['responses'] : {}).map(([status, response]) => [
          status,
          jsonSchema(resolve(response)['content']),
        ]),
      ),
    };
  });
});

/** The contract as a document, for schema compilers. */
export const openapi: object = spec;

/** JSON text of the document that is published: the contract with descriptions and examples. Read when somebody asks for it. */
export const readDocument = (): Promise<string> =>
  readFile(new URL('./generated/document.json', import.meta.url), 'utf8');
/** The schemas that others refer to, by name. */
export const SCHEMAS: Readonly<Record<string, object>> = spec.components.schemas;
