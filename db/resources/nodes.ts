/** Nodes. */
import { isUuid, ServiceError } from '@bessemer/core';
import type { InterfaceKind, Node, NodeId, Reservation, SessionId } from '@bessemer/core';
import type { NodeFilter, NodePatch, NodeRepository, Page } from '../repositories.ts';
import { fromRow, INTERFACE_COLUMNS, NODE_COLUMNS, toColumns } from '../rows.ts';
import { maskSealed } from '../secrets.ts';
import { planPage } from '../statements/paging.ts';
import { first, param, statement, statementFamily } from '../statements/statement.ts';
import type { Builder, Row, Value } from '../statements/statement.ts';
import { isForeignKeyViolation, isUniqueViolation } from '../statements/violations.ts';
import { nodeNotFound, requireFence } from './context.ts';
import type { Context } from './context.ts';
import { lastEventId } from './events.ts';
import { createNodeDocuments } from './node-documents.ts';
import { createLeases } from './node-leases.ts';
import { createProvisioning } from './node-provisioning.ts';
import { fromNodes, nodeConditions, SELECTABLE, selectWhole, SORTABLE } from './node-queries.ts';

const getNode = statement((b) => selectWhole(b).where('n.uuid', param('uuid')));
const getNodeByName = statement((b) => selectWhole(b).where('n.name', param('name')));
const findConflict = statement((b) =>
  b
    .knex('nodes')
    .where('uuid', param('uuid'))
    .orWhere('name', param('name'))
    .orWhere('instance_uuid', param('instance_uuid'))
    .select('uuid', 'name', 'instance_uuid'),
);
const countByShard = statement((b) =>
  b.knex('nodes').select('shard').count('* as found').groupBy('shard').orderBy('found', 'desc').orderBy('shard'),
);
const deleteNode = statement((b) => b.knex('nodes').where('uuid', param('uuid')).delete());
const insertLease = statement((b) => b.knex('node_leases').insert({ node_uuid: param('uuid') }));
const insertPower = statement((b) =>
  b.knex('node_power').insert({
    node_uuid: param('uuid'),
    power_state: param('power_state'),
    target_power_state: param('target_power_state'),
  }),
);
const inserts = statementFamily();
const updates = statementFamily();
const powerUpdates = statementFamily();
const lists = statementFamily();
const valuesByIdent = statementFamily();

/** A lessee that stays sees what it saw; another one sees what happens from now on. */
const lentAfter = (b: Builder) =>
  b.knex.raw('case when lessee is distinct from ? then ? else lent_after end', [param('lessee'), lastEventId(b)]);

/** What a column holds when a new node does not say. */
const DEFAULTS: NodePatch = {
  driverInfo: {},
  driverInternalInfo: {},
  properties: {},
  instanceInfo: {},
  extra: {},
  networkData: {},
  raidConfig: {},
  targetRaidConfig: {},
  traits: [],
  cleanStep: {},
  deployStep: {},
  serviceStep: {},
  conductorGroup: '',
};
/** Columns with functions of their own. */
const NOT_PATCHED = new Set([
  'uuid',
  'createdAt',
  'updatedAt',
  'reservation',
  'provisionState',
  'targetProvisionState',
  'provisionUpdatedAt',
]);

export function createNodeRepository(context: Context): NodeRepository {
  const { sql, cipher } = context;

  const toNode = (row: Row): Node => {
    const uuid = String(row['uuid']);
    const interfaces: Partial<Record<InterfaceKind, string>> = {};
    for (const column in INTERFACE_COLUMNS) {
      const value = row[column];
      if (typeof value === 'string') interfaces[INTERFACE_COLUMNS[column]!] = value;
    }
    const reservation: Reservation | null =
      row['lease_session'] === null
        ? null
        : {
            session: row['lease_session'] as SessionId,
            conductor: String(row['lease_conductor']),
            purpose: String(row['lease_purpose']),
            fence: Number(row['lease_fence']),
          };
    return { ...fromRow(row, NODE_COLUMNS, cipher, uuid), interfaces, reservation } as unknown as Node;
  };

  /** The columns of a patch, those of `nodes` apart from those of `node_power`. */
  const split = (uuid: string, patch: NodePatch): { wide: Record<string, Value>; power: Record<string, Value> } => {
    const { interfaces, ...others } = patch;
    for (const property of Object.keys(others))
      if (NOT_PATCHED.has(property)) throw new TypeError(`${property} is not changed by update`);
    const wide: Record<string, Value> = {};
    const power: Record<string, Value> = {};
    for (const [name, value] of Object.entries(toColumns(others, NODE_COLUMNS, cipher, uuid)))
      (NODE_COLUMNS[name]!.table === 'p' ? power : wide)[name] = value;
    if (interfaces)
      for (const column in INTERFACE_COLUMNS) wide[column] = interfaces[INTERFACE_COLUMNS[column]!] ?? null;
    return { wide, power };
  };

  const get = async (uuid: NodeId): Promise<Node | undefined> => {
    const row = await first(sql, getNode, { uuid });
    return row && toNode(row);
  };
  const mustGet = async (uuid: NodeId): Promise<Node> => {
    const node = await get(uuid);
    if (!node) throw nodeNotFound(uuid);
    return node;
  };

  const conflict = async (uuid: string, wide: Record<string, Value>): Promise<ServiceError> => {
    const name = wide['name'] ?? null;
    const instance = wide['instance_uuid'] ?? null;
    const others = await sql.all(findConflict, { uuid, name, instance_uuid: instance });
    const taken = (message: string) => new ServiceError('NODE_ALREADY_EXISTS', message, { context: { node: uuid } });
    if (name !== null && others.some((o) => o['name'] === name && o['uuid'] !== uuid))
      return taken(`A node with name ${name} already exists.`);
    if (instance !== null && others.some((o) => o['instance_uuid'] === instance && o['uuid'] !== uuid))
      return taken(
        `Instance ${instance} is already associated with a node, it cannot be associated with this other node ${uuid}`,
      );
    return taken(`A node with UUID ${uuid} already exists.`);
  };
  const noChassis = (uuid: Value | undefined): ServiceError =>
    new ServiceError('CHASSIS_NOT_FOUND', `Chassis ${uuid} could not be found.`);

  const valuesOf = async (wanted: ColumnSet, filter: NodeFilter, page: Page): Promise<Value[][]> => {
    const conditions = nodeConditions(filter);
    const paging = await planPage(sql, page, PAGED);
    const query = lists(`${wanted.shape} ${conditions.shape} | ${paging.shape}`, (b) => {
      const q = selectColumns(b, wanted, [...conditions.columns, SORTABLE[page.sortKey ?? ''] ?? 'n.id']);
      conditions.apply(q, b);
      paging.apply(q, b);
      return { query: q, limit: 'limit' };
    });
    const rows = await sql.values(query, { ...conditions.params, ...paging.params });
    if (wanted.sealed.length > 0) for (const values of rows) withoutSecrets(values, wanted);
    return rows;
  };

  return {
    get,
    async create({ uuid, provisionState = 'enroll', ...patch }) {
      const { wide, power } = split(uuid, { ...DEFAULTS, ...patch });
      const values: Record<string, Value> = { ...wide, uuid, provision_state: provisionState };
      const columns = Object.keys(values).toSorted();
      const insert = inserts(columns.join(), (b) =>
        b
          .knex('nodes')
          .insert({
            ...Object.fromEntries(columns.map((c) => [c, param(c)])),
            created_at: b.now(),
            // Events of a node that had the same uuid are no business of the lessee's.
            lent_after: lastEventId(b),
          })
          .onConflict()
          .ignore(),
      );
      try {
        if ((await sql.run(insert, values)) === 0) throw await conflict(uuid, values);
      } catch (error) {
        throw isForeignKeyViolation(error) ? noChassis(wide['chassis_uuid']) : error;
      }
      await sql.run(insertLease, { uuid });
      await sql.run(insertPower, {
        uuid,
        power_state: power['power_state'] ?? null,
        target_power_state: power['target_power_state'] ?? null,
      });
      return mustGet(uuid);
    },

    async find(ident) {
      const row = isUuid(ident)
        ? await first(sql, getNode, { uuid: ident.toLowerCase() })
        : await first(sql, getNodeByName, { name: ident });
      return row && toNode(row);
    },

    async list(filter, page) {
      const conditions = nodeConditions(filter);
      const paging = await planPage(sql, page, PAGED);
      const query = lists(`* ${conditions.shape} | ${paging.shape}`, (b) => {
        const q = selectWhole(b);
        conditions.apply(q, b);
        paging.apply(q, b);
        return { query: q, limit: 'limit' };
      });
      return (await sql.all(query, { ...conditions.params, ...paging.params })).map(toNode);
    },

    async listRows(columns, filter, page) {
      const wanted = columnSet([...new Set(columns)]);
      return (await valuesOf(wanted, filter, page)).map((values) =>
        Object.fromEntries(wanted.names.map((name, i) => [name, values[i]!])),
      );
    },
    listValues: async (columns, filter, page) => valuesOf(columnSet(columns), filter, page),

    async findValues(columns, ident, filter = {}) {
      const wanted = columnSet(columns);
      const conditions = nodeConditions({ ...filter, includeChildren: true });
      const byUuid = isUuid(ident);
      const query = valuesByIdent(`${wanted.shape} ${byUuid} ${conditions.shape}`, (b) => {
        const q = selectColumns(b, wanted, conditions.columns);
        conditions.apply(q.where(byUuid ? 'n.uuid' : 'n.name', param('ident')), b);
        return q;
      });
      const params = { ...conditions.params, ident: byUuid ? ident.toLowerCase() : ident };
      const [values] = await sql.values(query, params);
      return values && withoutSecrets(values, wanted);
    },

    async count(filter) {
      const conditions = nodeConditions(filter);
      const query = lists(`count ${conditions.shape}`, (b) => {
        const q = fromNodes(b, conditions.columns).count('* as found');
        conditions.apply(q, b);
        return q;
      });
      return Number((await first(sql, query, conditions.params))?.['found'] ?? 0);
    },

    async countByShard() {
      const rows = await sql.all(countByShard);
      return rows.map((row) => ({ name: row['shard'] as string | null, count: Number(row['found']) }));
    },

    async update(uuid, patch, fence) {
      if (fence !== undefined) await requireFence(context, uuid, fence);
      const { wide, power } = split(uuid, patch);
      const columns = Object.keys(wide).toSorted();
      const powerColumns = Object.keys(power).toSorted();
      if (columns.length > 0 || powerColumns.length === 0) {
        const update = updates(columns.join(), (b) =>
          b
            .knex('nodes')
            .where('uuid', param('uuid'))
            .update({
              ...Object.fromEntries(columns.map((c) => [c, param(c)])),
              ...(columns.includes('lessee') ? { lent_after: lentAfter(b) } : {}),
              updated_at: b.later('updated_at'),
            }),
        );
        try {
          if ((await sql.run(update, { ...wide, uuid })) === 0) throw nodeNotFound(uuid);
        } catch (error) {
          if (isUniqueViolation(error)) throw duplicate(uuid, wide, error);
          throw isForeignKeyViolation(error) ? noChassis(wide['chassis_uuid']) : error;
        }
      }
      if (powerColumns.length > 0) {
        const update = powerUpdates(powerColumns.join(), (b) =>
          b
            .knex('node_power')
            .where('node_uuid', param('uuid'))
            .update(Object.fromEntries(powerColumns.map((c) => [c, param(c)]))),
        );
        if ((await sql.run(update, { ...power, uuid })) === 0) throw nodeNotFound(uuid);
      }
      return mustGet(uuid);
    },

    async remove(uuid) {
      if ((await sql.run(deleteNode, { uuid })) === 0) throw nodeNotFound(uuid);
    },

    ...createLeases(context),
    ...createProvisioning(context, mustGet),
    ...createNodeDocuments(context),
  };
}

/** Columns that are asked for together. */
interface ColumnSet {
  readonly names: readonly string[];
  readonly shape: string;
  /** Where sealed values are. */
  readonly sealed: readonly number[];
}
/** Callers ask with the same arrays again and again. */
const columnSets = new WeakMap<readonly string[], ColumnSet>();

/** @throws ServiceError INVALID_PARAMETER for a name that is none. */
function columnSet(names: readonly string[]): ColumnSet {
  const known = columnSets.get(names);
  if (known) return known;
  for (const column of names)
    if (!Object.hasOwn(SELECTABLE, column))
      throw new ServiceError('INVALID_PARAMETER', `A node has no field "${column}".`);
  const sealed = names.flatMap((name, i) => (NODE_COLUMNS[name]?.kind === 'sealed' ? [i] : []));
  const made = { names, shape: names.join(), sealed };
  columnSets.set(names, made);
  return made;
}

/** The columns of a set in its order, from the tables that they and `more` are in. Each once: engines give rows as objects too. */
function selectColumns(b: Builder, { names }: ColumnSet, more: readonly string[]): ReturnType<typeof fromNodes> {
  const query = fromNodes(b, [...names.map((name) => SELECTABLE[name]!), ...more]);
  return query.select(names.map((name) => b.knex.ref(SELECTABLE[name]!).as(name)));
}

/** Sealed values masked in place: the driver made the list for this one answer. */
function withoutSecrets(values: Value[], { sealed }: ColumnSet): Value[] {
  for (const i of sealed) {
    const text = String(values[i]);
    if (text.includes('"v1:')) values[i] = maskSealed(text);
  }
  return values;
}

const PAGED = {
  name: 'nodes',
  id: 'n.id',
  uuid: 'n.uuid',
  noun: 'node',
  columns: SORTABLE,
  from: (b: Parameters<typeof fromNodes>[0]) => fromNodes(b, ['p.power_state', 'l.conductor']),
};

/** On PostgreSQL a failed update has ended the transaction, so the other node cannot be asked for: the patch tells. */
function duplicate(uuid: string, wide: Record<string, Value>, cause: unknown): ServiceError {
  const text = cause instanceof Error ? cause.message : '';
  const message = text.includes('instance_uuid')
    ? `Instance ${wide['instance_uuid']} is already associated with a node, it cannot be associated with this other node ${uuid}`
    : `A node with name ${wide['name']} already exists.`;
  return new ServiceError('NODE_ALREADY_EXISTS', message, { context: { node: uuid }, cause });
}
