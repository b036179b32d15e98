/** The synchronous words of the API with a node's hardware: boot device, console, lamps, virtual media, vendor methods. */
import { coerceError, isServiceError, type Json, ServiceError } from '@bessemer/core';
import type { Db, NodePatch } from '@bessemer/db';
import type { Log } from '@bessemer/ports';
import type { RpcHandlers } from '@bessemer/rpc';
import type { DriverTasks } from './driver-task.ts';
import type { DriverTask, ManagementInterface, VendorMethod } from './drivers/interfaces.ts';
import { unsupported } from './drivers/noop.ts';
import type { DriverRegistry } from './drivers/registry.ts';

type DriverCalls = Pick<
  RpcHandlers,
  | 'getBootDevice'
  | 'setBootDevice'
  | 'getSupportedBootDevices'
  | 'injectNmi'
  | 'getConsole'
  | 'setConsole'
  | 'changeBootMode'
  | 'changeSecureBoot'
  | 'listIndicators'
  | 'getIndicator'
  | 'setIndicator'
  | 'listVirtualMedia'
  | 'attachVirtualMedia'
  | 'detachVirtualMedia'
  | 'listVendorMethods'
  | 'callVendorMethod'
>;

export function createDriverCalls(deps: {
  readonly db: Db;
  readonly log: Log;
  readonly tasks: DriverTasks;
  readonly drivers: DriverRegistry;
}): DriverCalls {
  const { db, log, drivers } = deps;
  const { taskFor, withLease, startWithLease } = deps.tasks;
  const management = (task: DriverTask): ManagementInterface => drivers.get(task.node, 'management');
  /** A control that not every BMC has. @throws UNSUPPORTED_DRIVER_EXTENSION. */
  function control<K extends 'firmwareBoot' | 'indicators' | 'virtualMedia'>(
    task: DriverTask,
    name: K,
    what: string,
  ): NonNullable<ManagementInterface[K]> {
    const found = management(task)[name];
    if (!found) throw unsupported(task.node.driver, what);
    return found;
  }
  /** Is accepted, and done behind the answer: what went wrong is the node's last error, in Ironic's words. */
  async function changeFirmware(
    nodeUuid: string,
    what: string,
    words: string,
    change: (task: DriverTask) => Promise<NodePatch>,
  ): Promise<void> {
    const before = await taskFor(nodeUuid);
    management(before).validate(before);
    await startWithLease(
      nodeUuid,
      `changing node ${what}`,
      (tx, node, fence) => tx.nodes.update(node.uuid, { lastError: null }, fence),
      async (task, fence) => {
        let patch: NodePatch;
        try {
          patch = await change(task);
        } catch (error) {
          const reason = isServiceError(error) ? error.publicMessage : coerceError(error).message;
          patch = { lastError: `Failed to change ${words}: ${reason}` };
        }
        await db.write(what, (tx) => tx.nodes.update(task.node.uuid, patch, fence));
      },
    );
  }
  function vendorMethod(task: DriverTask, name: string): VendorMethod {
    const { methods } = drivers.get(task.node, 'vendor');
    if (!Object.hasOwn(methods, name)) throw new ServiceError('INVALID_PARAMETER', `No handler for method ${name}`);
    return methods[name]!;
  }

  return {
    async getBootDevice({ nodeUuid }) {
      const task = await taskFor(nodeUuid);
      const { device, isPersistent } = await management(task).getBootDevice(task);
      return { boot_device: device, persistent: isPersistent };
    },
    async setBootDevice({ nodeUuid, device, persistent }) {
      await withLease(nodeUuid, 'setting boot device', (task) =>
        management(task).setBootDevice(task, device, persistent),
      );
      return null;
    },
    async getSupportedBootDevices({ nodeUuid }) {
      const task = await taskFor(nodeUuid);
      return { supported_boot_devices: [...management(task).supportedBootDevices(task)] };
    },
    async injectNmi({ nodeUuid }) {
      await withLease(nodeUuid, 'inject nmi', (task) => management(task).injectNmi(task));
      return null;
    },

    async getConsole({ nodeUuid }) {
      const task = await taskFor(nodeUuid);
      const console = drivers.get(task.node, 'console');
      // Of a console that is not on it is said that it is not on, also where there can be none.
      if (!task.node.consoleEnabled) return { console_info: null };
      console.validate(task);
      return { console_info: await console.get(task) };
    },
    async setConsole({ nodeUuid, enabled }) {
      const before = await taskFor(nodeUuid);
      drivers.get(before.node, 'console').validate(before);
      await withLease(nodeUuid, 'setting console state', async (task, fence) => {
        const console = drivers.get(task.node, 'console');
        await (enabled ? console.start(task) : console.stop(task));
        await db.write('console', (tx) => tx.nodes.update(task.node.uuid, { consoleEnabled: enabled }, fence));
      });
      return null;
    },

    async changeBootMode({ nodeUuid, mode }) {
      await changeFirmware(nodeUuid, 'boot mode', `boot mode to '${mode}`, async (task) => {
        await control(task, 'firmwareBoot', 'set_boot_mode').setBootMode(task, mode);
        return { bootMode: mode };
      });
      return null;
    },
    async changeSecureBoot({ nodeUuid, isOn }) {
      const words = `secure_boot state to '${isOn ? 'True' : 'False'}'`;
      await changeFirmware(nodeUuid, 'secure boot', words, async (task) => {
        await control(task, 'firmwareBoot', 'set_secure_boot_state').setSecureBoot(task, isOn);
        return { secureBoot: isOn };
      });
      return null;
    },

    async listIndicators({ nodeUuid }) {
      const task = await taskFor(nodeUuid);
      return { components: await control(task, 'indicators', 'get_supported_indicators').list(task) };
    },
    async getIndicator({ nodeUuid, component, name }) {
      const task = await taskFor(nodeUuid);
      return { state: await control(task, 'indicators', 'get_indicator_state').get(task, component, name) };
    },
    async setIndicator({ nodeUuid, component, name, state }) {
      await withLease(nodeUuid, 'setting indicator', (task) =>
        control(task, 'indicators', 'set_indicator_state').set(task, component, name, state),
      );
      return null;
    },

    async listVirtualMedia({ nodeUuid }) {
      const task = await taskFor(nodeUuid);
      return { media: await control(task, 'virtualMedia', 'get_virtual_media').list(task) };
    },
    async attachVirtualMedia({ nodeUuid, device, imageUrl }) {
      await withLease(nodeUuid, 'attaching virtual media', (task) =>
        control(task, 'virtualMedia', 'attach_virtual_media').attach(task, device, imageUrl),
      );
      return null;
    },
    async detachVirtualMedia({ nodeUuid, devices }) {
      await withLease(nodeUuid, 'detaching virtual media', (task) =>
        control(task, 'virtualMedia', 'detach_virtual_media').detach(task, devices),
      );
      return null;
    },

    async listVendorMethods({ nodeUuid }) {
      const task = await taskFor(nodeUuid);
      const { methods } = drivers.get(task.node, 'vendor');
      return {
        methods: Object.fromEntries(
          Object.entries(methods).map(([name, method]) => [
            name,
            {
              http_methods: [...method.httpMethods],
              async: method.isAsync,
              description: method.description,
              attach: false,
              require_exclusive_lock: method.needsLease,
            },
          ]),
        ),
      };
    },
    async callVendorMethod({ nodeUuid, method: name, httpMethod, info }) {
      const task = await taskFor(nodeUuid);
      const method = vendorMethod(task, name);
      if (!method.httpMethods.includes(httpMethod))
        throw new ServiceError(
          'INVALID_PARAMETER',
          `The method ${name} does not support HTTP ${httpMethod}; it takes ${method.httpMethods.join(', ')}.`,
        );
      method.check(info);
      const call = (): Promise<Json> =>
        method.needsLease
          ? withLease(nodeUuid, 'calling vendor passthru', (held) => method.call(held, info))
          : method.call(task, info);
      if (!method.isAsync) return { isAsync: false, result: await call() };
      call().catch((error: unknown) =>
        log.warn('a vendor method failed', { node: nodeUuid, method: name, error: coerceError(error).message }),
      );
      return { isAsync: true, result: null };
    },
  };
}
