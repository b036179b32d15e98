/** Steps that bring a node to a power state, and the pieces that boots share. Every order is safe to repeat except the reset. */
import type { Json, JsonObject, Node, PowerState, PowerTarget } from '@bessemer/core';
import { isServiceError, ServiceError } from '@bessemer/core';
import { isTransientError } from '../drivers/errors.ts';
import { done, failed, type StepHandler, type StepOutcome, type StepTask } from './step.ts';

/** How often the BMC is asked whether it has done what it was told. */
export const POWER_POLL_MS = 500;
/** Many BMCs are done at once: right after an order they are asked more often. */
const EARLY_POLL_MS = 150;
const EARLY_MS = 1_500;
/** An order without effect is given again after this long. */
export const REPEAT_ORDER_MS = 5_000;
/** A `soft` order that nobody in the machine answers is followed by a hard one after this share of its time. */
export const DEFAULT_SOFT_TIMEOUT_MS = 60_000;

/** Notes the state that was read: on the node's row, and as an event when it changed. */
export function noticePower(task: StepTask, state: PowerState | null, cause: string): void {
  if (state === task.node.powerState) return;
  task.patchNode({ powerState: state });
  task.emit('node.power_state', { from: task.node.powerState, to: state, cause });
}

export const bmcOf = (task: StepTask): string => {
  const address = task.node.driverInfo['ipmi_address'] ?? task.node.driverInfo['redfish_address'];
  return typeof address === 'string' ? `the BMC at ${address}` : 'the BMC';
};

/** Milliseconds since the epoch that a step has saved, or undefined. */
export const savedTime = (scratch: JsonObject, name: string): number | undefined => {
  const value = scratch[name];
  return typeof value === 'number' ? value : undefined;
};

/**
 * Orders a power state and looks until it is there. `key` names the order within the step's scratch. An order that shows no effect
 * is given again after a while: a conductor may have died between saving it and sending it. Null when the state is reached.
 */
export async function reachPower(
  task: StepTask,
  target: 'power on' | 'power off',
  key: string,
  cause: string,
): Promise<StepOutcome | null> {
  const state = await task.power.getPowerState(task);
  if (state === target) {
    noticePower(task, state, cause);
    return null;
  }
  if (target === 'power off') checkMayBeOff(task.node);
  if (task.power.actsAtOnce?.(task)) {
    await task.power.setPowerState(task, target);
    if ((await task.power.getPowerState(task)) === target) {
      task.emit('power.ordered', { action: target });
      noticePower(task, target, cause);
      return null;
    }
  }
  const orderedAt = savedTime(task.scratch, key);
  const isUnderWay = orderedAt !== undefined && task.waitingFor?.what === 'power';
  const awaited = {
    what: 'power',
    from: bmcOf(task),
    until: isUnderWay ? task.waitingFor!.until : task.nowMs + task.config.conductor.power_state_timeout_ms,
    hint: `It accepted "${target}" and still says "${state}". Look at the machine and at the BMC's own log.`,
  };
  if (orderedAt === undefined || task.nowMs - orderedAt >= REPEAT_ORDER_MS) {
    await task.save({ [key]: task.nowMs }, awaited);
    await task.power.setPowerState(task, target);
    if (orderedAt === undefined) task.emit('power.ordered', { action: target });
  }
  const isEarly = task.nowMs - (orderedAt ?? task.nowMs) < EARLY_MS;
  return { kind: 'wait', for: awaited, checkAfterMs: isEarly ? EARLY_POLL_MS : POWER_POLL_MS };
}

/** @throws POWER_STATE_FAILURE for a node that must stay on: some lose their BMC, or more, with the power. */
export function checkMayBeOff(node: Node): void {
  if (node.disablePowerOff)
    throw new ServiceError(
      'POWER_STATE_FAILURE',
      `Node ${node.uuid} must not be powered off (disable_power_off is set).`,
    );
}

/**
 * One hard reset of a node that must stay on, in place of off and on. It is noted after it was sent: a conductor that dies in between
 * has it sent twice, which interrupts a boot, and never not at all.
 */
export async function resetInstead(task: StepTask): Promise<void> {
  if (savedTime(task.scratch, 'resetAt') !== undefined) return;
  await task.power.reboot(task);
  task.emit('power.ordered', { action: 'rebooting' });
  await task.save({ resetAt: task.nowMs });
}

export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** `verify`: the BMC answers with these credentials. */
export const verify: StepHandler = {
  async run(task) {
    task.power.validate(task);
    const state = await task.power.getPowerState(task);
    if (state === 'error') return failed(`${capital(bmcOf(task))} answers but tells no power state.`);
    noticePower(task, state, 'verify');
    return done;
  },
};

/** `adopt`: the node is as it says; nothing is touched. It boots from its disk: what a boot over the network needs may be missing. */
export const adopt: StepHandler = {
  async run(task) {
    try {
      task.power.validate(task);
      noticePower(task, await task.power.getPowerState(task), 'adopt');
      return done;
    } catch (error) {
      if (!isServiceError(error) || isTransientError(error)) throw error;
      // What is stored of its power is as doubtful as the rest.
      task.patchNode({ powerState: null });
      const reason = error.publicMessage.replace(/\.$/, '');
      return failed(`Error while attempting to adopt node ${task.node.uuid}: ${reason}.`);
    }
  },
};

/** `power_off`. A node that must stay on is reset, so that what ran in it ends. */
export const powerOff: StepHandler = {
  async run(task) {
    if (!task.node.disablePowerOff) return (await reachPower(task, 'power off', 'offAt', task.run.verb)) ?? done;
    if ((await task.power.getPowerState(task)) !== 'power off') await resetInstead(task);
    return done;
  },
};

/** `power_on` */
export const powerOn: StepHandler = {
  run: async (task) => (await reachPower(task, 'power on', 'onAt', task.run.verb)) ?? done,
};

/** `reboot`: off and on, each of which is safe to repeat; one reset of a node that must stay on. */
export const reboot: StepHandler = {
  async run(task) {
    if (task.node.disablePowerOff) await resetInstead(task);
    else if (savedTime(task.scratch, 'onAt') === undefined) {
      const outcome = await reachPower(task, 'power off', 'offAt', task.run.verb);
      if (outcome) return outcome;
    }
    return (await reachPower(task, 'power on', 'onAt', task.run.verb)) ?? done;
  },
};

type Target = 'power on' | 'power off' | 'soft power off' | 'soft rebooting';

/** What was asked of the power of a node. */
export interface PowerOrder {
  readonly target: PowerTarget;
  /** How long a soft order may take; null for the default. */
  readonly timeoutMs: number | null;
}

/** The state that is there when an order is done. */
export const finalState = (target: PowerTarget): 'power on' | 'power off' =>
  target === 'power off' || target === 'soft power off' ? 'power off' : 'power on';

export const isSoft = (target: PowerTarget): boolean => target === 'soft power off' || target === 'soft rebooting';

/** `change_power` {target, timeoutMs?}: on, off, soft off, and a soft reboot as soft off followed by on. */
export const changePower: StepHandler = {
  async run(task) {
    const target = task.step.args['target'] as Target;
    const cause = 'request';
    if (target === 'power on' || target === 'power off') {
      const outcome = await reachPower(task, target, 'orderedAt', cause);
      if (outcome) return outcome;
      return finished(task, target);
    }
    if (savedTime(task.scratch, 'onAt') === undefined) {
      const outcome = await softOff(task, task.run.input['timeoutMs']);
      if (outcome) return outcome;
    }
    if (target === 'soft power off') return finished(task, 'power off');
    return (await reachPower(task, 'power on', 'onAt', cause)) ?? finished(task, 'power on');
  },
};

function finished(task: StepTask, state: PowerState): StepOutcome {
  noticePower(task, state, 'request');
  task.patchNode({ targetPowerState: null, lastError: null });
  return done;
}

/**
 * Presses the button, gives the operating system its time (`asked`, in milliseconds), then switches off hard and says so. Null when
 * the node is off.
 */
export async function softOff(task: StepTask, asked?: Json): Promise<StepOutcome | null> {
  const pressedAt = savedTime(task.scratch, 'softAt');
  const state = await task.power.getPowerState(task);
  if (state === 'power off') {
    noticePower(task, state, 'request');
    return null;
  }
  checkMayBeOff(task.node);
  const timeoutMs = typeof asked === 'number' && asked > 0 ? asked : DEFAULT_SOFT_TIMEOUT_MS;
  const until = (pressedAt ?? task.nowMs) + timeoutMs;
  if (pressedAt !== undefined && task.nowMs >= until) return reachPower(task, 'power off', 'forcedAt', 'forced');
  const awaited = {
    what: 'power',
    from: 'the operating system of the node',
    until: until + task.config.conductor.power_state_timeout_ms,
    hint: 'The power button was pressed; when nobody in the machine answers in time it is switched off hard.',
  };
  if (pressedAt === undefined) {
    await task.save({ softAt: task.nowMs }, awaited);
    await task.power.setPowerState(task, 'soft power off');
    task.emit('power.ordered', { action: 'soft power off' });
  }
  return { kind: 'wait', for: awaited, checkAfterMs: Math.min(2 * POWER_POLL_MS, until - task.nowMs) };
}

/** `reset`: one hard reset, never a second one blind. */
export const reset: StepHandler = {
  async run(task) {
    const isUnderWay = task.waitingFor?.what === 'power';
    const awaited = (isUnderWay && task.waitingFor) || {
      what: 'power',
      from: bmcOf(task),
      until: task.nowMs + task.config.conductor.power_state_timeout_ms,
      hint: 'A reset was ordered; the node has to be on afterwards.',
    };
    if (savedTime(task.scratch, 'orderedAt') === undefined) {
      await task.power.reboot(task);
      task.emit('power.ordered', { action: 'rebooting' });
      await task.save({ orderedAt: task.nowMs }, awaited);
      if (!task.power.actsAtOnce?.(task)) return { kind: 'wait', for: awaited, checkAfterMs: POWER_POLL_MS };
    }
    const state = await task.power.getPowerState(task);
    if (state === 'power on') return finished(task, 'power on');
    return { kind: 'wait', for: awaited, checkAfterMs: POWER_POLL_MS };
  },
  async lookAtWorld(task) {
    try {
      const state = await task.power.getPowerState(task);
      // A node that is off was not reset: the order had switched it on. Bringing it up is what was asked for.
      if (state === 'power off') return (await reachPower(task, 'power on', 'orderedAt', 'request')) ?? null;
    } catch (error) {
      if (!isTransientError(error)) throw error;
    }
    return null;
  },
};
