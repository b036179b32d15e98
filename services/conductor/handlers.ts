/** What the API may ask of this conductor, as `packages/rpc` has it. Work is accepted here and done by the engine. */
import type { InterfaceKind, JsonObject, Node, PowerTarget, Run } from '@bessemer/core';
import { asRunId, coerceError, INTERFACE_KINDS, isServiceError, nextState, ServiceError } from '@bessemer/core';
import type { Db } from '@bessemer/db';
import { parseConfigDriveInput } from '@bessemer/image-format';
import type { Log } from '@bessemer/ports';
import type { Accepted, RpcHandlers, ValidationResult } from '@bessemer/rpc';
import type { Allocator } from './allocations.ts';
import { inMaintenance, mustGetNode, wrongState, type Acceptor } from './accept.ts';
import { checkConfigDriveSize } from './agent-arguments.ts';
import type { DriverTask, ManagementInterface } from './drivers/interfaces.ts';
import type { DriverRegistry } from './drivers/registry.ts';
import { flowOf } from './flows/flows.ts';
import type { Configurer } from './ports.ts';
import type { RunRetry } from './retry.ts';
import type { Session } from './session.ts';
import { playOf } from './steps/way-in.ts';
import { nodeLocked, reserveNode } from './task.ts';

export interface HandlerOptions {
  readonly db: Db;
  readonly log: Log;
  readonly session: () => Session;
  readonly acceptor: () => Acceptor;
  readonly retry: () => RunRetry;
  readonly allocator: Allocator;
  readonly drivers: DriverRegistry;
  readonly configurer: Configurer;
  readonly automatedClean: boolean;
  readonly nowMs: () => number;
  readonly wake: (runId: string) => void;
  /** A run was ended from outside: its agent is to stop. */
  readonly onEnded: (run: Run) => void;
}

/** Verbs that manage ends at once, without work. */
const RESTING_MANAGE = ['available', 'clean failed', 'inspect failed', 'adopt failed'];

export function createHandlers(options: HandlerOptions): RpcHandlers {
  const { db, drivers } = options;

  async function driverTask(nodeUuid: string): Promise<DriverTask> {
    const node = await mustGetNode(db.read, nodeUuid);
    const ports = await db.read.ports.list({ nodeUuid: node.uuid }, { limit: 1000 });
    return { node, ports, log: options.log, checkMayOrder: () => options.session().checkMayOrder() };
  }
  /** One synchronous word with a BMC, under the lease where it changes something. */
  async function withLease<T>(nodeUuid: string, purpose: string, fn: (task: DriverTask) => Promise<T>): Promise<T> {
    const session = options.session();
    const fence = await db.write(`reserve.${purpose}`, async (tx) => {
      const node = await mustGetNode(tx, nodeUuid);
      if (node.reservation?.session === session.id) throw nodeLocked(node);
      return reserveNode(tx, node, session, purpose);
    });
    try {
      return await fn(await driverTask(nodeUuid));
    } finally {
      await db.write(`release.${purpose}`, async (tx) => {
        const node = await mustGetNode(tx, nodeUuid);
        return tx.nodes.release(node.uuid, fence);
      });
    }
  }
  const management = (task: DriverTask): ManagementInterface => drivers.get(task.node, 'management');
  const cleansAutomatically = (node: Node): boolean => node.automatedClean ?? options.automatedClean;

  /** A verb that only moves the state machine. */
  async function moveOnly(nodeUuid: string, event: 'manage'): Promise<Accepted> {
    await db.write(`provision.${event}`, async (tx) => {
      const node = await mustGetNode(tx, nodeUuid);
      if (!nextState(node.provisionState, event, null).ok) throw wrongState(event, node);
      const fence = await reserveNode(tx, node, options.session(), event);
      await tx.nodes.processEvent(node.uuid, event, { fence, error: null });
      await tx.nodes.release(node.uuid, fence);
    });
    return { runId: null };
  }
  async function manage(nodeUuid: string, requestId: string): Promise<Accepted> {
    const node = await mustGetNode(db.read, nodeUuid);
    if (RESTING_MANAGE.includes(node.provisionState)) return moveOnly(nodeUuid, 'manage');
    return options.acceptor().accept({
      nodeUuid,
      requestId,
      method: 'manage',
      verb: 'manage',
      event: 'manage',
      input: {},
    });
  }
  async function provide(nodeUuid: string, requestId: string): Promise<Accepted> {
    const node = await mustGetNode(db.read, nodeUuid);
    return options.acceptor().accept({
      nodeUuid,
      requestId,
      method: 'provide',
      verb: 'provide',
      event: 'provide',
      input: { automatedClean: cleansAutomatically(node) },
      check: (task, interfaceOf) => {
        if (task.node.retired)
          throw new ServiceError('INVALID_STATE', `Node ${task.node.uuid} is retired: it cannot be made available.`);
        interfaceOf('power').validate(task);
        if (cleansAutomatically(task.node)) interfaceOf('boot').validate(task);
      },
    });
  }
  async function abort(nodeUuid: string): Promise<Accepted> {
    let ended: Run | undefined;
    await db.write('provision.abort', async (tx) => {
      const node = await mustGetNode(tx, nodeUuid);
      if (node.reservation) throw nodeLocked(node);
      if (!nextState(node.provisionState, 'abort', null).ok) throw wrongState('abort', node);
      const what = (await tx.runs.current(node.uuid))?.verb ?? 'work';
      const reason = `By request, ${what} was aborted while the node was in "${node.provisionState}".`;
      ended = await options.acceptor().endCurrent(tx, node, reason);
      const fence = await reserveNode(tx, node, options.session(), 'abort');
      await tx.nodes.processEvent(node.uuid, 'abort', { fence, error: reason, runId: ended?.id ?? null });
      await tx.nodes.update(node.uuid, { cleanStep: {}, deployStep: {} }, fence);
      await tx.nodes.release(node.uuid, fence);
    });
    if (ended) options.onEnded(ended);
    return { runId: ended?.id ?? null };
  }
  const refuse = (verb: string) => async (): Promise<never> => {
    flowOf(verb);
    throw new Error(`verb ${verb} has a flow and no handler (5a0fbd1c-3b0e-4c55-8c0e-0d4a1f1f4b6e)`);
  };
  async function checkPlay(input: JsonObject, instanceInfo: JsonObject): Promise<void> {
    const play = playOf(input, instanceInfo);
    if (!play) return;
    try {
      await options.configurer.check(play.playbook);
    } catch (error) {
      throw new ServiceError('INVALID_PARAMETER', `configure: ${coerceError(error).message}`, { cause: error });
    }
  }

  return {
    async changeNodePowerState({ nodeUuid, target, timeoutS }, { requestId }) {
      return options.acceptor().accept({
        nodeUuid,
        requestId,
        method: 'changeNodePowerState',
        verb: 'power',
        action: target,
        event: null,
        input: { target, ...(timeoutS === null ? {} : { timeoutMs: timeoutS * 1000 }) },
        nodePatch: { targetPowerState: finalState(target), lastError: null },
        check: (task, interfaceOf) => {
          const power = interfaceOf('power');
          power.validate(task);
          if (!power.supportedPowerStates(task).includes(target))
            throw new ServiceError('INVALID_PARAMETER', `Power state "${target}" is not supported by this node.`);
          if (task.node.disablePowerOff && target !== 'power on')
            throw new ServiceError(
              'POWER_STATE_FAILURE',
              `Node ${task.node.uuid} must not be powered off (disable_power_off is set).`,
            );
        },
      });
    },

    async doNodeDeploy({ nodeUuid, rebuild, configDrive, deploySteps }, { requestId }) {
      const verb = rebuild ? 'rebuild' : 'deploy';
      const asked = await mustGetNode(db.read, nodeUuid);
      const configure = playOf({}, asked.instanceInfo);
      await checkPlay({}, asked.instanceInfo);
      const drive = await parseConfigDriveInput(configDrive ?? {});
      if (!drive.ok) throw new ServiceError('INVALID_PARAMETER', `configdrive: ${drive.error.message}`);
      checkConfigDriveSize(drive.value, asked);
      return options.acceptor().accept({
        nodeUuid,
        requestId,
        method: 'doNodeDeploy',
        verb,
        // Ironic names the target that the client asked for.
        action: rebuild ? 'rebuild' : 'active',
        event: verb,
        input: { ...(configure ? { configure } : {}) },
        check: async (task, interfaceOf) => {
          if (task.node.maintenance) throw inMaintenance('provisioning', task.node);
          if (rebuild && task.node.protected)
            throw new ServiceError(
              'NODE_PROTECTED',
              `Node ${task.node.uuid} is protected and cannot be rebuilt or undeployed.`,
            );
          if (deploySteps && deploySteps.length > 0)
            throw new ServiceError(
              'STEP_NOT_ALLOWED',
              `Deploy step ${String(deploySteps[0]?.['step'])} is not known: this service has no deploy steps of its own to choose from.`,
            );
          interfaceOf('power').validate(task);
          interfaceOf('boot').validate(task);
          interfaceOf('deploy').validate(task);
        },
        also: async (tx, node) => {
          if (configDrive !== null) await tx.nodes.setConfigDrive(node.uuid, configDrive);
          else if (!rebuild) await tx.nodes.setConfigDrive(node.uuid, null);
        },
      });
    },

    async doNodeTearDown({ nodeUuid }, { requestId }) {
      const node = await mustGetNode(db.read, nodeUuid);
      return options.acceptor().accept({
        nodeUuid,
        requestId,
        method: 'doNodeTearDown',
        verb: 'delete',
        action: 'deleted',
        event: 'delete',
        input: { automatedClean: cleansAutomatically(node) },
        endsCurrent: 'The node is undeployed.',
        check: (task, interfaceOf) => {
          if (task.node.protected)
            throw new ServiceError(
              'NODE_PROTECTED',
              `Node ${task.node.uuid} is protected and cannot be rebuilt or undeployed.`,
            );
          interfaceOf('power').validate(task);
        },
        also: (tx, torn) => tx.nodes.setConfigDrive(torn.uuid, null),
      });
    },

    async doNodeClean({ nodeUuid, cleanSteps, disableRamdisk }, { requestId }) {
      if (disableRamdisk)
        throw new ServiceError(
          'STEP_NOT_ALLOWED',
          'Cleaning without a ramdisk is not supported: every known step is done in it.',
        );
      if (cleanSteps.length === 0)
        throw new ServiceError('MISSING_PARAMETER', 'clean_steps must name at least one step.');
      return options.acceptor().accept({
        nodeUuid,
        requestId,
        method: 'doNodeClean',
        verb: 'clean',
        event: 'clean',
        input: { cleanSteps },
        check: (task, interfaceOf) => {
          if (task.node.maintenance) throw inMaintenance('cleaning', task.node);
          interfaceOf('power').validate(task);
          interfaceOf('boot').validate(task);
        },
      });
    },

    async inspectHardware({ nodeUuid }, { requestId }) {
      return options.acceptor().accept({
        nodeUuid,
        requestId,
        method: 'inspectHardware',
        verb: 'inspect',
        event: 'inspect',
        input: {},
        nodePatch: { inspectionStartedAt: options.nowMs() },
        check: (task, interfaceOf) => {
          if (task.node.maintenance) throw inMaintenance('inspection', task.node);
          interfaceOf('power').validate(task);
          interfaceOf('inspect').validate(task);
        },
      });
    },

    async doProvisioningAction({ nodeUuid, action }, { requestId }) {
      switch (action) {
        case 'manage':
          return manage(nodeUuid, requestId);
        case 'provide':
          return provide(nodeUuid, requestId);
        case 'abort':
          return abort(nodeUuid);
        case 'adopt':
          return options.acceptor().accept({
            nodeUuid,
            requestId,
            method: 'adopt',
            verb: 'adopt',
            event: 'adopt',
            input: {},
            check: (task, interfaceOf) => interfaceOf('boot').validate(task),
          });
        case 'unhold':
          return refuse('unhold')();
      }
    },

    doNodeService: refuse('service'),
    doNodeRescue: refuse('rescue'),
    doNodeUnrescue: refuse('unrescue'),

    async retryRun({ nodeUuid }) {
      return options.retry()(nodeUuid);
    },

    async configureNode({ nodeUuid, playbook, variables }, { requestId }) {
      const input = { configure: { playbook, variables } };
      await checkPlay(input, {});
      return options.acceptor().accept({
        nodeUuid,
        requestId,
        method: 'configureNode',
        verb: 'configure',
        event: null,
        input,
        check: (task) => {
          if (task.node.maintenance) throw inMaintenance('configure', task.node);
          if (task.node.provisionState !== 'active') throw wrongState('configure', task.node);
        },
      });
    },

    async validateDriverInterfaces({ nodeUuid }) {
      const task = await driverTask(nodeUuid);
      const result: ValidationResult = {};
      // Ironic leaves vendor out: it has nothing to validate.
      for (const kind of INTERFACE_KINDS) if (kind !== 'vendor') result[kind] = validateOne(task, kind);
      return result;
    },
    async getBootDevice({ nodeUuid }) {
      const task = await driverTask(nodeUuid);
      const { device, isPersistent } = await management(task).getBootDevice(task);
      return { boot_device: device, persistent: isPersistent };
    },
    async setBootDevice({ nodeUuid, device, persistent }) {
      await withLease(nodeUuid, 'setting boot device', (task) =>
        management(task).setBootDevice(task, device, persistent),
      );
      return null;
    },
    async getSupportedBootDevices({ nodeUuid }) {
      const task = await driverTask(nodeUuid);
      return { supported_boot_devices: [...management(task).supportedBootDevices(task)] };
    },
    async injectNmi({ nodeUuid }) {
      await withLease(nodeUuid, 'inject nmi', (task) => management(task).injectNmi(task));
      return null;
    },
    allocate: options.allocator.allocate,
    async wakeRun({ runId }) {
      const run = await db.read.runs.get(asRunId(runId));
      // The API ends the run of a node that it deletes; what the run has open with us it cannot close.
      if (run?.state === 'aborted' && !(await db.read.nodes.get(run.nodeUuid))) options.onEnded(run);
      else options.wake(runId);
    },
  };

  function validateOne(task: DriverTask, kind: InterfaceKind): { result: boolean | null; reason?: string } {
    try {
      drivers.get(task.node, kind).validate(task);
      return { result: true };
    } catch (error) {
      if (!isServiceError(error)) throw error;
      return { result: error.code === 'UNSUPPORTED_DRIVER_EXTENSION' ? null : false, reason: error.publicMessage };
    }
  }
}

const finalState = (target: PowerTarget): 'power on' | 'power off' =>
  target === 'power off' || target === 'soft power off' ? 'power off' : 'power on';
