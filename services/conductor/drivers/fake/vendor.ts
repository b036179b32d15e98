/** Vendor methods and steps without a vendor: what clients of vendor passthru are tried on. Names and answers are those of Ironic's fake. */
import { type JsonObject, ServiceError } from '@bessemer/core';
import type { VendorInterface, VendorMethod } from '../interfaces.ts';
import { type Pretence, pretendedProperties, pretendedStep } from './pretence.ts';

const compares = (
  name: string,
  word: string,
  kind: { readonly isAsync: boolean; readonly needsLease: boolean },
): readonly [string, VendorMethod] => [
  name,
  {
    description: `Test if the value of bar is ${word}`,
    httpMethods: ['POST'],
    ...kind,
    check(info: JsonObject) {
      if (!info['bar']) throw new ServiceError('MISSING_PARAMETER', `Parameter 'bar' not passed to method '${name}'.`);
    },
    call: async (_task, info) => info['bar'] === word,
  },
];

const METHODS = Object.fromEntries([
  compares('second_method', 'kazoo', { isAsync: true, needsLease: true }),
  compares('third_method_sync', 'meow', { isAsync: false, needsLease: true }),
  compares('fourth_method_shared_lock', 'woof', { isAsync: true, needsLease: false }),
]);

const LOG = pretendedStep('log_passthrough', { priority: 1 });
const LOG_IN_SERVICE = pretendedStep('log_passthrough', { requiresRamdisk: false });
/** Waits until it is aborted or its time is over. */
const WAIT = pretendedStep('trigger_servicewait', { abortable: true });

export function createFakeVendor(pretence: Pretence): VendorInterface {
  return {
    properties: {
      ...pretendedProperties('vendor'),
      B1: { description: 'B1 description.', required: false, secret: false },
      B2: { description: 'B2 description.', required: false, secret: false },
    },
    validate: (task) => pretence.check(task.node, 'vendor'),
    methods: METHODS,
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
