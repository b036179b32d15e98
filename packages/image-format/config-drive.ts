import { gunzip } from 'node:zlib';
import { ISO_FIRST_DESCRIPTOR_SECTOR, ISO_SECTOR_BYTES, ISO_STANDARD_ID, type IsoFile } from './iso9660-layout.ts';
import { readIso9660 } from './iso9660-read.ts';
import { writeIso9660 } from './iso9660-write.ts';
import { fail, ok, type Result } from './result.ts';

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };
export type JsonObject = { readonly [key: string]: JsonValue };

/** What a config drive says, as values (OpenStack's format, version `latest`). */
export interface ConfigDrive {
  readonly metaData: JsonObject;
  readonly networkData?: JsonValue;
  readonly userData?: string | Uint8Array;
  readonly vendorData?: JsonValue;
  /** All else that a ready-made drive held, by path; kept as it is. */
  readonly extraFiles?: readonly IsoFile[];
}

/** cloud-init finds the drive by this volume label. */
export const CONFIG_DRIVE_LABEL = 'config-2';
/** Ironic's own limit for a config drive. */
export const MAX_CONFIG_DRIVE_BYTES = 64 * 1024 * 1024;
const MAX_JSON_DEPTH = 64;

const LATEST = 'openstack/latest/';
const KNOWN = ['meta_data.json', 'network_data.json', 'user_data', 'vendor_data.json'];
/** Dated versions that cloud-init knows and prefers over `latest`, newest first. */
const VERSIONS = [
  '2018-08-27',
  '2017-02-22',
  '2016-10-06',
  '2016-06-30',
  '2015-10-15',
  '2013-10-17',
  '2013-04-04',
  '2012-08-10',
];

/**
 * The bytes of an image that Linux mounts and cloud-init finds: ISO 9660 with Rock Ridge and Joliet, volume label `config-2`.
 * The same drive and `timeMs` give the same bytes. LIMIT above `maxBytes` (64 MiB).
 */
export function buildConfigDrive(
  drive: ConfigDrive,
  options: { timeMs: number; maxBytes?: number },
): Result<Uint8Array> {
  const json = (value: JsonValue): Uint8Array => Buffer.from(`${JSON.stringify(value)}\n`);
  const files: IsoFile[] = [{ path: `${LATEST}meta_data.json`, data: json(drive.metaData) }];
  if (drive.networkData !== undefined)
    files.push({ path: `${LATEST}network_data.json`, data: json(drive.networkData) });
  if (drive.userData !== undefined) files.push({ path: `${LATEST}user_data`, data: Buffer.from(drive.userData) });
  if (drive.vendorData !== undefined) files.push({ path: `${LATEST}vendor_data.json`, data: json(drive.vendorData) });
  files.push(...(drive.extraFiles ?? []));
  return writeIso9660({
    volumeLabel: CONFIG_DRIVE_LABEL,
    files,
    timeMs: options.timeMs,
    maxBytes: options.maxBytes ?? MAX_CONFIG_DRIVE_BYTES,
  });
}

/** True for a value that names where the drive is, which the caller has to fetch. */
export function isConfigDriveUrl(value: unknown): value is string {
  return typeof value === 'string' && /^[a-z][a-z0-9+.-]*:\/\//i.test(value);
}

/**
 * Reads what Ironic's API accepts as `configdrive`: an object {meta_data, network_data, user_data, vendor_data}, or base64 of a
 * gzipped ISO 9660 image, whose files are read out so that it can be merged with. Inflating stops at 64 MiB. An address is
 * refused: fetch it first (`isConfigDriveUrl`).
 */
export async function parseConfigDriveInput(value: unknown): Promise<Result<ConfigDrive>> {
  if (typeof value === 'string') {
    if (isConfigDriveUrl(value)) return fail('UNSUPPORTED', 'configdrive is an address: it has to be fetched first');
    const image = await decodeBlob(value);
    return image.ok ? readConfigDrive(image.value) : image;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return fail('MALFORMED', 'configdrive must be an object or base64 text');
  return fromObject(value as Record<string, unknown>);
}

function fromObject(value: Record<string, unknown>): Result<ConfigDrive> {
  for (const key of Object.keys(value))
    if (!['meta_data', 'network_data', 'user_data', 'vendor_data'].includes(key))
      return fail(
        'MALFORMED',
        `configdrive has an unknown key "${key.slice(0, 64)}": meta_data, network_data, user_data and vendor_data are allowed`,
      );
  const { meta_data: metaData, network_data: networkData, user_data: userData, vendor_data: vendorData } = value;
  if (!withinDepth(value, MAX_JSON_DEPTH))
    return fail('LIMIT', `configdrive is nested deeper than ${MAX_JSON_DEPTH} levels`);
  for (const [name, part] of Object.entries({
    meta_data: metaData,
    network_data: networkData,
    vendor_data: vendorData,
  }))
    if (part !== undefined && part !== null && !isObject(part))
      return fail('MALFORMED', `configdrive.${name} must be an object`);
  if (userData !== undefined && userData !== null && typeof userData !== 'string' && typeof userData !== 'object')
    return fail('MALFORMED', 'configdrive.user_data must be text, an object or a list');
  // Ironic writes user data given as a value as JSON, which cloud-init reads as it reads YAML.
  const text = typeof userData === 'object' && userData !== null ? JSON.stringify(userData) : userData;
  return ok({
    metaData: (metaData ?? {}) as JsonObject,
    ...(networkData ? { networkData: networkData as JsonObject } : {}),
    ...(typeof text === 'string' && text !== '' ? { userData: text } : {}),
    ...(vendorData ? { vendorData: vendorData as JsonObject } : {}),
  });
}

/**
 * A drive as a file of it is served: an ISO 9660 image, gzipped or not, or base64 of either. Gives base64 text, for
 * `parseConfigDriveInput`. Only the bytes tell which it is, neither names nor content types.
 */
export function configDriveTextOf(bytes: Uint8Array): Result<string> {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const text =
    isGzip(file) || isIso9660(file) || isFat(file) ? file.toString('base64') : compactBase64(file.toString('latin1'));
  if (text !== undefined) return ok(text);
  return fail(
    'MALFORMED',
    `the file is ${kindOf(file)}no config drive: it has to be an ISO 9660 image, that gzipped, or base64 of either`,
  );
}

/** What is often found where a config drive was expected. */
function kindOf(file: Buffer): string {
  const start = file.subarray(0, 64).toString('latin1').trimStart();
  if (start === '') return 'empty, ';
  if (start.startsWith('<')) return 'a page of HTML or XML, ';
  return start.startsWith('{') ? 'JSON, ' : '';
}

const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

/** ECMA-119 section 8.1.2: the standard identifier of the first volume descriptor. */
function isIso9660(image: Uint8Array): boolean {
  const at = ISO_FIRST_DESCRIPTOR_SECTOR * ISO_SECTOR_BYTES + 1;
  return Buffer.from(image.subarray(at, at + ISO_STANDARD_ID.length)).toString('latin1') === ISO_STANDARD_ID;
}
const isFat = (image: Uint8Array): boolean =>
  image.length > 512 &&
  image[510] === 0x55 &&
  image[511] === 0xaa &&
  Buffer.from(image.subarray(0, 512)).includes('FAT');

/** Base64 text without its white space; undefined for any other text. */
function compactBase64(text: string): string | undefined {
  const compact = text.replaceAll(/\s+/g, '');
  return compact !== '' && compact.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(compact) ? compact : undefined;
}

async function decodeBlob(text: string): Promise<Result<Uint8Array>> {
  // Base64 grows by a third, line breaks add a little: longer text cannot be an image within the limit.
  if (text.length > MAX_CONFIG_DRIVE_BYTES * 1.5)
    return fail('LIMIT', `configdrive is longer than ${MAX_CONFIG_DRIVE_BYTES} bytes`);
  const compact = compactBase64(text);
  return compact === undefined
    ? fail('MALFORMED', 'configdrive is neither an object nor base64 text')
    : inflated(Buffer.from(compact, 'base64'));
}

/** What a gzip holds; other bytes as they are. */
async function inflated(bytes: Uint8Array): Promise<Result<Uint8Array>> {
  if (!isGzip(bytes)) return ok(bytes);
  return new Promise((resolve) => {
    gunzip(bytes, { maxOutputLength: MAX_CONFIG_DRIVE_BYTES }, (error, inflated) => {
      if (!error) resolve(ok(inflated));
      else if ('code' in error && error.code === 'ERR_BUFFER_TOO_LARGE')
        resolve(fail('LIMIT', `configdrive inflates to more than ${MAX_CONFIG_DRIVE_BYTES} bytes`));
      else resolve(fail('MALFORMED', `configdrive is no sound gzip: ${error.message}`));
    });
  });
}

/**
 * Reads a ready-made drive's ISO 9660 image. Of several versions of OpenStack's format the one that cloud-init would choose is
 * taken, and is the only one written again.
 */
export function readConfigDrive(image: Uint8Array): Result<ConfigDrive> {
  if (isFat(image))
    return fail(
      'UNSUPPORTED',
      'the config drive is a FAT image, to which access keys cannot be added: make an ISO 9660 image, or give the values',
    );
  const contents = readIso9660(image, MAX_CONFIG_DRIVE_BYTES);
  if (!contents.ok) return contents;
  const byPath = new Map(contents.value.files.map((f) => [f.path, f.data]));
  const has = (v: string): boolean => byPath.has(`openstack/${v}/meta_data.json`);
  const version = [...VERSIONS, 'latest'].find(has);
  if (!version) return fail('MALFORMED', 'the config drive has no openstack/latest/meta_data.json');

  const parsed: Record<string, JsonValue> = {};
  for (const name of KNOWN.filter((n) => n.endsWith('.json'))) {
    const data = byPath.get(`openstack/${version}/${name}`);
    if (!data || data.length === 0) continue;
    try {
      parsed[name] = JSON.parse(Buffer.from(data).toString()) as JsonValue;
    } catch {
      return fail('MALFORMED', `${name} of the config drive is not JSON`);
    }
    if (!withinDepth(parsed[name], MAX_JSON_DEPTH))
      return fail('LIMIT', `${name} of the config drive is nested deeper than ${MAX_JSON_DEPTH} levels`);
  }
  const metaData = parsed['meta_data.json'];
  if (!isObject(metaData)) return fail('MALFORMED', 'meta_data.json of the config drive is not an object');
  const userData = byPath.get(`openstack/${version}/user_data`);
  const extraFiles = extraFilesOf(contents.value.files, version);
  const networkData = parsed['network_data.json'];
  const vendorData = parsed['vendor_data.json'];
  return ok({
    metaData: metaData as JsonObject,
    ...(networkData !== undefined ? { networkData } : {}),
    ...(userData ? { userData } : {}),
    ...(vendorData !== undefined ? { vendorData } : {}),
    ...(extraFiles.length > 0 ? { extraFiles } : {}),
  });
}

/** Everything but the four known files and the versions not taken; what stood in the taken one goes to `latest`. */
function extraFilesOf(files: readonly IsoFile[], version: string): IsoFile[] {
  const taken = `openstack/${version}/`;
  const others = [...VERSIONS, 'latest'].map((v) => `openstack/${v}/`);
  const kept = files.flatMap((file) => {
    if (file.path.startsWith(taken)) {
      const rest = file.path.slice(taken.length);
      return KNOWN.includes(rest) ? [] : [{ path: `${LATEST}${rest}`, data: file.data }];
    }
    return others.some((prefix) => file.path.startsWith(prefix)) ? [] : [file];
  });
  return kept.sort((a, b) => (a.path < b.path ? -1 : 1));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function withinDepth(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return depth > 0 && Object.values(value).every((v) => withinDepth(v, depth - 1));
}
