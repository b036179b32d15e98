/** Finds the operation of the specification that a request means, and checks what it sends against it. */
import { OPERATIONS, openapi, type OperationSpec, SCHEMAS } from '@bessemer/api-spec';
import { isJsonObject, type Json, type JsonObject, ServiceError } from '@bessemer/core';
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import formatsModule from 'ajv-formats';
import { checkArguments, isArgument, refusalOf } from './arguments.ts';
import { strictBoolean } from './query.ts';
import { inPython } from './python.ts';
import { needsVersion } from './versions.ts';

export type Match =
  | { readonly kind: 'found'; readonly operation: OperationSpec; readonly params: Readonly<Record<string, string>> }
  | {
      readonly kind: 'method';
      /** What can be done there. */
      readonly operations: readonly OperationSpec[];
      /** Of a collection: what can be done with its items; of an item: with its collection. */
      readonly beside: readonly OperationSpec[];
    }
  | { readonly kind: 'none' };

interface Template {
  readonly parts: readonly string[];
  readonly operations: Map<string, OperationSpec>;
}

const TEMPLATES: readonly Template[] = (() => {
  const byPath = new Map<string, Template>();
  for (const operation of OPERATIONS) {
    let template = byPath.get(operation.path);
    if (!template) byPath.set(operation.path, (template = { parts: split(operation.path), operations: new Map() }));
    template.operations.set(operation.method, operation);
  }
  // Literal paths (nodes/detail) come before those with parameters (nodes/{node}).
  return [...byPath.values()].sort((a, b) => parameters(a) - parameters(b));
})();

/** By number of parts and by the second one, which no template has a parameter in: what is after `/v1`. */
const BY_SHAPE = Map.groupBy(TEMPLATES, ({ parts }) => shapeOf(parts));

function shapeOf(parts: readonly string[]): string {
  return `${parts.length} ${parts[1]}`;
}

function isItemOf(item: Template, list: Template): boolean {
  return item.parts.at(-1)?.startsWith('{') === true && item.parts.slice(0, -1).join('/') === list.parts.join('/');
}

function split(path: string): string[] {
  return path.split('/').filter((part) => part !== '');
}
function parameters(template: Template): number {
  return template.parts.filter((p) => p.startsWith('{')).length;
}

/** The operation for a method and a path (a trailing slash does not matter). */
export function matchOperation(method: string, path: string): Match {
  const found = matchParts(method, split(path).map(decoded));
  if (found.kind !== 'none') return found;
  // Ironic also takes the node last, and its own test suite asks like that: nodes/states/console/{node}.
  const [, tree, ident] = NODE_LAST.exec(path) ?? [];
  if (tree !== undefined) return matchParts(method, split(`/v1/nodes/${ident}/${tree}`).map(decoded));
  // What is not there below `states` Ironic takes for a method of it.
  const states = method === 'GET' ? undefined : UNDER_STATES.exec(path)?.[1];
  return states === undefined ? found : matchParts(method, split(states).map(decoded));
}

const UNDER_STATES = /^(\/v1\/nodes\/[^/]+\/states)\/[^/]+\/?$/;
const NODE_LAST = /^\/v1\/nodes\/((?:states|maintenance|management|vendor_passthru)(?:\/\w+)*)\/([^/]+)\/?$/;

function matchParts(method: string, parts: readonly string[]): Match {
  for (const template of BY_SHAPE.get(shapeOf(parts)) ?? []) {
    if (!template.parts.every((part, i) => part === parts[i] || part.startsWith('{'))) continue;
    const params: Record<string, string> = {};
    for (const [i, part] of template.parts.entries()) if (part.startsWith('{')) params[part.slice(1, -1)] = parts[i]!;
    const operation = template.operations.get(method);
    if (operation) return { kind: 'found', operation, params };
    return {
      kind: 'method',
      operations: [...template.operations.values()],
      beside: TEMPLATES.filter((other) => isItemOf(other, template) || isItemOf(template, other)).flatMap((other) => [
        ...other.operations.values(),
      ]),
    };
  }
  return { kind: 'none' };
}

/** What may stand below a node, first. */
const BELOW_NODES = new Set(
  TEMPLATES.flatMap(({ parts: [, collection, item, below] }) =>
    collection === 'nodes' && item?.startsWith('{') && below !== undefined ? [below] : [],
  ),
);

/** Whether the path is of what is below a node, and the node is empty: a client has lost its name. */
export function missesNode(path: string): boolean {
  if (!path.startsWith('/v1/nodes//')) return false;
  return path.endsWith('//') || BELOW_NODES.has(split(path)[2] ?? '');
}

/** The methods that a path takes; none where nothing is. */
export function methodsAt(path: string): string[] {
  const match = matchOperation('OPTIONS', path);
  return match.kind === 'method' ? match.operations.map(({ method }) => method).toSorted() : [];
}

function decoded(part: string): string {
  if (!part.includes('%')) return part;
  try {
    return decodeURIComponent(part);
  } catch {
    throw new ServiceError('INVALID_PARAMETER', `The path holds a malformed percent-encoding: ${part}`);
  }
}

const ajv = new Ajv2020({ allErrors: false, strict: false, validateFormats: true });
formatsModule.default(ajv);
ajv.addSchema(openapi, 'spec');
const compiled = new Map<object, ValidateFunction>();

function validator(schema: object): ValidateFunction {
  let found = compiled.get(schema);
  if (!found) {
    const text = JSON.stringify(schema).replaceAll('"#/components', '"spec#/components');
    compiled.set(schema, (found = ajv.compile(JSON.parse(text))));
  }
  return found;
}

function sentence(error: ErrorObject | undefined): string {
  if (!error) return 'is not valid';
  const at = error.instancePath === '' ? 'it' : error.instancePath.slice(1).replaceAll('/', '.').slice(0, 200);
  if (error.keyword === 'additionalProperties')
    return `${at === 'it' ? '' : `${at}: `}Additional properties are not allowed ('${error.params['additionalProperty']}' was unexpected)`;
  if (error.keyword === 'required')
    return `${at === 'it' ? '' : `${at}: `}'${error.params['missingProperty']}' is a required property`;
  if (error.keyword === 'enum')
    return `${at} is not one of [${(error.params['allowedValues'] as unknown[]).map((v) => `'${String(v)}'`).join(', ')}]`;
  const limit = error.params['limit'] as unknown;
  // "is too long" and "is too short" are Ironic's words, which scripts look for.
  if (error.keyword === 'maxLength') return `${at} is too long: it may have ${limit} characters at most`;
  if (error.keyword === 'maxItems') return `${at} is too long: it may have ${limit} items at most`;
  if (error.keyword === 'minLength') return `${at} is too short: it needs ${limit} characters at least`;
  if (error.keyword === 'minItems') return `${at} is too short: it needs ${limit} items at least`;
  const subject = at === 'it' ? 'the body' : at;
  if (error.keyword === 'type')
    return `${subject} must be ${[error.params['type']].flat().map(withArticle).join(' or ')}`;
  return `${subject} ${error.message ?? 'is not valid'}`;
}
const withArticle = (type: string): string =>
  type === 'null' ? type : `${/^[aeiou]/.test(type) ? 'an' : 'a'} ${type}`;

/** Names of bodies that are not the singular of their collection. */
const SUBJECTS: Readonly<Record<string, string>> = {
  chassis: 'chassis',
  deploy_templates: 'template',
  events: 'evts',
  'volume/connectors': 'connector',
  'volume/targets': 'target',
};

/** What a body is about, as Ironic calls it. */
function subjectOf({ path }: OperationSpec): string {
  const collection = /\/v1\/(volume\/\w+|\w+)/.exec(path)?.[1] ?? 'body';
  return SUBJECTS[collection] ?? collection.replace(/s$/, '');
}

/** Checks a body. @throws ServiceError INVALID_PARAMETER with what was wrong and where. */
export function checkBody(operation: OperationSpec, body: Json | undefined): void {
  if (!operation.bodySchema || body === undefined) return;
  checkArguments(operation, body);
  const validate = validator(operation.bodySchema);
  if (validate(isJsonObject(body) ? withoutSteps(body) : body)) return;
  const refusal = refusalOf(operation) ?? `Schema error for ${subjectOf(operation)}`;
  throw new ServiceError('INVALID_PARAMETER', `${refusal}: ${sentence(validate.errors?.[0])}`);
}

const STEP_LISTS = ['clean_steps', 'deploy_steps', 'service_steps'] as const;

/** Steps are looked at when it is known that the node may take them: `checkSteps`. */
function withoutSteps(body: JsonObject): JsonObject {
  if (!STEP_LISTS.some((name) => Array.isArray(body[name]))) return body;
  return { ...body, ...Object.fromEntries(STEP_LISTS.filter((n) => Array.isArray(body[n])).map((n) => [n, []])) };
}

/** Checks the steps of an order. @throws ServiceError INVALID_PARAMETER with what was wrong and where. */
export function checkSteps(name: (typeof STEP_LISTS)[number], steps: readonly Json[]): void {
  const validate = validator(SCHEMAS[name === 'deploy_steps' ? 'DeployStepRequests' : 'StepRequests']!);
  if (!validate(steps))
    throw new ServiceError('INVALID_PARAMETER', `Invalid ${name}: ${sentence(validate.errors?.[0])}`);
}

type Parameter = OperationSpec['parameters'][number];
const parameterTables = new WeakMap<OperationSpec, ReadonlyMap<string, Parameter>>();

function queryParameters(operation: OperationSpec): ReadonlyMap<string, Parameter> {
  let found = parameterTables.get(operation);
  if (!found) {
    found = new Map(operation.parameters.filter((p) => p.in === 'query').map((p) => [p.name, p]));
    parameterTables.set(operation, found);
  }
  return found;
}

/**
 * Checks what a patch made of an item against what may be created: a patch can break nothing that a POST could not.
 * Fields of the creation alone (uuid) may be missing. @throws ServiceError INVALID_PARAMETER.
 */
export function checkDocument(patch: OperationSpec, document: JsonObject): void {
  const create = OPERATIONS.find(
    (o) => o.method === 'POST' && patch.path.startsWith(`${o.path}/{`) && o.bodySchema !== undefined,
  );
  if (!create?.bodySchema) return;
  const validate = validator(create.bodySchema);
  if (!validate(document))
    throw new ServiceError('INVALID_PARAMETER', `Schema error for patch: ${sentence(validate.errors?.[0])}`);
}

/** The parameter that took the place of the paths that end in /detail. */
const LIST_DETAIL_SINCE = 43;
const isListDetail = (name: string, known: ReadonlyMap<string, Parameter>): boolean =>
  name === 'detail' && known.get(name)?.since === LIST_DETAIL_SINCE;

/** Several values of a parameter are a list, which is not of its type. @throws ServiceError INVALID_PARAMETER. */
function refuseMany(name: string, values: readonly string[], schema: JsonObject): void {
  const list = values.map((value) => value.slice(0, 60));
  if (schema['anyOf'] !== undefined) strictBoolean(name, list);
  throw new ServiceError(
    'INVALID_PARAMETER',
    `Expected ${name === 'limit' ? 'an integer' : 'string'} for ${name}: ${inPython(list).slice(0, 200)}`,
  );
}

/** Checks query parameters: unknown ones are 400, those of a later microversion 406. Arguments are checked with the body. */
export function checkQuery(operation: OperationSpec, query: URLSearchParams, minor: number): void {
  if (query.size === 0) return;
  const known = queryParameters(operation);
  const names = [...new Set(query.keys())].filter((name) => !isArgument(operation, name));
  const unexpected = names.filter((name) => !known.has(name));
  if (unexpected.length > 0)
    throw new ServiceError(
      'INVALID_PARAMETER',
      `Unexpected arguments: ${unexpected.map((n) => n.slice(0, 60) || "''").join(', ')}`,
    );
  for (const name of names) {
    const values = query.getAll(name);
    if (values.length > 1) refuseMany(name, values, known.get(name)!.schema as JsonObject);
  }
  for (const name of names)
    if (!isListDetail(name, known)) needsVersion(`The parameter ${name}`, known.get(name)!.since, minor);
  // Ironic takes this one for a mistake rather than for something of a later version.
  const detail = query.get('detail');
  if (detail !== null && isListDetail('detail', known) && minor < LIST_DETAIL_SINCE)
    throw new ServiceError(
      'INVALID_PARAMETER',
      `Invalid query parameter ?detail=${strictBoolean('detail', detail) ? 'True' : 'False'} received.`,
    );
}

/** What is wrong with an answer by the specification, or undefined. Tests check every response with it. */
export function responseProblem(
  operation: OperationSpec,
  status: number,
  body: string | undefined,
): string | undefined {
  const declared = Object.hasOwn(operation.responses, String(status)) ? String(status) : 'default';
  if (!Object.hasOwn(operation.responses, declared))
    return `${operation.operationId}: status ${status} is not in the specification`;
  const schema = operation.responses[declared];
  if (!schema)
    return declared !== 'default' && body && status === 204 ? `${operation.operationId}: 204 with a body` : undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(body ?? '');
  } catch {
    return `${operation.operationId} ${status}: the body is not JSON`;
  }
  const validate = validator(schema);
  return validate(parsed) ? undefined : `${operation.operationId} ${status}: ${ajv.errorsText(validate.errors)}`;
}
