/**
 * Who may do what: one row per operation. The gate enforces it, docs/access.md is made from it, and an operation without a row
 * does not compile. The defaults are those of Ironic's own policies, with its personas put as role x relation.
 */
import { INTERFACE_KINDS, type Role } from '@bessemer/core';
import type { OperationId } from '../handlers/index.ts';

/** Least roles; a relation that is not there may not at all. */
export interface Roles {
  /** With system scope. */
  readonly system: Role;
  /** In the project that owns the node (or the allocation, runbook or token). */
  readonly owner?: Role;
  /** In the project that the node is lent to. */
  readonly lessee?: Role;
}

export interface OwnedPolicy extends Roles {
  /**
   * What the operation is about, found by the path parameter of that name, or where `at` says. A project that neither owns nor
   * leases it is told that there is no such thing.
   */
  readonly about: 'node' | 'port' | 'portgroup' | 'connector' | 'target' | 'allocation' | 'runbook' | 'token';
  /** Where the node is named, when not in the path: these query parameters, or these fields of the body. */
  readonly at?: { readonly query: readonly string[] } | { readonly body: readonly string[] };
  /** Fields of a body or a patch that need more, or other, than the operation as a whole. */
  readonly fields?: Readonly<Record<string, Roles>>;
}

export interface PlainPolicy {
  readonly about: 'service' | 'list';
  readonly system: Role;
  /** In any project: a list then holds what the project owns or leases. Absent: only with system scope. */
  readonly project?: Role;
  readonly fields?: Readonly<Record<string, Roles>>;
}

/** Answered without a log-in. */
export interface PublicPolicy {
  readonly about: 'public';
}

export type Policy = OwnedPolicy | PlainPolicy | PublicPolicy;

// Ironic's check strings, by the names they have in its policy.py.
const SYSTEM_READER = { system: 'reader' } as const satisfies Roles;
const SYSTEM_MEMBER = { system: 'member' } as const satisfies Roles;
const SYSTEM_ADMIN = { system: 'admin' } as const satisfies Roles;
const SYSTEM_OR_PROJECT_READER = { system: 'reader', owner: 'reader', lessee: 'reader' } as const satisfies Roles;
const SYSTEM_OR_OWNER_READER = { system: 'reader', owner: 'reader' } as const satisfies Roles;
const SYSTEM_OR_PROJECT_MEMBER = { system: 'member', owner: 'member', lessee: 'member' } as const satisfies Roles;
const SYSTEM_OR_OWNER_MEMBER_AND_LESSEE_ADMIN = {
  system: 'member',
  owner: 'member',
  lessee: 'admin',
} as const satisfies Roles;
const SYSTEM_MEMBER_OR_OWNER_MEMBER = { system: 'member', owner: 'member' } as const satisfies Roles;
const SYSTEM_MEMBER_OR_OWNER_ADMIN = { system: 'member', owner: 'admin' } as const satisfies Roles;
const SYSTEM_ADMIN_OR_OWNER_ADMIN = { system: 'admin', owner: 'admin' } as const satisfies Roles;
const SYSTEM_MEMBER_OR_OWNER_LESSEE_ADMIN = {
  system: 'member',
  owner: 'admin',
  lessee: 'admin',
} as const satisfies Roles;

const PUBLIC: PublicPolicy = { about: 'public' };
const service = ({ system }: Roles, project?: Role): PlainPolicy => ({
  about: 'service',
  system,
  ...(project ? { project } : {}),
});
const list = (system: Role, project?: Role): PlainPolicy => ({
  about: 'list',
  system,
  ...(project ? { project } : {}),
});
const owned =
  (about: OwnedPolicy['about']) =>
  (roles: Roles, more: Pick<OwnedPolicy, 'at' | 'fields'> = {}): OwnedPolicy => ({ about, ...roles, ...more });
const node = owned('node');
const port = owned('port');
const portgroup = owned('portgroup');
const connector = owned('connector');
const target = owned('target');
const allocation = owned('allocation');
const runbook = owned('runbook');
const token = owned('token');

const IN_BODY = { at: { body: ['node_uuid', 'node_ident'] } } as const;

/** Fields of a node that not everybody who may change the node may change; `_interface` fields are like `driver`. */
const NODE_FIELDS: Readonly<Record<string, Roles>> = {
  automated_clean: SYSTEM_ADMIN,
  chassis_uuid: SYSTEM_ADMIN,
  conductor_group: SYSTEM_MEMBER,
  disable_power_off: SYSTEM_ADMIN,
  driver: SYSTEM_MEMBER_OR_OWNER_ADMIN,
  driver_info: SYSTEM_MEMBER_OR_OWNER_MEMBER,
  extra: SYSTEM_OR_PROJECT_MEMBER,
  instance_info: SYSTEM_OR_OWNER_MEMBER_AND_LESSEE_ADMIN,
  instance_name: SYSTEM_OR_OWNER_MEMBER_AND_LESSEE_ADMIN,
  instance_uuid: SYSTEM_MEMBER_OR_OWNER_MEMBER,
  lessee: SYSTEM_MEMBER_OR_OWNER_MEMBER,
  maintenance: SYSTEM_OR_OWNER_MEMBER_AND_LESSEE_ADMIN,
  maintenance_reason: SYSTEM_OR_OWNER_MEMBER_AND_LESSEE_ADMIN,
  name: SYSTEM_MEMBER_OR_OWNER_MEMBER,
  network_data: SYSTEM_MEMBER_OR_OWNER_MEMBER,
  owner: SYSTEM_MEMBER,
  parent_node: SYSTEM_MEMBER,
  properties: SYSTEM_MEMBER_OR_OWNER_MEMBER,
  retired: SYSTEM_MEMBER_OR_OWNER_MEMBER,
  retired_reason: SYSTEM_MEMBER_OR_OWNER_MEMBER,
  shard: SYSTEM_ADMIN,
  ...Object.fromEntries(INTERFACE_KINDS.map((kind) => [`${kind}_interface`, SYSTEM_MEMBER_OR_OWNER_ADMIN])),
};
/** Who may create a node may say what it is; only its place in the system is the system's. */
const NEW_NODE_FIELDS: Readonly<Record<string, Roles>> = Object.fromEntries(
  Object.entries(NODE_FIELDS).filter(([name, roles]) => roles.owner === undefined && name !== 'owner'),
);
const RUNBOOK_FIELDS = { owner: SYSTEM_MEMBER, public: SYSTEM_MEMBER };

const TABLE = {
  // Versions and the service itself.
  getRoot: PUBLIC,
  getV1: PUBLIC,
  getHealth: PUBLIC,
  lookup: PUBLIC,
  heartbeat: PUBLIC,
  continueInspection: PUBLIC,

  // Nodes. Who creates one in a project owns it.
  listNodes: list('reader', 'reader'),
  listNodesDetail: list('reader', 'reader'),
  createNode: { about: 'service', system: 'admin', project: 'admin', fields: NEW_NODE_FIELDS },
  getNode: node(SYSTEM_OR_PROJECT_READER),
  patchNode: node(SYSTEM_OR_PROJECT_MEMBER, { fields: NODE_FIELDS }),
  deleteNode: node(SYSTEM_ADMIN_OR_OWNER_ADMIN),
  validateNode: node(SYSTEM_OR_OWNER_MEMBER_AND_LESSEE_ADMIN),
  validateNodeByQuery: node(SYSTEM_OR_OWNER_MEMBER_AND_LESSEE_ADMIN, { at: { query: ['node', 'node_uuid'] } }),
  getInventory: node(SYSTEM_OR_OWNER_READER),
  getTimeline: node(SYSTEM_OR_PROJECT_READER),
  getWhy: node(SYSTEM_OR_PROJECT_READER),

  // What moves a node.
  getNodeStates: node(SYSTEM_OR_PROJECT_READER),
  setPowerState: node(SYSTEM_OR_PROJECT_MEMBER),
  setProvisionState: node(SYSTEM_OR_OWNER_MEMBER_AND_LESSEE_ADMIN),
  configureNode: node(SYSTEM_OR_OWNER_MEMBER_AND_LESSEE_ADMIN),
  retryRun: node(SYSTEM_OR_OWNER_MEMBER_AND_LESSEE_ADMIN),
  setMaintenance: node(SYSTEM_OR_OWNER_MEMBER_AND_LESSEE_ADMIN),
  clearMaintenance: node(SYSTEM_OR_OWNER_MEMBER_AND_LESSEE_ADMIN),
  getBootDevice: node(SYSTEM_MEMBER_OR_OWNER_ADMIN),
  getSupportedBootDevices: node(SYSTEM_MEMBER_OR_OWNER_ADMIN),
  setBootDevice: node(SYSTEM_MEMBER_OR_OWNER_ADMIN),
  injectNmi: node(SYSTEM_MEMBER_OR_OWNER_ADMIN),

  getConsole: node(SYSTEM_MEMBER_OR_OWNER_MEMBER),
  setConsole: node(SYSTEM_MEMBER_OR_OWNER_MEMBER),
  setBootMode: node(SYSTEM_OR_PROJECT_MEMBER),
  setSecureBoot: node(SYSTEM_OR_PROJECT_MEMBER),
  setRaidConfig: node(SYSTEM_MEMBER_OR_OWNER_MEMBER),
  listIndicators: node(SYSTEM_OR_PROJECT_READER),
  getIndicator: node(SYSTEM_OR_PROJECT_READER),
  setIndicator: node(SYSTEM_MEMBER_OR_OWNER_MEMBER),
  getVirtualMedia: node(SYSTEM_OR_PROJECT_READER),
  attachVirtualMedia: node(SYSTEM_OR_PROJECT_MEMBER),
  detachVirtualMedia: node(SYSTEM_OR_PROJECT_MEMBER),
  // Vendor methods may do anything to the machine.
  listVendorMethods: node(SYSTEM_ADMIN),
  getVendorMethod: node(SYSTEM_ADMIN),
  postVendorMethod: node(SYSTEM_ADMIN),
  putVendorMethod: node(SYSTEM_ADMIN),
  patchVendorMethod: node(SYSTEM_ADMIN),
  deleteVendorMethod: node(SYSTEM_ADMIN),
  getVendorQuery: node(SYSTEM_ADMIN),
  postVendorQuery: node(SYSTEM_ADMIN),
  putVendorQuery: node(SYSTEM_ADMIN),
  patchVendorQuery: node(SYSTEM_ADMIN),
  deleteVendorQuery: node(SYSTEM_ADMIN),
  // Each node of the order is asked for as if it stood alone.
  bulk: service(SYSTEM_READER, 'reader'),

  // What is known of a node besides its row.
  listBiosSettings: node(SYSTEM_OR_PROJECT_READER),
  getBiosSetting: node(SYSTEM_OR_PROJECT_READER),
  listFirmware: node(SYSTEM_OR_PROJECT_READER),
  listHistory: node(SYSTEM_OR_OWNER_READER),
  getHistoryEntry: node(SYSTEM_OR_OWNER_READER),
  listChildren: node(SYSTEM_OR_PROJECT_READER),
  listVifs: node(SYSTEM_OR_PROJECT_READER),
  attachVif: node(SYSTEM_OR_OWNER_MEMBER_AND_LESSEE_ADMIN),
  detachVif: node(SYSTEM_OR_OWNER_MEMBER_AND_LESSEE_ADMIN),

  // Ports.
  listPorts: list('reader', 'reader'),
  listPortsDetail: list('reader', 'reader'),
  listNodePorts: node(SYSTEM_OR_PROJECT_READER),
  listNodePortsDetail: node(SYSTEM_OR_PROJECT_READER),
  createPort: node(SYSTEM_ADMIN_OR_OWNER_ADMIN, IN_BODY),
  getPort: port(SYSTEM_OR_PROJECT_READER),
  patchPort: port(SYSTEM_MEMBER_OR_OWNER_ADMIN),
  deletePort: port(SYSTEM_ADMIN_OR_OWNER_ADMIN),

  // Port groups and remote volumes.
  listPortgroups: list('reader', 'reader'),
  listPortgroupsDetail: list('reader', 'reader'),
  listNodePortgroups: node(SYSTEM_OR_PROJECT_READER),
  listNodePortgroupsDetail: node(SYSTEM_OR_PROJECT_READER),
  listPortgroupPorts: portgroup(SYSTEM_OR_PROJECT_READER),
  listPortgroupPortsDetail: portgroup(SYSTEM_OR_PROJECT_READER),
  createPortgroup: node(SYSTEM_ADMIN_OR_OWNER_ADMIN, IN_BODY),
  getPortgroup: portgroup(SYSTEM_OR_PROJECT_READER),
  patchPortgroup: portgroup(SYSTEM_MEMBER_OR_OWNER_ADMIN),
  deletePortgroup: portgroup(SYSTEM_ADMIN_OR_OWNER_ADMIN),
  getVolume: service(SYSTEM_READER, 'reader'),
  getNodeVolume: node(SYSTEM_OR_PROJECT_READER),
  listVolumeConnectors: list('reader', 'reader'),
  listNodeVolumeConnectors: node(SYSTEM_OR_PROJECT_READER),
  createVolumeConnector: node(SYSTEM_MEMBER_OR_OWNER_LESSEE_ADMIN, IN_BODY),
  getVolumeConnector: connector(SYSTEM_OR_PROJECT_READER),
  patchVolumeConnector: connector(SYSTEM_OR_OWNER_MEMBER_AND_LESSEE_ADMIN),
  deleteVolumeConnector: connector(SYSTEM_MEMBER_OR_OWNER_LESSEE_ADMIN),
  listVolumeTargets: list('reader', 'reader'),
  listNodeVolumeTargets: node(SYSTEM_OR_PROJECT_READER),
  createVolumeTarget: node(SYSTEM_MEMBER_OR_OWNER_LESSEE_ADMIN, IN_BODY),
  getVolumeTarget: target(SYSTEM_OR_PROJECT_READER),
  patchVolumeTarget: target(SYSTEM_OR_OWNER_MEMBER_AND_LESSEE_ADMIN),
  deleteVolumeTarget: target(SYSTEM_MEMBER_OR_OWNER_LESSEE_ADMIN),

  // Traits and allocations. Who makes an allocation in a project owns it.
  getTraits: node(SYSTEM_OR_PROJECT_READER),
  setTraits: node(SYSTEM_MEMBER_OR_OWNER_ADMIN),
  addTrait: node(SYSTEM_MEMBER_OR_OWNER_ADMIN),
  removeTrait: node(SYSTEM_MEMBER_OR_OWNER_ADMIN),
  removeTraits: node(SYSTEM_MEMBER_OR_OWNER_ADMIN),
  listAllocations: list('reader', 'reader'),
  createAllocation: service(SYSTEM_MEMBER, 'member'),
  getAllocation: allocation(SYSTEM_OR_OWNER_READER),
  patchAllocation: allocation(SYSTEM_MEMBER_OR_OWNER_MEMBER),
  deleteAllocation: allocation(SYSTEM_MEMBER_OR_OWNER_MEMBER),
  getNodeAllocation: node(SYSTEM_OR_PROJECT_READER),
  deleteNodeAllocation: node(SYSTEM_OR_PROJECT_MEMBER),

  // What operators write down. A public runbook is lent to everybody.
  listRunbooks: list('reader', 'reader'),
  createRunbook: { about: 'service', system: 'member', project: 'admin', fields: RUNBOOK_FIELDS },
  getRunbook: runbook(SYSTEM_OR_PROJECT_READER),
  patchRunbook: runbook(SYSTEM_MEMBER_OR_OWNER_ADMIN, { fields: RUNBOOK_FIELDS }),
  deleteRunbook: runbook(SYSTEM_MEMBER_OR_OWNER_ADMIN),
  getRunbookTraits: runbook(SYSTEM_OR_PROJECT_READER),
  setRunbookTraits: runbook(SYSTEM_MEMBER_OR_OWNER_ADMIN),
  addRunbookTrait: runbook(SYSTEM_MEMBER_OR_OWNER_ADMIN),
  removeRunbookTrait: runbook(SYSTEM_MEMBER_OR_OWNER_ADMIN),
  removeRunbookTraits: runbook(SYSTEM_MEMBER_OR_OWNER_ADMIN),
  listDeployTemplates: list('reader'),
  createDeployTemplate: service(SYSTEM_ADMIN),
  getDeployTemplate: service(SYSTEM_READER),
  patchDeployTemplate: service(SYSTEM_ADMIN),
  deleteDeployTemplate: service(SYSTEM_ADMIN),
  listInspectionRules: list('reader'),
  createInspectionRule: service(SYSTEM_ADMIN),
  getInspectionRule: service(SYSTEM_READER),
  patchInspectionRule: service(SYSTEM_ADMIN),
  deleteInspectionRule: service(SYSTEM_ADMIN),
  deleteInspectionRules: service(SYSTEM_ADMIN),

  // What belongs to nobody's project.
  listShards: list('reader'),
  listChassis: list('reader'),
  listChassisDetail: list('reader'),
  createChassis: service(SYSTEM_ADMIN),
  getChassis: service(SYSTEM_READER),
  patchChassis: service(SYSTEM_MEMBER),
  deleteChassis: service(SYSTEM_ADMIN),
  listChassisNodes: list('reader'),
  listChassisNodesDetail: list('reader'),
  listDrivers: list('reader'),
  getDriver: service(SYSTEM_READER),
  getDriverProperties: service(SYSTEM_READER),
  getRaidProperties: service(SYSTEM_READER),
  listDriverVendorMethods: service(SYSTEM_ADMIN),
  getDriverVendorMethod: service(SYSTEM_ADMIN),
  postDriverVendorMethod: service(SYSTEM_ADMIN),
  putDriverVendorMethod: service(SYSTEM_ADMIN),
  patchDriverVendorMethod: service(SYSTEM_ADMIN),
  deleteDriverVendorMethod: service(SYSTEM_ADMIN),
  getDriverVendorQuery: service(SYSTEM_ADMIN),
  postDriverVendorQuery: service(SYSTEM_ADMIN),
  putDriverVendorQuery: service(SYSTEM_ADMIN),
  patchDriverVendorQuery: service(SYSTEM_ADMIN),
  deleteDriverVendorQuery: service(SYSTEM_ADMIN),
  listConductors: list('reader'),
  getConductor: service(SYSTEM_READER),
  listUnknownMachines: list('reader'),
  streamEvents: list('reader', 'reader'),
  postEvents: service(SYSTEM_ADMIN),

  // Webhooks tell of every node: they are the system's.
  listWebhooks: list('admin'),
  createWebhook: service(SYSTEM_ADMIN),
  getWebhook: service(SYSTEM_ADMIN),
  patchWebhook: service(SYSTEM_ADMIN),
  deleteWebhook: service(SYSTEM_ADMIN),
  getWebhookDelivery: service(SYSTEM_ADMIN),
  listDeadLetters: list('admin'),
  deleteDeadLetters: service(SYSTEM_ADMIN),
  deleteDeadLetter: service(SYSTEM_ADMIN),
  redeliverDeadLetters: service(SYSTEM_ADMIN),

  // Bearer tokens: a project's administrator makes those of the project.
  listTokens: list('admin', 'admin'),
  createToken: service(SYSTEM_ADMIN, 'admin'),
  getToken: token(SYSTEM_ADMIN_OR_OWNER_ADMIN),
  deleteToken: token(SYSTEM_ADMIN_OR_OWNER_ADMIN),
} satisfies Record<OperationId, Policy>;

export const POLICIES: Readonly<Record<string, Policy>> = { ...TABLE, getMetrics: service(SYSTEM_READER) };
