import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import {
  buildConfigDrive,
  type ConfigDrive,
  configDriveTextOf,
  isConfigDriveUrl,
  mergeForAccess,
  parseConfigDriveInput,
  type Result,
  readConfigDrive,
} from './index.ts';
import { writeIso9660 } from './iso9660-write.ts';

const MIB = 1024 * 1024;
const HOST_KEY = {
  privatePem: '-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn\n-----END OPENSSH PRIVATE KEY-----\n',
  public: 'ssh-ed25519 AAAAhost',
};
const KEY = 'ssh-ed25519 AAAAservice bessemer';
const HOST_CONFIG =
  '#cloud-config\nssh_keys:\n  ed25519_private: |\n    -----BEGIN OPENSSH PRIVATE KEY-----\n    b3Blbn\n    -----END OPENSSH PRIVATE KEY-----\n  ed25519_public: ssh-ed25519 AAAAhost\n';

function value<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.error.message);
  return result.value;
}
const said = (result: Result<unknown>): string => (result.ok ? 'ok' : `${result.error.code}: ${result.error.message}`);
function fat(): Buffer {
  const image = Buffer.alloc(100_000);
  image.write('FAT16', 54);
  image.writeUInt16LE(0xaa55, 510);
  return image;
}
const blob = (image: Uint8Array): string =>
  gzipSync(image)
    .toString('base64')
    .replaceAll(/(.{76})/g, '$1\n');

describe('parseConfigDriveInput', () => {
  test('takes the four values; user data that is a value becomes JSON', async () => {
    const drive = value(
      await parseConfigDriveInput({ meta_data: { uuid: 'u' }, user_data: { packages: [] }, vendor_data: null }),
    );
    expect(drive).toEqual({ metaData: { uuid: 'u' }, userData: '{"packages":[]}' });
    expect(value(await parseConfigDriveInput({}))).toEqual({ metaData: {} });
  });

  test('takes a gzipped image in base64 and reads its files', async () => {
    const drive: ConfigDrive = {
      metaData: { uuid: 'u' },
      networkData: { links: [] },
      userData: Buffer.from([0, 1, 2, 255]),
      vendorData: ['x'],
    };
    const image = value(buildConfigDrive(drive, { timeMs: 0 }));
    expect(value(await parseConfigDriveInput(blob(image)))).toEqual(drive);
    expect(value(await parseConfigDriveInput(Buffer.from(image).toString('base64')))).toEqual(drive);
  });

  test.each([
    ['an address', 'https://example.org/drive', 'UNSUPPORTED: configdrive is an address'],
    ['a number', 5, 'MALFORMED: configdrive must be an object or base64 text'],
    ['text', 'hello world!', 'MALFORMED: configdrive is neither an object nor base64 text'],
    ['no image', Buffer.alloc(40_000).toString('base64'), 'no ISO image'],
    [
      'a cut gzip',
      gzipSync(Buffer.alloc(9000)).subarray(0, 20).toString('base64'),
      'MALFORMED: configdrive is no sound gzip',
    ],
    ['a bomb', gzipSync(Buffer.alloc(65 * MIB)).toString('base64'), 'LIMIT: configdrive inflates to more than'],
    ['an unknown key', { metadata: {} }, 'unknown key "metadata"'],
    ['a list as meta_data', { meta_data: [] }, 'configdrive.meta_data must be an object'],
    [
      'deep values',
      { meta_data: JSON.parse('{"a":'.repeat(100) + '1' + '}'.repeat(100)) as unknown },
      'LIMIT: configdrive is nested deeper',
    ],
  ])('refuses %s', async (_name, input, expected) => {
    expect(said(await parseConfigDriveInput(input))).toContain(expected);
  });

  test('an address is recognised', () => {
    expect(isConfigDriveUrl('http://x/y')).toBe(true);
    expect(isConfigDriveUrl('H4sIAAAA')).toBe(false);
  });
});

describe('configDriveTextOf', () => {
  const iso = Buffer.from(value(buildConfigDrive({ metaData: { hostname: 'h' }, userData: 'u' }, { timeMs: 0 })));
  const noise = Buffer.from(Array.from({ length: 40_000 }, (_, i) => (i * 7919) % 251));

  test.each([
    ['an ISO image', iso],
    ['a gzipped one', gzipSync(iso)],
    ['base64 of a gzipped one', Buffer.from(gzipSync(iso).toString('base64'))],
    ['base64 in lines', Buffer.from(gzipSync(iso).toString('base64').replaceAll(/.{76}/g, '$&\r\n'))],
    ['base64 of a bare one', Buffer.from(iso.toString('base64'))],
  ])('takes %s', async (_name, file) => {
    const text = value(configDriveTextOf(file));
    expect(value(await parseConfigDriveInput(text))).toMatchObject({ metaData: { hostname: 'h' } });
  });

  test.each([
    ['nothing', Buffer.alloc(0), 'MALFORMED: the file is empty, no config drive'],
    [
      'a page',
      Buffer.from('\n<!DOCTYPE html><html>Log in</html>'),
      'the file is a page of HTML or XML, no config drive',
    ],
    ['an object', Buffer.from('{"meta_data": {}}'), 'the file is JSON, no config drive'],
    ['other bytes', noise, 'the file is no config drive: it has to be an ISO 9660 image'],
  ])('refuses %s', (_name, file, expected) => {
    expect(said(configDriveTextOf(file))).toContain(expected);
  });

  test.each([
    ['a cut gzip', gzipSync(iso).subarray(0, 300), 'MALFORMED: configdrive is no sound gzip: unexpected end of file'],
    ['a gzipped page', gzipSync('<html>'), 'MALFORMED: a volume descriptor of the ISO image lies outside'],
    ['a word', Buffer.from('gone'), 'MALFORMED: a volume descriptor of the ISO image lies outside'],
    ['a bomb', gzipSync(Buffer.alloc(65 * MIB)), 'LIMIT: configdrive inflates to more than 67108864 bytes'],
    ['a FAT image', fat(), 'UNSUPPORTED: the config drive is a FAT image'],
  ])('leaves it to the reader to refuse %s', async (_name, file, expected) => {
    expect(said(await parseConfigDriveInput(value(configDriveTextOf(file))))).toContain(expected);
  });
});

describe('readConfigDrive', () => {
  const image = (files: Record<string, string>): Uint8Array =>
    value(
      writeIso9660({
        volumeLabel: 'config-2',
        timeMs: 0,
        maxBytes: MIB,
        files: Object.entries(files).map(([path, text]) => ({ path, data: Buffer.from(text) })),
      }),
    );

  test('takes the version that cloud-init would choose and keeps everything else', () => {
    const drive = value(
      readConfigDrive(
        image({
          'openstack/latest/meta_data.json': '{"uuid":"old"}',
          'openstack/2018-08-27/meta_data.json': '{"uuid":"chosen"}',
          'openstack/2018-08-27/vendor_data2.json': '{"a":1}',
          'openstack/2012-08-10/meta_data.json': '{}',
          'openstack/content/0000': 'file',
          'ec2/latest/meta-data.json': '{}',
        }),
      ),
    );
    expect(drive.metaData).toEqual({ uuid: 'chosen' });
    expect(drive.extraFiles?.map((f) => f.path).sort()).toEqual([
      'ec2/latest/meta-data.json',
      'openstack/content/0000',
      'openstack/latest/vendor_data2.json',
    ]);
    expect(value(readConfigDrive(value(buildConfigDrive(drive, { timeMs: 1 }))))).toEqual(drive);
  });

  test.each([
    ['without meta data', { 'openstack/latest/user_data': '' }, 'no openstack/latest/meta_data.json'],
    ['with broken JSON', { 'openstack/latest/meta_data.json': '{' }, 'meta_data.json of the config drive is not JSON'],
    ['with a list as meta data', { 'openstack/latest/meta_data.json': '[]' }, 'is not an object'],
  ])('refuses a drive %s', (_name, files, expected) => {
    expect(said(readConfigDrive(image(files as unknown as Record<string, string>)))).toContain(expected);
  });

  test('says what to do about a FAT image', () => {
    expect(said(readConfigDrive(fat()))).toContain('UNSUPPORTED: the config drive is a FAT image');
  });
});

test('the size of a drive is limited', () => {
  expect(said(buildConfigDrive({ metaData: {}, userData: 'x'.repeat(MIB) }, { timeMs: 0, maxBytes: MIB }))).toContain(
    'LIMIT',
  );
});

describe('mergeForAccess', () => {
  const merge = (drive: ConfigDrive) =>
    mergeForAccess(drive, { hostname: 'n1', uuid: 'id', publicKeys: [KEY], sshHostKey: HOST_KEY });

  test('an empty drive gets all of it', () => {
    expect(value(merge({ metaData: {} }))).toEqual({
      metaData: { uuid: 'id', hostname: 'n1', public_keys: { bessemer: KEY } },
      vendorData: { 'cloud-init': HOST_CONFIG },
    });
  });

  test('what is there stays', () => {
    const drive: ConfigDrive = {
      metaData: {
        uuid: 'own',
        hostname: 'own',
        public_keys: { mine: 'ssh-rsa A', bessemer: 'ssh-rsa B' },
        meta: { a: 1 },
      },
      networkData: { links: [] },
      userData: '#!/bin/sh',
      vendorData: { 'cloud-init': '#!/bin/sh\necho vendor', other: [1] },
      extraFiles: [{ path: 'x', data: Buffer.from('x') }],
    };
    const before = structuredClone({ ...drive, extraFiles: [] });
    const merged = value(merge(drive));
    expect(merged).toEqual({
      ...drive,
      metaData: { ...drive.metaData, public_keys: { mine: 'ssh-rsa A', bessemer: 'ssh-rsa B', 'bessemer-2': KEY } },
      vendorData: { 'cloud-init': ['#!/bin/sh\necho vendor', HOST_CONFIG], other: [1] },
    });
    expect({ ...drive, extraFiles: [] }).toEqual(before);
  });

  test('a key that is there is not added again, so that a repeat changes nothing', () => {
    const once = value(mergeForAccess({ metaData: {} }, { publicKeys: [KEY, KEY] }));
    expect(once.metaData).toEqual({ public_keys: { bessemer: KEY } });
    expect(value(mergeForAccess(once, { publicKeys: [`${KEY}\n`] }))).toEqual(once);
  });

  test.each([
    ['text', 'ssh-rsa A a\nssh-rsa B b\n', { 'key-0': 'ssh-rsa A a', 'key-1': 'ssh-rsa B b', bessemer: KEY }],
    ['a list', ['ssh-rsa A'], { 'key-0': 'ssh-rsa A', bessemer: KEY }],
  ])('public keys as %s become an object', (_name, present, expected) => {
    expect(value(merge({ metaData: { public_keys: present } })).metaData['public_keys']).toEqual(expected);
  });

  test.each([
    ['text', 'x', ['x', HOST_CONFIG]],
    ['a list', ['x', 'y'], ['x', 'y', HOST_CONFIG]],
  ])('vendor data that is %s becomes a list with ours as the last', (_name, present, expected) => {
    expect(value(merge({ metaData: {}, vendorData: present })).vendorData).toEqual({ 'cloud-init': expected });
  });

  test('what cannot be merged is refused', () => {
    expect(said(merge({ metaData: { public_keys: 5 } }))).toContain('must be an object of keys');
    expect(said(merge({ metaData: {}, vendorData: { 'cloud-init': { a: 1 } } }))).toContain(
      'cloud-init accepts nothing else',
    );
    const access = (publicKey: string, hostKey = HOST_KEY) =>
      mergeForAccess({ metaData: {} }, { publicKeys: [publicKey], sshHostKey: hostKey });
    expect(said(access('no key'))).toContain('one-line form');
    expect(said(access('ssh-rsa A\nssh-rsa B'))).toContain('one-line form');
    expect(said(access(KEY, { ...HOST_KEY, public: 'ssh-dss AAAA' }))).toContain('not of type');
    expect(said(access(KEY, { ...HOST_KEY, privatePem: 'x' }))).toContain('not PEM text');
  });
});
