/** The fields of a node on the wire: one row each. Views, `fields=`, sorting, creation and PATCH all read this table. */
import type { InterfaceKind, Node } from '@bessemer/core';
import { INTERFACE_KINDS } from '@bessemer/core';

type Kind = 'text' | 'json' | 'boolean' | 'tristate' | 'time' | 'list';
type NodeKey = Exclude<keyof Node, 'interfaces' | 'reservation'>;

export interface NodeField {
  /** Name on the wire and of the column. */
  readonly wire: string;
  /** Least microversion 1.N that knows the field. */
  readonly since: number;
  readonly kind: Kind;
  /** May be set on creation and by PATCH. */
  readonly writable: boolean;
  readonly sortable: boolean;
  /** Where it is on the domain's Node; undefined for interfaces and computed fields. */
  readonly key?: NodeKey;
  readonly interfaceKind?: InterfaceKind;
}

const row = (
  wire: string,
  since: number,
  kind: Kind,
  key: NodeKey,
  options: { readOnly?: true; unsortable?: true } = {},
): NodeField => ({
  wire,
  since,
  kind,
  key,
  writable: !options.readOnly,
  sortable: !options.unsortable && kind !== 'json' && kind !== 'list',
});
const ro = { readOnly: true } as const;

const INTERFACE_SINCE: Partial<Record<InterfaceKind, number>> = {
  network: 20,
  storage: 33,
  rescue: 38,
  bios: 40,
  firmware: 86,
};
const interfaceRows = INTERFACE_KINDS.map(
  (kind): NodeField => ({
    wire: `${kind}_interface`,
    since: INTERFACE_SINCE[kind] ?? 31,
    kind: 'text',
    writable: true,
    sortable: true,
    interfaceKind: kind,
  }),
);

export const NODE_FIELDS: readonly NodeField[] = [
  row('uuid', 1, 'text', 'uuid', ro),
  row('created_at', 1, 'time', 'createdAt', ro),
  row('updated_at', 1, 'time', 'updatedAt', ro),
  row('allocation_uuid', 52, 'text', 'allocationUuid', { readOnly: true, unsortable: true }),
  row('automated_clean', 47, 'tristate', 'automatedClean'),
  row('boot_mode', 75, 'text', 'bootMode', ro),
  row('chassis_uuid', 1, 'text', 'chassisUuid', { unsortable: true }),
  row('clean_step', 7, 'json', 'cleanStep', ro),
  row('conductor_group', 46, 'text', 'conductorGroup'),
  row('console_enabled', 1, 'boolean', 'consoleEnabled', ro),
  row('deploy_step', 44, 'json', 'deployStep', ro),
  row('description', 51, 'text', 'description'),
  row('disable_power_off', 95, 'boolean', 'disablePowerOff'),
  row('driver', 1, 'text', 'driver'),
  row('driver_info', 1, 'json', 'driverInfo'),
  row('driver_internal_info', 3, 'json', 'driverInternalInfo', ro),
  row('extra', 1, 'json', 'extra'),
  row('fault', 42, 'text', 'fault', ro),
  row('inspection_finished_at', 6, 'time', 'inspectionFinishedAt', ro),
  row('inspection_started_at', 6, 'time', 'inspectionStartedAt', ro),
  row('instance_info', 1, 'json', 'instanceInfo'),
  row('instance_name', 104, 'text', 'instanceName'),
  row('instance_uuid', 1, 'text', 'instanceUuid'),
  row('last_error', 1, 'text', 'lastError', ro),
  row('lessee', 65, 'text', 'lessee'),
  row('maintenance', 1, 'boolean', 'maintenance'),
  row('maintenance_reason', 1, 'text', 'maintenanceReason'),
  row('name', 5, 'text', 'name'),
  row('network_data', 66, 'json', 'networkData'),
  row('owner', 50, 'text', 'owner'),
  row('parent_node', 83, 'text', 'parentNode'),
  row('power_state', 1, 'text', 'powerState', ro),
  row('properties', 1, 'json', 'properties'),
  row('protected', 48, 'boolean', 'protected'),
  row('protected_reason', 48, 'text', 'protectedReason'),
  row('provision_state', 1, 'text', 'provisionState', ro),
  row('provision_updated_at', 1, 'time', 'provisionUpdatedAt', ro),
  row('raid_config', 12, 'json', 'raidConfig', ro),
  row('resource_class', 21, 'text', 'resourceClass'),
  row('retired', 61, 'boolean', 'retired'),
  row('retired_reason', 61, 'text', 'retiredReason'),
  row('secure_boot', 75, 'tristate', 'secureBoot', ro),
  row('service_step', 87, 'json', 'serviceStep', ro),
  row('shard', 82, 'text', 'shard'),
  row('target_power_state', 1, 'text', 'targetPowerState', ro),
  row('target_provision_state', 1, 'text', 'targetProvisionState', ro),
  row('target_raid_config', 12, 'json', 'targetRaidConfig', ro),
  row('traits', 37, 'list', 'traits', ro),
  ...interfaceRows,
  { wire: 'reservation', since: 1, kind: 'text', writable: false, sortable: true },
  // Ironic's drivers may learn it from the BMC; none of ours does, so it is always null.
  { wire: 'health', since: 109, kind: 'text', writable: false, sortable: false },
  { wire: 'conductor', since: 49, kind: 'text', writable: false, sortable: false },
];

export const NODE_FIELD: ReadonlyMap<string, NodeField> = new Map(NODE_FIELDS.map((f) => [f.wire, f]));
const fullLists = new Map<number, readonly string[]>();

/** All fields of 1.`minor`: the same array for the same minor. */
export function fullFields(minor: number): readonly string[] {
  let found = fullLists.get(minor);
  if (!found) fullLists.set(minor, (found = NODE_FIELDS.filter((f) => f.since <= minor).map((f) => f.wire)));
  return found;
}
const NODE_SUMMARY = ['instance_uuid', 'maintenance', 'power_state', 'provision_state', 'uuid', 'name'] as const;
export const NODE_SORT_KEYS = NODE_FIELDS.filter((f) => f.sortable).map((f) => f.wire);
/** Fields that Ironic has in mind when it says that they are no sort keys. */
export const NODE_NO_SORT_KEYS = NODE_FIELDS.filter((f) => f.kind === 'json' || f.kind === 'list').map((f) => f.wire);
/** Sub-resource links that stand in a full view, by microversion. */
export const NODE_SUBRESOURCES: ReadonlyArray<readonly [name: string, since: number]> = [
  ['ports', 1],
  ['states', 14],
  ['portgroups', 24],
  ['volume', 32],
];

export const nodeFieldTable = {
  summary: NODE_SUMMARY,
  all: NODE_FIELDS.map((f) => f.wire),
  since: (field: string) => NODE_FIELD.get(field)?.since ?? 1,
  unknown: ([first = '']: readonly string[]) => `Field ${first.slice(0, 60)} is not a valid field.`,
};
