/** Steps of a deployment that the conductor does itself, beside boots. */
import type { Json, JsonObject } from '@bessemer/core';
import { isJsonObject } from '@bessemer/core';
import { exitIdOf } from '../agent-arguments.ts';
import { configDriveUrlOf, fetchConfigDrive, type StoredDrive } from '../config-drive.ts';
import { withCode } from '../image-orders.ts';
import type { ImageDepot } from '../ports.ts';
import { done, failed, type StepHandler, untilAtLeast } from './step.ts';

/** A server that sends a drop now and then is not waited for longer. */
const FETCH_CONFIG_DRIVE_MS = 300_000;

/** `fetch_config_drive`: a successor fetches it again, and so does a rebuild that keeps the drive. */
export const createFetchConfigDrive = (depot: ImageDepot): StepHandler => ({
  async run(task) {
    const url = configDriveUrlOf(await task.read.nodes.getConfigDrive(task.node.uuid));
    if (url === undefined) return done;
    const state = task.job((signal) => fetchConfigDrive(depot, url, task.node, signal));
    switch (state.kind) {
      case 'running':
        return {
          kind: 'wait',
          for: {
            what: 'config drive',
            from: new URL(url).host,
            until: untilAtLeast(task, 'config drive', task.attempt.startedAt + FETCH_CONFIG_DRIVE_MS),
            hint: 'The config drive is fetched from its URL before anything is done to the node: look at that server.',
          },
        };
      case 'failed':
        return failed(
          `The config drive is not usable: ${withCode(state.error).replace(/\.?$/, '.')} Mend it there and retry, or deploy the node with another one.`,
        );
      case 'done':
        task.storeConfigDrive(state.value as StoredDrive);
        return done;
    }
  },
});

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
