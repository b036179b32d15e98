/** Rescues nobody: the node says that it runs a rescue ramdisk. */
import { conductorSegment, driverStep } from '../../steps/catalogue.ts';
import type { RescueInterface } from '../interfaces.ts';
import { type Pretence, pretendedProperties, pretendedStep } from './pretence.ts';

const plan = (step: string) => () => [
  conductorSegment(driverStep('rescue', { ...pretendedStep(step), abortable: true }, {}, 100)),
];

export function createFakeRescue(pretence: Pretence): RescueInterface {
  return {
    properties: pretendedProperties('rescue'),
    validate: (task) => pretence.check(task.node, 'rescue'),
    planRescue: plan('rescue'),
    planUnrescue: plan('unrescue'),
    runStep: async (task) => pretence.step(task, 'rescue'),
  };
}
