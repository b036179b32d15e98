/**
 * The contract as JSON schemas, by hand beside the types: both ends check arguments and results against it. The compiler holds
 * the names of methods and arguments together with contract.ts; a test pins the hash.
 */
import { createHash } from 'node:crypto';
import { INTERFACE_KINDS, POWER_TARGETS, ServiceError } from '@bessemer/core';
import { Ajv } from 'ajv';
import type { ValidateFunction } from 'ajv';
import type { RpcMethod, RpcMethods } from './contract.ts';

type Schema = { readonly [keyword: string]: unknown };
type MethodSchema<M extends RpcMethod> = {
  readonly kind: RpcMethods[M]['kind'];
  /** Every argument is required. */
  readonly args: { readonly [A in keyof RpcMethods[M]['args']]-?: Schema };
  /** Null for a cast. */
  readonly result: Schema | null;
};

const UUID: Schema = { type: 'string', pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' };
const OBJECT: Schema = { type: 'object' };
const BOOLEAN: Schema = { type: 'boolean' };
const NAME: Schema = { type: 'string', minLength: 1, maxLength: 255 };
const STEPS: Schema = { type: 'array', items: OBJECT, maxItems: 1000 };
const NULL: Schema = { type: 'null' };
const nullable = (schema: Schema): Schema => ({ anyOf: [schema, NULL] });
const withOne = (name: string, schema: Schema): Schema => ({
  type: 'object',
  properties: { [name]: schema },
  required: [name],
});
const ACCEPTED: Schema = { type: 'object', properties: { runId: nullable(UUID) }, required: ['runId'] };
const VALIDATION: Schema = {
  type: 'object',
  properties: Object.fromEntries(
    INTERFACE_KINDS.map((kind) => [
      kind,
      {
        type: 'object',
        properties: { result: nullable(BOOLEAN), reason: { type: 'string' } },
        required: ['result'],
        additionalProperties: false,
      },
    ]),
  ),
  additionalProperties: false,
};

export const METHOD_SCHEMAS: { readonly [M in RpcMethod]: MethodSchema<M> } = {
  changeNodePowerState: {
    kind: 'call',
    args: {
      nodeUuid: UUID,
      target: { enum: [...POWER_TARGETS] },
      timeoutS: nullable({ type: 'number', exclusiveMinimum: 0 }),
    },
    result: ACCEPTED,
  },
  doNodeDeploy: {
    kind: 'call',
    args: {
      nodeUuid: UUID,
      rebuild: BOOLEAN,
      configDrive: { anyOf: [OBJECT, { type: 'string' }, NULL] },
      deploySteps: nullable(STEPS),
    },
    result: ACCEPTED,
  },
  doNodeTearDown: { kind: 'call', args: { nodeUuid: UUID }, result: ACCEPTED },
  doNodeClean: {
    kind: 'call',
    args: { nodeUuid: UUID, cleanSteps: STEPS, disableRamdisk: BOOLEAN },
    result: ACCEPTED,
  },
  doNodeService: {
    kind: 'call',
    args: { nodeUuid: UUID, serviceSteps: STEPS, disableRamdisk: BOOLEAN },
    result: ACCEPTED,
  },
  doNodeRescue: {
    kind: 'call',
    args: { nodeUuid: UUID, rescuePassword: { type: 'string', minLength: 1, maxLength: 1024 } },
    result: ACCEPTED,
  },
  doNodeUnrescue: { kind: 'call', args: { nodeUuid: UUID }, result: ACCEPTED },
  inspectHardware: { kind: 'call', args: { nodeUuid: UUID }, result: ACCEPTED },
  doProvisioningAction: {
    kind: 'call',
    args: { nodeUuid: UUID, action: { enum: ['manage', 'provide', 'adopt', 'abort', 'unhold'] } },
    result: ACCEPTED,
  },
  retryRun: { kind: 'call', args: { nodeUuid: UUID }, result: ACCEPTED },
  configureNode: {
    kind: 'call',
    args: { nodeUuid: UUID, playbook: { type: 'string' }, variables: OBJECT },
    result: ACCEPTED,
  },
  validateDriverInterfaces: { kind: 'call', args: { nodeUuid: UUID }, result: VALIDATION },
  getBootDevice: {
    kind: 'call',
    args: { nodeUuid: UUID },
    result: {
      type: 'object',
      properties: { boot_device: nullable({ type: 'string' }), persistent: nullable(BOOLEAN) },
      required: ['boot_device', 'persistent'],
    },
  },
  setBootDevice: { kind: 'call', args: { nodeUuid: UUID, device: NAME, persistent: BOOLEAN }, result: NULL },
  getSupportedBootDevices: {
    kind: 'call',
    args: { nodeUuid: UUID },
    result: {
      type: 'object',
      properties: { supported_boot_devices: { type: 'array', items: { type: 'string' } } },
      required: ['supported_boot_devices'],
    },
  },
  injectNmi: { kind: 'call', args: { nodeUuid: UUID }, result: NULL },
  getConsole: { kind: 'call', args: { nodeUuid: UUID }, result: withOne('console_info', nullable(OBJECT)) },
  setConsole: { kind: 'call', args: { nodeUuid: UUID, enabled: BOOLEAN }, result: NULL },
  changeBootMode: { kind: 'call', args: { nodeUuid: UUID, mode: { enum: ['bios', 'uefi'] } }, result: NULL },
  changeSecureBoot: { kind: 'call', args: { nodeUuid: UUID, isOn: BOOLEAN }, result: NULL },
  listIndicators: { kind: 'call', args: { nodeUuid: UUID }, result: withOne('components', OBJECT) },
  getIndicator: {
    kind: 'call',
    args: { nodeUuid: UUID, component: NAME, name: NAME },
    result: withOne('state', { type: 'string' }),
  },
  setIndicator: { kind: 'call', args: { nodeUuid: UUID, component: NAME, name: NAME, state: NAME }, result: NULL },
  listVirtualMedia: {
    kind: 'call',
    args: { nodeUuid: UUID },
    result: withOne('media', { type: 'array', items: OBJECT }),
  },
  attachVirtualMedia: {
    kind: 'call',
    args: { nodeUuid: UUID, device: NAME, imageUrl: { type: 'string', minLength: 1, maxLength: 4096 } },
    result: NULL,
  },
  detachVirtualMedia: {
    kind: 'call',
    args: { nodeUuid: UUID, devices: nullable({ type: 'array', items: NAME }) },
    result: NULL,
  },
  listVendorMethods: { kind: 'call', args: { nodeUuid: UUID }, result: withOne('methods', OBJECT) },
  callVendorMethod: {
    kind: 'call',
    args: { nodeUuid: UUID, method: NAME, httpMethod: NAME, info: OBJECT },
    result: { type: 'object', properties: { isAsync: BOOLEAN, result: {} }, required: ['isAsync', 'result'] },
  },
  allocate: { kind: 'call', args: { allocationUuid: UUID, nodeUuid: nullable(UUID) }, result: NULL },
  wakeRun: { kind: 'cast', args: { runId: UUID }, result: null },
};

/** True for a method of the contract: for names that come off the bus. */
export const isRpcMethod = (name: string): name is RpcMethod => Object.hasOwn(METHOD_SCHEMAS, name);

/** Changes whenever a process of another release might not understand a message: pinned by a test. */
export const contractHash = (): string => createHash('sha256').update(JSON.stringify(METHOD_SCHEMAS)).digest('hex');

interface Checks {
  readonly args: ValidateFunction;
  readonly result: ValidateFunction | null;
}
const ajv = new Ajv({ allErrors: false, strict: true, allowUnionTypes: true });
const compiled = new Map<RpcMethod, Checks>();

function checksOf(method: RpcMethod): Checks {
  let found = compiled.get(method);
  if (!found) {
    const { args, result } = METHOD_SCHEMAS[method];
    found = {
      args: ajv.compile({
        type: 'object',
        properties: args,
        required: Object.keys(args),
        additionalProperties: false,
      }),
      result: result && ajv.compile(result),
    };
    compiled.set(method, found);
  }
  return found;
}

/** What is wrong, without the value: arguments may be secrets. */
function complaint(check: ValidateFunction): string {
  const error = check.errors?.[0];
  const extra = error?.keyword === 'additionalProperties' ? ` (${error.params['additionalProperty']})` : '';
  return `${error?.instancePath || 'it'} ${error?.message ?? 'is wrong'}${extra}`;
}

/** @throws INVALID_PARAMETER that names the argument and what it should be. */
export function checkArgs(method: RpcMethod, args: unknown): void {
  const check = checksOf(method).args;
  if (!check(args))
    throw new ServiceError('INVALID_PARAMETER', `The arguments of ${method} are wrong: ${complaint(check)}.`);
}

/** @throws Error when an answer is not what the contract says: a fault of the program, not of the caller. */
export function checkResult(method: RpcMethod, result: unknown): void {
  const check = checksOf(method).result;
  if (check && !check(result)) throw new Error(`the answer of ${method} is against the contract: ${complaint(check)}`);
}
