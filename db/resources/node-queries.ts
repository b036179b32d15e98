/** The statements that read nodes: which tables a question needs, and its conditions. */
import type { Knex } from 'knex';
import type { NodeFilter } from '../repositories.ts';
import { INTERFACE_COLUMNS, NODE_COLUMNS } from '../rows.ts';
import { likePattern } from '../statements/paging.ts';
import { param } from '../statements/statement.ts';
import type { Builder, Params, Value } from '../statements/statement.ts';

/** Wire name, or `id`, to column with its table's alias: `n` nodes, `p` node_power, `l` node_leases. */
export const SELECTABLE: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.entries(NODE_COLUMNS).map(([name, column]) => [name, `${column.table}.${name}`])),
  ...Object.fromEntries(Object.keys(INTERFACE_COLUMNS).map((name) => [name, `n.${name}`])),
  reservation: 'l.conductor',
  id: 'n.id',
};
const JSON_KINDS = new Set(['json', 'list', 'sealed']);
/** Wire names that a list may be sorted by. */
export const SORTABLE: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(SELECTABLE).filter(([name]) => !JSON_KINDS.has(NODE_COLUMNS[name]?.kind ?? 'text')),
);

/** nodes with the tables that `columns` (with aliases) are in. */
export function fromNodes(b: Builder, columns: readonly string[]): Knex.QueryBuilder {
  const query = b.knex.queryBuilder().from('nodes as n');
  if (columns.some((c) => c.startsWith('p.'))) query.join('node_power as p', 'p.node_uuid', 'n.uuid');
  if (columns.some((c) => c.startsWith('l.'))) query.join('node_leases as l', 'l.node_uuid', 'n.uuid');
  return query;
}

const WHOLE = [
  ...Object.values(SELECTABLE).filter((column) => column !== 'l.conductor'),
  'l.session as lease_session',
  'l.conductor as lease_conductor',
  'l.purpose as lease_purpose',
  'l.fence as lease_fence',
];
/** Everything that a Node is made of. */
export const selectWhole = (b: Builder): Knex.QueryBuilder => fromNodes(b, WHOLE).select(WHOLE);

export interface Conditions {
  readonly shape: string;
  readonly params: Params;
  /** Columns the conditions look at. */
  readonly columns: readonly string[];
  apply(query: Knex.QueryBuilder, b: Builder): void;
}

type Condition = (query: Knex.QueryBuilder, b: Builder) => void;
type Rule = { readonly shape: string; readonly value?: Value; readonly apply: Condition; readonly column?: string };

/** A filter as conditions; a key that is undefined asks for nothing. */
export function nodeConditions(filter: NodeFilter): Conditions {
  const rules: Rule[] = [];
  const equal = (name: string, column: string, value: string | boolean | undefined) => {
    if (value === undefined) return;
    rules.push({
      shape: name,
      value: typeof value === 'boolean' ? Number(value) : value,
      apply: (query) => query.where(column, param(name)),
    });
  };
  const present = (name: string, column: string, value: boolean | undefined) => {
    if (value === undefined) return;
    const apply: Condition = (query) => (value ? query.whereNotNull(column) : query.whereNull(column));
    rules.push({ shape: `${name}=${value}`, apply, column });
  };
  const oneOf = (name: string, column: string, values: readonly string[] | undefined) => {
    if (values === undefined) return;
    const apply: Condition = (query, b) => query.whereRaw(b.inList(column, name));
    rules.push({ shape: name, value: JSON.stringify(values), apply });
  };

  equal('chassisUuid', 'n.chassis_uuid', filter.chassisUuid?.toLowerCase());
  equal('instanceUuid', 'n.instance_uuid', filter.instanceUuid?.toLowerCase());
  present('associated', 'n.instance_uuid', filter.associated);
  equal('maintenance', 'n.maintenance', filter.maintenance);
  equal('provisionState', 'n.provision_state', filter.provisionState);
  equal('driver', 'n.driver', filter.driver);
  equal('resourceClass', 'n.resource_class', filter.resourceClass);
  equal('fault', 'n.fault', filter.fault);
  equal('owner', 'n.owner', filter.owner);
  equal('lessee', 'n.lessee', filter.lessee);
  equal('retired', 'n.retired', filter.retired);
  equal('instanceName', 'n.instance_name', filter.instanceName);
  present('sharded', 'n.shard', filter.sharded);
  present('reserved', 'l.session', filter.reserved);
  oneOf('shards', 'n.shard', filter.shards);
  oneOf(
    'uuids',
    'n.uuid',
    filter.uuids?.map((uuid) => uuid.toLowerCase()),
  );
  if (filter.conductorGroup !== undefined)
    rules.push({
      shape: 'conductorGroup',
      value: filter.conductorGroup.toLowerCase(),
      apply: (query) => query.whereRaw('lower(n.conductor_group) = ?', [param('conductorGroup')]),
    });
  for (const name of ['project', 'visibleTo'] as const) {
    const project = filter[name];
    if (project === undefined) continue;
    rules.push({
      shape: name,
      value: project,
      apply: (query) => query.where((q) => q.where('n.owner', param(name)).orWhere('n.lessee', param(name))),
    });
  }
  if (filter.descriptionContains !== undefined)
    rules.push({
      shape: 'descriptionContains',
      value: likePattern(filter.descriptionContains),
      apply: (query) => query.whereRaw(`lower(n.description) like ? escape '\\'`, [param('descriptionContains')]),
    });
  if (filter.parentNode !== undefined) equal('parentNode', 'n.parent_node', filter.parentNode.toLowerCase());
  else if (!filter.includeChildren) present('parent', 'n.parent_node', false);

  return {
    shape: rules.map((rule) => rule.shape).join(','),
    params: Object.fromEntries(
      rules.flatMap((rule) => (rule.value === undefined ? [] : [[rule.shape, rule.value] as const])),
    ),
    columns: rules.flatMap((rule) => (rule.column === undefined ? [] : [rule.column])),
    apply(query, b) {
      for (const rule of rules) rule.apply(query, b);
    },
  };
}
