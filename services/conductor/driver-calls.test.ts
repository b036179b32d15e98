import type { Db } from '@bessemer/db';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Conductor } from './conductor.ts';
import { createWorld, quiet, request, type World } from './testing.ts';

let world: World;
let conductor: Conductor;
beforeEach(async () => {
  world = await createWorld();
  conductor = world.conductor();
  await conductor.start();
});
afterEach(() => world.close());

const call = request('r');
const NONE = { driver: 'manual-management' };

describe('words with the hardware of a node', () => {
  it('switch the console, and say when there is none', async () => {
    const { uuid: nodeUuid } = await world.node();
    const console = () => conductor.handlers.getConsole({ nodeUuid }, call);
    expect(await console()).toEqual({ console_info: null });
    await conductor.handlers.setConsole({ nodeUuid, enabled: true }, call);
    expect(await console()).toEqual({ console_info: {} });
    expect(await world.get(nodeUuid)).toMatchObject({ consoleEnabled: true, reservation: null });
    await conductor.handlers.setConsole({ nodeUuid, enabled: false }, call);
    expect((await world.get(nodeUuid)).consoleEnabled).toBe(false);
    const bare = await world.node({ ...NONE });
    expect(await conductor.handlers.getConsole({ nodeUuid: bare.uuid }, call)).toEqual({ console_info: null });
    const started = conductor.handlers.setConsole({ nodeUuid: bare.uuid, enabled: true }, call);
    await expect(started).rejects.toMatchObject({
      code: 'UNSUPPORTED_DRIVER_EXTENSION',
      publicMessage: 'Driver manual-management does not support console (disabled or not implemented).',
    });
  });

  it('set boot mode and secure boot behind the answer, and tell the node when the firmware cannot', async () => {
    const { uuid: nodeUuid } = await world.node({ lastError: 'an old one' });
    await conductor.handlers.changeBootMode({ nodeUuid, mode: 'uefi' }, call);
    await expect(conductor.handlers.changeSecureBoot({ nodeUuid, isOn: true }, call)).rejects.toMatchObject({
      code: 'NODE_LOCKED',
    });
    await quiet();
    await conductor.handlers.changeSecureBoot({ nodeUuid, isOn: true }, call);
    await quiet();
    const done = { bootMode: 'uefi', secureBoot: true, lastError: null, reservation: null };
    expect(await world.get(nodeUuid)).toMatchObject(done);

    const { uuid: bare } = await world.node({ ...NONE, interfaces: { management: 'noop' } });
    await conductor.handlers.changeBootMode({ nodeUuid: bare, mode: 'bios' }, call);
    await quiet();
    expect(await world.get(bare)).toMatchObject({
      bootMode: null,
      reservation: null,
      lastError:
        "Failed to change boot mode to 'bios: Driver manual-management does not support set_boot_mode (disabled or not implemented).",
    });
    await conductor.handlers.changeSecureBoot({ nodeUuid: bare, isOn: false }, call);
    await quiet();
    expect((await world.get(bare)).lastError).toBe(
      "Failed to change secure_boot state to 'False': Driver manual-management does not support set_secure_boot_state (disabled or not implemented).",
    );
  });

  it('lock no node for ever when the database does not take the lease back at once', async () => {
    let isDown = true;
    const db: Db = {
      ...world.db,
      write: (name, fn, ...rest) =>
        isDown && name === 'node.release' ? Promise.reject(new Error('disk full')) : world.db.write(name, fn, ...rest),
    };
    await conductor.stop();
    conductor = world.conductor({ db });
    await conductor.start();
    const { uuid: nodeUuid } = await world.node();
    await conductor.handlers.setConsole({ nodeUuid, enabled: true }, call);
    expect(await world.get(nodeUuid)).toMatchObject({
      consoleEnabled: true,
      reservation: { purpose: expect.anything() },
    });
    isDown = false;
    await world.until(async () => (await world.get(nodeUuid)).reservation === null, 120_000);
  });

  it('switch lamps that can be switched', async () => {
    const { uuid: nodeUuid } = await world.node();
    const { components } = await conductor.handlers.listIndicators({ nodeUuid }, call);
    expect(Object.keys(components)).toEqual(['chassis', 'system']);
    const led = { nodeUuid, component: 'system', name: 'led' };
    await conductor.handlers.setIndicator({ ...led, state: 'blinking' }, call);
    expect(await conductor.handlers.getIndicator(led, call)).toEqual({ state: 'blinking' });
    for (const wrong of [
      { ...led, state: 'purple' },
      { ...led, component: 'chassis', name: 'led-0', state: 'off' },
      { ...led, component: 'nosuch', state: 'off' },
      { ...led, name: 'nosuch', state: 'off' },
    ])
      await expect(conductor.handlers.setIndicator(wrong, call)).rejects.toMatchObject({ code: 'INVALID_PARAMETER' });
  });

  it('attach and detach virtual media', async () => {
    const { uuid: nodeUuid } = await world.node();
    const media = async () => (await conductor.handlers.listVirtualMedia({ nodeUuid }, call)).media;
    await conductor.handlers.attachVirtualMedia({ nodeUuid, device: 'cdrom', imageUrl: 'http://h/a.iso' }, call);
    await conductor.handlers.attachVirtualMedia({ nodeUuid, device: 'disk', imageUrl: 'http://h/b.img' }, call);
    expect(await media()).toHaveLength(2);
    await conductor.handlers.detachVirtualMedia({ nodeUuid, devices: ['cdrom'] }, call);
    expect(await media()).toEqual([{ media_types: ['disk'], inserted: true, image: 'http://h/b.img' }]);
    await conductor.handlers.detachVirtualMedia({ nodeUuid, devices: null }, call);
    expect(await media()).toEqual([]);
  });

  it('call vendor methods as these want to be called', async () => {
    const { uuid: nodeUuid } = await world.node();
    const { methods } = await conductor.handlers.listVendorMethods({ nodeUuid }, call);
    expect(methods['third_method_sync']).toEqual({
      http_methods: ['POST'],
      async: false,
      description: 'Test if the value of bar is meow',
      attach: false,
      require_exclusive_lock: true,
    });
    const vendor = (method: string, info = {}, httpMethod = 'POST') =>
      conductor.handlers.callVendorMethod({ nodeUuid, method, httpMethod, info }, call);
    expect(await vendor('third_method_sync', { bar: 'meow' })).toEqual({ isAsync: false, result: true });
    expect(await vendor('third_method_sync', { bar: 'woof' })).toEqual({ isAsync: false, result: false });
    expect(await vendor('second_method', { bar: 'kazoo' })).toEqual({ isAsync: true, result: null });
    await quiet();
    expect((await world.get(nodeUuid)).reservation).toBeNull();
    await expect(vendor('nosuch')).rejects.toThrow('No handler for method nosuch');
    await expect(vendor('third_method_sync')).rejects.toThrow("Parameter 'bar' not passed to method");
    await expect(vendor('third_method_sync', { bar: 'meow' }, 'GET')).rejects.toThrow('does not support HTTP GET');
    const bare = await world.node({ ...NONE });
    expect(await conductor.handlers.listVendorMethods({ nodeUuid: bare.uuid }, call)).toEqual({ methods: {} });
  });

  it('wait for no lease that another holds', async () => {
    const { uuid: nodeUuid } = await world.node();
    const other = world.conductor({ host: 'conductor-2' });
    await other.start();
    await conductor.handlers.changeNodePowerState({ nodeUuid, target: 'power on', timeoutS: null }, call);
    await expect(other.handlers.setConsole({ nodeUuid, enabled: true }, call)).rejects.toMatchObject({
      code: 'NODE_LOCKED',
    });
  });
});
