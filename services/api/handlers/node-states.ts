/** Power, provisioning, maintenance, boot device: what moves a node. The work itself is a conductor's. */
import {
  actionImpossible,
  isJsonObject,
  isUuid,
  type Json,
  type JsonObject,
  nextState,
  type Node,
  nodeInMaintenance,
  nodeLocked,
  nodeProtected,
  POWER_TARGETS,
  type PowerTarget,
  type ProvisionVerb,
  ServiceError,
  VERBS,
} from '@bessemer/core';
import { hostFor } from '../conductors.ts';
import { checkSteps } from '../http/operations.ts';
import { strictBoolean } from '../http/query.ts';
import { needsVersion } from '../http/versions.ts';
import { accepted, type ApiRequest, type ApiServices, type Handler, noContent, ok } from '../request.ts';
import { statesView } from '../views/node.ts';
import { judgeChildren } from './child-steps.ts';
import { type OrderedSteps, stepsOfRunbook } from './node-runbook.ts';
import { findNode } from './find-node.ts';

const statesLocation = (request: ApiRequest) => `${request.base}/v1/nodes/${request.params['node']}/states`;

async function located(request: ApiRequest, services: ApiServices) {
  const node = await findNode(request, request.params['node']!, services);
  return { node, nodeUuid: node.uuid, call: { requestId: request.requestId } };
}

export const getNodeStates: Handler = async (request, services) =>
  ok(statesView((await located(request, services)).node, request.minor));

export const setPowerState: Handler = async (request, services) => {
  const { node, nodeUuid, call } = await located(request, services);
  const body = request.body as JsonObject;
  const target = String(body['target']);
  const timeout = body['timeout'] == null ? null : Number(body['timeout']);
  const isSoft = target === 'soft rebooting' || target === 'soft power off';
  if (isSoft || timeout) needsVersion(timeout ? 'The field timeout' : `The target "${target}"`, 27, request.minor);
  if (timeout !== null && timeout < 1)
    throw new ServiceError('INVALID_PARAMETER', 'timeout has to be positive integer');
  if (!POWER_TARGETS.includes(target as PowerTarget)) throw actionImpossible(target, node, node.powerState);
  if (['cleaning', 'clean wait'].includes(node.provisionState))
    throw actionImpossible(target, node, node.provisionState);
  if (node.disablePowerOff && target !== 'power on' && !target.endsWith('rebooting'))
    throw new ServiceError(
      'POWER_STATE_FAILURE',
      `Node ${node.uuid} must not be powered off: disable_power_off is set.`,
    );
  await services.rpc.call(
    await hostFor(node, services),
    'changeNodePowerState',
    { nodeUuid, target: target as PowerTarget, timeoutS: timeout },
    call,
  );
  return accepted(statesLocation(request));
};

/** Least microversion of a verb, as Ironic has them. */
const VERB_SINCE: Partial<Record<ProvisionVerb, number>> = {
  manage: 4,
  provide: 4,
  inspect: 6,
  abort: 13,
  clean: 15,
  adopt: 17,
  rescue: 38,
  unrescue: 38,
  deploy: 73,
};
/** Of these Ironic looks at the node's state first. */
const LATE_VERB_SINCE: Partial<Record<ProvisionVerb, number>> = { unhold: 85, service: 87 };
const invalid = (message: string) => new ServiceError('INVALID_PARAMETER', message);
const onlyWith = (field: string, targets: string) =>
  invalid(`"${field}" is only valid when setting target provision state to ${targets}`);
const BASE64 = /^[A-Za-z0-9+/=\s]*$/;

/** What is wrong with the parts of a config drive, or undefined. */
function driveProblem(drive: JsonObject): string | undefined {
  for (const [name, part] of Object.entries(drive)) {
    if (name === 'user_data') {
      if (!['object', 'string'].includes(typeof part)) return `${name} must be an object, an array, a string or null`;
    } else if (!['meta_data', 'network_data', 'vendor_data'].includes(name))
      return `Additional properties are not allowed ('${name.slice(0, 60)}' was unexpected)`;
    else if (!isJsonObject(part)) return `${name} must be an object`;
  }
  return undefined;
}

/** What of a config drive came later than config drives. These are 400 with Ironic, not 406. */
function checkConfigDrive(value: Json | undefined, verb: ProvisionVerb, minor: number): void {
  if (!value) return;
  const targets = minor < 35 ? ['active'] : ['active', 'rebuild'];
  if (!targets.includes(verb))
    throw invalid(`Adding a config drive is only supported when setting provision state to ${targets.join(', ')}`);
  if (typeof value === 'string' && !value.includes('://') && !BASE64.test(value))
    throw invalid('Invalid configdrive format: it is neither a JSON, nor a URL, nor a base64 string');
  if (!isJsonObject(value)) return;
  const problem = driveProblem(value);
  if (problem !== undefined) throw invalid(`Invalid configdrive format: ${problem}`);
  if (minor < 56)
    throw invalid('Providing a JSON object for configdrive is only supported starting with API version 1.56');
  if (Object.hasOwn(value, 'vendor_data') && minor < 59)
    throw invalid('Providing vendor_data in configdrive is only supported starting with API version 1.59');
}

function checkDisableRamdisk(value: Json | undefined, verb: ProvisionVerb, minor: number): void {
  if (value === undefined || value === null) return;
  needsVersion('The field disable_ramdisk', 70, minor);
  if (verb !== 'clean' && verb !== 'service')
    throw invalid('disable_ramdisk is supported only with manual cleaning or servicing');
  if (verb === 'service') needsVersion('disable_ramdisk with service', 108, minor);
}

const isGiven = (steps: Json | undefined): steps is Json[] => Array.isArray(steps) && steps.length > 0;

/** What goes with the verb in the body, in Ironic's order. @throws INVALID_PARAMETER, NOT_ACCEPTABLE. */
function checkFields(verb: ProvisionVerb, node: Node, body: JsonObject, minor: number): void {
  checkConfigDrive(body['configdrive'], verb, minor);
  if (body['runbook'] != null) {
    needsVersion('The field runbook', 92, minor);
    if (verb !== 'clean' && verb !== 'service') throw onlyWith('runbooks', "any of ['clean', 'service']");
  }
  checkDisableRamdisk(body['disable_ramdisk'], verb, minor);
  if (isGiven(body['clean_steps']) && verb !== 'clean') throw onlyWith('clean_steps', 'clean');
  if (isGiven(body['deploy_steps'])) {
    needsVersion('The field deploy_steps', 69, minor);
    if (verb !== 'active' && verb !== 'rebuild') throw onlyWith('deploy_steps', 'active or rebuild');
  }
  if (body['rescue_password'] != null && verb !== 'rescue') throw onlyWith('rescue_password', 'rescue');
  if (verb === 'abort') {
    if (node.provisionState === 'inspect wait') needsVersion('Aborting an inspection', 41, minor);
    if (node.provisionState === 'wait call-back') needsVersion('Aborting a deployment', 110, minor);
  }
  if (isGiven(body['service_steps'])) {
    needsVersion('The field service_steps', 87, minor);
    if (verb !== 'service') throw onlyWith('service_steps', 'service');
  }
  needsVersion(`The target "${verb}"`, LATE_VERB_SINCE[verb] ?? 1, minor);
  for (const name of ['clean_steps', 'deploy_steps', 'service_steps'] as const)
    if (isGiven(body[name])) checkSteps(name, body[name]);
  if (verb === 'rescue' && (typeof body['rescue_password'] !== 'string' || body['rescue_password'].trim() === ''))
    throw invalid('A non-empty "rescue_password" is required when setting target provision state to rescue');
  if (verb === 'clean' && !isGiven(body['clean_steps']) && !body['runbook'])
    throw invalid('"clean_steps" is required when setting target provision state to clean');
}

/** The verb, when the node's state and the request allow it: the order of the checks is Ironic's. */
function checkVerb(request: ApiRequest, node: Node, body: JsonObject): ProvisionVerb {
  const target = String(body['target']);
  if (!Object.hasOwn(VERBS, target)) throw actionImpossible(target, node, node.provisionState);
  const verb = target as ProvisionVerb;
  const event = VERBS[verb];
  needsVersion(`The target "${verb}"`, VERB_SINCE[verb] ?? 1, request.minor);
  if (node.maintenance && (verb === 'active' || verb === 'rebuild')) throw nodeInMaintenance('provisioning', node);
  if (!nextState(node.provisionState, event, node.targetProvisionState).ok) {
    if (node.reservation) throw nodeLocked(node, { isFinal: true });
    throw actionImpossible(verb, node, node.provisionState);
  }
  checkFields(verb, node, body, request.minor);
  if (node.maintenance && event === 'deploy') throw nodeInMaintenance('provisioning', node);
  if (node.maintenance && event === 'rescue') throw nodeInMaintenance('rescuing', node);
  if (node.protected && (event === 'rebuild' || event === 'delete')) throw nodeProtected(node);
  return verb;
}

export const setProvisionState: Handler = async (request, services) => {
  const { node, nodeUuid, call } = await located(request, services);
  const body = request.body as JsonObject;
  const event = VERBS[checkVerb(request, node, body)];
  const host = await hostFor(node, services);
  const steps = (name: string) => (Array.isArray(body[name]) ? (body[name] as JsonObject[]) : null);
  const noRamdisk = body['disable_ramdisk'] == null ? false : strictBoolean('disable_ramdisk', body['disable_ramdisk']);
  const ordered = async (name: 'clean_steps' | 'service_steps'): Promise<OrderedSteps> =>
    (await stepsOfRunbook(body, name, node, request, services)) ?? {
      steps: await judgeChildren(steps(name) ?? [], node, request, services),
      disableRamdisk: noRamdisk,
    };
  const { rpc } = services;
  switch (event) {
    case 'deploy':
    case 'rebuild': {
      const configDrive = body['configdrive'];
      await rpc.call(
        host,
        'doNodeDeploy',
        {
          nodeUuid,
          rebuild: event === 'rebuild',
          // An empty text is none, as for Ironic.
          configDrive:
            (typeof configDrive === 'string' && configDrive !== '') || isJsonObject(configDrive) ? configDrive : null,
          deploySteps: steps('deploy_steps'),
        },
        call,
      );
      break;
    }
    case 'delete':
      await rpc.call(host, 'doNodeTearDown', { nodeUuid }, call);
      break;
    case 'clean': {
      const { steps: cleanSteps, disableRamdisk } = await ordered('clean_steps');
      await rpc.call(host, 'doNodeClean', { nodeUuid, cleanSteps, disableRamdisk }, call);
      break;
    }
    case 'service': {
      const { steps: serviceSteps, disableRamdisk } = await ordered('service_steps');
      await rpc.call(host, 'doNodeService', { nodeUuid, serviceSteps, disableRamdisk }, call);
      break;
    }
    case 'rescue':
      await rpc.call(host, 'doNodeRescue', { nodeUuid, rescuePassword: String(body['rescue_password']) }, call);
      break;
    case 'unrescue':
      await rpc.call(host, 'doNodeUnrescue', { nodeUuid }, call);
      break;
    case 'inspect':
      await rpc.call(host, 'inspectHardware', { nodeUuid }, call);
      break;
    default:
      await rpc.call(host, 'doProvisioningAction', { nodeUuid, action: event }, call);
  }
  return accepted(statesLocation(request));
};

const maintenance =
  (isOn: boolean): Handler =>
  async (request, services) => {
    const { nodeUuid } = await located(request, services);
    const reason = isOn && isJsonObject(request.body) ? (request.body['reason'] ?? null) : null;
    await services.db.write('maintenance', async (tx) => {
      await tx.nodes.update(nodeUuid, {
        maintenance: isOn,
        maintenanceReason: reason as string | null,
        ...(isOn ? {} : { fault: null }),
      });
      await tx.events.append({ type: 'node.maintenance', nodeUuid, runId: null, data: { maintenance: isOn, reason } });
    });
    return accepted();
  };
export const setMaintenance = maintenance(true);
export const clearMaintenance = maintenance(false);

export const getBootDevice: Handler = async (request, services) => {
  const { node, nodeUuid, call } = await located(request, services);
  return ok(await services.rpc.call(await hostFor(node, services), 'getBootDevice', { nodeUuid }, call));
};

export const getSupportedBootDevices: Handler = async (request, services) => {
  const { node, nodeUuid, call } = await located(request, services);
  return ok(await services.rpc.call(await hostFor(node, services), 'getSupportedBootDevices', { nodeUuid }, call));
};

export const setBootDevice: Handler = async (request, services) => {
  const { node, nodeUuid, call } = await located(request, services);
  const body = isJsonObject(request.body) ? request.body : {};
  const device = body['boot_device'];
  if (typeof device !== 'string')
    throw new ServiceError('MISSING_PARAMETER', 'Missing mandatory parameter: boot_device');
  const persistent = strictBoolean('persistent', body['persistent'] ?? false);
  await services.rpc.call(await hostFor(node, services), 'setBootDevice', { nodeUuid, device, persistent }, call);
  return noContent;
};

export const injectNmi: Handler = async (request, services) => {
  const { node, nodeUuid, call } = await located(request, services);
  await services.rpc.call(await hostFor(node, services), 'injectNmi', { nodeUuid }, call);
  return noContent;
};

const validation: Handler = async (request, services) => {
  const ident = request.params['node'] ?? request.query.get('node') ?? request.query.get('node_uuid');
  if (!ident) throw new ServiceError('MISSING_PARAMETER', 'Missing mandatory parameter: node');
  if (!isUuid(ident)) needsVersion('Finding a node by its name', 5, request.minor);
  const node = await findNode(request, ident, services);
  const result = await services.rpc.call(
    await hostFor(node, services),
    'validateDriverInterfaces',
    { nodeUuid: node.uuid },
    { requestId: request.requestId },
  );
  return ok(result as JsonObject);
};
export const validateNode = validation;
export const validateNodeByQuery = validation;

export const configureNode: Handler = async (request, services) => {
  const { node, nodeUuid, call } = await located(request, services);
  const body = request.body as JsonObject;
  const variables = isJsonObject(body['variables']) ? body['variables'] : {};
  await services.rpc.call(
    await hostFor(node, services),
    'configureNode',
    { nodeUuid, playbook: String(body['playbook']), variables },
    call,
  );
  return accepted(statesLocation(request));
};

export const retryRun: Handler = async (request, services) => {
  const { node, nodeUuid, call } = await located(request, services);
  await services.rpc.call(await hostFor(node, services), 'retryRun', { nodeUuid }, call);
  return accepted(statesLocation(request));
};
