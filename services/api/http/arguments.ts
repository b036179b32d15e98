/**
 * Bodies that Ironic takes apart into named arguments (ironic/common/args.py): what is wrong with one is said of the argument,
 * not of a body, and it may as well stand in the query.
 */
import { type OperationSpec, SCHEMAS } from '@bessemer/api-spec';
import { isJsonObject, type Json, type JsonObject, ServiceError } from '@bessemer/core';
import { inPython } from './python.ts';
import { strictBoolean } from './query.ts';

const SHOWN_CHARS = 60;
const NAMED = new Set(
  'setBootDevice setBootMode setConsole setIndicator setMaintenance setPowerState setProvisionState setSecureBoot'.split(
    ' ',
  ),
);

const shown = (value: Json): string => (typeof value === 'string' ? value : inPython(value)).slice(0, SHOWN_CHARS);
const wrong = (message: string) => new ServiceError('INVALID_PARAMETER', message);

/** The schema itself where there is a reference. */
function resolved(schema: object): JsonObject {
  const name = /^#\/components\/schemas\/(\w+)$/.exec(String((schema as JsonObject)['$ref'] ?? ''))?.[1];
  if (name === undefined) return schema as JsonObject;
  return SCHEMAS[name] as JsonObject;
}

function checkValue(name: string, value: Json, schema: JsonObject): void {
  const types = [schema['type'] ?? []].flat();
  if (schema['anyOf'] !== undefined) strictBoolean(name, value);
  else if (types.includes('integer')) {
    if (!/^\s*-?\d+\s*$/.test(String(value))) throw wrong(`Expected an integer for ${name}: ${shown(value)}`);
  } else if (types.every((type) => type === 'string' || type === 'null') && typeof value !== 'string')
    throw wrong(`Expected string for ${name}: ${shown(value)}`);
}

const propertiesOf = (schema: JsonObject) => (schema['properties'] ?? {}) as Readonly<Record<string, JsonObject>>;

/** Whether a parameter of the query is an argument that may also stand in the body. */
export function isArgument({ operationId, bodySchema }: OperationSpec, name: string): boolean {
  return NAMED.has(operationId) && bodySchema !== undefined && Object.hasOwn(propertiesOf(resolved(bodySchema)), name);
}

/**
 * The body with the arguments that stand in the query. One that is given more than once is the list of what was given, as
 * Ironic's framework makes it: no argument is a list of texts, so that it is refused.
 */
export function withQuery(operation: OperationSpec, query: URLSearchParams, body: Json | undefined): Json | undefined {
  const names = [...new Set(query.keys())].filter((name) => isArgument(operation, name));
  const inBody = body ?? {};
  if (names.length === 0 || !isJsonObject(inBody)) return body;
  const given = names.map((name): [string, Json] => {
    const values = [...query.getAll(name), ...(Object.hasOwn(inBody, name) ? [inBody[name]!] : [])];
    return [name, values.length === 1 ? values[0]! : values];
  });
  return { ...inBody, ...Object.fromEntries(given) };
}

/**
 * Checks the arguments of a PUT that has such; of any other operation nothing.
 * @throws ServiceError INVALID_PARAMETER, MISSING_PARAMETER naming the argument.
 */
export function checkArguments(operation: OperationSpec, body: Json): void {
  if (!NAMED.has(operation.operationId) || !isJsonObject(body) || !operation.bodySchema) return;
  const schema = resolved(operation.bodySchema);
  const properties = propertiesOf(schema);
  const unexpected = Object.keys(body).filter((name) => !Object.hasOwn(properties, name));
  if (unexpected.length > 0)
    throw wrong(`Unexpected arguments: ${unexpected.map((name) => name.slice(0, SHOWN_CHARS)).join(', ')}`);
  for (const [name, property] of Object.entries(properties)) {
    const value = Object.hasOwn(body, name) ? body[name] : undefined;
    if (value === undefined) {
      if ((schema['required'] as Json[] | undefined)?.includes(name))
        throw new ServiceError('MISSING_PARAMETER', `Missing mandatory parameter: ${name}`);
    } else if (value !== null) checkValue(name, value, resolved(property));
  }
}

/** How Ironic calls the bodies of these, where it is not by the name of the collection. */
const SUBJECTS: Readonly<Record<string, string>> = { addTrait: 'body', attachVif: 'vif', setTraits: 'body' };

/** What a sentence about a body begins with; undefined where nothing is special about the operation. */
export function refusalOf({ operationId, method }: OperationSpec): string | undefined {
  if (operationId === 'setRaidConfig') return 'RAID config validation error';
  const subject = method === 'PATCH' ? 'patch' : SUBJECTS[operationId];
  return subject === undefined ? undefined : `Schema error for ${subject}`;
}
