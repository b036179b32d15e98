/** BIOS settings of no machine: the steps that real ones have. */
import type { PassiveInterface } from '../interfaces.ts';
import { type Pretence, pretendedProperties, pretendedStep, settingsArgument } from './pretence.ts';

const STEPS = [
  pretendedStep('apply_configuration', {
    args: settingsArgument('List of BIOS settings, each item needs to contain a dictionary with name/value pairs'),
  }),
  pretendedStep('factory_reset'),
  pretendedStep('cache_bios_settings'),
];

export function createFakeBios(pretence: Pretence): PassiveInterface {
  return {
    properties: pretendedProperties('bios'),
    validate: (task) => pretence.check(task.node, 'bios'),
    steps: () => STEPS,
    runStep: async (task) => pretence.step(task, 'bios'),
  };
}
