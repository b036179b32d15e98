/** Power, provisioning, maintenance, boot device: what moves a node. The work itself is a conductor's. */
import {
  actionImpossible,
  isJsonObject,
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
import { strictBoolean } from '../http/query.ts';
import { needsVersion } from '../http/versions.ts';
import { accepted, type ApiRequest, type ApiServices, type Handler, noContent, ok } from '../request.ts';
import { stateName, statesView } from '../views/node.ts';
import { type OrderedSteps, stepsOfRunbook } from './node-runbook.ts';
import { findNode } from './nodes.ts';

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
  const needs27 = target === 'soft rebooting' || target === 'soft power off' || body['timeout'] !== undefined;
  if (needs27)
    needsVersion(body['timeout'] === undefined ? `The target "${target}"` : 'The field timeout', 27, request.minor);
  if (!POWER_TARGETS.includes(target as PowerTarget)) throw actionImpossible(target, node, node.powerState);
  if (['cleaning', 'clean wait'].includes(node.provisionState))
    throw actionImpossible(target, node, node.provisionState);
  if (node.disablePowerOff && target !== 'power on' && !target.endsWith('rebooting'))
    throw new ServiceError(
      'POWER_STATE_FAILURE',
      `Node ${node.uuid} must not be powered off: disable_power_off is set.`,
    );
  const timeout = typeof body['timeout'] === 'number' ? body['timeout'] : null;
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
  undeploy: 73,
  unhold: 85,
  service: 87,
};
/** Least microversion of a field of the request, and the verbs it goes with. */
const FIELD_RULES: Readonly<Record<string, { since: number; verbs: readonly ProvisionVerb[] }>> = {
  configdrive: { since: 1, verbs: ['active', 'deploy', 'rebuild'] },
  clean_steps: { since: 15, verbs: ['clean'] },
  deploy_steps: { since: 69, verbs: ['active', 'deploy', 'rebuild'] },
  service_steps: { since: 87, verbs: ['service'] },
  rescue_password: { since: 38, verbs: ['rescue'] },
  disable_ramdisk: { since: 70, verbs: ['clean', 'service'] },
  runbook: { since: 92, verbs: ['clean', 'service'] },
};

/** What of a config drive came later than config drives. These two are 400 with Ironic, not 406. */
function checkConfigDrive(value: Json | undefined, verb: ProvisionVerb, minor: number): void {
  if (value === undefined || value === null) return;
  if (verb === 'rebuild' && minor < 35)
    throw new ServiceError(
      'INVALID_PARAMETER',
      'Adding a config drive is only supported when setting provision state to active',
    );
  if (!isJsonObject(value)) return;
  if (minor < 56)
    throw new ServiceError(
      'INVALID_PARAMETER',
      'Providing a JSON object for configdrive is only supported starting with API version 1.56',
    );
  if (Object.hasOwn(value, 'vendor_data') && minor < 59)
    throw new ServiceError(
      'INVALID_PARAMETER',
      'Providing vendor_data in configdrive is only supported starting with API version 1.59',
    );
}

function checkVerb(request: ApiRequest, node: Node, body: JsonObject): ProvisionVerb {
  const target = String(body['target']);
  if (!Object.hasOwn(VERBS, target))
    throw actionImpossible(target, node, stateName(node.provisionState, request.minor));
  const verb = target as ProvisionVerb;
  needsVersion(`The target "${verb}"`, VERB_SINCE[verb] ?? 1, request.minor);
  for (const [name, rule] of Object.entries(FIELD_RULES)) {
    const value = body[name];
    if (value === undefined || value === null) continue;
    needsVersion(`The field ${name}`, rule.since, request.minor);
    if (!rule.verbs.includes(verb))
      throw new ServiceError(
        'INVALID_PARAMETER',
        `${name} is only valid with the target provision states: ${rule.verbs.join(', ')}`,
      );
  }
  if (verb === 'service' && body['disable_ramdisk'] != null)
    needsVersion('disable_ramdisk with service', 108, request.minor);
  checkConfigDrive(body['configdrive'], verb, request.minor);
  if (verb === 'abort') {
    if (node.provisionState === 'inspect wait') needsVersion('Aborting an inspection', 41, request.minor);
    if (node.provisionState === 'wait call-back') needsVersion('Aborting a deployment', 110, request.minor);
  }
  if (verb === 'rescue' && typeof body['rescue_password'] !== 'string')
    throw new ServiceError(
      'INVALID_PARAMETER',
      'A non-empty "rescue_password" is required when setting target provision state to rescue',
    );
  if (verb === 'clean' && !body['clean_steps'] && !body['runbook'])
    throw new ServiceError(
      'INVALID_PARAMETER',
      '"clean_steps" is required when setting target provision state to clean',
    );
  return verb;
}

export const setProvisionState: Handler = async (request, services) => {
  const { node, nodeUuid, call } = await located(request, services);
  const body = request.body as JsonObject;
  const verb = checkVerb(request, node, body);
  const event = VERBS[verb];
  if (node.maintenance && (event === 'deploy' || event === 'rebuild' || event === 'rescue'))
    throw nodeInMaintenance(verb, node);
  if (node.protected && (event === 'rebuild' || event === 'delete')) throw nodeProtected(node);
  if (!nextState(node.provisionState, event, node.targetProvisionState).ok) {
    if (node.reservation) throw nodeLocked(node);
    throw actionImpossible(verb, node, stateName(node.provisionState, request.minor));
  }
  const host = await hostFor(node, services);
  const steps = (name: string) => (Array.isArray(body[name]) ? (body[name] as JsonObject[]) : null);
  const noRamdisk = body['disable_ramdisk'] == null ? false : strictBoolean('disable_ramdisk', body['disable_ramdisk']);
  const ordered = async (name: 'clean_steps' | 'service_steps'): Promise<OrderedSteps> =>
    (await stepsOfRunbook(body, name, node, request, services)) ?? {
      steps: steps(name) ?? [],
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
          configDrive: typeof configDrive === 'string' || isJsonObject(configDrive) ? configDrive : null,
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
  const device = body['boot_device'] ?? request.query.get('boot_device');
  if (typeof device !== 'string')
    throw new ServiceError('MISSING_PARAMETER', 'Missing mandatory parameter: boot_device');
  const persistent = strictBoolean('persistent', body['persistent'] ?? request.query.get('persistent') ?? false);
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
