/**
 * A power button without a machine. It remembers what it was told in this process; a node never told is in the state that its row
 * says, and in none when it says none: clients that know Ironic's wait for it. `fake_power_delay_ms` makes the state lag as real BMCs' states do.
 */
import type { Node, PowerState } from '@bessemer/core';
import type { Clock } from '@bessemer/ports';
import type { PowerInterface } from '../interfaces.ts';
import { millisecondsOf, type Pretence, pretendedProperties } from './pretence.ts';

export function createFakePower(pretence: Pretence, clock: Clock): PowerInterface {
  const told = new Map<string, { state: PowerState; before: PowerState | null; atMs: number; createdAt: number }>();
  const lagOf = (node: Node): number => millisecondsOf(node, 'fake_power_delay_ms');
  const stateOf = (node: Node): PowerState | null => {
    const last = told.get(node.uuid);
    // A node that was deleted and made again under its old uuid is another machine.
    if (last?.createdAt !== node.createdAt) return node.powerState;
    return clock.monotonicMs() >= last.atMs ? last.state : last.before;
  };
  const turn = (node: Node, state: PowerState): void => {
    const before = stateOf(node);
    told.set(node.uuid, { state, before, atMs: clock.monotonicMs() + lagOf(node), createdAt: node.createdAt });
  };
  return {
    properties: {
      ...pretendedProperties('power'),
      fake_power_delay_ms: {
        description: 'How long the power state lags behind an order, in milliseconds.',
        required: false,
        secret: false,
      },
    },
    validate(task) {
      pretence.check(task.node, 'power');
      lagOf(task.node);
    },
    async getPowerState(task) {
      await pretence.call(task.node, 'power', 'get_power_state');
      return stateOf(task.node);
    },
    async setPowerState(task, target) {
      await task.checkMayOrder();
      await pretence.call(task.node, 'power', 'set_power_state');
      turn(task.node, target === 'power on' ? 'power on' : 'power off');
    },
    async reboot(task) {
      await task.checkMayOrder();
      await pretence.call(task.node, 'power', 'set_power_state');
      turn(task.node, 'power on');
    },
    supportedPowerStates: () => ['power on', 'power off', 'rebooting', 'soft rebooting', 'soft power off'],
    actsAtOnce: (task) => lagOf(task.node) === 0 && pretence.isInstant(task.node, 'power'),
  };
}
