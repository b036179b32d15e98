/** Requests drawn from the specification, and what goes wrong with requests: for tests with fast-check. */
import { OPERATIONS, openapi, type OperationSpec } from '@bessemer/api-spec';
import { isJsonObject, type Json, type JsonObject } from '@bessemer/core';
import fc from 'fast-check';
import type { Things } from './things-testing.ts';

export interface DrawnRequest {
  readonly path: string;
  readonly query: ReadonlyArray<readonly [name: string, value: string]>;
  /** JSON text, or what was meant to be. */
  readonly body: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

const MAX_DEPTH = 5;
const nested = (levels: number): Json =>
  levels === 0 ? 1 : levels % 2 === 0 ? [nested(levels - 1)] : { a: nested(levels - 1) };

const TEXTS = [
  '',
  ' ',
  '0',
  'true',
  'null',
  '__proto__',
  '../..',
  '%',
  "'; drop table nodes; --",
  '<b>',
  '\u0000',
  '\ud800',
  'İ',
  'é',
  'e\u0301',
  '𝒳',
  '\u202e',
  '\n',
  '******',
  '1'.repeat(400),
  'x'.repeat(5_000),
];
const NUMBERS = [0, -0, -1, 1, 0.5, 2 ** 31, 2 ** 53, -(2 ** 63), 1e21, 1e308, 5e-324];

const text: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...TEXTS) },
  { weight: 2, arbitrary: fc.string({ unit: 'grapheme', maxLength: 40 }) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
);
/** Any JSON at all, with a liking for the edges. */
const junk: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom<Json>(null, true, false, {}, [], [[]], nested(12), nested(40), { a: null }, [null]),
  fc.constantFrom<Json>(...NUMBERS),
  text,
  fc.array(text, { maxLength: 3 }),
  fc.jsonValue({ maxDepth: 3 }).map((value) => value as Json),
);

function resolved(schema: JsonObject): JsonObject {
  const ref = schema['$ref'];
  if (typeof ref !== 'string') return schema;
  let at: unknown = openapi;
  for (const part of ref.slice(2).split('/')) at = (at as JsonObject)[part];
  return resolved(at as JsonObject);
}

/** Values that a name often stands for: they get a request past its schema. */
function knownFor(name: string, things: Things): readonly string[] {
  const { node, child, chassis, port, portgroup, trait } = things as Record<string, string>;
  if (name.endsWith('_interface')) return ['fake', 'noop', `no-${name.replace('_interface', '')}`];
  const known: Readonly<Record<string, readonly string[]>> = {
    node_uuid: [node!, child!],
    node_ident: [node!, things['name']!],
    node: [node!, things['name']!],
    parent_node: [node!, child!],
    nodes: [node!, things['name']!, 'n[1-3]'],
    uuid: [node!, port!],
    chassis_uuid: [chassis!],
    portgroup_uuid: [portgroup!],
    portgroup: [portgroup!],
    driver: ['fake-hardware'],
    address: ['52:54:00:aa:bb:cc'],
    name: [`CUSTOM_NEW`, 'new'],
    traits: [trait!],
    limit: ['1', '0', '-1', '1000000', '1e3'],
    marker: Object.values(things),
    sort_key: ['uuid', 'id', 'name', 'created_at', 'extra', 'reservation'],
    sort_dir: ['asc', 'desc'],
    fields: ['uuid', 'uuid,name', 'links', 'extra,node_uuid', ','],
    target: ['power on', 'rebooting', 'manage', 'provide', 'active', 'clean', 'abort', 'rescue', 'uefi', 'service'],
    state: ['active', 'ON'],
    provision_state: ['enroll', 'active'],
    url: ['https://192.0.2.9/hook', 'http://[::1', 'file:///etc/passwd'],
    events: ['node.*', '*'],
    image_url: ['https://192.0.2.7/i.iso'],
    playbook: ['- hosts: all\n'],
    configdrive: ['https://192.0.2.1/c', 'aGVsbG8='],
    connector_id: ['iqn.2026-01.example:1'],
    method: ['first_method'],
    conductor: ['c1'],
    interface: ['deploy', 'bios'],
    step: ['erase_devices'],
  };
  return known[name] ?? [];
}

/** Values that fit a schema, mostly: the few keywords that the specification uses. */
function fromSchema(given: JsonObject, things: Things, name = '', depth = 0): fc.Arbitrary<Json> {
  const schema = resolved(given);
  const inner = (at: Json | undefined, key: string) => fromSchema(isJsonObject(at) ? at : {}, things, key, depth + 1);
  if (Array.isArray(schema['enum'])) return fc.constantFrom(...schema['enum']);
  if (Array.isArray(schema['anyOf'])) return fc.oneof(...schema['anyOf'].map((option) => inner(option, name)));
  const types = [schema['type'] ?? []].flat().map(String);
  if (types.length === 0) return depth > MAX_DEPTH ? fc.constant(null) : junk;
  const ofType = (type: string): fc.Arbitrary<Json> => {
    switch (type) {
      case 'null':
        return fc.constant(null);
      case 'boolean':
        return fc.boolean();
      case 'integer':
        return fc.integer({ min: Number(schema['minimum'] ?? -10), max: Number(schema['maximum'] ?? 10_000) });
      case 'number':
        return fc.double({ noNaN: true, noDefaultInfinity: true });
      case 'string': {
        if (typeof schema['pattern'] === 'string') {
          return fc.stringMatching(new RegExp(schema['pattern']));
        }
        if (schema['format'] === 'uuid') return fc.oneof(fc.constant(things['node']!), fc.uuid());
        const known = knownFor(name, things);
        const any = fc.string({ minLength: Number(schema['minLength'] ?? 0), maxLength: 30 });
        return known.length > 0 ? fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...known) }, any) : any;
      }
      case 'array':
        return fc.array(inner(schema['items'], name), {
          minLength: Math.min(3, Number(schema['minItems'] ?? 0)),
          maxLength: 3,
        });
      default: {
        if (depth > MAX_DEPTH) return fc.constant({});
        const properties = isJsonObject(schema['properties']) ? schema['properties'] : undefined;
        if (!properties) return fc.dictionary(fc.string({ maxLength: 8 }), junk, { maxKeys: 3 });
        const required = Array.isArray(schema['required']) ? schema['required'].map(String) : [];
        const record = Object.fromEntries(Object.entries(properties).map(([key, at]) => [key, inner(at, key)]));
        // Of many optional fields nearly all are left out: one that is wrong would hide the others.
        const kept = fc.subarray(Object.keys(record), { maxLength: Math.min(3, Object.keys(record).length) });
        return kept.chain((keys) =>
          fc.record(
            Object.fromEntries(Object.entries(record).filter(([key]) => keys.includes(key) || required.includes(key))),
          ),
        ) as fc.Arbitrary<Json>;
      }
    }
  };
  return fc.oneof(...types.map(ofType));
}

/** A patch of the resource: fields of the body that makes one, with values that fit them. */
function patchOf(operation: OperationSpec, things: Things): fc.Arbitrary<Json> {
  const create = OPERATIONS.find(
    (o) => o.method === 'POST' && o.bodySchema && operation.path.startsWith(`${o.path}/{`),
  );
  const { properties } = resolved((create?.bodySchema ?? {}) as JsonObject);
  const fields = isJsonObject(properties) ? Object.entries(properties) : [];
  const known = fields.map(([name, schema]) =>
    fromSchema(isJsonObject(schema) ? schema : {}, things, name).map((value) => ({ path: `/${name}`, value })),
  );
  const other = fc.record({
    path: fc.constantFrom(
      '/extra/a',
      '/extra/a~1b',
      '/extra/-',
      '/driver_info/ipmi_password',
      '/properties/cpus',
      '/instance_info/a/b',
      '/steps/0',
      '/traits/0',
      '/maintenance',
      '/maintenance_reason',
      '/nosuch',
      '/constructor',
      '/extra/__proto__',
      '/uuid',
      '/links',
      '/created_at',
    ),
    value: junk,
  });
  const one = fc
    .tuple(
      fc.constantFrom('add', 'replace', 'add', 'remove'),
      fc.oneof({ weight: 2, arbitrary: other }, ...known.map((arbitrary) => ({ weight: 1, arbitrary }))),
    )
    .map(([op, { path, value }]): Json => (op === 'remove' ? { op, path } : { op, path, value }));
  return fc.array(one, { minLength: 1, maxLength: 2 });
}

/** One place of the document is made wrong: another type, an unknown field, one field less. */
function broken(document: Json): fc.Arbitrary<Json> {
  if (Array.isArray(document) && document.length > 0)
    return fc.oneof(
      junk,
      fc.nat(document.length - 1).chain((i) => broken(document[i]!).map((bad): Json => document.toSpliced(i, 1, bad))),
      fc.constant<Json>([...document, ...document]),
    );
  if (!isJsonObject(document)) return junk;
  const names = Object.keys(document);
  const ways: fc.Arbitrary<Json>[] = [
    junk,
    fc.tuple(fc.oneof(fc.constantFrom('nosuch', '__proto__', 'constructor', ''), text), junk).map(([name, value]) => {
      const more: JsonObject = { ...document };
      Object.defineProperty(more, name, { value, enumerable: true, configurable: true, writable: true });
      return more;
    }),
  ];
  if (names.length > 0)
    ways.push(
      fc.constantFrom(...names).chain((name) => broken(document[name]!).map((bad) => ({ ...document, [name]: bad }))),
      fc
        .constantFrom(...names)
        .map((name) => Object.fromEntries(Object.entries(document).filter(([other]) => other !== name))),
    );
  return fc.oneof(...ways);
}

const bodyText = (document: Json): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 5, arbitrary: fc.constant(JSON.stringify(document)) },
    { weight: 6, arbitrary: broken(document).map((bad) => JSON.stringify(bad)) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        '{',
        '[1,]',
        'nothing',
        '"\\ud83d"',
        '{"a":1}{"b":2}',
        '\ufeff{}',
        '1e999',
        '{"a":NaN}',
      ),
    },
  );

const versions = fc.oneof(
  { weight: 14, arbitrary: fc.constantFrom('1.115', 'latest') },
  { weight: 5, arbitrary: fc.integer({ min: 1, max: 115 }).map((n) => `1.${n}`) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '',
      '1',
      '1.0',
      '1.116',
      '2.1',
      '-1.5',
      '1.1.1',
      'newest',
      '1.9999999999',
      '1.\u00b9',
      'x'.repeat(900),
    ),
  },
);
/** What HTTP lets a header hold. */
const headerValue = fc.oneof(
  fc.constantFrom(
    '',
    '*',
    '"',
    'W/"x"',
    '"a", "b"',
    ',',
    '\u00ff',
    'req-1',
    'wait=',
    'wait=x',
    'bytes=0-',
    'x'.repeat(2_000),
  ),
  fc.string({ maxLength: 30 }).map((value) => value.replaceAll(/[^\u0020-\u007e\u00a0-\u00ff]/g, '')),
);
const HEADERS = [
  'If-Match',
  'If-None-Match',
  'Idempotency-Key',
  'X-OpenStack-Request-Id',
  'OpenStack-API-Version',
  'Accept',
  'Content-Type',
  'Prefer',
  'Last-Event-ID',
  'X-Forwarded-For',
  'Authorization',
];
const headers = fc
  .tuple(
    versions,
    fc.oneof(
      { weight: 3, arbitrary: fc.constant({}) },
      { weight: 1, arbitrary: fc.dictionary(fc.constantFrom(...HEADERS), headerValue, { maxKeys: 3 }) },
    ),
  )
  .map(([version, more]) => ({ ...more, 'X-OpenStack-Ironic-API-Version': version }));

const documentOf = (operation: OperationSpec, things: Things): fc.Arbitrary<Json> =>
  operation.method === 'PATCH' && !operation.path.includes('vendor_passthru')
    ? patchOf(operation, things)
    : fromSchema(operation.bodySchema as JsonObject, things);

/** A request of the operation: mostly about things that are there, often with something wrong. */
export function requestOf(operation: OperationSpec, things: Things): fc.Arbitrary<DrawnRequest> {
  const names = [...operation.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!);
  const ident = (name: string) =>
    fc.oneof(
      { weight: 8, arbitrary: fc.constantFrom(things[name] ?? 'x', ...(name === 'node' ? [things['name']!] : [])) },
      { weight: 1, arbitrary: fc.uuid() },
      { weight: 1, arbitrary: text.map((value) => encodeURIComponent(value.toWellFormed())) },
      { weight: 1, arbitrary: fc.constantFrom('%', '%00', '%ff', 'a%2fb', 'x.json', '%252e') },
    );
  const path = fc
    .tuple(...names.map(ident))
    .map((values) => operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => values[names.indexOf(name)]!));
  const parameters = operation.parameters.filter((p) => p.in === 'query');
  const parameter = fc.oneof(
    ...parameters.map((p) =>
      fc
        .oneof(
          { weight: 3, arbitrary: fromSchema(p.schema as JsonObject, things, p.name).map(String) },
          { weight: 1, arbitrary: text },
        )
        .map((value) => [p.name, value] as const),
    ),
    fc.tuple(fc.constantFrom('nosuch', '__proto__', ''), text),
  );
  const query = fc.oneof(
    { weight: 5, arbitrary: fc.constant([]) },
    { weight: parameters.length > 0 ? 15 : 1, arbitrary: fc.array(parameter, { maxLength: 3 }) },
  );
  const body = operation.bodySchema
    ? fc.option(documentOf(operation, things).chain(bodyText), { nil: undefined, freq: 15 })
    : fc.constant(undefined);
  return fc.record({ path, query, body, headers });
}
