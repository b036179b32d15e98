/** Columns of Ironic's command line: which fields a list shows, and what it calls them. */

const LABELS: Readonly<Record<string, string>> = {
  alive: 'Alive',
  allocation_uuid: 'Allocation UUID',
  attach: 'Response is attachment',
  bios_interface: 'BIOS Interface',
  chassis_uuid: 'Chassis UUID',
  children: 'Child Nodes',
  connector_id: 'Connector ID',
  duration_seconds: 'Duration (seconds)',
  event: 'Description of the event',
  event_type: 'Event Origin Type',
  hosts: 'Active host(s)',
  http_methods: 'Supported HTTP methods',
  id: 'ID',
  instance_uuid: 'Instance UUID',
  is_smartnic: 'Is Smart NIC port',
  max_length: 'Maximum Length',
  min_length: 'Minimum Length',
  network_data: 'Network Configuration',
  node_uuid: 'Node UUID',
  portgroup_uuid: 'Portgroup UUID',
  provision_state: 'Provisioning State',
  pxe_enabled: 'PXE boot enabled',
  raid_config: 'Current RAID configuration',
  raid_interface: 'RAID Interface',
  target_raid_config: 'Target RAID configuration',
  uuid: 'UUID',
  volume_id: 'Volume ID',
  volume_type: 'Driver Volume Type',
};

/** What a column is called. */
export function labelOf(field: string): string {
  const known = LABELS[field];
  if (known) return known;
  const defaults = /^default_(bios|raid)_interface$/.exec(field) ?? /^enabled_(bios|raid)_interfaces$/.exec(field);
  const title = field.replace(/(^|_)([a-z])/g, (_, before: string, c: string) => (before ? ' ' : '') + c.toUpperCase());
  return defaults ? title.replace(/Bios|Raid/, (w) => w.toUpperCase()) : title;
}

const INTERFACES = [
  'bios',
  'boot',
  'console',
  'deploy',
  'firmware',
  'inspect',
  'management',
  'network',
  'power',
  'raid',
  'rescue',
  'storage',
  'vendor',
] as const;
export { INTERFACES };

/** What a list of a resource shows, and how its long form is asked for. */
export interface Columns {
  readonly fields: readonly string[];
  /** With `--long`, in the order of their heads. */
  readonly longFields: readonly string[];
  /** Those of `longFields` that later versions of the API brought: shown where the service sends them. */
  readonly newerFields?: readonly string[];
  /** Taken by `--fields` only. */
  readonly otherFields?: readonly string[];
}

/** All that `--fields` takes. */
export const choicesOf = (columns: Columns): readonly string[] => [
  ...columns.longFields,
  ...(columns.otherFields ?? []),
];

export const NODE: Columns = {
  fields: ['uuid', 'name', 'instance_uuid', 'power_state', 'provision_state', 'maintenance'],
  longFields: [
    'allocation_uuid',
    'automated_clean',
    'bios_interface',
    'boot_interface',
    'boot_mode',
    'chassis_uuid',
    'clean_step',
    'conductor',
    'conductor_group',
    'console_enabled',
    'console_interface',
    'created_at',
    'raid_config',
    'deploy_interface',
    'deploy_step',
    'description',
    'disable_power_off',
    'driver',
    'driver_info',
    'driver_internal_info',
    'extra',
    'fault',
    'firmware_interface',
    'health',
    'inspect_interface',
    'inspection_finished_at',
    'inspection_started_at',
    'instance_info',
    'instance_name',
    'instance_uuid',
    'last_error',
    'lessee',
    'maintenance',
    'maintenance_reason',
    'management_interface',
    'name',
    'network_data',
    'network_interface',
    'owner',
    'parent_node',
    'power_interface',
    'power_state',
    'properties',
    'protected',
    'protected_reason',
    'provision_updated_at',
    'provision_state',
    'raid_interface',
    'rescue_interface',
    'reservation',
    'resource_class',
    'retired',
    'retired_reason',
    'secure_boot',
    'storage_interface',
    'target_power_state',
    'target_provision_state',
    'target_raid_config',
    'traits',
    'uuid',
    'updated_at',
    'vendor_interface',
  ],
  newerFields: ['disable_power_off', 'firmware_interface', 'health', 'instance_name', 'parent_node'],
  otherFields: ['service_step', 'shard'],
};

export const PORT: Columns = {
  fields: ['uuid', 'address'],
  longFields: [
    'uuid',
    'address',
    'created_at',
    'extra',
    'node_uuid',
    'category',
    'vendor',
    'local_link_connection',
    'portgroup_uuid',
    'pxe_enabled',
    'physical_network',
    'updated_at',
    'internal_info',
    'is_smartnic',
    'name',
  ],
  newerFields: ['category', 'vendor', 'name'],
  otherFields: ['description', 'available_for_dynamic_portgroup'],
};

export const PORT_GROUP: Columns = {
  fields: ['uuid', 'address', 'name'],
  longFields: [
    'uuid',
    'address',
    'created_at',
    'extra',
    'standalone_ports_supported',
    'node_uuid',
    'name',
    'updated_at',
    'internal_info',
    'mode',
    'properties',
    'physical_network',
    'category',
  ],
  newerFields: ['physical_network', 'category'],
  otherFields: ['dynamic_portgroup'],
};

export const CHASSIS: Columns = {
  fields: ['uuid', 'description'],
  longFields: ['uuid', 'description', 'created_at', 'updated_at', 'extra'],
};

export const CONDUCTOR: Columns = {
  fields: ['hostname', 'conductor_group', 'alive'],
  longFields: ['hostname', 'conductor_group', 'alive', 'drivers', 'created_at', 'updated_at'],
};

export const DRIVER: Columns = {
  fields: ['name', 'hosts'],
  longFields: [
    'name',
    'type',
    'hosts',
    ...INTERFACES.map((i) => `default_${i}_interface`),
    ...INTERFACES.map((i) => `enabled_${i}_interfaces`),
  ],
  newerFields: ['default_firmware_interface', 'enabled_firmware_interfaces'],
};

export const ALLOCATION: Columns = {
  fields: ['uuid', 'name', 'resource_class', 'state', 'node_uuid'],
  longFields: [
    'uuid',
    'name',
    'state',
    'owner',
    'node_uuid',
    'last_error',
    'resource_class',
    'traits',
    'candidate_nodes',
    'extra',
    'created_at',
    'updated_at',
  ],
};

export const DEPLOY_TEMPLATE: Columns = {
  fields: ['uuid', 'name'],
  longFields: ['uuid', 'name', 'steps', 'extra', 'created_at', 'updated_at'],
};

export const RUNBOOK: Columns = {
  fields: ['uuid', 'name'],
  longFields: [
    'uuid',
    'name',
    'description',
    'traits',
    'disable_ramdisk',
    'owner',
    'public',
    'steps',
    'extra',
    'created_at',
    'updated_at',
  ],
};

export const INSPECTION_RULE: Columns = {
  fields: ['uuid', 'description'],
  longFields: [
    'uuid',
    'description',
    'priority',
    'sensitive',
    'phase',
    'actions',
    'conditions',
    'created_at',
    'updated_at',
  ],
  otherFields: ['scope'],
};

export const VOLUME_CONNECTOR: Columns = {
  fields: ['uuid', 'node_uuid', 'type', 'connector_id'],
  longFields: ['uuid', 'node_uuid', 'type', 'connector_id', 'extra', 'created_at', 'updated_at'],
};

export const VOLUME_TARGET: Columns = {
  fields: ['uuid', 'node_uuid', 'volume_type', 'boot_index', 'volume_id'],
  longFields: [
    'uuid',
    'node_uuid',
    'volume_type',
    'properties',
    'boot_index',
    'extra',
    'volume_id',
    'created_at',
    'updated_at',
  ],
};

export const BIOS_SETTING: Columns = {
  fields: ['name', 'value'],
  longFields: [
    'name',
    'value',
    'attribute_type',
    'allowable_values',
    'lower_bound',
    'min_length',
    'max_length',
    'read_only',
    'reset_required',
    'unique',
    'upper_bound',
  ],
};

export const HISTORY: Columns = {
  fields: ['uuid', 'created_at', 'severity', 'event'],
  longFields: [
    'uuid',
    'created_at',
    'severity',
    'event_type',
    'event',
    'conductor',
    'user',
    'project',
    'state',
    'target_provision_state',
    'duration_seconds',
  ],
  newerFields: ['project', 'state', 'target_provision_state', 'duration_seconds'],
};

export const TOKEN: Columns = {
  fields: ['name', 'role', 'project', 'expires_at', 'last_used_at'],
  longFields: ['token', 'uuid', 'name', 'role', 'project', 'created_by', 'created_at', 'expires_at', 'last_used_at'],
  // Only the answer that makes a token has it.
  newerFields: ['token'],
};

export const WEBHOOK: Columns = {
  fields: ['uuid', 'name', 'url', 'enabled'],
  longFields: [
    'uuid',
    'name',
    'url',
    'events',
    'nodes',
    'severity',
    'secret',
    'enabled',
    'disabled_reason',
    'created_at',
    'updated_at',
  ],
};

/** The columns without those of later versions that no item has. */
export function presentFields(
  columns: Columns,
  items: ReadonlyArray<Readonly<Record<string, unknown>>>,
): readonly string[] {
  const newer = new Set(columns.newerFields ?? []);
  return columns.longFields.filter((field) => !newer.has(field) || items.some((item) => Object.hasOwn(item, field)));
}
