/** The arguments of an agent's steps, made from node, request and what earlier steps have left, each time a segment is sent. */
import { isUtf8 } from 'node:buffer';
import type { Json, JsonObject, Node, Run } from '@bessemer/core';
import { coerceError, isJsonObject, ServiceError } from '@bessemer/core';
import { MAX_MESSAGE_BYTES } from '@bessemer/agent-protocol';
import type { ConfigDriveArgs, DiskIdentity, RootDeviceHints, WriteImageArgs } from '@bessemer/agent-protocol';
import type { Db } from '@bessemer/db';
import { type ConfigDrive, parseConfigDriveInput } from '@bessemer/image-format';
import { readyImageOf } from './image-orders.ts';
import type { Configurer, ImageDepot } from './ports.ts';
import type { TaskWriter } from './task-writer.ts';

export type AgentArguments = (step: string, run: Run, node: Node) => Promise<JsonObject>;

/** `notes.exitId`: the image exit of a run. */
export const exitIdOf = (notes: JsonObject): string | undefined =>
  typeof notes['exitId'] === 'string' ? notes['exitId'] : undefined;

export interface AgentArgumentsOptions {
  readonly db: Db;
  readonly depot: ImageDepot;
  readonly configurer: Configurer;
  readonly writer: TaskWriter;
}

/** The hostname of a node whose request brought no config drive. */
export const hostnameOf = (node: Node): string => {
  const shown = node.instanceInfo['display_name'];
  return typeof shown === 'string' && shown !== '' ? shown : (node.name ?? node.uuid);
};

/**
 * instance_info wins over properties, as in Ironic; an empty object says nothing. Hints that cannot be read are no licence to
 * take any disk. @throws INVALID_PARAMETER.
 */
export function rootDeviceHintsOf(node: Pick<Node, 'instanceInfo' | 'properties'>): RootDeviceHints | undefined {
  for (const place of ['instanceInfo', 'properties'] as const) {
    const hints = node[place]['root_device'] ?? {};
    if (!isJsonObject(hints))
      throw new ServiceError(
        'INVALID_PARAMETER',
        `${place === 'properties' ? place : 'instance_info'}/root_device must be an object of root device hints, such as {"serial": "..."}.`,
      );
    if (Object.keys(hints).length > 0) return hints as RootDeviceHints;
  }
  return undefined;
}

/** What the node's config drive says: the request's, completed with what every one has. @throws INVALID_PARAMETER. */
export async function configDriveOf(db: Pick<Db, 'read'>, node: Node): Promise<ConfigDrive> {
  const stored = await db.read.nodes.getConfigDrive(node.uuid);
  const parsed = await parseConfigDriveInput(stored ?? {});
  if (!parsed.ok) throw new ServiceError('INVALID_PARAMETER', `configdrive: ${parsed.error.message}`);
  return completed(parsed.value, node);
}

function completed(drive: ConfigDrive, node: Node): ConfigDrive {
  const hostname = hostnameOf(node);
  const defaults = { uuid: node.instanceUuid ?? node.uuid, name: hostname, hostname };
  const networkData = drive.networkData ?? (Object.keys(node.networkData).length > 0 ? node.networkData : undefined);
  return {
    ...drive,
    metaData: { ...defaults, ...drive.metaData },
    ...(networkData === undefined ? {} : { networkData }),
  };
}

/** The disk that the run has chosen, once it is known: by what write_image gave, or said when it chose it or failed. */
function diskOf(run: Run): { disk?: DiskIdentity } {
  const written = (run.notes['results'] as JsonObject | undefined)?.['write_image'];
  const disk = (isJsonObject(written) ? written['disk'] : undefined) ?? run.notes['rootDisk'];
  return isJsonObject(disk) ? { disk: disk as unknown as DiskIdentity } : {};
}

const toBase64 = (data: Uint8Array): string => Buffer.from(data).toString('base64');

/** User data may be compressed or anything else that is no text: it arrives as it was given. */
function userDataOf(
  userData: ConfigDrive['userData'],
): Pick<ConfigDriveArgs['configDrive'], 'userData' | 'userDataBase64'> {
  if (userData === undefined) return {};
  const bytes = Buffer.from(userData);
  return isUtf8(bytes) ? { userData: bytes.toString('utf8') } : { userDataBase64: bytes.toString('base64') };
}

/** A config drive as the agent gets it. */
function payloadOf({ metaData, userData, networkData, vendorData, extraFiles = [] }: ConfigDrive) {
  return {
    metaData,
    ...(isJsonObject(networkData) ? { networkData } : {}),
    ...userDataOf(userData),
    ...(isJsonObject(vendorData) ? { vendorData } : {}),
    ...(extraFiles.length === 0
      ? {}
      : { extraFiles: extraFiles.map(({ path, data }) => ({ path, dataBase64: toBase64(data) })) }),
  } satisfies ConfigDriveArgs['configDrive'];
}

/** What the rest of a segment may take of a message: its other steps, hints, names and keys. */
const REST_OF_SEGMENT_BYTES = 64 * 1024;
const MAX_CONFIG_DRIVE_BYTES = MAX_MESSAGE_BYTES - REST_OF_SEGMENT_BYTES;

/** Refuses a config drive that could not be sent to the node once its turn comes. @throws INVALID_PARAMETER. */
export function checkConfigDriveSize(drive: ConfigDrive, node: Node): void {
  const sizeBytes = Buffer.byteLength(JSON.stringify(payloadOf(completed(drive, node))));
  if (sizeBytes <= MAX_CONFIG_DRIVE_BYTES) return;
  throw new ServiceError(
    'INVALID_PARAMETER',
    `configdrive: as it is sent to the node (files that are no text in base64) it has ${sizeBytes} bytes, and at most ${MAX_CONFIG_DRIVE_BYTES} are possible. Let the node fetch what is large itself.`,
  );
}

export function createAgentArguments(options: AgentArgumentsOptions): AgentArguments {
  const { db, depot, configurer, writer } = options;

  async function writeImage(run: Run, node: Node): Promise<WriteImageArgs> {
    const image = readyImageOf(run.notes)!;
    const reference = await depot.openExit({ imageId: image.imageId, runId: run.id }).catch((error: unknown) => {
      const why = coerceError(error).message;
      throw new ServiceError('INVALID_STATE', `The image cannot be offered to the node: ${why}`, { cause: error });
    });
    if (exitIdOf(run.notes) !== reference.exitId) await writer.record(run, { notes: { exitId: reference.exitId } });
    const hints = rootDeviceHintsOf(node);
    return { image: reference, ...(hints ? { rootDeviceHints: hints } : {}), ...diskOf(run) };
  }
  async function configDrive(run: Run, node: Node): Promise<ConfigDriveArgs> {
    const drive = await configDriveOf(db, node);
    return {
      configDrive: payloadOf(drive),
      servicePublicKey: await configurer.servicePublicKey(),
      hostname: String(drive.metaData['hostname'] ?? hostnameOf(node)),
      ...diskOf(run),
    };
  }

  return async (step, run, node) => {
    switch (step) {
      case 'write_image':
        return (await writeImage(run, node)) as unknown as JsonObject;
      case 'configdrive':
        return (await configDrive(run, node)) as unknown as JsonObject;
      case 'prepare_boot':
        return diskOf(run) as JsonObject;
      default:
        return {} satisfies Record<string, Json>;
    }
  };
}
