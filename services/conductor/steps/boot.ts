/** Steps that boot the node: into the ramdisk and from its disk. */
import { isJsonObject, type JsonObject } from '@bessemer/core';
import { isTransientError } from '../drivers/errors.ts';
import { agentNoteOf } from '../agent-phase.ts';
import {
  bmcOf,
  capital,
  finalState,
  isSoft,
  noticePower,
  POWER_POLL_MS,
  type PowerOrder,
  reachPower,
  resetInstead,
  savedTime,
  softOff,
} from './power.ts';
import { done, failed, untilAtLeast, type Awaited, type StepHandler, type StepOutcome, type StepTask } from './step.ts';

/** Signs of a machine on the boot network. */
const BOOT_SIGNS = ['boot.dhcp', 'boot.tftp', 'boot.script', 'boot.kernel', 'boot.initrd'] as const;
/** How often a boot that was never seen is tried again by a power cycle. */
const MAX_CYCLES = 1;

/**
 * `boot_ramdisk`: off, network boot once, on, and then the agent's hello. A node that must stay on (`disable_power_off`) is reset instead.
 *
 *   off -> on -> seen -> hello
 *
 * A power order that meets the run (`power-orders.ts`) begins the step again with the order in `notes.powerOrder`: it decides how
 * the machine is switched off, and after one to switch it off the step waits until it is to be switched on.
 *
 * `bootAt` is saved, with the wait for `boot`, before the node is switched on: the boot service answers the machine as soon as it
 * asks, and a successor knows that the order may be under way.
 */
export const bootRamdisk: StepHandler = {
  async run(task) {
    if (task.notes['switchedOff'] === true) return switchedOff(task);
    const agent = agentNoteOf(task.notes);
    if (agent && savedTime(task.scratch, 'bootAt') !== undefined) {
      noticeOn(task);
      task.note({ bootedAt: task.scratch['bootAt'] ?? null });
      return { kind: 'done', result: { bootId: agent.bootId, address: agent.address } };
    }
    if (savedTime(task.scratch, 'bootAt') === undefined) {
      const order = orderOf(task.notes);
      const staysOn = task.node.disablePowerOff;
      const outcome = staysOn ? null : await switchOff(task, order);
      if (outcome) return outcome;
      if (order) task.note({ powerOrder: null });
      if (!order || staysOn || finalState(order.target) === 'power on') return start(task);
      task.patchNode({ targetPowerState: null });
      task.note({ switchedOff: true });
      return switchedOff(task);
    }
    return lookForMachine(task);
  },
};

/** `notes.powerOrder`. */
function orderOf(notes: JsonObject): PowerOrder | undefined {
  return isJsonObject(notes['powerOrder']) ? (notes['powerOrder'] as unknown as PowerOrder) : undefined;
}

const switchOff = (task: StepTask, order: PowerOrder | undefined): Promise<StepOutcome | null> =>
  order && isSoft(order.target)
    ? softOff(task, order.timeoutMs)
    : reachPower(task, 'power off', 'offAt', order ? 'request' : task.run.verb);

const switchedOff = (task: StepTask): StepOutcome => ({
  kind: 'wait',
  for: {
    what: 'power',
    from: 'an operator',
    until: task.deadlineMs,
    hint: 'It was switched off by request. Order "power on", and the ramdisk is booted again; or abort.',
  },
});

function noticeOn(task: StepTask): void {
  noticePower(task, 'power on', task.run.verb);
  if (task.node.targetPowerState !== null) task.patchNode({ targetPowerState: null });
}

/** A node that must stay on is reset. Whoever comes after a conductor that died before that order sees no boot, and gives it again. */
async function start(task: StepTask): Promise<StepOutcome> {
  const staysOn = task.node.disablePowerOff;
  const { device, isPersistent } = task.boot.ramdiskBoot(task);
  // There are BMCs that lose an order for one start at a reset.
  const persistent = isPersistent || (staysOn && cycles(task) > 0);
  await task.management.setBootDevice(task, device, persistent);
  task.emit('boot.ordered', { device, persistent });
  const awaited = bootWait(task, task.nowMs);
  await task.save({ bootAt: task.nowMs }, awaited);
  await (staysOn ? task.power.reboot(task) : task.power.setPowerState(task, 'power on'));
  task.emit('power.ordered', { action: staysOn ? 'rebooting' : 'power on' });
  return { kind: 'wait', for: awaited, checkAfterMs: POWER_POLL_MS };
}

/** What is done to a machine that was not seen. */
const restarted = (task: StepTask): string => (task.node.disablePowerOff ? 'reset' : 'switched off and on');
const cycles = (task: StepTask): number => Number(task.scratch['cycles'] ?? 0);

function bootWait(task: StepTask, bootAt: number): Awaited {
  const again =
    cycles(task) > 0
      ? ` Nothing was seen of it at first, so it was ${restarted(task)} again (${cycles(task)} of ${MAX_CYCLES}).`
      : '';
  return {
    what: 'boot',
    from: 'the node on the provisioning network',
    until: untilAtLeast(task, 'boot', bootAt + task.config.conductor.boot_timeout_ms),
    hint: `It was switched on to boot from the network.${again} Look at its console, cable, boot order and DHCP.`,
  };
}

/** The node was switched on: is it on, was it seen? */
async function lookForMachine(task: StepTask): Promise<StepOutcome> {
  const bootAt = savedTime(task.scratch, 'bootAt')!;
  const sinceMs = task.nowMs - bootAt;
  const awaited = bootWait(task, bootAt);
  if (task.scratch['isOn'] !== true) {
    const isOn = await isPowerOn(task);
    if (isOn) {
      noticeOn(task);
      await task.save({ isOn: true });
    } else if (isOn === false) {
      const isOverdue = (ms: number): boolean => ms >= task.config.conductor.power_state_timeout_ms;
      if (isOverdue(sinceMs) && isOverdue(task.nowMs - (await watchedSince(task, bootAt))))
        return failed(
          `${capital(bmcOf(task))} accepted "power on" and still says "power off" after ${Math.round(sinceMs / 1000)} s. Look at the machine and at the BMC's own log.`,
        );
      // A successor may find an order that was saved and never sent; switching on twice is switching on. The BMC took its time
      // to answer: whoever ended the run meanwhile may have switched the node off, and it stays off.
      await task.save({ isOn: false });
      await task.power.setPowerState(task, 'power on');
    }
    return { kind: 'wait', for: awaited, checkAfterMs: POWER_POLL_MS };
  }
  const seenMs = task.config.conductor.boot_seen_timeout_ms;
  if (sinceMs < seenMs) return { kind: 'wait', for: awaited, checkAfterMs: seenMs - sinceMs };
  if (await task.seenSince(BOOT_SIGNS, bootAt)) return { kind: 'wait', for: awaited };
  const unseenMs = task.nowMs - (await watchedSince(task, bootAt));
  if (unseenMs < seenMs) return { kind: 'wait', for: awaited, checkAfterMs: seenMs - unseenMs };
  const { device } = task.boot.ramdiskBoot(task);
  const hint =
    'Check the cable, the boot order of the firmware, the MAC address of the port, and DHCP on that network.';
  if (cycles(task) >= MAX_CYCLES)
    return failed(
      `The node was switched on to boot from ${device} and was never seen on the network, ${MAX_CYCLES + 1} times for ${Math.round(seenMs / 1000)} s each. ${hint}`,
    );
  task.emit('boot.never_seen', { since: bootAt, device, hint, action: `${restarted(task)} once more` }, 'warning');
  await task.save({ cycles: cycles(task) + 1, bootAt: null, isOn: false, offAt: null });
  const outcome = task.node.disablePowerOff ? null : await reachPower(task, 'power off', 'offAt', 'boot never seen');
  return outcome ?? start(task);
}

/** Since when somebody has looked for this boot: a successor finds orders that were saved and never sent, and signs that nobody saw. */
async function watchedSince(task: StepTask, bootAt: number): Promise<number> {
  return (await task.seenSince(['run.taken_over'], bootAt))?.at ?? bootAt;
}

/** Undefined when the BMC does not answer: the machine may be fine, and the boot's own deadline stands. */
async function isPowerOn(task: StepTask): Promise<boolean | undefined> {
  try {
    return (await task.power.getPowerState(task)) === 'power on';
  } catch (error) {
    if (isTransientError(error)) return undefined;
    throw error;
  }
}

/**
 * `boot_disk`: off, disk, on. Off and on, each safe to repeat, instead of a reset, of which nobody could tell later whether it was
 * done; only a node that must stay on is reset.
 */
export const bootDisk: StepHandler = {
  async run(task) {
    const isStarted = ['onAt', 'resetAt'].some((order) => savedTime(task.scratch, order) !== undefined);
    if (!isStarted) {
      const staysOn = task.node.disablePowerOff;
      const outcome = staysOn ? null : await reachPower(task, 'power off', 'offAt', task.run.verb);
      if (outcome) return outcome;
      const { device, isPersistent } = task.boot.diskBoot(task);
      await task.management.setBootDevice(task, device, isPersistent);
      task.emit('boot.ordered', { device, persistent: isPersistent });
      if (staysOn) await resetInstead(task);
    }
    const outcome = await reachPower(task, 'power on', 'onAt', task.run.verb);
    if (outcome) return outcome;
    task.note({ diskBootAt: task.nowMs });
    return done;
  },
};
