/** The real way: a ramdisk from the network, whose agent writes the image, cleans disks and looks at the hardware. */
import type { Json, JsonObject, Segment, Step } from '@bessemer/core';
import { isJsonObject, ServiceError } from '@bessemer/core';
import { agentSegment, agentStep, conductorSegment, conductorStep } from '../steps/catalogue.ts';
import { imageRequestOf } from '../steps/image-request.ts';
import type { BootInterface, DeployInterface, DriverTask, InspectInterface } from './interfaces.ts';

/** Boot by iPXE: what the machine fetches is computed by the boot service from the database, so a port to know it by is all it takes. */
export const ipxeBoot: BootInterface = {
  properties: {},
  validate(task) {
    if (!task.ports.some((port) => port.pxeEnabled))
      throw new ServiceError(
        'MISSING_PARAMETER',
        `Node ${task.node.uuid} does not have any port associated with it. ` +
          'Create one with the MAC address of the network card that it boots from.',
      );
  },
  ramdiskBoot: () => ({ device: 'pxe', isPersistent: false }),
  diskBoot: () => ({ device: 'disk', isPersistent: true }),
};

function checkHints(where: string, hints: Json | undefined): void {
  if (hints === undefined || hints === null) return;
  if (!isJsonObject(hints))
    throw new ServiceError(
      'INVALID_PARAMETER',
      `${where} must be an object of root device hints, such as {"serial": "..."}.`,
    );
  for (const [name, value] of Object.entries(hints))
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean')
      throw new ServiceError('INVALID_PARAMETER', `${where}/${name} must be a string, a number, true or false.`);
}

const cleanSegments = (...steps: Step[]): Segment[] => [
  conductorSegment(conductorStep('boot_ramdisk')),
  { party: 'agent', steps },
  conductorSegment(conductorStep('power_off')),
];

/** Manual clean steps that the agent can do, by `interface.step`. */
const CLEAN_STEPS: Readonly<Record<string, Step>> = {
  'deploy.erase_devices_metadata': agentStep('erase_devices_metadata'),
};

function manualStep(step: JsonObject): Step {
  const name = `${String(step['interface'])}.${String(step['step'])}`;
  const known = Object.hasOwn(CLEAN_STEPS, name) ? CLEAN_STEPS[name] : undefined;
  if (!known)
    throw new ServiceError(
      'STEP_NOT_ALLOWED',
      `Clean step ${name} is not known. Known clean steps: ${Object.keys(CLEAN_STEPS).join(', ')}.`,
    );
  return known;
}

export const directDeploy: DeployInterface = {
  properties: {},
  validate(task: DriverTask) {
    imageRequestOf(task.node);
    checkHints('properties/root_device', task.node.properties['root_device']);
    checkHints('instance_info/root_device', task.node.instanceInfo['root_device']);
  },
  planDeploy: (_task, input) => [
    conductorSegment(conductorStep('validate'), conductorStep('prepare_image'), conductorStep('boot_ramdisk')),
    agentSegment('write_image', 'configdrive', 'prepare_boot'),
    conductorSegment(
      conductorStep('boot_disk'),
      conductorStep('wait_ssh'),
      ...(input['configure'] ? [conductorStep('configure')] : []),
      conductorStep('finish'),
    ),
  ],
  planTearDown: () => [conductorSegment(conductorStep('power_off'), conductorStep('tear_down'))],
  planClean: (_task, steps) =>
    cleanSegments(...(steps === null ? [agentStep('erase_devices_metadata')] : steps.map(manualStep))),
};

export const agentInspect: InspectInterface = {
  properties: {},
  validate() {},
  planInspect: () => [
    conductorSegment(conductorStep('boot_ramdisk')),
    agentSegment('inspect'),
    conductorSegment(conductorStep('store_inventory'), conductorStep('power_off')),
  ],
};
