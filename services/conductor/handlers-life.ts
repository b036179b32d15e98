/** The verbs of the life cycle beside deploying and undeploying: how each is accepted, held, let go on and aborted. */
import type { InterfaceKind, JsonObject, Node, ProvisionEvent, Run } from '@bessemer/core';
import {
  actionImpossible,
  isServiceError,
  nextState,
  nodeInMaintenance,
  nodeLocked,
  ServiceError,
} from '@bessemer/core';
import type { Db, Repositories } from '@bessemer/db';
import type { Accepted, RpcHandlers } from '@bessemer/rpc';
import { type Acceptor, mustGetNode } from './accept.ts';
import type { DriverTask } from './drivers/interfaces.ts';
import { flowOf, type InterfaceOf } from './flows/flows.ts';
import { noteImageType } from './instance.ts';
import { reserveNode } from './lease.ts';
import type { Session } from './session.ts';
import { idOf, stepOf } from './task.ts';

export interface LifeHandlerOptions {
  readonly db: Db;
  readonly session: () => Session;
  readonly acceptor: () => Acceptor;
  readonly nowMs: () => number;
  /** How long a run may last that goes on after a hold. */
  readonly runLifeMs: number;
  readonly wake: (runId: string) => void;
  /** A run was ended from outside: its agent is to stop. */
  readonly onEnded: (run: Run) => void;
}

export interface LifeHandlers
  extends Pick<RpcHandlers, 'doNodeClean' | 'doNodeService' | 'doNodeRescue' | 'doNodeUnrescue' | 'inspectHardware'> {
  adopt(nodeUuid: string, requestId: string): Promise<Accepted>;
  abort(nodeUuid: string): Promise<Accepted>;
  unhold(nodeUuid: string): Promise<Accepted>;
}

const STEP_FIELDS_EMPTY = { cleanStep: {}, deployStep: {}, serviceStep: {} } as const;

export function createLifeHandlers(options: LifeHandlerOptions): LifeHandlers {
  const { db, session, acceptor } = options;

  const validate = (task: DriverTask, interfaceOf: InterfaceOf, ...kinds: InterfaceKind[]): void => {
    for (const kind of kinds) interfaceOf(kind).validate(task);
  };
  const named = (steps: readonly JsonObject[], verb: 'clean' | 'service'): void => {
    if (steps.length === 0)
      throw new ServiceError(
        'MISSING_PARAMETER',
        `"${verb}_steps" is required when setting target provision state to ${verb}`,
      );
  };
  /** Moves the state machine in the caller's transaction, under a lease of its own. */
  async function move(
    tx: Repositories,
    node: Node,
    purpose: string,
    events: readonly ProvisionEvent[],
    more: {
      readonly error?: string;
      readonly runId?: Run['id'] | null;
      readonly patch?: Parameters<Repositories['nodes']['update']>[1];
    },
  ): Promise<void> {
    const fence = await reserveNode(tx, node, session(), purpose);
    if (more.patch) await tx.nodes.update(node.uuid, more.patch, fence);
    const { error, runId = null } = more;
    // The error goes with the last event: each one that has it is an entry of the node's history.
    for (const [index, event] of events.entries()) {
      const isLast = index === events.length - 1;
      await tx.nodes.processEvent(node.uuid, event, {
        fence,
        runId,
        ...(isLast && error !== undefined ? { error } : {}),
      });
    }
    await tx.nodes.release(node.uuid, fence);
  }

  return {
    async doNodeClean({ nodeUuid, cleanSteps, disableRamdisk }, { requestId }) {
      named(cleanSteps, 'clean');
      return acceptor().accept({
        ...{ nodeUuid, requestId, method: 'doNodeClean', verb: 'clean', event: 'clean' },
        input: { cleanSteps, disableRamdisk },
        check: (task, interfaceOf) => {
          if (task.node.maintenance) throw nodeInMaintenance('cleaning', task.node);
          validate(task, interfaceOf, 'power', 'network', ...(disableRamdisk ? [] : (['boot'] as const)));
        },
      });
    },

    async doNodeService({ nodeUuid, serviceSteps, disableRamdisk }, { requestId }) {
      named(serviceSteps, 'service');
      return acceptor().accept({
        ...{ nodeUuid, requestId, method: 'doNodeService', verb: 'service', event: 'service' },
        input: { serviceSteps, disableRamdisk },
        // Ironic takes another service for a node that holds in one.
        endsCurrent: 'Another service was ordered.',
        check: (task, interfaceOf) => {
          if (task.node.maintenance) throw nodeInMaintenance('service', task.node);
          validate(task, interfaceOf, 'power', 'network', ...(disableRamdisk ? [] : (['boot'] as const)));
        },
      });
    },

    async doNodeRescue({ nodeUuid, rescuePassword }, { requestId }) {
      return acceptor().accept({
        ...{ nodeUuid, requestId, method: 'doNodeRescue', verb: 'rescue', event: 'rescue' },
        input: { rescuePassword },
        check: (task, interfaceOf) => {
          if (task.node.maintenance) throw nodeInMaintenance('rescuing', task.node);
          inWords(task.node, 'rescue', () => validate(task, interfaceOf, 'power', 'rescue', 'network'));
        },
      });
    },

    async doNodeUnrescue({ nodeUuid }, { requestId }) {
      return acceptor().accept({
        ...{ nodeUuid, requestId, method: 'doNodeUnrescue', verb: 'unrescue', event: 'unrescue' },
        input: {},
        check: (task, interfaceOf) => {
          if (task.node.maintenance) throw nodeInMaintenance('unrescuing', task.node);
          inWords(task.node, 'unrescue', () => validate(task, interfaceOf, 'power', 'rescue'));
        },
      });
    },

    async inspectHardware({ nodeUuid }, { requestId }) {
      return acceptor().accept({
        ...{ nodeUuid, requestId, method: 'inspectHardware', verb: 'inspect', event: 'inspect' },
        input: {},
        nodePatch: { inspectionStartedAt: options.nowMs(), inspectionFinishedAt: null },
        check: (task, interfaceOf) => validate(task, interfaceOf, 'power', 'inspect'),
      });
    },

    adopt: (nodeUuid, requestId) =>
      acceptor().accept({
        ...{ nodeUuid, requestId, method: 'adopt', verb: 'adopt', event: 'adopt' },
        input: {},
        also: noteImageType,
      }),

    async abort(nodeUuid) {
      let ended: Run | undefined;
      const runId = await db.write('provision.abort', async (tx) => {
        ended = undefined;
        const node = await mustGetNode(tx, nodeUuid);
        if (node.reservation) throw nodeLocked(node);
        if (!nextState(node.provisionState, 'abort', null).ok)
          throw actionImpossible('abort', node, node.provisionState);
        if (node.provisionState === 'service failed' && node.maintenance)
          throw new ServiceError(
            'INVALID_STATE',
            `Can not abort service on node "${node.uuid}" while it is in maintenance mode. Please remove the node from ` +
              'maintenance prior to issuing the request to abort the service operation.',
          );
        const run = await tx.runs.current(node.uuid);
        const step = run?.state === 'queued' ? undefined : run && stepOf(run);
        if (run && step?.source && !step.abortable) {
          // It is in the middle of something: the abort comes when the step has ended.
          await tx.runs.update(run.id, run.fence, { notes: { ...run.notes, abortAfter: true } });
          return run.id;
        }
        const flow = flowOf(run?.verb ?? verbOf(node));
        const reason = flow.aborted(step ? idOf(step) : null);
        ended = await acceptor().endCurrent(tx, node, reason);
        // From the middle of a service a node goes back to where it was; a failed one goes there when aborted.
        const isService = node.provisionState.startsWith('service');
        const events: ProvisionEvent[] =
          isService && node.provisionState !== 'service failed' ? ['abort', 'abort'] : ['abort'];
        await move(tx, node, 'abort', events, {
          error: reason,
          runId: ended?.id ?? null,
          patch: { ...STEP_FIELDS_EMPTY, ...flow.onFailed?.(node) },
        });
        return ended?.id ?? null;
      });
      if (ended) options.onEnded(ended);
      return { runId };
    },

    async unhold(nodeUuid) {
      const runId = await db.write('provision.unhold', async (tx) => {
        const node = await mustGetNode(tx, nodeUuid);
        if (node.reservation) throw nodeLocked(node);
        if (!nextState(node.provisionState, 'unhold', null).ok)
          throw actionImpossible('unhold', node, node.provisionState);
        const run = await tx.runs.current(node.uuid);
        await move(tx, node, 'unhold', ['unhold'], { runId: run?.id ?? null });
        if (!run) return null;
        // The lease that moved the state has ended the run's own: the run goes on under a fence that is younger.
        const now = options.nowMs();
        await tx.runs.update(run.id, run.fence, {
          notes: { ...run.notes, unheld: run.cursor.attempt?.id ?? null },
          deadline: now + options.runLifeMs,
        });
        return run.id;
      });
      if (runId !== null) options.wake(runId);
      return { runId };
    },
  };
}

/** The verb whose words an abort uses when no run is found. */
const verbOf = (node: Node): string => (node.provisionState.startsWith('service') ? 'service' : 'clean');

/** Runs a check; what it finds wrong is told in Ironic's words. */
function inWords(node: Node, verb: 'rescue' | 'unrescue', check: () => void): void {
  try {
    check();
  } catch (error) {
    if (!isServiceError(error)) throw error;
    const words = `Failed to ${verb} instance ${node.instanceUuid ?? 'None'} for node ${node.uuid}: Validation failed: `;
    throw new ServiceError(error.code, words + error.publicMessage, { cause: error });
  }
}
