/** What the API may ask of this conductor, as `packages/rpc` has it. Work is accepted here and done by the engine. */
import type { InterfaceKind, JsonObject, Node, Run } from '@bessemer/core';
import {
  actionImpossible,
  asRunId,
  coerceError,
  INTERFACE_KINDS,
  isServiceError,
  nextState,
  nodeInMaintenance,
  nodeProtected,
  ServiceError,
} from '@bessemer/core';
import type { Db } from '@bessemer/db';
import type { Log } from '@bessemer/ports';
import type { Accepted, RpcHandlers, ValidationResult } from '@bessemer/rpc';
import type { Allocator } from './allocations.ts';
import { mustGetNode, type Acceptor } from './accept.ts';
import { checkConfigDrive, configDriveUrlOf, notedDrive } from './config-drive.ts';
import { createDriverCalls } from './driver-calls.ts';
import { createDriverTasks } from './driver-task.ts';
import type { DriverTask } from './drivers/interfaces.ts';
import type { DriverRegistry } from './drivers/registry.ts';
import { createLifeHandlers } from './handlers-life.ts';
import { noteImageType, withoutNotedDrive } from './instance.ts';
import { type LeaseReturns, reserveNode } from './lease.ts';
import type { Configurer } from './ports.ts';
import { checkPowerOrder, type PowerOrders } from './power-orders.ts';
import type { RunRetry } from './retry.ts';
import type { Session } from './session.ts';
import { finalState } from './steps/power.ts';
import { playOf } from './steps/way-in.ts';
import { instanceTraits, templatesFor } from './templates.ts';

export interface HandlerOptions {
  readonly db: Db;
  readonly log: Log;
  readonly session: () => Session;
  readonly acceptor: () => Acceptor;
  readonly powerOrders: () => PowerOrders;
  readonly retry: () => RunRetry;
  readonly allocator: Allocator;
  readonly leases: LeaseReturns;
  readonly drivers: DriverRegistry;
  readonly configurer: Configurer;
  readonly automatedClean: boolean;
  readonly nowMs: () => number;
  readonly runLifeMs: number;
  readonly wake: (runId: string) => void;
  /** A run was ended from outside: its agent is to stop. */
  readonly onEnded: (run: Run) => void;
}

/** Verbs that manage ends at once, without work. */
const RESTING_MANAGE = ['available', 'clean failed', 'inspect failed', 'adopt failed'];

export function createHandlers(options: HandlerOptions): RpcHandlers {
  const { db, drivers } = options;

  const tasks = createDriverTasks({ db, log: options.log, session: options.session, leases: options.leases });
  const life = createLifeHandlers(options);
  const cleansAutomatically = (node: Node): boolean => node.automatedClean ?? options.automatedClean;

  /** A verb that only moves the state machine. */
  async function moveOnly(nodeUuid: string, event: 'manage'): Promise<Accepted> {
    await db.write(`provision.${event}`, async (tx) => {
      const node = await mustGetNode(tx, nodeUuid);
      if (!nextState(node.provisionState, event, null).ok) throw actionImpossible(event, node, node.provisionState);
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
          throw new ServiceError(
            'INVALID_STATE_REQUESTED',
            `The providing operation can't be performed on node ${task.node.uuid} because it is retired.`,
          );
        interfaceOf('power').validate(task);
        if (cleansAutomatically(task.node)) interfaceOf('boot').validate(task);
      },
    });
  }
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
      const order = { target, timeoutMs: timeoutS === null ? null : timeoutS * 1000 };
      const met = await options.powerOrders()(nodeUuid, order, requestId);
      if (met) return met;
      return options.acceptor().accept({
        nodeUuid,
        requestId,
        method: 'changeNodePowerState',
        verb: 'power',
        action: target,
        event: null,
        input: { target, ...(timeoutS === null ? {} : { timeoutMs: timeoutS * 1000 }) },
        nodePatch: { targetPowerState: finalState(target), lastError: null },
        check: (task, interfaceOf) => checkPowerOrder(task, interfaceOf('power'), target),
      });
    },

    async doNodeDeploy({ nodeUuid, rebuild, configDrive: requested, deploySteps }, { requestId }) {
      const verb = rebuild ? 'rebuild' : 'deploy';
      const asked = await mustGetNode(db.read, nodeUuid);
      const configDrive = requested ?? notedDrive(asked);
      const configure = playOf({}, asked.instanceInfo);
      await checkPlay({}, asked.instanceInfo);
      await checkConfigDrive(configDrive ?? {}, asked);
      return options.acceptor().accept({
        nodeUuid,
        requestId,
        method: 'doNodeDeploy',
        verb,
        // Ironic names the target that the client asked for.
        action: rebuild ? 'rebuild' : 'active',
        event: verb,
        input: { ...(configure ? { configure } : {}), ...(deploySteps ? { deploySteps } : {}) },
        prepare: async (tx, node) => {
          const drive = configDrive ?? (rebuild ? await tx.nodes.getConfigDrive(node.uuid) : null);
          return {
            templates: await templatesFor(tx, node),
            // Not the URL itself, which may hold a secret: what a request brought along is shown.
            ...(configDriveUrlOf(drive) === undefined ? {} : { fetchesConfigDrive: true }),
          };
        },
        words: (reason) => `Failed to validate deploy or power info for node ${asked.uuid}: ${reason}`,
        check: async (task, interfaceOf) => {
          if (task.node.maintenance) throw nodeInMaintenance('provisioning', task.node);
          if (rebuild && task.node.protected) throw nodeProtected(task.node);
          interfaceOf('power').validate(task);
          interfaceOf('boot').validate(task);
          interfaceOf('deploy').validate(task);
        },
        also: async (tx, node) => {
          if (configDrive !== null) await tx.nodes.setConfigDrive(node.uuid, configDrive);
          else if (!rebuild) await tx.nodes.setConfigDrive(node.uuid, null);
          await noteImageType(tx, requested === null ? node : await withoutNotedDrive(tx, node));
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
          if (task.node.protected) throw nodeProtected(task.node);
          interfaceOf('power').validate(task);
        },
        also: (tx, torn) => tx.nodes.setConfigDrive(torn.uuid, null),
      });
    },

    doNodeClean: life.doNodeClean,
    doNodeService: life.doNodeService,
    doNodeRescue: life.doNodeRescue,
    doNodeUnrescue: life.doNodeUnrescue,
    inspectHardware: life.inspectHardware,

    async doProvisioningAction({ nodeUuid, action }, { requestId }) {
      switch (action) {
        case 'manage':
          return manage(nodeUuid, requestId);
        case 'provide':
          return provide(nodeUuid, requestId);
        case 'abort':
          return life.abort(nodeUuid);
        case 'adopt':
          return life.adopt(nodeUuid, requestId);
        case 'unhold':
          return life.unhold(nodeUuid);
      }
    },

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
          if (task.node.maintenance) throw nodeInMaintenance('configure', task.node);
          if (task.node.provisionState !== 'active')
            throw actionImpossible('configure', task.node, task.node.provisionState);
        },
      });
    },

    async validateDriverInterfaces({ nodeUuid }) {
      const task = await tasks.taskFor(nodeUuid);
      const result: ValidationResult = {};
      // Ironic leaves vendor out: it has nothing to validate.
      for (const kind of INTERFACE_KINDS) if (kind !== 'vendor') result[kind] = validateOne(task, kind);
      return result;
    },
    ...createDriverCalls({ db, log: options.log, tasks, drivers }),
    allocate: options.allocator.allocate,
    async wakeRun({ runId }) {
      const run = await db.read.runs.get(asRunId(runId));
      // The API ends the run of a node that it deletes; what the run has open with us it cannot close.
      if (run?.state === 'aborted' && !(await db.read.nodes.get(run.nodeUuid))) options.onEnded(run);
      else options.wake(runId);
    },
  };

  function validateOne(task: DriverTask, kind: InterfaceKind): { result: boolean; reason?: string } {
    try {
      drivers.get(task.node, kind).validate(task);
      if (kind === 'deploy') instanceTraits(task.node);
      return { result: true };
    } catch (error) {
      if (!isServiceError(error)) throw error;
      return { result: false, reason: error.publicMessage };
    }
  }
}
