/**
 * What all pretended interfaces share: they take as long as the node says and fail when it says so. Per kind of interface
 * `driver_info/fake_<kind>_delay` (seconds, or "min,max": mostly near min) and `driver_info/fake_<kind>_fail` (a message: always;
 * a number, or {message, times}: so many times, counted in this process).
 */
import type { DriverProperty, InterfaceKind, Json, Node } from '@bessemer/core';
import { isJsonObject, ServiceError } from '@bessemer/core';
import { type Clock, sleep } from '@bessemer/ports';
import type { StepOutcome } from '../../steps/outcome.ts';
import type { DriverStepTask } from '../interfaces.ts';

/** A call that pretends to talk to hardware takes at most this long: it may not outlive the lease. Steps take any time. */
const MAX_CALL_MS = 5_000;
/** How long after its end a pretended wait counts as failed. */
const GRACE_MS = 60_000;

const property = (description: string): DriverProperty => ({ description, required: false, secret: false });

/** The properties of a pretended interface of `kind`, beside its own. */
export const pretendedProperties = (kind: InterfaceKind): Record<string, DriverProperty> => ({
  fake_delay_ms: property('How long each pretended step takes, in milliseconds.'),
  fake_fail_step: property(
    'Name of what fails: a pretended step (fake_write_image, log_passthrough ...), get_power_state or set_power_state.',
  ),
  [`fake_${kind}_delay`]: property(
    `How long each call and step of the pretended ${kind} interface takes: seconds, or "min,max".`,
  ),
  [`fake_${kind}_fail`]: property(
    `Makes the pretended ${kind} interface fail: a message, a number of times, or {"message", "times"}.`,
  ),
});

const invalid = (name: string, wanted: string, value: Json): ServiceError =>
  new ServiceError('INVALID_PARAMETER', `driver_info/${name} must be ${wanted}, not ${JSON.stringify(value)}.`);

const isDuration = (value: number): boolean => Number.isFinite(value) && value >= 0;

/** Non-negative milliseconds; absent is 0. @throws INVALID_PARAMETER. */
export function millisecondsOf(node: Node, name: string): number {
  const value = node.driverInfo[name] ?? 0;
  const ms = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  if (typeof ms !== 'number' || !isDuration(ms)) throw invalid(name, 'a number of milliseconds', value);
  return ms;
}

/** Seconds, or "min,max". @throws INVALID_PARAMETER. */
function rangeOf(node: Node, kind: InterfaceKind): { minMs: number; maxMs: number } {
  const name = `fake_${kind}_delay`;
  const value = node.driverInfo[name] ?? 0;
  const parts = String(value === '' ? 0 : value)
    .split(',')
    .map((part) => (part.trim() === '' ? Number.NaN : Number(part) * 1000));
  const [minMs, maxMs = minMs] = parts;
  if ((typeof value !== 'number' && typeof value !== 'string') || parts.length > 2 || !parts.every(isDuration))
    throw invalid(name, 'seconds, or "min,max" in seconds', value);
  return { minMs: minMs!, maxMs: Math.max(minMs!, maxMs!) };
}

/** A number in [0, 1) that belongs to a text (FNV-1a, mixed): an attempt takes as long at whichever conductor and call it is met. */
function chanceOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const char of text) hash = Math.imul(hash ^ char.codePointAt(0)!, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 0x1_0000_0000;
}

function delayOf(node: Node, kind: InterfaceKind, seed: string): number {
  const { minMs, maxMs } = rangeOf(node, kind);
  // Triangular, with its peak at the minimum.
  return minMs === maxMs ? minMs : Math.round(maxMs - (maxMs - minMs) * Math.sqrt(1 - chanceOf(seed)));
}

export interface Pretence {
  /** @throws INVALID_PARAMETER naming the property. */
  check(node: Node, kind: InterfaceKind): void;
  /** The sentence with which a call or step of this name fails now, or null. Counts. */
  failure(node: Node, kind: InterfaceKind, what: string): string | null;
  /** Takes the time of one call, then fails if it is told to. @throws BMC_FAILURE. */
  call(node: Node, kind: InterfaceKind, what: string): Promise<void>;
  /** Whether calls of this kind take no time at all. */
  isInstant(node: Node, kind: InterfaceKind): boolean;
  /** A whole step: takes its time, and fails if it is told to. */
  step(task: DriverStepTask, kind: InterfaceKind): StepOutcome;
}

export function createPretence(clock: Clock): Pretence {
  /** How often each order to fail has been carried out. */
  const failures = new Map<string, number>();

  function orderOf(node: Node, kind: InterfaceKind): { message: string; times: number } | null {
    const name = `fake_${kind}_fail`;
    const value = node.driverInfo[name];
    if (value === undefined || value === null || value === false || value === '') return null;
    const plain = `The fake ${kind} interface was told to fail (driver_info/${name}).`;
    const isCount = typeof value === 'number' || (typeof value === 'string' && /^\d+$/.test(value));
    const asked: { message?: Json; times?: Json } = isJsonObject(value)
      ? value
      : isCount
        ? { times: Number(value) }
        : value === true
          ? {}
          : { message: value };
    const { message = plain, times = Number.MAX_SAFE_INTEGER } = asked;
    if (typeof message !== 'string' || typeof times !== 'number' || !isDuration(times))
      throw invalid(name, 'a message, a number of times, or {"message", "times"}', value);
    return { message, times };
  }
  const self: Pretence = {
    check(node, kind) {
      rangeOf(node, kind);
      orderOf(node, kind);
      millisecondsOf(node, 'fake_delay_ms');
    },
    failure(node, kind, what) {
      if (node.driverInfo['fake_fail_step'] === what)
        return `Step ${what} was told to fail (driver_info/fake_fail_step).`;
      const order = orderOf(node, kind);
      if (!order) return null;
      const key = `${node.uuid}|${kind}|${JSON.stringify(node.driverInfo[`fake_${kind}_fail`])}`;
      const count = failures.get(key) ?? 0;
      if (count >= order.times) return null;
      failures.set(key, count + 1);
      return order.message;
    },
    async call(node, kind, what) {
      const delayMs = Math.min(delayOf(node, kind, what), MAX_CALL_MS);
      if (delayMs > 0) await sleep(clock, delayMs);
      const message = self.failure(node, kind, what);
      if (message !== null) throw new ServiceError('BMC_FAILURE', message);
    },
    isInstant: (node, kind) => rangeOf(node, kind).maxMs === 0,
    step(task, kind) {
      const { node, attempt, step } = task;
      const delayMs = millisecondsOf(node, 'fake_delay_ms') + delayOf(node, kind, attempt.id);
      const until = attempt.startedAt + delayMs;
      if (task.nowMs < until)
        return {
          kind: 'wait',
          for: {
            what: 'fake',
            from: step.step,
            until: until + GRACE_MS,
            hint: 'Nothing happens: the hardware is pretended.',
          },
          checkAfterMs: until - task.nowMs,
        };
      const message = self.failure(node, kind, step.step);
      return message === null ? { kind: 'done' } : { kind: 'failed', error: message };
    },
  };
  return self;
}

/** A step as the pretended interfaces offer them; the ramdisk is asked for unless told otherwise, as real ones do. */
export function pretendedStep(
  step: string,
  more: Partial<{
    priority: number;
    abortable: boolean;
    requiresRamdisk: boolean;
    args: Readonly<Record<string, { description: string; required: boolean }>>;
  }> = {},
) {
  return { step, priority: 0, abortable: false, requiresRamdisk: true, args: {}, onRepeat: 'safe' as const, ...more };
}

/** One argument list that a step needs. */
export const settingsArgument = (description: string) => ({ settings: { description, required: true } });
