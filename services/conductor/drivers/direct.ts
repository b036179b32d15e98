/** The real way: a ramdisk from the network, whose agent writes the image, cleans disks and looks at the hardware. */
import type { Json } from '@bessemer/core';
import { isJsonObject, ServiceError } from '@bessemer/core';
import { agentSegment, agentStep, conductorSegment, conductorStep } from '../steps/catalogue.ts';
import { imageRequestOf } from '../steps/image-request.ts';
import type { BootInterface, DeployInterface, DriverStep, DriverTask, InspectInterface } from './interfaces.ts';

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

const inBand = (step: string, priority: number, rows: NonNullable<DriverStep['rows']>): DriverStep => ({
  step,
  priority,
  abortable: true,
  requiresRamdisk: true,
  args: {},
  onRepeat: 'safe',
  rows,
});

/** By Ironic's names and priorities, so that steps of operators and templates find their places between them. */
const DEPLOY_STEPS: readonly DriverStep[] = [
  inBand('deploy', 100, () => [
    conductorStep('validate'),
    conductorStep('prepare_image'),
    conductorStep('boot_ramdisk'),
  ]),
  inBand('write_image', 80, () => [agentStep('write_image'), agentStep('configdrive')]),
  inBand('prepare_instance_boot', 60, () => [agentStep('prepare_boot')]),
  inBand('boot_instance', 20, (_args, input) => [
    conductorStep('boot_disk'),
    conductorStep('wait_ssh'),
    ...(input['configure'] ? [conductorStep('configure')] : []),
    conductorStep('finish'),
  ]),
];
const CLEAN_STEPS: readonly DriverStep[] = [
  inBand('erase_devices_metadata', 99, () => [agentStep('erase_devices_metadata')]),
];

export const directDeploy: DeployInterface = {
  properties: {},
  validate(task: DriverTask) {
    imageRequestOf(task.node);
    checkHints('properties/root_device', task.node.properties['root_device']);
    checkHints('instance_info/root_device', task.node.instanceInfo['root_device']);
  },
  steps: (_task, flow) => (flow === 'deploy' ? DEPLOY_STEPS : flow === 'clean' ? CLEAN_STEPS : []),
  planTearDown: () => [conductorSegment(conductorStep('power_off'), conductorStep('tear_down'))],
  ramdisk: (_task, flow) => ({
    before: [conductorStep('boot_ramdisk')],
    after: [conductorStep(flow === 'service' ? 'boot_disk' : 'power_off')],
  }),
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
