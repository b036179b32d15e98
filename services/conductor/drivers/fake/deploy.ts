/** Deploys nothing, in the order of the real thing. */
import { conductorSegment, conductorStep, driverStep } from '../../steps/catalogue.ts';
import type { DeployInterface } from '../interfaces.ts';
import { type Pretence, pretendedProperties, pretendedStep } from './pretence.ts';

const row = (step: string) => driverStep('deploy', { ...pretendedStep(step), abortable: true }, {}, 100);

export function createFakeDeploy(pretence: Pretence): DeployInterface {
  return {
    properties: pretendedProperties('deploy'),
    validate: (task) => pretence.check(task.node, 'deploy'),
    steps: (_task, flow) =>
      flow === 'deploy'
        ? [
            {
              ...pretendedStep('deploy', { priority: 100 }),
              rows: (_args, input) => [
                conductorStep('validate'),
                row('fake_boot_ramdisk'),
                row('fake_write_image'),
                conductorStep('boot_disk'),
                ...(input['configure'] ? [conductorStep('configure')] : []),
                conductorStep('finish'),
              ],
            },
          ]
        : [],
    runStep: async (task) => pretence.step(task, 'deploy'),
    planTearDown: () => [conductorSegment(conductorStep('power_off'), conductorStep('tear_down'))],
    ramdisk: () => ({ before: [], after: [] }),
  };
}
