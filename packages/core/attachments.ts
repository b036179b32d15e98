/** What belongs to a node and is registered by itself: ports, port groups, volumes to boot from. Times are ms since the epoch. */
import type { NetworkId, NodeId, PortId } from './ids.ts';
import type { JsonObject } from './json.ts';

export interface Port {
  readonly uuid: PortId;
  readonly nodeUuid: NodeId;
  /** MAC address, lower case with colons. Unique. */
  readonly address: string;
  readonly networkUuid: NetworkId | null;
  readonly name: string | null;
  readonly description: string | null;
  readonly extra: JsonObject;
  readonly internalInfo: JsonObject;
  readonly localLinkConnection: JsonObject;
  readonly pxeEnabled: boolean;
  readonly physicalNetwork: string | null;
  readonly isSmartnic: boolean;
  readonly portgroupUuid: string | null;
  readonly vendor: string | null;
  readonly category: string | null;
  readonly availableForDynamicPortgroup: boolean;
  readonly createdAt: number;
  readonly updatedAt: number | null;
}

/** Ports that are bonded. */
export interface Portgroup {
  readonly uuid: string;
  readonly nodeUuid: NodeId;
  /** Unique, as is the name; both may be missing. */
  readonly address: string | null;
  readonly name: string | null;
  /** Bonding mode as the operating system names it, such as `active-backup` or `802.3ad`. */
  readonly mode: string | null;
  readonly properties: JsonObject;
  readonly extra: JsonObject;
  readonly internalInfo: JsonObject;
  /** Whether the member ports may be used one by one before the bond exists. */
  readonly standalonePortsSupported: boolean;
  readonly physicalNetwork: string | null;
  readonly category: string | null;
  readonly dynamicPortgroup: boolean;
  readonly createdAt: number;
  readonly updatedAt: number | null;
}

/** The initiator's side of a remote volume: an IQN, an IP address, a WWPN. `type` and `connectorId` together are unique. */
export interface VolumeConnector {
  readonly uuid: string;
  readonly nodeUuid: NodeId;
  readonly type: string;
  readonly connectorId: string;
  readonly extra: JsonObject;
  readonly createdAt: number;
  readonly updatedAt: number | null;
}

/** A remote volume of a node. The boot index is unique within its node; 0 is the root volume. */
export interface VolumeTarget {
  readonly uuid: string;
  readonly nodeUuid: NodeId;
  readonly volumeType: string;
  readonly volumeId: string;
  readonly bootIndex: number;
  /** How to reach it; CHAP credentials in it are ciphertext in the database. */
  readonly properties: JsonObject;
  readonly extra: JsonObject;
  readonly createdAt: number;
  readonly updatedAt: number | null;
}
