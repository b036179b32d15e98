/** Ids are branded, so that a run cannot be passed where a node is meant. All are UUIDs in lower case. */
declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

export type NodeId = Branded<'NodeId'>;
export type PortId = Branded<'PortId'>;
export type ChassisId = Branded<'ChassisId'>;
export type NetworkId = Branded<'NetworkId'>;
export type RunId = Branded<'RunId'>;
/** One life of one conductor process. */
export type SessionId = Branded<'SessionId'>;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** True for a UUID in canonical form (either case). */
export const isUuid = (value: string): boolean => UUID.test(value.toLowerCase());

export const asNodeId = (uuid: string): NodeId => uuid.toLowerCase() as NodeId;
export const asPortId = (uuid: string): PortId => uuid.toLowerCase() as PortId;
export const asChassisId = (uuid: string): ChassisId => uuid.toLowerCase() as ChassisId;
export const asNetworkId = (uuid: string): NetworkId => uuid.toLowerCase() as NetworkId;
export const asRunId = (uuid: string): RunId => uuid.toLowerCase() as RunId;
export const asSessionId = (uuid: string): SessionId => uuid.toLowerCase() as SessionId;

const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;
/** A MAC address in lower case with colons, from colons, hyphens or bare digits; undefined when it is none. */
export function normalizeMac(value: string): string | undefined {
  const bare = value.trim().toLowerCase().replaceAll('-', ':');
  const mac = /^[0-9a-f]{12}$/.test(bare) ? bare.match(/../g)!.join(':') : bare;
  return MAC.test(mac) ? mac : undefined;
}
