/** Parts of a machine that its BMC switches: console, boot mode, secure boot, lamps, virtual media, RAID, vendor methods. */
import { isJsonObject, isTransient, type Json, type JsonObject, type Node, ServiceError } from '@bessemer/core';
import { driversByName, hostFor, interfaceOf, readConductors } from '../conductors.ts';
import { strictBoolean } from '../http/query.ts';
import { accepted, type ApiRequest, type ApiServices, type Handler, noContent, ok, type Reply } from '../request.ts';
import { freeNode } from '../resources/of-node.ts';
import { linksTo } from '../views/links.ts';
import { driverUnknown } from './drivers.ts';
import { findNode } from './find-node.ts';

async function located(request: ApiRequest, services: ApiServices) {
  const node = await findNode(request, request.params['node']!, services);
  return { node, nodeUuid: node.uuid, host: await hostFor(node, services), call: { requestId: request.requestId } };
}
const statesLocation = (request: ApiRequest, more = '') =>
  `${request.base}/v1/nodes/${request.params['node']}/states${more}`;

export const getConsole: Handler = async (request, services) => {
  const { node, nodeUuid, host, call } = await located(request, services);
  const { console_info: info } = await services.rpc.call(host, 'getConsole', { nodeUuid }, call);
  return ok({ console_enabled: node.consoleEnabled, console_info: info });
};

export const setConsole: Handler = async (request, services) => {
  const { nodeUuid, host, call } = await located(request, services);
  const enabled = strictBoolean('enabled', (request.body as JsonObject)['enabled']);
  await services.rpc.call(host, 'setConsole', { nodeUuid, enabled }, call);
  return accepted(statesLocation(request, '/console'));
};

/** @throws INVALID_STATE while the node is on its way from one state to another. */
function mustRest(node: Node): void {
  if (isTransient(node.provisionState))
    throw new ServiceError(
      'INVALID_STATE',
      `Node is in ${node.provisionState} state. Since node is transitioning, the boot mode will not be set as this may interfere with ongoing changes and result in erroneous modification. Try again later.`,
    );
}

export const setBootMode: Handler = async (request, services) => {
  const { node, nodeUuid, host, call } = await located(request, services);
  const mode = (request.body as JsonObject)['target'];
  if (mode !== 'bios' && mode !== 'uefi')
    throw new ServiceError(
      'INVALID_PARAMETER',
      `Invalid boot mode ${String(mode)} requested for node. Allowed boot modes are: bios, uefi`,
    );
  mustRest(node);
  await services.rpc.call(host, 'changeBootMode', { nodeUuid, mode }, call);
  return accepted(statesLocation(request));
};

export const setSecureBoot: Handler = async (request, services) => {
  const { node, nodeUuid, host, call } = await located(request, services);
  const isOn = strictBoolean('target', (request.body as JsonObject)['target']);
  mustRest(node);
  await services.rpc.call(host, 'changeSecureBoot', { nodeUuid, isOn }, call);
  return accepted(statesLocation(request));
};

/** What a logical disk may say, with Ironic's descriptions. */
const RAID_PROPERTIES: Readonly<Record<string, string>> = {
  raid_level:
    "RAID level for the logical disk. Valid values are 'JBOD', '0', '1', '2', '5', '6', '1+0', '5+0' and '6+0'. Required.",
  size_gb:
    "Size in GiB (Integer) for the logical disk. Use 'MAX' as size_gb if this logical disk is supposed to use the rest of the space available. Required.",
  volume_name: 'Name of the volume to be created. If this is not specified, it will be auto-generated. Optional.',
  is_root_volume: 'Specifies whether this disk is a root volume. By default, this is False. Optional.',
  share_physical_disks:
    'Specifies whether other logical disks can share physical disks with this logical disk. By default, this is False. Optional.',
  disk_type:
    "The type of disk preferred. Valid values are 'hdd' and 'ssd'. If this is not specified, disk type will not be a selection criterion for choosing backing physical disks. Optional.",
  interface_type:
    "The interface type of disk. Valid values are 'sata', 'scsi' and 'sas'. If this is not specified, interface type will not be a selection criterion for choosing backing physical disks. Optional.",
  number_of_physical_disks:
    'Number of physical disks to use for this logical disk. By default, the driver uses the minimum number of disks required for that RAID level. Optional.',
  controller:
    'Controller to use for this logical disk. If not specified, the driver will choose a suitable RAID controller on the bare metal node. Optional.',
  physical_disks:
    'The physical disks to use for this logical disk. If not specified, the driver will choose suitable physical disks to use. Optional.',
};

const noRaid = (driver: string) =>
  new ServiceError('NOT_FOUND', `Driver ${driver} does not support raid (disabled or not implemented).`);

/** At most one logical disk is the root volume; shapes are the contract's. */
export const setRaidConfig: Handler = async (request, services) => {
  const node = await findNode(request, request.params['node']!, services);
  const config = request.body as JsonObject;
  // An empty one takes back what was wanted: that needs no controller.
  if (Object.keys(config).length > 0 && (await interfaceOf(node, 'raid', services.db.read)) === 'no-raid')
    throw noRaid(node.driver);
  const disks = (config['logical_disks'] ?? []) as JsonObject[];
  const roots = disks.filter((disk) => disk['is_root_volume'] === true).length;
  if (roots > 1)
    throw new ServiceError(
      'INVALID_PARAMETER',
      `Raid config cannot have more than one root volume. ${roots} root volumes were specified`,
    );
  await services.db.write('target raid config', async (tx) => {
    await freeNode(tx, node.uuid);
    await tx.nodes.update(node.uuid, { targetRaidConfig: config });
  });
  return noContent;
};

export const getRaidProperties: Handler = async (request, services) => {
  const name = request.params['driver']!;
  const found = driversByName(await readConductors(services)).get(name);
  if (!found) throw driverUnknown(name);
  if (found.driver.interfaces.raid.every((raid) => raid === 'no-raid')) throw noRaid(name);
  return ok({ ...RAID_PROPERTIES });
};

/** `name@component`. @throws INVALID_PARAMETER. */
function lampNamed(text: string): { component: string; name: string } {
  const at = text.indexOf('@');
  if (at < 0) throw new ServiceError('INVALID_PARAMETER', `Malformed indicator name "${text}"`);
  return { name: text.slice(0, at), component: text.slice(at + 1) };
}

export const listIndicators: Handler = async (request, services) => {
  const { nodeUuid, host, call } = await located(request, services);
  const { components } = await services.rpc.call(host, 'listIndicators', { nodeUuid }, call);
  const ident = request.params['node']!;
  const indicators = Object.entries(components).flatMap(([component, lamps]) =>
    Object.entries(lamps).map(([name, lamp]) => ({
      name: `${name}@${component}`,
      component,
      readonly: lamp.readonly,
      states: lamp.states,
      links: linksTo(request.base, `nodes/${ident}/management/indicators/${name}@${component}`),
    })),
  );
  return ok({ indicators });
};

export const getIndicator: Handler = async (request, services) => {
  const { nodeUuid, host, call } = await located(request, services);
  return ok(
    await services.rpc.call(host, 'getIndicator', { nodeUuid, ...lampNamed(request.params['indicator']!) }, call),
  );
};

export const setIndicator: Handler = async (request, services) => {
  const { nodeUuid, host, call } = await located(request, services);
  const state = String((request.body as JsonObject)['state']).toLowerCase();
  const lamp = lampNamed(request.params['indicator']!);
  await services.rpc.call(host, 'setIndicator', { nodeUuid, ...lamp, state }, call);
  return noContent;
};

const MEDIA_SCHEMES = ['http:', 'https:', 'nfs:', 'cifs:'];
const MEDIA_DEVICES = ['cdrom', 'disk', 'floppy'];

export const getVirtualMedia: Handler = async (request, services) => {
  const { nodeUuid, host, call } = await located(request, services);
  const { media } = await services.rpc.call(host, 'listVirtualMedia', { nodeUuid }, call);
  return ok({ vmedia: media });
};

export const attachVirtualMedia: Handler = async (request, services) => {
  const body = request.body as JsonObject;
  const imageUrl = String(body['image_url']);
  const scheme = URL.canParse(imageUrl) ? new URL(imageUrl).protocol : '';
  if (!MEDIA_SCHEMES.includes(scheme))
    throw new ServiceError('INVALID_PARAMETER', `Unsupported or missing URL scheme: ${scheme.replace(':', '')}`);
  const { nodeUuid, host, call } = await located(request, services);
  const device = String(body['device_type']);
  await services.rpc.call(host, 'attachVirtualMedia', { nodeUuid, device, imageUrl }, call);
  return noContent;
};

export const detachVirtualMedia: Handler = async (request, services) => {
  const devices = request.query.get('device_types')?.split(',') ?? null;
  const invalid = devices?.filter((device) => !MEDIA_DEVICES.includes(device)) ?? [];
  if (invalid.length > 0)
    throw new ServiceError(
      'INVALID_PARAMETER',
      `Invalid device type(s) ${invalid.join(', ')} (valid are ${MEDIA_DEVICES.join(', ')})`,
    );
  const { nodeUuid, host, call } = await located(request, services);
  await services.rpc.call(host, 'detachVirtualMedia', { nodeUuid, devices }, call);
  return noContent;
};

export const listVendorMethods: Handler = async (request, services) => {
  const { nodeUuid, host, call } = await located(request, services);
  return ok((await services.rpc.call(host, 'listVendorMethods', { nodeUuid }, call)).methods);
};

/** The method stands in the path, or in `?method=`. @throws INVALID_PARAMETER, MISSING_PARAMETER. */
function methodOf(request: ApiRequest): string {
  const method = request.params['method'] ?? request.query.get('method');
  if (method === null) throw new ServiceError('MISSING_PARAMETER', 'Missing mandatory parameter: method');
  if (!method) throw new ServiceError('INVALID_PARAMETER', 'Method not specified');
  return method;
}

const json = (status: number, body: Json): Reply => ({
  status,
  body: JSON.stringify(body),
  headers: { 'Content-Type': 'application/json' },
});

const vendorCall: Handler = async (request, services) => {
  const method = methodOf(request);
  const { nodeUuid, host, call } = await located(request, services);
  const info = request.body ?? {};
  if (!isJsonObject(info))
    throw new ServiceError('INVALID_PARAMETER', 'The body of a vendor method must be an object of its arguments.');
  const args = { nodeUuid, method, httpMethod: request.operation.method, info };
  const { isAsync, result } = await services.rpc.call(host, 'callVendorMethod', args, call);
  return isAsync ? accepted() : json(200, result);
};
export const getVendorMethod = vendorCall;
export const postVendorMethod = vendorCall;
export const putVendorMethod = vendorCall;
export const patchVendorMethod = vendorCall;
export const deleteVendorMethod = vendorCall;
export const getVendorQuery = vendorCall;
export const postVendorQuery = vendorCall;
export const putVendorQuery = vendorCall;
export const patchVendorQuery = vendorCall;
export const deleteVendorQuery = vendorCall;

/** Methods of a hardware type rather than of a node: none of the types that ship has one. */
export const listDriverVendorMethods: Handler = async (request, services) => {
  const name = request.params['driver']!;
  if (!driversByName(await readConductors(services)).has(name)) throw driverUnknown(name);
  return ok({});
};
const driverVendorCall: Handler = async (request, services) => {
  const method = methodOf(request);
  await listDriverVendorMethods(request, services);
  throw new ServiceError('INVALID_PARAMETER', `No handler for method ${method}`);
};
export const getDriverVendorMethod = driverVendorCall;
export const postDriverVendorMethod = driverVendorCall;
export const putDriverVendorMethod = driverVendorCall;
export const patchDriverVendorMethod = driverVendorCall;
export const deleteDriverVendorMethod = driverVendorCall;
export const getDriverVendorQuery = driverVendorCall;
export const postDriverVendorQuery = driverVendorCall;
export const putDriverVendorQuery = driverVendorCall;
export const patchDriverVendorQuery = driverVendorCall;
export const deleteDriverVendorQuery = driverVendorCall;
