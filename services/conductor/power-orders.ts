/**
 * Power orders for a node whose run rests: an operator kicks a machine that is stuck. Where the run has to do with the ramdisk, the
 * run itself carries the order out: it goes back to the boot of the ramdisk, under a new fence, so that nobody else gives orders,
 * and the agent of the boot before has no say any more. Where the run waits for something that is no business of the BMC, the
 * order is done beside it, under a lease. In the middle of a step of a driver's own nobody can tell what it would break.
 */
import type { Config, Cursor, JsonObject, Node, NodeId, PowerState, PowerTarget, Run, Step } from '@bessemer/core';
import { coerceError, isJsonObject, isServiceError, nodeLocked, ServiceError } from '@bessemer/core';
import type { Db, NodePatch, Repositories } from '@bessemer/db';
import { type Clock, sleep } from '@bessemer/ports';
import type { Accepted } from '@bessemer/rpc';
import { mustGetNode, underWay } from './accept.ts';
import type { AgentGateway } from './agent-gateway.ts';
import type { DriverTasks } from './driver-task.ts';
import { isTransientError } from './drivers/errors.ts';
import type { DriverTask, PowerInterface } from './drivers/interfaces.ts';
import type { DriverRegistry } from './drivers/registry.ts';
import { reserveNode } from './lease.ts';
import type { Session } from './session.ts';
import { type ConductorStepName, isConductorStep } from './steps/catalogue.ts';
import {
  checkMayBeOff,
  DEFAULT_SOFT_TIMEOUT_MS,
  finalState,
  isSoft,
  POWER_POLL_MS,
  type PowerOrder,
  REPEAT_ORDER_MS,
} from './steps/power.ts';
import { stepOf } from './task.ts';
import type { TaskWriter } from './task-writer.ts';

/** Undefined when no run of the node rests where a power order may meet it. @throws NODE_NOT_FOUND, NODE_LOCKED, INVALID_STATE. */
export type PowerOrders = (nodeUuid: string, order: PowerOrder, requestId: string) => Promise<Accepted | undefined>;

export interface PowerOrderOptions {
  readonly db: Db;
  readonly clock: Clock;
  readonly config: Config['conductor'];
  readonly session: Session;
  readonly writer: TaskWriter;
  readonly tasks: DriverTasks;
  readonly drivers: DriverRegistry;
  readonly agents: Pick<AgentGateway, 'order' | 'drop'>;
  /** The run begins again at another step. */
  readonly onRestarted: (runId: string) => void;
}

/** @throws ServiceError when the node, its configuration or its hardware do not allow the order. */
export function checkPowerOrder(task: DriverTask, power: PowerInterface, target: PowerTarget): void {
  power.validate(task);
  if (!power.supportedPowerStates(task).includes(target))
    throw new ServiceError('INVALID_PARAMETER', `Power state "${target}" is not supported by this node.`);
  // A hard reboot is a reset; a soft one would switch it off.
  if (finalState(target) === 'power off' || isSoft(target)) checkMayBeOff(task.node);
}

/** Steps that wait for what is no business of the BMC. */
const BESIDE: readonly ConductorStepName[] = ['fetch_config_drive', 'hold', 'wait', 'wait_ssh', 'configure'];
const WRITE_PAUSE_MS = 1_000;

const isOwn = (step: Step | undefined, name: ConductorStepName): boolean =>
  step !== undefined && !step.source && !step.inBand && step.step === name;

/** The boot of the ramdisk that the run is in or comes from, when all since then may be done once more. */
function bootBefore({ segments, cursor }: Run): Pick<Cursor, 'segment' | 'step'> | undefined {
  const steps = segments.flatMap(({ steps }, segment) => steps.map((row, step) => ({ row, segment, step })));
  const isUpTo = (at: { segment: number; step: number }): boolean =>
    at.segment < cursor.segment || (at.segment === cursor.segment && at.step <= cursor.step);
  const past = steps.filter(isUpTo);
  const boot = past.findLastIndex(({ row }) => isOwn(row, 'boot_ramdisk'));
  const isRepeatable = ({ inBand, source, onRepeat }: Step): boolean => inBand || (!source && onRepeat === 'safe');
  if (boot < 0 || !past.slice(boot).every(({ row }) => isRepeatable(row))) return undefined;
  const { segment, step } = past[boot]!;
  return { segment, step };
}

type Way = { readonly kind: 'beside' } | { readonly kind: 'restart'; readonly at: Pick<Cursor, 'segment' | 'step'> };

/** How a power order meets a run that rests; undefined when it may not. */
export function wayOf(run: Run): Way | undefined {
  if (run.state === 'queued') return { kind: 'beside' };
  const step = stepOf(run);
  if (run.segments[run.cursor.segment]?.party === 'agent' || isOwn(step, 'boot_ramdisk')) {
    const at = bootBefore(run);
    return at && { kind: 'restart', at };
  }
  if (step && isConductorStep(step.step) && !step.source && BESIDE.includes(step.step)) return { kind: 'beside' };
  return undefined;
}

export function createPowerOrders(options: PowerOrderOptions): PowerOrders {
  const { db, clock, session, drivers, tasks } = options;
  const powerOf = (task: DriverTask): PowerInterface => drivers.get(task.node, 'power');

  /** Null when the BMC cannot be asked. */
  async function stateOf(task: DriverTask): Promise<PowerState | null> {
    try {
      return await powerOf(task).getPowerState(task);
    } catch (error) {
      if (isTransientError(error)) return null;
      throw error;
    }
  }

  /** The same request came twice at a time and the other one was quicker: who asks once more gets its answer. @throws NODE_LOCKED. */
  async function refuseTwin(tx: Repositories, node: Node, key: string): Promise<void> {
    if (await tx.requests.get(key)) throw nodeLocked(node);
  }

  async function restart(nodeUuid: NodeId, order: PowerOrder, key: string): Promise<Accepted> {
    const { run, accepted } = await db.write('power.restart', async (tx) => {
      const node = await mustGetNode(tx, nodeUuid);
      await refuseTwin(tx, node, key);
      const run = await tx.runs.current(node.uuid);
      const way = run && wayOf(run);
      if (!run || way?.kind !== 'restart') throw underWay(node);
      const fence = await reserveNode(tx, node, session, 'power');
      await tx.runs.takeOver(run.id, session.id, fence);
      const { scratch: _, ...kept } = run.notes;
      const begun = await tx.runs.update(run.id, fence, {
        notes: { ...kept, agent: null, agentSegment: null, switchedOff: false, powerOrder: { ...order } },
        waitingFor: null,
        progress: null,
      });
      await tx.nodes.update(node.uuid, { targetPowerState: finalState(order.target), lastError: null }, fence);
      await tx.boots.closeTokens(run.id);
      await tx.boots.dropAgentKeys(run.id);
      const step = stepOf(run)!;
      const what =
        finalState(order.target) === 'power on' ? 'the ramdisk is booted again' : 'the run waits for "power on"';
      await tx.events.append({
        type: 'step.failed',
        nodeUuid: node.uuid,
        runId: run.id,
        severity: 'warning',
        data: {
          interface: step.interface,
          step: step.step,
          attempt: run.cursor.attempt?.number ?? 1,
          error: `"${order.target}" was ordered during ${step.step}: ${what}.`,
        },
      });
      await options.writer.enterAt(tx, begun, way.at);
      const accepted: Accepted = { runId: run.id };
      await tx.requests.put(key, accepted);
      return { run: begun, accepted };
    });
    // Its machine is about to go; until then it leaves the disk alone.
    options.agents.order(run.id, { type: 'cancel', run: run.id, fence: run.fence });
    options.agents.drop(run.id);
    options.onRestarted(run.id);
    return accepted;
  }

  async function beside(nodeUuid: NodeId, order: PowerOrder, key: string): Promise<Accepted> {
    const accepted: Accepted = { runId: null };
    await tasks.startWithLease(
      nodeUuid,
      'power',
      async (tx, node, fence) => {
        await refuseTwin(tx, node, key);
        const run = await tx.runs.current(node.uuid);
        if (!run || wayOf(run)?.kind !== 'beside') throw underWay(node);
        await tx.nodes.update(node.uuid, { targetPowerState: finalState(order.target), lastError: null }, fence);
        await tx.requests.put(key, accepted);
      },
      async (task, fence) => {
        let patch: NodePatch = { targetPowerState: null };
        try {
          patch = { ...patch, powerState: await bring(task, order) };
        } catch (error) {
          // Whoever goes on with the run gives the order up.
          if (!session.isLive) throw error;
          const reason = isServiceError(error) ? error.publicMessage : coerceError(error).message;
          const { target } = order;
          patch = {
            ...patch,
            lastError: `Failed to change power state to '${finalState(target)}' by '${target}': ${reason}`,
          };
        }
        await finish(task.node, fence, patch);
      },
    );
    return accepted;
  }
  /** What came of an order; the node would seem to be on its way for ever without it. @throws STALE_FENCE, NODE_NOT_FOUND. */
  async function finish(node: Node, fence: number, patch: NodePatch): Promise<void> {
    for (;;) {
      try {
        await db.write('power.order', async (tx) => {
          const before = await mustGetNode(tx, node.uuid);
          const { powerState: to, lastError: error } = await tx.nodes.update(node.uuid, patch, fence);
          const data: JsonObject = { from: before.powerState, to, cause: 'request' };
          const isFailure = patch.lastError !== undefined;
          await tx.events.append({
            ...{ type: 'node.power_state', nodeUuid: node.uuid, runId: null },
            ...(isFailure ? { severity: 'error', data: { ...data, error } } : { data }),
          });
        });
        return;
      } catch (error) {
        const isOver = isServiceError(error, 'STALE_FENCE') || isServiceError(error, 'NODE_NOT_FOUND');
        if (isOver || !session.isLive) throw error;
        await sleep(clock, WRITE_PAUSE_MS);
      }
    }
  }

  /** Orders and looks until the state is there. @throws ServiceError when it does not come, or the BMC refuses. */
  async function bring(task: DriverTask, { target, timeoutMs }: PowerOrder): Promise<PowerState> {
    if (target === 'rebooting') {
      await powerOf(task).reboot(task);
      await noteOrder(task, target);
    } else if (isSoft(target)) {
      await powerOf(task).setPowerState(task, 'soft power off');
      await noteOrder(task, 'soft power off');
      const isOff = await comes(task, 'power off', timeoutMs ?? DEFAULT_SOFT_TIMEOUT_MS);
      if (!isOff) await reach(task, 'power off');
    }
    await reach(task, finalState(target));
    return finalState(target);
  }
  const noteOrder = (task: DriverTask, action: string): Promise<void> =>
    db.write('power.ordered', (tx) =>
      tx.events.append({ type: 'power.ordered', nodeUuid: task.node.uuid, runId: null, data: { action } }),
    );
  async function reach(task: DriverTask, state: 'power on' | 'power off'): Promise<void> {
    let isFirst = true;
    const again = async (): Promise<void> => {
      await powerOf(task).setPowerState(task, state);
      if (isFirst) await noteOrder(task, state);
      isFirst = false;
    };
    if (!(await comes(task, state, options.config.power_state_timeout_ms, again)))
      throw new ServiceError('POWER_STATE_FAILURE', `The BMC does not say "${state}". Look at the machine.`);
  }
  /** Whether a state comes within the time. `order` is given, and given again after a while. */
  async function comes(
    task: DriverTask,
    state: PowerState,
    withinMs: number,
    order?: () => Promise<void>,
  ): Promise<boolean> {
    const startedMs = clock.monotonicMs();
    let orderedMs = Number.NEGATIVE_INFINITY;
    for (;;) {
      if (!session.isLive) throw new ServiceError('TEMPORARY_FAILURE', 'The conductor has lost its session.');
      if ((await stateOf(task)) === state) return true;
      const nowMs = clock.monotonicMs();
      if (nowMs - startedMs >= withinMs) return false;
      if (order && nowMs - orderedMs >= REPEAT_ORDER_MS) {
        orderedMs = nowMs;
        await order();
        if ((await stateOf(task)) === state) return true;
      }
      await sleep(clock, POWER_POLL_MS);
    }
  }

  return async (nodeUuid, order, requestId) => {
    const key = `changeNodePowerState:${nodeUuid}:${requestId}`;
    const earlier = await db.read.requests.get(key);
    if (earlier) return earlier as Accepted;
    const task = await tasks.taskFor(nodeUuid);
    const { uuid, reservation } = task.node;
    const run = reservation === null ? await db.read.runs.current(uuid) : undefined;
    const way = run && wayOf(run);
    if (!run || !way) return undefined;
    checkPowerOrder(task, powerOf(task), order.target);
    if (way.kind === 'beside') return beside(uuid, order, key);
    // Nothing is to be done for a machine that is on, unless it was switched off by request and somebody has pressed its button, or
    // it is about to be switched off.
    const isForOff = run.notes['switchedOff'] === true || isJsonObject(run.notes['powerOrder']);
    const isIdle = order.target === 'power on' && !isForOff;
    if (isIdle && (await stateOf(task)) === 'power on') return { runId: null };
    return restart(uuid, order, key);
  };
}
