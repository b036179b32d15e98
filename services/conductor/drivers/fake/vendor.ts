/** Vendor methods without a vendor: what clients of vendor passthru are tried on. Names and answers are those of Ironic's fake. */
import { type JsonObject, ServiceError } from '@bessemer/core';
import type { VendorInterface, VendorMethod } from '../interfaces.ts';

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

export const fakeVendor: VendorInterface = {
  properties: {
    B1: { description: 'B1 description.', required: false, secret: false },
    B2: { description: 'B2 description.', required: false, secret: false },
  },
  validate() {},
  methods: Object.fromEntries([
    compares('second_method', 'kazoo', { isAsync: true, needsLease: true }),
    compares('third_method_sync', 'meow', { isAsync: false, needsLease: true }),
    compares('fourth_method_shared_lock', 'woof', { isAsync: true, needsLease: false }),
  ]),
};
