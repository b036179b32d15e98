/** The resources as the domain sees them: camelCase here, snake_case only in the database and on the wire. Times are ms since the epoch. */
import type { ChassisId, NetworkId, NodeId, RunId, SessionId } from './ids.ts';
import type { JsonObject } from './json.ts';
import type { ProvisionState, StableState } from './provision-states.ts';

export type PowerState = 'power on' | 'power off' | 'rebooting' | 'error';

export const POWER_TARGETS = ['power on', 'power off', 'rebooting', 'soft rebooting', 'soft power off'] as const;
export type PowerTarget = (typeof POWER_TARGETS)[number];

export const INTERFACE_KINDS = [
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
export type InterfaceKind = (typeof INTERFACE_KINDS)[number];

/** A node. `interfaces` holds only what was asked for: defaults are resolved when used, never frozen in. */
export interface Node {
  readonly uuid: NodeId;
  readonly name: string | null;
  readonly chassisUuid: ChassisId | null;
  readonly instanceUuid: string | null;
  readonly instanceName: string | null;
  readonly driver: string;
  readonly interfaces: Partial<Record<InterfaceKind, string>>;
  /** BMC credentials in it are ciphertext in the database and plain here; the API masks them. */
  readonly driverInfo: JsonObject;
  readonly driverInternalInfo: JsonObject;
  readonly properties: JsonObject;
  readonly instanceInfo: JsonObject;
  readonly extra: JsonObject;
  readonly networkData: JsonObject;
  readonly raidConfig: JsonObject;
  readonly targetRaidConfig: JsonObject;
  readonly traits: readonly string[];
  readonly resourceClass: string | null;
  readonly conductorGroup: string;
  readonly automatedClean: boolean | null;
  readonly protected: boolean;
  readonly protectedReason: string | null;
  readonly retired: boolean;
  readonly retiredReason: string | null;
  readonly owner: string | null;
  readonly lessee: string | null;
  readonly shard: string | null;
  readonly parentNode: string | null;
  readonly description: string | null;
  readonly allocationUuid: string | null;
  readonly disablePowerOff: boolean;
  readonly maintenance: boolean;
  readonly maintenanceReason: string | null;
  readonly fault: string | null;
  readonly consoleEnabled: boolean;
  readonly bootMode: string | null;
  readonly secureBoot: boolean | null;
  readonly powerState: PowerState | null;
  readonly targetPowerState: PowerState | null;
  readonly provisionState: ProvisionState;
  readonly targetProvisionState: StableState | null;
  readonly provisionUpdatedAt: number | null;
  readonly lastError: string | null;
  readonly cleanStep: JsonObject;
  readonly deployStep: JsonObject;
  readonly serviceStep: JsonObject;
  readonly inspectionStartedAt: number | null;
  readonly inspectionFinishedAt: number | null;
  /** The lease: who works on the node. `conductor` is what the wire shows as `reservation`. */
  readonly reservation: Reservation | null;
  readonly createdAt: number;
  readonly updatedAt: number | null;
}

/** A lease on a node. `fence` grows with each hand-over; a write that names an old one fails with STALE_FENCE. */
export interface Reservation {
  readonly session: SessionId;
  readonly conductor: string;
  readonly purpose: string;
  readonly fence: number;
}

export interface Chassis {
  readonly uuid: ChassisId;
  readonly description: string | null;
  readonly extra: JsonObject;
  readonly createdAt: number;
  readonly updatedAt: number | null;
}

export interface Network {
  readonly uuid: NetworkId;
  readonly name: string;
  readonly cidr: string;
  readonly vlan: number | null;
  readonly role: 'provisioning' | 'tenant' | 'bmc';
  readonly dhcp: 'own' | 'proxy' | 'none';
  readonly createdAt: number;
}

/** One life of one conductor process. It holds leases until `expiresAt`. */
export interface ConductorSession {
  readonly session: SessionId;
  readonly hostname: string;
  readonly conductorGroup: string;
  readonly drivers: readonly DriverDescription[];
  readonly startedAt: number;
  readonly expiresAt: number;
}

/** What a conductor says of a hardware type it runs: enough for the API to check a node without asking. */
export interface DriverDescription {
  readonly name: string;
  /** Per kind: the enabled implementations that the type supports, the default first. */
  readonly interfaces: Readonly<Record<InterfaceKind, readonly string[]>>;
  /** Per kind: the default implementation. */
  readonly defaults: Readonly<Record<InterfaceKind, string>>;
  /** driver_info properties by name. */
  readonly properties: Readonly<Record<string, DriverProperty>>;
}

export interface DriverProperty {
  readonly description: string;
  readonly required: boolean;
  readonly secret: boolean;
}

/** A machine that asked to boot and that nobody registered. */
export interface UnknownMachine {
  readonly mac: string;
  readonly uuid: string | null;
  readonly serial: string | null;
  readonly arch: string | null;
  readonly platform: string | null;
  readonly address: string | null;
  readonly firstSeenAt: number;
  readonly lastSeenAt: number;
  readonly requests: number;
}

export type { RunId };
