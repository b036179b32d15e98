/**
 * A step on the child nodes of a node (`execute_on_child_nodes`): on one after the other, each under a lease of its own. Power steps
 * are seen to their end; a driver's step has to end at once, as Ironic wants it, since a child has no state to wait in.
 */
import {
  isJsonObject,
  isServiceError,
  type Json,
  type JsonObject,
  type Node,
  type NodeId,
  type PowerState,
} from '@bessemer/core';
import type { Db, NodePatch } from '@bessemer/db';
import type { Log } from '@bessemer/ports';
import { createDriverTasks } from '../driver-task.ts';
import { isDatabaseAway, isTransientError } from '../drivers/errors.ts';
import type { DocumentChange, DriverTask } from '../drivers/interfaces.ts';
import type { DriverRegistry } from '../drivers/registry.ts';
import type { LeaseReturns } from '../lease.ts';
import type { Session } from '../session.ts';
import { checkMayBeOff } from './power.ts';
import { type Awaited, failed, type StepOutcome, type StepTask } from './step.ts';

const POLL_MS = 500;
const LOCKED_PAUSE_MS = 1_000;
const REPEAT_ORDER_MS = 5_000;

/** The states that a power step goes through. */
const POWER_STEPS: Readonly<Record<string, ReadonlyArray<'power on' | 'power off'>>> = {
  power_on: ['power on'],
  power_off: ['power off'],
  reboot: ['power off', 'power on'],
};

export interface ChildStepDeps {
  readonly db: Db;
  readonly log: Log;
  readonly session: Session;
  readonly drivers: DriverRegistry;
  readonly leases: LeaseReturns;
}

/** How many power states a child has reached, and when the next was ordered (ms since the epoch). */
interface Progress extends JsonObject {
  readonly reached: number;
  readonly orderedAt: number | null;
}

/** What came of it on one child. */
type ChildOutcome = { readonly kind: 'done' | 'waits' } | { readonly kind: 'failed'; readonly error: string };

export function createChildSteps({ db, log, session, drivers, leases }: ChildStepDeps) {
  const tasks = createDriverTasks({ db, log, session: () => session, leases });

  async function childrenOf(task: StepTask): Promise<{ found: Node[]; missing: string[] }> {
    const all = await db.read.nodes.list({ parentNode: task.node.uuid, includeChildren: true }, { limit: 1000 });
    const wanted = task.step.args['nodes'];
    if (!Array.isArray(wanted) || wanted.length === 0) return { found: all, missing: [] };
    const names = wanted.map(String);
    return {
      found: all.filter((node) => names.includes(node.uuid)),
      missing: names.filter((uuid) => !all.some((node) => node.uuid === uuid)),
    };
  }

  async function noticePower(child: Node, state: PowerState, runId: StepTask['run']['id']): Promise<void> {
    if (child.powerState === state) return;
    await db.write('child.power', async (tx) => {
      await tx.nodes.update(child.uuid, { powerState: state });
      const data = { from: child.powerState, to: state, cause: 'a step of the parent node' };
      await tx.events.append({ type: 'node.power_state', nodeUuid: child.uuid, runId, data });
    });
  }

  /** Orders the state that is next, if it is not there yet; an order without effect is given again after a while. */
  async function power(
    task: StepTask,
    childTask: DriverTask,
    phases: readonly ('power on' | 'power off')[],
    { reached, orderedAt }: Progress,
    remember: (progress: Progress) => Promise<void>,
  ): Promise<ChildOutcome> {
    const { node } = childTask;
    const button = drivers.get(node, 'power');
    button.validate(childTask);
    for (const [phase, target] of phases.entries()) {
      if (phase < reached) continue;
      if ((await button.getPowerState(childTask)) === target) continue;
      if (target === 'power off' && node.disablePowerOff) {
        if (phases.length === 1) checkMayBeOff(node);
        await button.reboot(childTask);
        await remember({ reached: phase + 1, orderedAt: null });
        continue;
      }
      const isFirst = phase > reached || orderedAt === null;
      if (isFirst || task.nowMs - orderedAt! >= REPEAT_ORDER_MS) {
        await remember({ reached: phase, orderedAt: task.nowMs });
        await button.setPowerState(childTask, target);
        if ((await button.getPowerState(childTask)) === target) continue;
      }
      return { kind: 'waits' };
    }
    await noticePower(node, phases.at(-1)!, task.run.id);
    return { kind: 'done' };
  }

  async function driverStep(task: StepTask, childTask: DriverTask): Promise<ChildOutcome> {
    const { step } = task;
    const { node } = childTask;
    const implementation = drivers.get(node, step.interface);
    const offered = (['clean', 'service', 'deploy'] as const).some((flow) =>
      implementation.steps?.(childTask, flow).some((known) => known.step === step.step && !known.rows),
    );
    if (!offered || !implementation.runStep)
      return { kind: 'failed', error: `node does not support this step: ${step.interface}.${step.step}` };
    let patch: NodePatch = {};
    const changes: Array<{ kind: 'bios' | 'firmware'; change: DocumentChange }> = [];
    const args = isJsonObject(step.args['args']) ? step.args['args'] : {};
    const outcome = await implementation.runStep({
      ...childTask,
      step: { ...step, args },
      attempt: task.attempt,
      waitingFor: null,
      nowMs: task.nowMs,
      deadlineMs: task.deadlineMs,
      scratch: {},
      save: async () => undefined,
      emit: () => undefined,
      patchNode: (more) => {
        patch = { ...patch, ...more };
      },
      storeInventory: () => undefined,
      changeDocument: (kind, change) => void changes.push({ kind, change }),
    });
    if (outcome.kind === 'failed') return outcome;
    if (outcome.kind !== 'done')
      return { kind: 'failed', error: 'it does not end at once, which a step on child nodes has to' };
    await db.write('child.step', async (tx) => {
      if (Object.keys(patch).length > 0) await tx.nodes.update(node.uuid, patch);
      for (const { kind, change } of changes)
        await tx.nodes.setDocument(node.uuid, kind, change((await tx.nodes.getDocument(node.uuid, kind)) ?? {}));
    });
    return { kind: 'done' };
  }

  return async (task: StepTask): Promise<StepOutcome> => {
    const { found, missing } = await childrenOf(task);
    if (missing.length > 0)
      return failed(`Step ${task.step.step} is for nodes that are no children of this one: ${missing.join(', ')}.`);
    const phases = Object.hasOwn(POWER_STEPS, task.step.step) ? POWER_STEPS[task.step.step]! : null;
    /** How far each child is; kept in the step's scratch. */
    const progress: Record<string, Json> = { ...task.scratch };
    const awaitedOf = (uuid: NodeId): Awaited => {
      const from = `child node ${uuid}`;
      const isSame = task.waitingFor?.from === from;
      return {
        what: 'power',
        from,
        until: isSame ? task.waitingFor.until : task.nowMs + task.config.conductor.power_state_timeout_ms,
        hint: `Its BMC was told "${task.step.step}". Look at the machine and at the BMC's own log.`,
      };
    };
    const one = (uuid: NodeId): Promise<ChildOutcome> =>
      tasks.withLease(uuid, `step ${task.step.step} for ${task.node.uuid}`, async (childTask) => {
        if (!phases) return driverStep(task, childTask);
        const before = (progress[uuid] ?? { reached: 0, orderedAt: null }) as Progress;
        return power(task, childTask, phases, before, async (now) => {
          progress[uuid] = now;
          await task.save(progress, awaitedOf(uuid));
        });
      });
    for (const child of found.toSorted((a, b) => (a.uuid < b.uuid ? -1 : 1))) {
      if (progress[child.uuid] === 'done') continue;
      let outcome: ChildOutcome;
      try {
        outcome = await one(child.uuid);
      } catch (error) {
        if (!isServiceError(error) || error.code === 'STALE_FENCE' || isTransientError(error) || isDatabaseAway(error))
          throw error;
        if (error.code === 'NODE_LOCKED')
          return { kind: 'retry', afterMs: LOCKED_PAUSE_MS, reason: error.publicMessage };
        outcome = { kind: 'failed', error: error.publicMessage };
      }
      if (outcome.kind === 'failed')
        return failed(`Step ${task.step.step} failed on child node ${child.uuid}: ${outcome.error}`);
      if (outcome.kind === 'waits') return { kind: 'wait', for: awaitedOf(child.uuid), checkAfterMs: POLL_MS };
      progress[child.uuid] = 'done';
      // What is done twice would be a second reboot.
      if (phases && phases.length > 1) await task.save(progress);
    }
    return { kind: 'done', result: { children: found.length } };
  };
}
