/** Vendor steps of no vendor: one that ends at once, and one that waits until it is aborted or its time is over. */
import type { PassiveInterface } from '../interfaces.ts';
import { type Pretence, pretendedProperties, pretendedStep } from './pretence.ts';

const LOG = pretendedStep('log_passthrough', { priority: 1 });
const LOG_IN_SERVICE = pretendedStep('log_passthrough', { requiresRamdisk: false });
const WAIT = pretendedStep('trigger_servicewait', { abortable: true });

export function createFakeVendorSteps(pretence: Pretence): PassiveInterface {
  return {
    properties: pretendedProperties('vendor'),
    validate: (task) => pretence.check(task.node, 'vendor'),
    steps: (_task, flow) => (flow === 'clean' ? [LOG] : flow === 'service' ? [LOG_IN_SERVICE, WAIT] : []),
    async runStep(task) {
      if (task.step.step !== WAIT.step) return pretence.step(task, 'vendor');
      return {
        kind: 'wait',
        for: {
          what: 'fake',
          from: WAIT.step,
          until: task.deadlineMs,
          hint: 'This step waits for nothing: abort it, or wait for the deadline of the whole work.',
        },
      };
    },
  };
}
