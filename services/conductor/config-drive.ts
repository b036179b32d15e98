/** A node's config drive: how it is stored, what it says, and how one that is given by its URL is fetched. */
import { isUtf8 } from 'node:buffer';
import { type ConfigDriveArgs, MAX_MESSAGE_BYTES } from '@bessemer/agent-protocol';
import { isJsonObject, type Json, type JsonObject, type Node, printableHref, ServiceError } from '@bessemer/core';
import type { Db } from '@bessemer/db';
import {
  type ConfigDrive,
  configDriveTextOf,
  isConfigDriveUrl,
  MAX_CONFIG_DRIVE_BYTES as MAX_FILE_BYTES,
  parseConfigDriveInput,
} from '@bessemer/image-format';
import type { ImageDepot } from './ports.ts';

/** What is stored of a drive: as the request gave it, or `{url, fetched}` once it was fetched, in base64. */
export type StoredDrive = JsonObject | string;

/** The URL that a stored drive was given by. */
export function configDriveUrlOf(stored: StoredDrive | null): string | undefined {
  const url = isJsonObject(stored) ? stored['url'] : stored;
  return isConfigDriveUrl(url) ? url : undefined;
}
/** Of a URL that was fetched what was there, else what is stored. */
const contentOf = (stored: StoredDrive | null): Json =>
  isJsonObject(stored) ? (stored['fetched'] ?? stored) : (stored ?? {});

/** The drive that a client wrote into instance_info, as Ironic's clients may do instead of giving it with the request. */
export const notedDrive = ({ instanceInfo }: Node): StoredDrive | null => {
  const drive = instanceInfo['configdrive'] ?? '';
  // What is neither is refused by whoever reads it.
  return drive === '' ? null : (drive as StoredDrive);
};

/** The hostname of a node whose request brought no config drive. */
export const hostnameOf = (node: Node): string => {
  const shown = node.instanceInfo['display_name'];
  return typeof shown === 'string' && shown !== '' ? shown : (node.name ?? node.uuid);
};

/** What the node's config drive says: the request's, completed with what every one has. @throws INVALID_PARAMETER. */
export async function configDriveOf(db: Pick<Db, 'read'>, node: Node): Promise<ConfigDrive> {
  const stored = await db.read.nodes.getConfigDrive(node.uuid);
  const parsed = await parseConfigDriveInput(contentOf(stored));
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
export function payloadOf({ metaData, userData, networkData, vendorData, extraFiles = [] }: ConfigDrive) {
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

/** Why a drive could not be brought to the node, or undefined. */
async function problemOf(content: StoredDrive, node: Node): Promise<string | undefined> {
  const drive = await parseConfigDriveInput(content);
  if (!drive.ok) return drive.error.message;
  const sizeBytes = Buffer.byteLength(JSON.stringify(payloadOf(completed(drive.value, node))));
  if (sizeBytes <= MAX_CONFIG_DRIVE_BYTES) return undefined;
  return `as it is sent to the node (files that are no text in base64) it has ${sizeBytes} bytes, and at most ${MAX_CONFIG_DRIVE_BYTES} are possible. Let the node fetch what is large itself.`;
}

/** Of an address not the address itself: what cannot be read as one cannot be rid of its secrets either. */
const addressProblem = (url: string): string | undefined =>
  URL.canParse(url) && ['http:', 'https:'].includes(new URL(url).protocol)
    ? undefined
    : 'the address is no valid http or https URL, and from no other a config drive is fetched.';

/** Refuses a drive that cannot be used; what a URL leads to is looked at when it is fetched. @throws INVALID_PARAMETER. */
export async function checkConfigDrive(given: StoredDrive, node: Node): Promise<void> {
  const problem = isConfigDriveUrl(given) ? addressProblem(given) : await problemOf(given, node);
  if (problem !== undefined) throw new ServiceError('INVALID_PARAMETER', `configdrive: ${problem}`);
}

/**
 * Fetches a drive and gives it as it is to be stored. @throws Error whose message says what is wrong, and where; of the URL it
 * holds neither credentials nor query.
 */
export async function fetchConfigDrive(
  depot: ImageDepot,
  url: string,
  node: Node,
  signal: AbortSignal,
): Promise<StoredDrive> {
  const text = configDriveTextOf(await depot.read(new URL(url), { maxBytes: MAX_FILE_BYTES, signal }));
  const problem = text.ok ? await problemOf(text.value, node) : text.error.message;
  if (!text.ok || problem !== undefined) throw new Error(`${printableHref(url)}: ${problem}`);
  return { url, fetched: text.value };
}
