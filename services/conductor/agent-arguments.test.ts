import { describe, expect, it } from 'vitest';
import { gzipSync } from 'node:zlib';
import type { JsonObject, Node, Run } from '@bessemer/core';
import type { Db } from '@bessemer/db';
import { buildConfigDrive } from '@bessemer/image-format';
import { createAgentArguments, rootDeviceHintsOf } from './agent-arguments.ts';
import { createFakeConfigurer, createFakeDepot } from './testing.ts';
import type { TaskWriter } from './task-writer.ts';

describe('root device hints', () => {
  const hints = (instance: JsonObject, own: JsonObject) =>
    rootDeviceHintsOf({ instanceInfo: instance, properties: own });
  const serial = { serial: 's1' };

  it('of the instance win; an empty object there does not open all disks', () => {
    expect(hints({ root_device: { wwn: 'w' } }, { root_device: serial })).toEqual({ wwn: 'w' });
    expect(hints({ root_device: {} }, { root_device: serial })).toEqual(serial);
    expect(hints({ root_device: null }, { root_device: serial })).toEqual(serial);
    expect(hints({}, {})).toBeUndefined();
  });

  it('that are no object are refused, not left out', () => {
    expect(() => hints({}, { root_device: '/dev/sda' })).toThrow('properties/root_device must be an object');
    expect(() => hints({ root_device: [] }, { root_device: serial })).toThrow('instance_info/root_device');
  });
});

describe('a ready-made config drive', () => {
  it('arrives whole: user data that is no text, and files of its own', async () => {
    const userData = gzipSync('#cloud-config\n{}\n');
    const file = { path: 'openstack/content/0000', data: Buffer.from([0, 255, 7]) };
    const drive = { metaData: { hostname: 'h' }, userData, extraFiles: [file] };
    const iso = buildConfigDrive(drive, { timeMs: 0 });
    if (!iso.ok) throw new Error(iso.error.message);
    const stored = gzipSync(iso.value).toString('base64');
    const stepArguments = createAgentArguments({
      db: { read: { nodes: { getConfigDrive: async () => stored } } } as unknown as Db,
      depot: createFakeDepot(),
      configurer: createFakeConfigurer(),
      writer: {} as TaskWriter,
    });
    const node = { uuid: 'n', name: 'n1', instanceUuid: null, instanceInfo: {}, networkData: {} } as unknown as Node;
    const { configDrive } = await stepArguments('configdrive', { notes: {} } as unknown as Run, node);
    expect(configDrive).toMatchObject({
      metaData: { hostname: 'h' },
      userDataBase64: userData.toString('base64'),
      extraFiles: [{ path: file.path, dataBase64: file.data.toString('base64') }],
    });
    expect(configDrive).not.toHaveProperty('userData');
  });
});
