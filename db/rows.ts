/** Between rows and the domain: one table of columns per resource says how each is stored. */
import { INTERFACE_KINDS } from '@bessemer/core';
import type { InterfaceKind, Json, JsonObject } from '@bessemer/core';
import type { Cipher } from './secrets.ts';
import type { Row, Value } from './statements/statement.ts';

/** `json` and `list` are never null, `optional` is JSON or null. `sealed` is JSON whose secret fields are ciphertext; `closed` is JSON that is ciphertext as a whole. */
export type ColumnKind = 'text' | 'number' | 'boolean' | 'json' | 'optional' | 'list' | 'sealed' | 'closed';
export interface Column {
  readonly property: string;
  readonly kind: ColumnKind;
  /** Table alias, where a resource lies in several tables. */
  readonly table: string;
}
export type Columns = Readonly<Record<string, Column>>;

const camel = (column: string): string => column.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** Columns by kind, names separated by white space; `table` is the alias in joins. */
export function columns(table: string, kinds: { readonly [K in ColumnKind]?: string }): Columns {
  const found: Record<string, Column> = {};
  const of = (kind: ColumnKind, names: string | undefined) => {
    for (const name of names?.split(/\s+/).filter(Boolean) ?? []) found[name] = { property: camel(name), kind, table };
  };
  of('text', kinds.text);
  of('number', kinds.number);
  of('boolean', kinds.boolean);
  of('json', kinds.json);
  of('optional', kinds.optional);
  of('list', kinds.list);
  of('sealed', kinds.sealed);
  of('closed', kinds.closed);
  return found;
}

/** Nodes: `n` nodes, `p` node_power. The lease (`l`) is mapped by hand. */
export const NODE_COLUMNS: Columns = {
  ...columns('n', {
    text: `uuid name chassis_uuid instance_uuid instance_name driver resource_class conductor_group protected_reason
      retired_reason owner lessee shard parent_node description allocation_uuid maintenance_reason fault boot_mode
      provision_state target_provision_state last_error`,
    number: 'provision_updated_at inspection_started_at inspection_finished_at created_at updated_at',
    boolean: 'automated_clean protected retired disable_power_off maintenance console_enabled secure_boot',
    json: 'properties extra network_data raid_config target_raid_config clean_step deploy_step service_step',
    list: 'traits',
    sealed: 'driver_info driver_internal_info instance_info',
  }),
  ...columns('p', { text: 'power_state target_power_state' }),
};

/** Interface columns: what was asked for, null where the default holds. */
export const INTERFACE_COLUMNS: Readonly<Record<string, InterfaceKind>> = Object.fromEntries(
  INTERFACE_KINDS.map((kind): [string, InterfaceKind] => [`${kind}_interface`, kind]),
);

export const RUN_COLUMNS: Columns = {
  ...columns('', {
    text: 'id node_uuid verb state owner error request_id',
    number: 'fence deadline created_at updated_at finished_at',
    json: 'cursor',
    optional: 'waiting_for progress',
    list: 'segments',
    sealed: 'notes',
  }),
  input_sealed: { property: 'input', kind: 'closed', table: '' },
};

/** The value of one column as the domain has it. `owner` is the node whose secrets these are. */
function fromColumn(value: Value, column: Column, name: string, cipher: Cipher, owner: string): Json | undefined {
  if (value === null || value === undefined) return null;
  switch (column.kind) {
    case 'text':
      return value;
    case 'number':
      return Number(value);
    case 'boolean':
      return value === 1;
    case 'json':
    case 'optional':
    case 'list':
      // Most are empty, and a row has a dozen of them.
      return value === '{}' ? {} : value === '[]' ? [] : JSON.parse(String(value));
    case 'sealed':
      return value === '{}' ? {} : cipher.openFields(String(value), owner, name);
    case 'closed':
      return cipher.openJson(String(value), owner, name);
  }
}

/** The value to store. JSON columns of nodes, ports and chassis are never null: a missing object is `{}`, a missing list `[]`. */
function toColumn(value: unknown, column: Column, name: string, cipher: Cipher, owner: string): Value {
  switch (column.kind) {
    case 'text':
      return value === null || value === undefined ? null : String(value);
    case 'number':
      return value === null || value === undefined ? null : Number(value);
    case 'boolean':
      return value === null || value === undefined ? null : Number(Boolean(value));
    case 'json':
      return JSON.stringify(value ?? {});
    case 'optional':
      return value === null || value === undefined ? null : JSON.stringify(value);
    case 'list':
      return JSON.stringify(value ?? []);
    case 'sealed':
      return cipher.sealFields((value ?? {}) as JsonObject, owner, name);
    case 'closed':
      return cipher.seal(JSON.stringify(value ?? {}), owner, name);
  }
}

/** A whole row as a plain object with the domain's names. */
export function fromRow(row: Row, table: Columns, cipher: Cipher, owner: string): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const name in table) {
    const column = table[name]!;
    result[column.property] = fromColumn(row[name] ?? null, column, name, cipher, owner);
  }
  return result;
}

/** The columns of a patch: its properties that are not undefined. @throws TypeError for a property that is no column. */
export function toColumns(
  patch: Readonly<Record<string, unknown>>,
  table: Columns,
  cipher: Cipher,
  owner: string,
): Record<string, Value> {
  const byProperty = propertiesOf(table);
  const result: Record<string, Value> = {};
  for (const [property, value] of Object.entries(patch)) {
    if (value === undefined) continue;
    const name = byProperty.get(property);
    if (name === undefined) throw new TypeError(`${property} is no column that may be written`);
    result[name] = toColumn(value, table[name]!, name, cipher, owner);
  }
  return result;
}

const properties = new WeakMap<Columns, ReadonlyMap<string, string>>();
function propertiesOf(table: Columns): ReadonlyMap<string, string> {
  let found = properties.get(table);
  if (!found) {
    found = new Map(Object.entries(table).map(([name, column]): [string, string] => [column.property, name]));
    properties.set(table, found);
  }
  return found;
}
