import { createDecipheriv } from 'node:crypto';
import { seededRandom } from '@bessemer/ports/testing';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createCipher, isMaskedField, isSecretField, maskSealed } from './secrets.ts';

const key = Uint8Array.from({ length: 32 }, (_, i) => i);
const cipher = createCipher({ keyId: 'k1', key }, seededRandom(1));

it('is AES-256-GCM as documented: another implementation opens it', () => {
  const [version, keyId, nonce, body] = cipher.seal('hunter2', 'node', 'field').split(':');
  expect([version, keyId]).toEqual(['v1', 'k1']);
  const bytes = Buffer.from(body!, 'base64url');
  const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(nonce!, 'base64url'));
  decipher.setAAD(Buffer.from('node\nfield')).setAuthTag(bytes.subarray(bytes.length - 16));
  expect(decipher.update(bytes.subarray(0, -16)).toString() + decipher.final().toString()).toBe('hunter2');
});

it('opens only what it closed, where it closed it', () => {
  const sealed = cipher.seal('hunter2', 'node', 'field');
  expect(cipher.open(sealed, 'node', 'field')).toBe('hunter2');
  expect(() => cipher.open(sealed, 'other', 'field')).toThrow(/does not open/);
  expect(() => cipher.open(sealed, 'node', 'other')).toThrow(/does not open/);
  for (let i = sealed.lastIndexOf(':') + 1; i < sealed.length - 1; i++) {
    const changed = sealed.slice(0, i) + (sealed[i] === 'A' ? 'B' : 'A') + sealed.slice(i + 1);
    expect(() => cipher.open(changed, 'node', 'field')).toThrow(/does not open/);
  }
  for (const text of ['', 'v1', 'v1:k1:a:b', 'hunter2'])
    expect(() => cipher.open(text, 'node', 'field')).toThrow(/not configured/);
});

it('remembers what it has opened, and no more than that', () => {
  const many = Array.from({ length: 1_500 }, (_, i) => cipher.seal(`secret ${i}`, 'node', 'field'));
  for (let round = 0; round < 2; round++)
    for (const [i, sealed] of many.entries()) {
      expect(cipher.open(sealed, 'node', 'field')).toBe(`secret ${i}`);
      expect(cipher.open(sealed, 'node', 'field')).toBe(`secret ${i}`);
    }
  expect(() => cipher.open(many[7]!, 'other', 'field')).toThrow(/does not open/);
});

it('opens with an old key and closes with the new one', () => {
  const next = createCipher({ keyId: 'k2', key: key.map((b) => b ^ 1), old: [{ keyId: 'k1', key }] }, seededRandom(2));
  expect(next.open(cipher.seal('x', 'n', 'f'), 'n', 'f')).toBe('x');
  expect(next.seal('x', 'n', 'f')).toMatch(/^v1:k2:/);
  expect(() => cipher.open(next.seal('x', 'n', 'f'), 'n', 'f')).toThrow(/key "k2", which is not configured/);
});

it('refuses keys that are none', () => {
  expect(() => createCipher({ keyId: 'k', key: new Uint8Array(16) }, seededRandom(1))).toThrow(/16 bytes/);
  expect(() => createCipher({ keyId: 'a:b', key }, seededRandom(1))).toThrow(/id of a secret key/);
});

it('gives back any JSON, and leaves no secret in it', () => {
  const name = fc.oneof(
    fc.constantFrom('password', 'ipmi_password', 'snmp_auth_key', 'plain', '__proto__', 'x'),
    fc.string(),
  );
  const { json } = fc.letrec<{ json: unknown }>((tie) => ({
    json: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom(null, true, 7, 'v1:k1:AAAAAAAAAAAAAAAA:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'),
      fc.string(),
      fc.array(tie('json'), { maxLength: 3 }),
      fc.dictionary(name, tie('json'), { maxKeys: 4 }),
    ),
  }));
  fc.assert(
    fc.property(fc.dictionary(name, json, { maxKeys: 4 }), (value) => {
      const object = JSON.parse(JSON.stringify(value));
      const text = cipher.sealFields(object, 'node', 'driver_info');
      expect(cipher.openFields(text, 'node', 'driver_info')).toEqual(object);
      const visit = (part: unknown): void => {
        if (typeof part !== 'object' || part === null) return;
        for (const [field, inner] of Object.entries(part))
          if (isSecretField(field) && inner !== null && inner !== '') expect(inner).toMatch(/^v1:k1:/);
          else visit(inner);
      };
      visit(JSON.parse(text));
      visit(JSON.parse(maskSealed(text).replaceAll('******', 'v1:k1:masked')));
    }),
  );
});

it('knows secret fields by their name', () => {
  for (const name of 'password ipmi_password rescuePassword ipmi_hex_kg_key redfish_password snmp_priv_key snmp_community agent_secret_token apiToken config_drive configDrive configdrive ssh_private_key'.split(
    ' ',
  ))
    expect(isSecretField(name), name).toBe(true);
  for (const name of 'ipmi_address ipmi_username public_key keyboard monkey image_source tokens_used passwordless'.split(
    ' ',
  ))
    expect(isSecretField(name), name).toBe(false);
});

it('masks secrets, and what has the name of one somewhere', () => {
  for (const name of ['ipmi_password', 'snmp_community', 'bmc_credential', 'tokens_used', 'passwordless'])
    expect(isMaskedField(name), name).toBe(true);
  for (const name of ['ipmi_address', 'public_api', 'keyboard']) expect(isMaskedField(name), name).toBe(false);
});
