/** BIOS settings of no machine: the steps that real ones have, which keep what they are told. */
import { formatTime, isJsonObject, type Json, type JsonObject } from '@bessemer/core';
import type { PassiveInterface } from '../interfaces.ts';
import { type Pretence, pretendedProperties, pretendedStep, settingsArgument } from './pretence.ts';

const APPLY = pretendedStep('apply_configuration', {
  args: settingsArgument('List of BIOS settings, each item needs to contain a dictionary with name/value pairs'),
});
const RESET = pretendedStep('factory_reset');
const STEPS = [APPLY, RESET, pretendedStep('cache_bios_settings')];

/** Items without a name are left out: there is nothing to know them by. */
function applied(stored: JsonObject, settings: Json | undefined, now: string): JsonObject {
  const result: Record<string, Json> = { ...stored };
  for (const item of Array.isArray(settings) ? settings : []) {
    if (!isJsonObject(item) || typeof item['name'] !== 'string') continue;
    const { name, value = null } = item;
    const before = result[name];
    if (isJsonObject(before) && before['value'] === value) continue;
    result[name] = isJsonObject(before)
      ? { ...before, value, updated_at: now }
      : { name, value, created_at: now, updated_at: null };
  }
  return result;
}

export function createFakeBios(pretence: Pretence): PassiveInterface {
  return {
    properties: pretendedProperties('bios'),
    validate: (task) => pretence.check(task.node, 'bios'),
    steps: () => STEPS,
    async runStep(task) {
      const outcome = pretence.step(task, 'bios');
      if (outcome.kind !== 'done') return outcome;
      const now = formatTime(task.nowMs);
      if (task.step.step === APPLY.step)
        task.changeDocument('bios', (stored) => applied(stored, task.step.args['settings'], now));
      if (task.step.step === RESET.step) task.changeDocument('bios', () => ({}));
      return outcome;
    },
  };
}
