/**
 * Encryption at rest: AES-256-GCM, as `v1:keyId:nonce:ciphertext+tag` in base64url. The node's id and the name of the field
 * are associated data, so that a ciphertext moved to another row or column does not open.
 */
import { createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { isJsonObject } from '@bessemer/core';
import type { Json, JsonObject } from '@bessemer/core';
import type { Random } from '@bessemer/ports';

export interface SecretKey {
  /** 1 to 32 letters, digits, `-` and `_`. Stands in each ciphertext. */
  readonly keyId: string;
  /** 32 bytes. */
  readonly key: Uint8Array;
}
/** `old` keys still open what they closed; everything is written with the current one. */
export interface SecretKeys extends SecretKey {
  readonly old?: readonly SecretKey[];
}

const NAMED = new Set([
  'ipmi_password',
  'ipmi_hex_kg_key',
  'redfish_password',
  'snmp_community',
  'snmp_community_read',
  'snmp_community_write',
  'snmp_auth_key',
  'snmp_priv_key',
  'agent_secret_token',
  'config_drive',
  'configdrive',
  // Of a temporary URL whoever has it may read it.
  'image_url',
]);
const ENDING = /(^|_)(password|passwd|passphrase|secret|token|credentials?|(?<!public_)key)$/;

/** True for a field whose value is a secret: it is encrypted at rest, and masked where it is shown. Takes snake_case and camelCase. */
export function isSecretField(name: string): boolean {
  const snake = name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll('-', '_')
    .toLowerCase();
  return NAMED.has(snake) || ENDING.test(snake);
}

/** Words that make a name suspect wherever they stand in it. */
const SUSPECT = /password|passphrase|secret|token|_key$|auth_protocol_key|priv_protocol_key|hex_kg_key/i;
/** True for a field that is shown as `MASK`: every secret, and what might be one by its name. */
export const isMaskedField = (name: string): boolean => SUSPECT.test(name) || isSecretField(name);

const SEALED = /^v1:([A-Za-z0-9_-]{1,32}):([A-Za-z0-9_-]{16}):([A-Za-z0-9_-]{22,})$/;
/** A sealed value as it stands in JSON text. */
const SEALED_IN_JSON = /"v1:[A-Za-z0-9_-]{1,32}:[A-Za-z0-9_-]{16}:[A-Za-z0-9_-]{22,}"/g;
/** What is shown in place of a secret; sent back it means the secret as it is. */
export const MASK = '******';

/** Replaces every sealed value in JSON text by `"******"` without parsing it. */
export const maskSealed = (json: string): string => json.replaceAll(SEALED_IN_JSON, `"${MASK}"`);

/**
 * So many opened values are remembered, those used last: a node is read some dozen times on its way through a deployment, and
 * a conductor that works on it has its secrets in memory anyway. Long ones (config drives) are read once.
 */
const REMEMBERED = 1_000;
const REMEMBERED_LENGTH = 1_000;
interface Opened {
  readonly owner: string;
  readonly field: string;
  readonly plain: string;
}

export interface Cipher {
  seal(plain: string, owner: string, field: string): string;
  /** @throws Error when the key is unknown or the text was changed or belongs elsewhere. */
  open(sealed: string, owner: string, field: string): string;
  /** The same for JSON text that may have been stored before its column was sealed. @throws Error as `open`. */
  openJson(stored: string, owner: string, field: string): Json;
  /** JSON text of `value` with every secret field sealed, at any depth. Null, undefined and empty texts stay as they are. */
  sealFields(value: JsonObject, owner: string, field: string): string;
  openFields(json: string, owner: string, field: string): JsonObject;
}

/** @throws RangeError for a key that is not 32 bytes or an id that is not of the stated form. */
export function createCipher(keys: SecretKeys, random: Random): Cipher {
  const known = new Map<string, KeyObject>();
  for (const { keyId, key } of [keys, ...(keys.old ?? [])]) {
    if (!/^[A-Za-z0-9_-]{1,32}$/.test(keyId))
      throw new RangeError(`the id of a secret key must be 1 to 32 letters, digits, - or _, not "${keyId}"`);
    if (key.length !== 32) throw new RangeError(`secret key ${keyId} has ${key.length} bytes; it must have 32`);
    if (!known.has(keyId)) known.set(keyId, createSecretKey(key));
  }
  const currentKey = known.get(keys.keyId)!;
  const associated = (owner: string, field: string) => Buffer.from(`${owner}\n${field}`);

  const remembered = new Map<string, Opened>();
  function remember(sealed: string, opened: Opened): void {
    if (sealed.length > REMEMBERED_LENGTH) return;
    // The map's order is that of the last use.
    if (!remembered.delete(sealed) && remembered.size >= REMEMBERED) remembered.delete(remembered.keys().next().value!);
    remembered.set(sealed, opened);
  }

  const seal = (plain: string, owner: string, field: string): string => {
    const nonce = random.bytes(12);
    const cipher = createCipheriv('aes-256-gcm', currentKey, nonce).setAAD(associated(owner, field));
    const body = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    const sealed = `v1:${keys.keyId}:${Buffer.from(nonce).toString('base64url')}:${body.toString('base64url')}`;
    remember(sealed, { owner, field, plain });
    return sealed;
  };

  const open = (sealed: string, owner: string, field: string): string => {
    const known = remembered.get(sealed);
    const isKnown = known?.owner === owner && known.field === field;
    const plain = isKnown ? known.plain : decrypt(sealed, owner, field);
    remember(sealed, { owner, field, plain });
    return plain;
  };

  const decrypt = (sealed: string, owner: string, field: string): string => {
    const [, keyId = '', nonce = '', text = ''] = SEALED.exec(sealed) ?? [];
    const key = known.get(keyId);
    if (!key)
      throw new Error(
        `${field} of ${owner} is encrypted with the key "${keyId}", which is not configured: add it to the old keys`,
      );
    const body = Buffer.from(text, 'base64url');
    const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(nonce, 'base64url'))
      .setAAD(associated(owner, field))
      .setAuthTag(body.subarray(-16));
    try {
      return Buffer.concat([decipher.update(body.subarray(0, -16)), decipher.final()]).toString('utf8');
    } catch (cause) {
      throw new Error(
        `${field} of ${owner} does not open with the key "${keyId}": it was changed, moved from another row, or the key is a different one`,
        { cause },
      );
    }
  };

  const sealValue = (name: string, value: Json, owner: string, field: string): Json => {
    // Nothing is hidden in an empty text; sealed it would be shown as a secret.
    if (value === null || value === undefined || value === '') return value;
    if (isSecretField(name)) return seal(JSON.stringify(value), owner, field);
    return walk(value, owner, field, sealValue);
  };
  const openValue = (name: string, value: Json, owner: string, field: string): Json => {
    if (typeof value === 'string')
      return isSecretField(name) && SEALED.test(value) ? JSON.parse(open(value, owner, field)) : value;
    return walk(value, owner, field, openValue);
  };

  return {
    seal,
    open,
    openJson: (stored, owner, field) => JSON.parse(SEALED.test(stored) ? open(stored, owner, field) : stored),
    sealFields: (value, owner, field) => JSON.stringify(walk(value, owner, field, sealValue)),
    openFields(json, owner, field) {
      const parsed: JsonObject = JSON.parse(json);
      if (!json.includes('"v1:')) return parsed;
      const opened = walk(parsed, owner, field, openValue);
      return isJsonObject(opened) ? opened : {};
    },
  };
}

type Visit = (name: string, value: Json, owner: string, field: string) => Json;

/** The names of list elements are their list's: `passwords: [..]` is no secret, `password: [..]` is one as a whole. */
function walk(value: Json, owner: string, field: string, visit: Visit): Json {
  if (Array.isArray(value)) return value.map((item, i) => walk(item, owner, `${field}.${i}`, visit));
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, visit(name, item, owner, `${field}.${name}`)]),
  );
}
