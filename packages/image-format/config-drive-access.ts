import type { ConfigDrive, JsonObject, JsonValue } from './config-drive.ts';
import { fail, ok, type Result } from './result.ts';

/** What the service adds to a drive so that it can log in and knows whom it meets. */
export interface DriveAccess {
  /** Taken where meta_data has none. */
  readonly hostname?: string;
  /** The instance's id, taken where meta_data has none: cloud-init refuses a drive without. */
  readonly uuid?: string;
  /** Public keys in OpenSSH's one-line form. */
  readonly publicKeys: readonly string[];
  readonly sshHostKey?: {
    /** OpenSSH or PEM text. */
    readonly privatePem: string;
    /** One line: type, base64, comment. */
    readonly public: string;
  };
}

/** The name under which the service's keys stand in meta_data's `public_keys`. */
export const SERVICE_KEY_NAME = 'bessemer';

const HOST_KEY_NAMES: Readonly<Record<string, string>> = {
  'ssh-ed25519': 'ed25519',
  'ssh-rsa': 'rsa',
  'ecdsa-sha2-nistp256': 'ecdsa',
  'ecdsa-sha2-nistp384': 'ecdsa',
  'ecdsa-sha2-nistp521': 'ecdsa',
};
const PUBLIC_KEY = /^(ssh|ecdsa|sk)-[a-z0-9@.-]+ [A-Za-z0-9+/]+={0,2}( [^\r\n]*)?$/;

/**
 * Adds access to a drive and keeps all that is there. The keys go to `public_keys` of meta_data, since cloud-init does not merge
 * lists: an `ssh_authorized_keys` in vendor data is lost as soon as user data has one. The host key goes as `ssh_keys` into a
 * cloud-config under vendor_data's `cloud-init`; where something stands there already it becomes a list of parts with ours as
 * the last, which is the one that counts.
 */
export function mergeForAccess(drive: ConfigDrive, access: DriveAccess): Result<ConfigDrive> {
  for (const key of access.publicKeys)
    if (!PUBLIC_KEY.test(key.trim())) return fail('MALFORMED', 'a public key is not in the one-line form of OpenSSH');
  const keys = mergePublicKeys(
    drive.metaData['public_keys'],
    access.publicKeys.map((k) => k.trim()),
  );
  if (!keys.ok) return keys;
  const metaData: JsonObject = {
    ...drive.metaData,
    ...(access.uuid !== undefined && !drive.metaData['uuid'] ? { uuid: access.uuid } : {}),
    ...(access.hostname !== undefined && !drive.metaData['hostname'] ? { hostname: access.hostname } : {}),
    ...(Object.keys(keys.value).length > 0 ? { public_keys: keys.value } : {}),
  };
  if (!access.sshHostKey) return ok({ ...drive, metaData });
  const config = hostKeyCloudConfig(access.sshHostKey);
  if (!config.ok) return config;
  const vendorData = mergeVendorData(drive.vendorData, config.value);
  return vendorData.ok ? ok({ ...drive, metaData, vendorData: vendorData.value }) : vendorData;
}

/** `public_keys` is {name: key}; a text of lines or a list of keys, which cloud-init reads as well, is brought into that form. */
function mergePublicKeys(present: JsonValue | undefined, keys: readonly string[]): Result<JsonObject> {
  const named = new Map<string, JsonValue>();
  if (typeof present === 'string' || Array.isArray(present)) {
    const lines = typeof present === 'string' ? present.split('\n') : present;
    for (const [i, line] of lines.entries()) {
      if (typeof line !== 'string') return fail('MALFORMED', `meta_data.public_keys[${i}] is not text`);
      if (line.trim() !== '') named.set(`key-${i}`, line);
    }
  } else if (typeof present === 'object' && present !== null) {
    for (const [name, key] of Object.entries(present)) named.set(name, key);
  } else if (present !== undefined && present !== null) {
    return fail('MALFORMED', 'meta_data.public_keys must be an object of keys by name');
  }
  for (const key of keys) {
    const known = [...named.values()].flat().some((k) => typeof k === 'string' && k.trim() === key);
    if (known) continue;
    let name = SERVICE_KEY_NAME;
    for (let i = 2; named.has(name); i++) name = `${SERVICE_KEY_NAME}-${i}`;
    named.set(name, key);
  }
  return ok(Object.fromEntries(named));
}

function hostKeyCloudConfig(key: NonNullable<DriveAccess['sshHostKey']>): Result<string> {
  const publicLine = key.public.trim();
  const name = HOST_KEY_NAMES[publicLine.split(' ', 1)[0] ?? ''];
  if (!name || !PUBLIC_KEY.test(publicLine))
    return fail('UNSUPPORTED', 'the SSH host key is not of type ed25519, ecdsa or rsa');
  const lines = key.privatePem.trim().split(/\r?\n/);
  if (!lines[0]?.startsWith('-----BEGIN ') || lines.some((line) => !/^[\x20-\x7e]*$/.test(line)))
    return fail('MALFORMED', 'the private SSH host key is not PEM text');
  const block = lines.map((line) => `    ${line}\n`).join('');
  return ok(`#cloud-config\nssh_keys:\n  ${name}_private: |\n${block}  ${name}_public: ${publicLine}\n`);
}

function mergeVendorData(present: JsonValue | undefined, config: string): Result<JsonValue> {
  if (present === undefined || present === null || present === '') return ok({ 'cloud-init': config });
  // cloud-init takes a bare text or list as its own; only in an object can others have their say.
  const object: JsonObject =
    typeof present === 'object' && !Array.isArray(present) ? (present as JsonObject) : { 'cloud-init': present };
  const own = object['cloud-init'];
  if (own === undefined || own === null || own === '') return ok({ ...object, 'cloud-init': config });
  if (typeof own === 'string') return ok({ ...object, 'cloud-init': [own, config] });
  if (Array.isArray(own)) return ok({ ...object, 'cloud-init': [...(own as readonly JsonValue[]), config] });
  return fail(
    'MALFORMED',
    'vendor_data["cloud-init"] must be text or a list of texts: cloud-init accepts nothing else',
  );
}
