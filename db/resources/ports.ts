/** Ports. */
import { isUuid, normalizeMac, ServiceError } from '@bessemer/core';
import type { Port } from '@bessemer/core';
import type { PortRepository } from '../repositories.ts';
import { fromRow, PORT_COLUMNS, toColumns } from '../rows.ts';
import { likePattern, planPage } from '../statements/paging.ts';
import { first, param, statement, statementFamily } from '../statements/statement.ts';
import type { Builder, Row, Value } from '../statements/statement.ts';
import { isForeignKeyViolation, isUniqueViolation } from '../statements/violations.ts';
import type { Context } from './context.ts';

const NAMES = Object.keys(PORT_COLUMNS);
const SORTABLE = Object.fromEntries(
  NAMES.filter((name) => !['json', 'sealed'].includes(PORT_COLUMNS[name]!.kind)).map((name) => [name, name]),
);
const byUuid = statement((b) => b.knex('ports').where('uuid', param('ident')).select(NAMES));
const byAddress = statement((b) => b.knex('ports').where('address', param('ident')).select(NAMES));
const byName = statement((b) => b.knex('ports').where('name', param('ident')).select(NAMES));
const deletePort = statement((b) => b.knex('ports').where('uuid', param('uuid')).delete());
const inserts = statementFamily();
const updates = statementFamily();
const lists = statementFamily();

const DEFAULTS = { extra: {}, internalInfo: {}, localLinkConnection: {}, pxeEnabled: true, isSmartnic: false };
const NOT_PATCHED = new Set(['uuid', 'createdAt', 'updatedAt']);

const notFound = (uuid: string) => new ServiceError('PORT_NOT_FOUND', `Port ${uuid} could not be found.`);

export function createPortRepository({ sql, cipher }: Context): PortRepository {
  const toPort = (row: Row): Port => fromRow(row, PORT_COLUMNS, cipher, String(row['uuid'])) as unknown as Port;

  const columnsOf = (uuid: string, patch: Readonly<Record<string, unknown>>): Record<string, Value> => {
    for (const property of Object.keys(patch))
      if (NOT_PATCHED.has(property)) throw new TypeError(`${property} is not changed by update`);
    const values = toColumns(patch, PORT_COLUMNS, cipher, uuid);
    const address = values['address'];
    if (address !== undefined) {
      const mac = normalizeMac(String(address));
      if (!mac) throw new ServiceError('INVALID_PARAMETER', `Expected a MAC address but received ${address}.`);
      values['address'] = mac;
    }
    return values;
  };
  const taken = (uuid: string, values: Record<string, Value>, which: string, cause?: unknown) =>
    new ServiceError(
      'PORT_ALREADY_EXISTS',
      which.includes('address')
        ? `A port with MAC address ${values['address']} already exists.`
        : which.includes('name')
          ? `A port with name ${values['name']} already exists.`
          : `A port with UUID ${uuid} already exists.`,
      { cause },
    );
  const missingReference = (values: Record<string, Value>) =>
    new ServiceError(
      'INVALID_PARAMETER',
      `The port names a node (${values['node_uuid'] ?? 'unchanged'}) or a network (${values['network_uuid'] ?? 'none'}) that does not exist.`,
    );

  const find = async (ident: string): Promise<Port | undefined> => {
    const mac = normalizeMac(ident);
    const row = isUuid(ident)
      ? await first(sql, byUuid, { ident: ident.toLowerCase() })
      : mac !== undefined
        ? await first(sql, byAddress, { ident: mac })
        : await first(sql, byName, { ident });
    return row && toPort(row);
  };
  const mustFind = async (uuid: string): Promise<Port> => {
    const port = await find(uuid);
    if (!port) throw notFound(uuid);
    return port;
  };

  return {
    find,
    async create({ uuid, ...patch }) {
      const values: Record<string, Value> = { ...columnsOf(uuid, { ...DEFAULTS, ...patch }), uuid };
      const columns = Object.keys(values).toSorted();
      const insert = inserts(columns.join(), (b) =>
        b
          .knex('ports')
          .insert({ ...Object.fromEntries(columns.map((c) => [c, param(c)])), created_at: b.now() })
          .onConflict()
          .ignore(),
      );
      try {
        if ((await sql.run(insert, values)) === 0) {
          const sameAddress = await first(sql, byAddress, { ident: values['address'] ?? null });
          const sameUuid = await first(sql, byUuid, { ident: uuid });
          throw taken(uuid, values, sameAddress ? 'address' : sameUuid ? 'uuid' : 'name');
        }
      } catch (error) {
        throw isForeignKeyViolation(error) ? missingReference(values) : error;
      }
      return mustFind(uuid);
    },
    async list(filter, page) {
      const paging = await planPage(sql, page, PAGED);
      const shape = Object.entries(filter)
        .flatMap(([name, value]) => (value === undefined ? [] : [name]))
        .toSorted()
        .join();
      const query = lists(`${shape} | ${paging.shape}`, (b) => {
        const q = b.knex('ports').select(NAMES);
        if (filter.nodeUuid !== undefined) q.where('node_uuid', param('nodeUuid'));
        if (filter.address !== undefined) q.where('address', param('address'));
        if (filter.portgroupUuid !== undefined) q.where('portgroup_uuid', param('portgroupUuid'));
        if (filter.descriptionContains !== undefined)
          q.whereRaw(`lower(description) like ? escape '\\'`, [param('description')]);
        paging.apply(q, b);
        return { query: q, limit: 'limit' };
      });
      const rows = await sql.all(query, {
        ...paging.params,
        nodeUuid: filter.nodeUuid?.toLowerCase() ?? null,
        address: normalizeMac(filter.address ?? '') ?? filter.address ?? null,
        portgroupUuid: filter.portgroupUuid?.toLowerCase() ?? null,
        description: likePattern(filter.descriptionContains ?? ''),
      });
      return rows.map(toPort);
    },
    async update(uuid, patch) {
      const values = columnsOf(uuid, patch);
      const columns = Object.keys(values).toSorted();
      const update = updates(columns.join(), (b) =>
        b
          .knex('ports')
          .where('uuid', param('uuid'))
          .update({ ...Object.fromEntries(columns.map((c) => [c, param(c)])), updated_at: b.later('updated_at') }),
      );
      try {
        if ((await sql.run(update, { ...values, uuid })) === 0) throw notFound(uuid);
      } catch (error) {
        if (isUniqueViolation(error)) throw taken(uuid, values, error instanceof Error ? error.message : '', error);
        throw isForeignKeyViolation(error) ? missingReference(values) : error;
      }
      return mustFind(uuid);
    },
    async remove(uuid) {
      if ((await sql.run(deletePort, { uuid })) === 0) throw notFound(uuid);
    },
  };
}

const PAGED = {
  name: 'ports',
  id: 'id',
  uuid: 'uuid',
  noun: 'port',
  columns: SORTABLE,
  from: (b: Builder) => b.knex.queryBuilder().from('ports'),
};
