/** BIOS settings of no machine: the steps that real ones have, which keep what they are told. */
import { formatTime, isJsonObject, type Json, type JsonObject } from '@bessemer/core';
import type { PassiveInterface } from '../interfaces.ts';
import { type Pretence, pretendedProperties, pretendedStep, settingsArgument } from './pretence.ts';

const APPLY = pretendedStep('apply_configuration', {
  args: settingsArgument('List of BIOS settings, each item needs to contain a dictionary with name/value pairs'),
});
const RESET = pretendedStep('factory_reset');
const STEPS = [APPLY, RESET, pretendedStep('cache_bios_settings')];

interface Setting {
  readonly name: string;
  readonly value: Json;
}

/** The settings that a step was given; null when they are no list, or one of them has no name or no value. */
function settingsOf(asked: Json | undefined): readonly Setting[] | null {
  if (!Array.isArray(asked)) return null;
  const settings = asked.map((item) => {
    const { name, value }: { name?: Json; value?: Json } = isJsonObject(item) ? item : {};
    return typeof name === 'string' && value !== undefined ? { name, value } : null;
  });
  return settings.every((setting) => setting !== null) ? settings : null;
}

function applied(stored: JsonObject, settings: readonly Setting[], now: string): JsonObject {
  const result: Record<string, Json> = { ...stored };
  for (const { name, value } of settings) {
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
      if (task.step.step === APPLY.step) {
        const settings = settingsOf(task.step.args['settings']);
        if (!settings)
          return { kind: 'failed', error: 'BIOS settings must be a list of objects, each with a name and a value.' };
        task.changeDocument('bios', (stored) => applied(stored, settings, now));
      }
      if (task.step.step === RESET.step) task.changeDocument('bios', () => ({}));
      return outcome;
    },
  };
}
