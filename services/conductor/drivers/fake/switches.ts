/** Console, boot mode, lamps and virtual media without a machine, remembered in this process. */
import { type JsonObject, ServiceError } from '@bessemer/core';
import type { ConsoleInterface, FirmwareBootControl, IndicatorControl, VirtualMediaControl } from '../interfaces.ts';
import { createFakePassive } from './passive.ts';
import type { Pretence } from './pretence.ts';

export const createFakeConsole = (pretence: Pretence): ConsoleInterface => ({
  ...createFakePassive(pretence, 'console'),
  async start(task) {
    await task.checkMayOrder();
  },
  async stop(task) {
    await task.checkMayOrder();
  },
  get: async () => ({}),
});

export const fakeFirmwareBoot: FirmwareBootControl = {
  async setBootMode(task) {
    await task.checkMayOrder();
  },
  async setSecureBoot(task) {
    await task.checkMayOrder();
  },
};

const LAMPS: Readonly<Record<string, Readonly<Record<string, { readonly: boolean; states: string[] }>>>> = {
  chassis: { 'led-0': { readonly: true, states: ['off', 'on'] } },
  system: { led: { readonly: false, states: ['blinking', 'off', 'on'] } },
};

export function createFakeIndicators(): IndicatorControl {
  const set = new Map<string, string>();
  const lampOf = (component: string, name: string) => {
    if (!Object.hasOwn(LAMPS, component))
      throw new ServiceError('INVALID_PARAMETER', `Invalid component ${component} specified.`);
    const lamp = LAMPS[component]![name];
    if (!lamp) throw new ServiceError('INVALID_PARAMETER', `Invalid indicator ${name} specified.`);
    return lamp;
  };
  return {
    list: async () => structuredClone(LAMPS) as Record<string, Record<string, { readonly: boolean; states: string[] }>>,
    async get(task, component, name) {
      lampOf(component, name);
      return set.get(`${task.node.uuid}/${component}/${name}`) ?? 'on';
    },
    async set(task, component, name, state) {
      const lamp = lampOf(component, name);
      if (lamp.readonly) throw new ServiceError('INVALID_PARAMETER', `The indicator ${name} cannot be switched.`);
      if (!lamp.states.includes(state))
        throw new ServiceError(
          'INVALID_PARAMETER',
          `The indicator ${name} has no state ${state}; it can be ${lamp.states.join(', ')}.`,
        );
      await task.checkMayOrder();
      set.set(`${task.node.uuid}/${component}/${name}`, state);
    },
  };
}

export function createFakeVirtualMedia(): VirtualMediaControl {
  const attached = new Map<string, Map<string, string>>();
  return {
    async list(task) {
      const media = attached.get(task.node.uuid) ?? new Map<string, string>();
      return [...media].map(([device, image]): JsonObject => ({ media_types: [device], inserted: true, image }));
    },
    async attach(task, device, imageUrl) {
      await task.checkMayOrder();
      const media = attached.get(task.node.uuid) ?? new Map<string, string>();
      attached.set(task.node.uuid, media.set(device, imageUrl));
    },
    async detach(task, devices) {
      await task.checkMayOrder();
      const media = attached.get(task.node.uuid);
      for (const device of [...(media?.keys() ?? [])]) if (!devices || devices.includes(device)) media!.delete(device);
    },
  };
}
