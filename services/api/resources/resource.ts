/** A plain resource as the API shows it: one table of fields, from which listing, showing, creating, patching and removing follow. */
import { isDeepStrictEqual } from 'node:util';
import { formatTime, isUuid, type Json, type JsonObject, normalizeMac, ServiceError } from '@bessemer/core';
import type { Page, Repositories, ResourcePatch, ResourceRepository } from '@bessemer/db';
import { checkDocument } from '../http/operations.ts';
import { applyPatch, type PatchOperation } from '../http/patch.ts';
import { booleanParameter, fieldsOf, pageOf, strictBoolean } from '../http/query.ts';
import { needsVersion } from '../http/versions.ts';
import { type ApiRequest, type ApiServices, created, type Handler, noContent, ok, type Reply } from '../request.ts';
import { collection, linksTo } from '../views/links.ts';

/** `json` is an object, `{}` when null; `list` is an array, `[]` when null; `mac` is a MAC address. */
export type FieldKind = 'text' | 'number' | 'boolean' | 'json' | 'list' | 'time' | 'mac';

export interface Field<T> {
  readonly wire: string;
  /** Least microversion 1.N that knows the field. */
  readonly since: number;
  readonly kind: FieldKind;
  readonly key: keyof T & string;
  /** May be given at creation; `patch` also afterwards. */
  readonly writable: 'never' | 'create' | 'patch';
  /** What null means for a boolean. */
  readonly otherwise?: boolean;
  /** Lists cannot be sorted by it. */
  readonly sortable?: false;
  /** May be changed by a patch but not removed. */
  readonly mandatory?: true;
  /** Shown instead of the plain value. */
  readonly show?: (item: T, minor: number) => Json;
}

/** What is about to be written. */
export interface Change<T> {
  /** Undefined for a new item. */
  readonly found: T | undefined;
  readonly patch: ResourcePatch<T>;
  /** Names of the fields that are given for a new item, or get another value. */
  readonly touched: ReadonlySet<string>;
  readonly request: ApiRequest;
  readonly services: ApiServices;
}

export interface ResourceSpec<T extends { readonly uuid: string }, F extends object> {
  /** Key of the list in answers and the path below /v1, as `portgroups` and `volume/targets`. */
  readonly collection: string;
  readonly path: string;
  /** Name of the path parameter. */
  readonly param: string;
  /** What Ironic calls it, and the microversion from which on it may be a name; undefined: never. */
  readonly ident: {
    readonly called: string;
    readonly namesSince?: number;
    /** The part of Ironic that finds the controller refuses it already, and has its own name for it. */
    readonly route?: string;
  };
  readonly fields: ReadonlyArray<Field<T>>;
  /** Fields of a list without detail; undefined: all. */
  readonly summary?: readonly string[];
  /** What is said when both fields and detail are asked for. */
  readonly refusal?: string;
  /** Links to what lies below an item, with the microversion they came with; shown in full views. */
  readonly below?: ReadonlyArray<readonly [name: string, since: number]>;
  /** Ironic wraps the links below a chassis in one more list. */
  readonly wrapsBelow?: true;
  readonly notFound: (ident: string) => ServiceError;
  readonly repository: (tx: Repositories) => ResourceRepository<T, F>;
  /** The list's filter, from query and path. Undefined: nothing can match. */
  readonly filterOf?: (request: ApiRequest, services: ApiServices) => Promise<F | undefined>;
  /** Looks at one value by itself, before it is asked whether the microversion knows its field. @throws ServiceError. */
  readonly validate?: (wire: string, value: Json, request: ApiRequest) => void;
  /** Ironic looks at the names in a patch before it looks for the item. */
  readonly patchNamesFirst?: true;
  /** The domain's value of one field, where the kind does not say it all; undefined: as the kind says. */
  readonly parse?: (wire: string, value: Json, request: ApiRequest, services: ApiServices) => Promise<unknown>;
  /** Looks at the whole of a new or patched item. @throws ServiceError. */
  readonly check?: (item: ResourcePatch<T>, request: ApiRequest, services: ApiServices) => void | Promise<void>;
  /** In the transaction, before it is written. @throws ServiceError. */
  readonly mayWrite?: (tx: Repositories, change: Change<T>) => Promise<void>;
  readonly mayRemove?: (tx: Repositories, found: T) => Promise<void>;
  /** After the commit, with the item as created. */
  readonly onCreated?: (item: T, request: ApiRequest, services: ApiServices) => Promise<void>;
}

export interface ResourceHandlers<T> {
  readonly list: Handler;
  readonly listDetail: Handler;
  readonly get: Handler;
  readonly create: Handler;
  readonly patch: Handler;
  readonly remove: Handler;
  /** A page of the resource under another path, such as a node's. */
  listAt(request: ApiRequest, services: ApiServices, path: string, isDetail?: boolean): Promise<Reply>;
  find(ident: string, services: ApiServices): Promise<T>;
  /** The item that the path names. @throws INVALID_PARAMETER for what is no ident, and the resource's NOT_FOUND. */
  found(request: ApiRequest, services: ApiServices): Promise<T>;
  view(item: T, request: ApiRequest): JsonObject;
}

/** The field's row. Writable by POST and PATCH unless told. */
export const fieldsFor =
  <T>() =>
  (
    wire: string,
    since: number,
    kind: FieldKind,
    key: keyof T & string,
    options: Partial<Pick<Field<T>, 'writable' | 'otherwise' | 'sortable' | 'mandatory' | 'show'>> = {},
  ): Field<T> => ({ wire, since, kind, key, writable: 'patch', ...options });

/** uuid and the two times, which every resource has. */
export const commonFields = <T extends { uuid: string; createdAt: number; updatedAt: number | null }>(
  since: number,
): ReadonlyArray<Field<T>> => [
  { wire: 'uuid', since, kind: 'text', key: 'uuid', writable: 'create' },
  { wire: 'created_at', since, kind: 'time', key: 'createdAt', writable: 'never' },
  { wire: 'updated_at', since, kind: 'time', key: 'updatedAt', writable: 'never' },
];

const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i;
/** Names, and MAC addresses, by which ports are found too. */
export const LOGICAL_NAME = /^[A-Za-z0-9._~:-]+$/;

/** A MAC address with colons, in lower case: another notation is another text to a client that compares it with what it gave. */
export const plainMac = (text: string): string | undefined => (MAC.test(text) ? normalizeMac(text) : undefined);

/** @throws INVALID_PARAMETER. */
export function macOf(wire: string, value: Json): string {
  const mac = plainMac(String(value));
  if (!mac)
    throw new ServiceError(
      'INVALID_PARAMETER',
      `Expected valid MAC address for ${wire}: ${String(value).slice(0, 60)}`,
    );
  return mac;
}

/** @throws INVALID_PARAMETER. */
export function uuidOf(wire: string, value: Json): string {
  if (typeof value !== 'string' || !isUuid(value))
    throw new ServiceError('INVALID_PARAMETER', `Expected UUID for ${wire}: ${String(value).slice(0, 60)}`);
  return value.toLowerCase();
}

function plainValue(field: Field<never>, value: Json): unknown {
  switch (field.kind) {
    case 'boolean':
      return value === null ? (field.otherwise ?? false) : strictBoolean(field.wire, value);
    case 'json':
      return value ?? {};
    case 'list':
      return value ?? [];
    case 'mac':
      return value === null ? null : macOf(field.wire, value);
    default:
      return value;
  }
}

/** Undoes a transaction that would have overwritten what another one made. */
class ChangedMeanwhile extends Error {}

export function createResource<T extends { readonly uuid: string }, F extends object>(
  spec: ResourceSpec<T, F>,
): ResourceHandlers<T> {
  const { fields, path } = spec;
  const byWire = new Map(fields.map((f) => [f.wire, f]));
  const all = fields.map((f) => f.wire);
  const since = (wire: string) => byWire.get(wire)?.since ?? 1;
  const table = { summary: spec.summary ?? all, all, since, ...(spec.refusal ? { refusal: spec.refusal } : {}) };
  const isSortable = (f: Field<T>) => !['json', 'list'].includes(f.kind);
  const sortKeys = fields.filter((f) => isSortable(f) && f.sortable !== false).map((f) => f.wire);
  const otherKeys = fields.filter((f) => !isSortable(f)).map((f) => f.wire);
  const writable = fields.filter((f) => f.writable === 'patch').map((f) => f.wire);

  const show = (item: T, wire: string, minor: number): Json => {
    const field = byWire.get(wire)!;
    if (field.show) return field.show(item, minor);
    const value = item[field.key];
    return field.kind === 'time' ? formatTime(value as number | null) : (value as Json);
  };
  const view = (item: T, wanted: readonly string[], isFull: boolean, request: ApiRequest): JsonObject => {
    const body: JsonObject = {};
    for (const wire of wanted) body[wire] = show(item, wire, request.minor);
    body['links'] = linksTo(request.base, `${path}/${item.uuid}`);
    if (isFull)
      for (const [name, least] of spec.below ?? [])
        if (least <= request.minor) {
          const links = linksTo(request.base, `${path}/${item.uuid}/${name}`);
          body[name] = spec.wrapsBelow ? [links] : links;
        }
    return body;
  };
  const full = (item: T, request: ApiRequest): JsonObject =>
    view(
      item,
      all.filter((wire) => since(wire) <= request.minor),
      true,
      request,
    );

  const find = async (ident: string, services: ApiServices): Promise<T> => {
    const item = await spec.repository(services.db.read).find(ident);
    if (!item) throw spec.notFound(ident);
    return item;
  };
  const identOf = ({ params, minor }: ApiRequest): string => {
    const ident = params[spec.param]!;
    const { called, namesSince, route } = spec.ident;
    const takesNames = namesSince !== undefined && minor >= namesSince;
    if (!isUuid(ident) && !(takesNames && LOGICAL_NAME.test(ident)))
      throw new ServiceError(
        'INVALID_PARAMETER',
        `Expected UUID ${takesNames ? 'or name ' : ''}for ${route ?? called}: ${ident.slice(0, 60)}`,
        { context: { isRoute: route !== undefined } },
      );
    return ident;
  };
  const found = (request: ApiRequest, services: ApiServices) => find(identOf(request), services);

  const listAt = async (request: ApiRequest, services: ApiServices, at: string, isDetail = false): Promise<Reply> => {
    const { query, minor } = request;
    const wanted = fieldsOf(query, isDetail, table, minor);
    const asked = byWire.get(query.get('sort_key') ?? '');
    if (asked && asked.writable !== 'never') needsVersion(`Sorting by ${asked.wire}`, asked.since, minor);
    const page: Page = pageOf(query, services.config.max_limit, sortKeys, otherKeys);
    if (page.sortKey) needsVersion(`Sorting by ${page.sortKey}`, since(page.sortKey), minor);
    const filter = spec.filterOf ? await spec.filterOf(request, services) : ({} as F);
    const items = filter === undefined ? [] : await spec.repository(services.db.read).list(filter, page);
    const isFull = !wanted.isExplicit && (isDetail || booleanParameter(query, 'detail') === true);
    return ok(
      collection(
        spec.collection,
        items.map((item) => view(item, wanted.fields, isFull, request)),
        { base: request.base, path: at, limit: page.limit, query, marker: items.at(-1)?.uuid },
      ),
    );
  };

  const patchFrom = async (body: JsonObject, request: ApiRequest, services: ApiServices): Promise<ResourcePatch<T>> => {
    const patch: Record<string, unknown> = {};
    const given = Object.entries(body).filter(([wire]) => byWire.has(wire) && wire !== 'uuid');
    for (const [wire, value] of given) {
      const field = byWire.get(wire)!;
      spec.validate?.(wire, value, request);
      patch[field.key] = plainValue(field as Field<never>, value);
    }
    for (const [wire] of given) needsVersion(`The field ${wire}`, since(wire), request.minor);
    for (const [wire, value] of given) {
      const own = await spec.parse?.(wire, value, request, services);
      if (own !== undefined) patch[byWire.get(wire)!.key] = own;
    }
    return patch as ResourcePatch<T>;
  };

  return {
    listAt,
    find,
    found,
    view: full,
    list: (request, services) => listAt(request, services, path),
    listDetail: (request, services) => listAt(request, services, `${path}/detail`, true),
    async get(request, services) {
      const item = await found(request, services);
      if (!request.query.has('fields')) return ok(full(item, request));
      return ok(view(item, fieldsOf(request.query, false, table, request.minor).fields, false, request));
    },
    async create(request, services) {
      const body = request.body as JsonObject;
      const uuid = uuidOf('uuid', body['uuid'] ?? services.random.uuid());
      const patch = await patchFrom(body, request, services);
      await spec.check?.(patch, request, services);
      const item = await services.db.write(`create ${path}`, async (tx) => {
        await spec.mayWrite?.(tx, { found: undefined, patch, touched: new Set(Object.keys(body)), request, services });
        return spec.repository(tx).create({ uuid, ...patch } as { uuid: T['uuid'] } & ResourcePatch<T>);
      });
      await spec.onCreated?.(item, request, services);
      return created(full(item, request), `${request.base}/v1/${path}/${item.uuid}`);
    },
    async patch(request, services) {
      const ident = identOf(request);
      const operations = request.body as unknown as PatchOperation[];
      const early = spec.patchNamesFirst ? undefined : await find(ident, services);
      const rootOf = ({ path: at }: PatchOperation) => at.split('/')[1]!;
      const touched = new Set(operations.map(rootOf));
      const allowed = writable.filter((wire) => since(wire) <= request.minor).toSorted();
      const bad = operations.find((o) => !writable.includes(rootOf(o)));
      if (bad)
        throw new ServiceError(
          'INVALID_PARAMETER',
          `Cannot patch ${bad.path}. Only the following can be updated: ${allowed.join(', ')}`,
        );
      for (const wire of touched) needsVersion(`The field ${wire}`, since(wire), request.minor);
      // What a patch makes depends on what was there: if that was changed meanwhile, it is made anew.
      for (let before = early ?? (await find(ident, services)); ; before = await find(ident, services)) {
        const document: JsonObject = {};
        for (const wire of allowed) document[wire] = before[byWire.get(wire)!.key] as Json;
        const after = applyPatch(document, operations, request.minor);
        for (const { wire, mandatory } of fields)
          if (mandatory && allowed.includes(wire) && !(wire in after))
            throw new ServiceError('INVALID_PARAMETER', `'${wire}' is a mandatory attribute and can not be removed`);
        checkDocument(request.operation, after);
        const changed = Object.fromEntries([...touched].map((wire) => [wire, after[wire] ?? null]));
        const patch = await patchFrom(changed, request, services);
        await spec.check?.({ ...before, ...patch }, request, services);
        // What is set to the value that it has is no change: it is neither refused nor dated.
        const isSame = (wire: string) => {
          const key = byWire.get(wire)!.key as keyof ResourcePatch<T>;
          return isDeepStrictEqual(patch[key], before[key as keyof T]);
        };
        const real = new Set([...touched].filter((wire) => !isSame(wire)));
        try {
          const item = await services.db.write(`patch ${path}`, async (tx) => {
            const now = await spec.repository(tx).find(before.uuid);
            if (!now) throw spec.notFound(before.uuid);
            if (!isDeepStrictEqual(now, before)) throw new ChangedMeanwhile();
            await spec.mayWrite?.(tx, { found: before, patch, touched: real, request, services });
            return real.size === 0 ? before : spec.repository(tx).update(before.uuid, patch);
          });
          return ok(full(item, request));
        } catch (error) {
          if (!(error instanceof ChangedMeanwhile)) throw error;
        }
      }
    },
    async remove(request, services) {
      const item = await found(request, services);
      await services.db.write(`delete ${path}`, async (tx) => {
        await spec.mayRemove?.(tx, item);
        await spec.repository(tx).remove(item.uuid);
      });
      return noContent;
    },
  };
}
