/** A RAID controller of no machine: its configuration is the one that was wanted. */
import { isJsonObject } from '@bessemer/core';
import type { PassiveInterface } from '../interfaces.ts';
import { type Pretence, pretendedProperties, pretendedStep } from './pretence.ts';

const option = (description: string) => ({ description, required: false });
const CREATE_ARGS = {
  create_root_volume: option('Whether to create the root volume. Default: true.'),
  create_nonroot_volumes: option('Whether to create the other volumes. Default: true.'),
  delete_existing: option('Whether to delete what is there before. Default: true.'),
};
const CREATE = pretendedStep('create_configuration', { args: CREATE_ARGS });
const DELETE = pretendedStep('delete_configuration');
const APPLY = pretendedStep('apply_configuration', {
  args: { raid_config: { description: 'The RAID configuration to apply.', required: true }, ...CREATE_ARGS },
});

export function createFakeRaid(pretence: Pretence): PassiveInterface {
  return {
    properties: pretendedProperties('raid'),
    validate: (task) => pretence.check(task.node, 'raid'),
    steps: (_task, flow) => (flow === 'deploy' ? [APPLY] : [CREATE, DELETE]),
    async runStep(task) {
      const outcome = pretence.step(task, 'raid');
      if (outcome.kind !== 'done') return outcome;
      const asked = task.step.args['raid_config'];
      const wanted = isJsonObject(asked) ? asked : task.node.targetRaidConfig;
      task.patchNode({ raidConfig: task.step.step === 'delete_configuration' ? {} : wanted });
      return outcome;
    },
  };
}
