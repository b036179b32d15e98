/**
 * Events, append-only. A cursor is `transaction-id`: on SQLite the transaction is always 0 and ids are visible in their order;
 * on PostgreSQL a row counts only when no transaction that could still add an earlier one is open.
 */
import { isUuid, ServiceError } from '@bessemer/core';
import type { EventType, JsonObject, NodeId, RunId, StoredEvent } from '@bessemer/core';
import type { Knex } from 'knex';
import type { EventFilter, EventRepository } from '../repositories.ts';
import { first, param, statement, statementFamily } from '../statements/statement.ts';
import type { Builder, Params, Row } from '../statements/statement.ts';
import type { Context } from './context.ts';

const append = statement((b) =>
  b.knex('events').insert({
    at: b.now(),
    type: param('type'),
    node_uuid: param('nodeUuid'),
    run_id: param('runId'),
    severity: param('severity'),
    data: param('data'),
  }),
);

/**
 * The id after which come the events that are yet to happen. On PostgreSQL the sequence knows it whatever the transaction has
 * seen: events that others are writing at this moment do not count.
 */
export const lastEventId = (b: Builder): Knex.Raw =>
  b.knex.raw(
    b.engine === 'sqlite'
      ? '(select coalesce(max(id), 0) from events)'
      : '(select case when is_called then last_value else 0 end from events_id_seq)',
  );

/** The events that nothing can be put before any more, with their cursor. */
function settled(b: Builder): Knex.QueryBuilder {
  const columns = ['id', 'at', 'type', 'node_uuid', 'run_id', 'severity', 'data'];
  return b.engine === 'sqlite'
    ? b.knex('events').select(columns)
    : b
        .knex('events')
        .select([...columns, b.knex.raw('xid::text as xid')])
        .whereRaw('xid < pg_snapshot_xmin(pg_current_snapshot())');
}
const order = (b: Builder, query: Knex.QueryBuilder, direction: 'asc' | 'desc') =>
  b.engine === 'sqlite'
    ? query.orderBy('id', direction)
    : query.orderBy('events.xid', direction).orderBy('id', direction);

const head = statement((b) => order(b, settled(b), 'desc').limit(1));
const queries = statementFamily();
const purge = statement((b) =>
  b.engine === 'sqlite'
    ? b.knex.raw('delete from events where id <= (select id from events order by id desc limit 1 offset ?)', [
        param('keep'),
      ])
    : b.knex.raw(
        'delete from events where (xid, id) <= (select xid, id from events order by xid desc, id desc limit 1 offset ?::bigint)',
        [param('keep')],
      ),
);

const START = '0-0';
const CURSOR = /^(\d{1,20})-(\d{1,15})$/;

function parseCursor(cursor: string): { xid: string; id: number } {
  const [, xid, id] = CURSOR.exec(cursor) ?? [];
  if (xid === undefined || id === undefined || BigInt(xid) >= 2n ** 64n)
    throw new ServiceError('INVALID_PARAMETER', `"${cursor.slice(0, 60)}" is no cursor of the event stream.`);
  return { xid, id: Number(id) };
}
const cursorOf = (row: Row): string => `${row['xid'] ?? '0'}-${row['id']}`;

const toEvent = (row: Row): StoredEvent => ({
  cursor: cursorOf(row),
  type: row['type'] as EventType,
  nodeUuid: row['node_uuid'] as NodeId | null,
  runId: row['run_id'] as RunId | null,
  severity: row['severity'] as StoredEvent['severity'],
  at: Number(row['at']),
  data: JSON.parse(String(row['data'])) as JsonObject,
});

/** A node that was removed has its name in that event only. */
function ofNodes(query: Knex.QueryBuilder, b: Builder): void {
  const lastName =
    b.engine === 'sqlite'
      ? "json_extract(data, '$.name') in (select value from json_each(?))"
      : "data::jsonb ->> 'name' in (select jsonb_array_elements_text(?::jsonb))";
  query
    .whereRaw(b.inList('node_uuid', 'nodes'))
    .orWhereRaw('node_uuid in (select uuid from nodes where ?)', [b.inList('name', 'nodes')])
    .orWhere((q) => q.where('type', 'node.deleted').whereRaw(lastName, [param('nodes')]));
}

function filterOf(filter: EventFilter): {
  shape: string;
  params: Params;
  apply(query: Knex.QueryBuilder, b: Builder): void;
} {
  const params: Record<string, string> = {};
  if (filter.nodeUuid !== undefined) params['nodeUuid'] = filter.nodeUuid.toLowerCase();
  if (filter.runId !== undefined) params['runId'] = filter.runId.toLowerCase();
  if (filter.types !== undefined) params['types'] = JSON.stringify(filter.types);
  if (filter.severities !== undefined) params['severities'] = JSON.stringify(filter.severities);
  if (filter.nodes !== undefined)
    params['nodes'] = JSON.stringify(filter.nodes.map((node) => (isUuid(node) ? node.toLowerCase() : node)));
  if (filter.visibleTo !== undefined) params['visibleTo'] = filter.visibleTo;
  return {
    shape: Object.keys(params).join(),
    params,
    apply(query, b) {
      if (filter.nodeUuid !== undefined) query.where('node_uuid', param('nodeUuid'));
      if (filter.runId !== undefined) query.where('run_id', param('runId'));
      if (filter.types !== undefined) query.whereRaw(b.inList('type', 'types'));
      if (filter.severities !== undefined) query.whereRaw(b.inList('severity', 'severities'));
      if (filter.nodes !== undefined) query.where((q) => ofNodes(q, b));
      if (filter.visibleTo !== undefined)
        query.whereRaw(
          `(node_uuid in (select uuid from nodes where owner = ?)
            or (type not like 'access.%' and exists (select 1 from nodes
              where nodes.uuid = events.node_uuid and nodes.lessee = ? and nodes.lent_after < events.id)))`,
          [param('visibleTo'), param('visibleTo')],
        );
    },
  };
}

export function createEventRepository({ sql, onEvent }: Context): EventRepository {
  return {
    async append({ type, nodeUuid, runId, severity = 'info', data }) {
      await sql.run(append, { type, nodeUuid, runId, severity, data: JSON.stringify(data) });
      onEvent();
    },
    async listAfter(after, filter, limit) {
      const cursor = parseCursor(after ?? START);
      const conditions = filterOf(filter);
      const query = queries(`after ${conditions.shape}`, (b) => {
        const q = settled(b);
        if (b.engine === 'sqlite') q.where('id', '>', param('id'));
        else q.whereRaw('(xid, id) > (?::text::xid8, ?::bigint)', [param('xid'), param('id')]);
        conditions.apply(q, b);
        return { query: order(b, q, 'asc'), limit: 'limit' };
      });
      return (await sql.all(query, { ...conditions.params, ...cursor, limit })).map(toEvent);
    },
    async listLast(filter, limit) {
      const conditions = filterOf(filter);
      const query = queries(`last ${conditions.shape}`, (b) => {
        const q = settled(b);
        conditions.apply(q, b);
        return { query: order(b, q, 'desc'), limit: 'limit' };
      });
      return (await sql.all(query, { ...conditions.params, limit })).map(toEvent).reverse();
    },
    async head() {
      const row = await first(sql, head);
      return row ? cursorOf(row) : START;
    },
    purge: (keep) => sql.run(purge, { keep }),
  };
}
