/** Columns of Ironic's command line: which fields a list shows, and what it calls them. */

const LABELS: Readonly<Record<string, string>> = {
  alive: 'Alive',
  allocation_uuid: 'Allocation UUID',
  bios_interface: 'BIOS Interface',
  chassis_uuid: 'Chassis UUID',
  event: 'Description of the event',
  hosts: 'Active host(s)',
  instance_uuid: 'Instance UUID',
  is_smartnic: 'Is Smart NIC port',
  network_data: 'Network Configuration',
  node_uuid: 'Node UUID',
  parent_node: 'Parent Node',
  portgroup_uuid: 'Portgroup UUID',
  provision_state: 'Provisioning State',
  pxe_enabled: 'PXE boot enabled',
  raid_config: 'Current RAID configuration',
  raid_interface: 'RAID Interface',
  target_raid_config: 'Target RAID configuration',
  uuid: 'UUID',
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

export const NODE_FIELDS = ['uuid', 'name', 'instance_uuid', 'power_state', 'provision_state', 'maintenance'] as const;
/** In the order of their column heads. */
export const NODE_LONG_FIELDS = [
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
  'driver',
  'driver_info',
  'driver_internal_info',
  'extra',
  'fault',
  'inspect_interface',
  'inspection_finished_at',
  'inspection_started_at',
  'instance_info',
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
] as const;
/** Fields of later versions, which only `--fields` shows. */
const NODE_NEWER_FIELDS = [
  'disable_power_off',
  'firmware_interface',
  'health',
  'instance_name',
  'parent_node',
  'service_step',
  'shard',
] as const;
export const NODE_ALL_FIELDS: readonly string[] = [...NODE_LONG_FIELDS, ...NODE_NEWER_FIELDS];

export const PORT_FIELDS = ['uuid', 'address'] as const;
export const PORT_LONG_FIELDS = [
  'uuid',
  'address',
  'created_at',
  'extra',
  'node_uuid',
  'local_link_connection',
  'portgroup_uuid',
  'pxe_enabled',
  'physical_network',
  'updated_at',
  'internal_info',
  'is_smartnic',
] as const;
export const PORT_ALL_FIELDS: readonly string[] = [...PORT_LONG_FIELDS, 'name', 'description'];

export const CHASSIS_FIELDS = ['uuid', 'description'] as const;
export const CHASSIS_LONG_FIELDS = ['uuid', 'description', 'created_at', 'updated_at', 'extra'] as const;

export const CONDUCTOR_FIELDS = ['hostname', 'conductor_group', 'alive'] as const;
export const CONDUCTOR_LONG_FIELDS = [
  'hostname',
  'conductor_group',
  'alive',
  'drivers',
  'created_at',
  'updated_at',
] as const;

export const DRIVER_FIELDS = ['name', 'hosts'] as const;
export const DRIVER_LONG_FIELDS: readonly string[] = [
  'name',
  'type',
  'hosts',
  ...INTERFACES.map((i) => `default_${i}_interface`),
  ...INTERFACES.map((i) => `enabled_${i}_interfaces`),
];
