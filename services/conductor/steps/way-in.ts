/** The way in: how the deployed system is reached. */
import type { JsonObject, Node, Port } from '@bessemer/core';
import { isJsonObject } from '@bessemer/core';
import type { Db } from '@bessemer/db';
import { configDriveOf } from '../config-drive.ts';

export interface WayIn {
  readonly address: string;
  readonly port: number;
  readonly user: string;
  /** Where the address was found. */
  readonly source: 'network_data' | 'dhcp' | 'extra.address';
}

/** The account that Debian's cloud images and ours put the keys into; instance_info/ssh_user names another one. */
const DEFAULT_USER = 'debian';

/** The first fixed address of OpenStack's network_data. */
function fixedAddress(networkData: unknown): string | undefined {
  if (!isJsonObject(networkData) || !Array.isArray(networkData['networks'])) return undefined;
  for (const network of networkData['networks'])
    if (isJsonObject(network) && typeof network['ip_address'] === 'string') return network['ip_address'].split('/')[0];
  return undefined;
}

/** network_data's address, else the DHCP lease of a port that boots, else `extra.address`; undefined when nobody knows one. */
export async function wayInOf(db: Pick<Db, 'read'>, node: Node, ports: readonly Port[]): Promise<WayIn | undefined> {
  const user = typeof node.instanceInfo['ssh_user'] === 'string' ? node.instanceInfo['ssh_user'] : DEFAULT_USER;
  const port = Number(node.instanceInfo['ssh_port'] ?? 22);
  const drive = await configDriveOf(db, node);
  const fixed = fixedAddress(drive.networkData);
  if (fixed) return { address: fixed, port, user, source: 'network_data' };
  for (const candidate of ports.filter((p) => p.pxeEnabled)) {
    const leased = await db.read.boots.getAddress(candidate.address);
    if (leased) return { address: leased, port, user, source: 'dhcp' };
  }
  const told = node.extra['address'];
  return typeof told === 'string' && told !== '' ? { address: told, port, user, source: 'extra.address' } : undefined;
}

export const NO_WAY_IN =
  'No address of the deployed system is known: give network_data in the config drive, let it ask our DHCP for one, or set extra/address.';

/** The play that the request or instance_info asks for. */
export function playOf(
  input: JsonObject,
  instanceInfo: JsonObject,
): { readonly playbook: string; readonly variables: JsonObject } | undefined {
  const asked = input['configure'] ?? instanceInfo['configure'];
  if (!isJsonObject(asked) || typeof asked['playbook'] !== 'string') return undefined;
  return { playbook: asked['playbook'], variables: isJsonObject(asked['variables']) ? asked['variables'] : {} };
}
