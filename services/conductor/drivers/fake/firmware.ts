/** Firmware of no machine: the step that real ones have. */
import type { PassiveInterface } from '../interfaces.ts';
import { type Pretence, pretendedProperties, pretendedStep, settingsArgument } from './pretence.ts';

const STEPS = [
  pretendedStep('update', {
    args: settingsArgument(
      'List of Firmware components, each item needs to contain a dictionary with name/value pairs',
    ),
  }),
];

export function createFakeFirmware(pretence: Pretence): PassiveInterface {
  return {
    properties: pretendedProperties('firmware'),
    validate: (task) => pretence.check(task.node, 'firmware'),
    steps: () => STEPS,
    runStep: async (task) => pretence.step(task, 'firmware'),
  };
}
