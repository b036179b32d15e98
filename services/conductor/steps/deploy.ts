/** Steps of a deployment that the conductor does itself, beside boots. */
import type { Json, JsonObject } from '@bessemer/core';
import { isJsonObject } from '@bessemer/core';
import { exitIdOf } from '../agent-arguments.ts';
import type { ImageDepot } from '../ports.ts';
import { done, failed, type StepHandler } from './step.ts';

/** `validate`: what was checked when the request came is checked again, since the run may have waited long in a queue. */
export const validate: StepHandler = {
  async run(task) {
    task.power.validate(task);
    task.boot.validate(task);
    task.deploy.validate(task);
    return done;
  },
};

/** `prepare_image`: from here on the engine sees to the image; the boot does not wait for it. */
export const prepareImage: StepHandler = {
  async run(task) {
    task.note({ imageWanted: true });
    return done;
  },
};

/** `finish` */
export const createFinish = (depot: ImageDepot): StepHandler => ({
  async run(task) {
    const exitId = exitIdOf(task.notes);
    if (exitId === undefined) return done;
    const stats = await depot.closeExit(exitId);
    const usedBytes = (task.notes['image'] as JsonObject | undefined)?.['usedBytes'] ?? null;
    if (stats) task.emit('image.served', { bytes: stats.servedBytes, usedBytes });
    return done;
  },
});

/** `tear_down`: the instance is forgotten. */
export const tearDown: StepHandler = {
  async run(task) {
    const { agent_ssh_host_key: _, way_in: __, ...internal } = task.node.driverInternalInfo;
    task.patchNode({
      instanceUuid: null,
      instanceName: null,
      instanceInfo: {},
      allocationUuid: null,
      driverInternalInfo: internal,
      deployStep: {},
    });
    return done;
  },
};

/** `store_inventory` */
export const storeInventory: StepHandler = {
  async run(task) {
    const inventory = (await task.read.nodes.getInventory(task.node.uuid))?.inventory;
    if (!inventory) return failed('The agent told no inventory.');
    const cpu = isJsonObject(inventory['cpu']) ? inventory['cpu'] : {};
    const memory = isJsonObject(inventory['memory']) ? inventory['memory'] : {};
    const found: Record<string, Json> = {};
    if (cpu['architecture'] !== undefined) found['cpu_arch'] = cpu['architecture'];
    if (cpu['count'] !== undefined) found['cpus'] = String(cpu['count']);
    if (memory['physical_mb'] !== undefined) found['memory_mb'] = String(memory['physical_mb']);
    task.patchNode({ properties: { ...task.node.properties, ...found } });
    return done;
  },
};
