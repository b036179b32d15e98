/** The steps that a conductor does, as data. The code of each is in `handlers.ts`; a name here without code does not compile. */
import type { InterfaceKind, JsonObject, OnRepeat, Segment, Step } from '@bessemer/core';
import { AGENT_STEPS, type AgentStepName } from '@bessemer/agent-protocol';
import type { DriverStep } from '../drivers/interfaces.ts';

interface StepEntry {
  readonly interface: InterfaceKind;
  /** What may be done when a conductor died in the middle of it. */
  readonly onRepeat: OnRepeat;
  /** While it waits, the node shows the wait state of its verb, holds no reservation, and can be aborted. */
  readonly abortable: boolean;
  readonly doc: string;
}

const CONDUCTOR_STEPS = {
  verify: { interface: 'power', onRepeat: 'safe', abortable: false, doc: 'Check the BMC and read the power state.' },
  fetch_config_drive: {
    interface: 'deploy',
    onRepeat: 'safe',
    abortable: true,
    doc: 'Fetch the config drive that was given by its URL, check it and keep it.',
  },
  validate: {
    interface: 'deploy',
    onRepeat: 'safe',
    abortable: false,
    doc: 'Check what the node and the request say.',
  },
  prepare_image: {
    interface: 'deploy',
    onRepeat: 'safe',
    abortable: false,
    doc: 'Order the image from the depot; the agent waits for it, the boot does not.',
  },
  boot_ramdisk: {
    interface: 'boot',
    onRepeat: 'safe',
    abortable: true,
    doc: 'Power off, order a network boot, power on, wait for the agent.',
  },
  boot_disk: { interface: 'boot', onRepeat: 'safe', abortable: false, doc: 'Power off, order the disk, power on.' },
  wait_ssh: { interface: 'deploy', onRepeat: 'safe', abortable: true, doc: 'Wait until the deployed system answers.' },
  configure: { interface: 'deploy', onRepeat: 'safe', abortable: true, doc: "Run the operator's play on the node." },
  finish: { interface: 'deploy', onRepeat: 'safe', abortable: false, doc: 'Close the image exit and note the result.' },
  power_off: { interface: 'power', onRepeat: 'safe', abortable: false, doc: 'Power the node off and see it off.' },
  change_power: { interface: 'power', onRepeat: 'safe', abortable: false, doc: 'Bring the node to a power state.' },
  reset: { interface: 'power', onRepeat: 'never', abortable: false, doc: 'Reset the node once.' },
  tear_down: { interface: 'deploy', onRepeat: 'safe', abortable: false, doc: 'Forget the instance; cleaning begins.' },
  store_inventory: {
    interface: 'inspect',
    onRepeat: 'safe',
    abortable: false,
    doc: 'Keep what the agent found in the machine.',
  },
  adopt: {
    interface: 'deploy',
    onRepeat: 'safe',
    abortable: false,
    doc: 'Check a running node before it is taken over.',
  },
  power_on: { interface: 'power', onRepeat: 'safe', abortable: false, doc: 'Power the node on and see it on.' },
  reboot: { interface: 'power', onRepeat: 'safe', abortable: false, doc: 'Power the node off and on again.' },
  hold: { interface: 'deploy', onRepeat: 'safe', abortable: true, doc: 'Stop here until an operator says unhold.' },
  wait: { interface: 'deploy', onRepeat: 'safe', abortable: true, doc: 'Wait for the given number of seconds.' },
} as const satisfies Record<string, StepEntry>;

export type ConductorStepName = keyof typeof CONDUCTOR_STEPS;

export const isConductorStep = (name: string): name is ConductorStepName => Object.hasOwn(CONDUCTOR_STEPS, name);

/** A conductor's step as a row of a run. */
export function conductorStep(name: ConductorStepName, args: JsonObject = {}): Step {
  const entry = CONDUCTOR_STEPS[name];
  return {
    interface: entry.interface,
    step: name,
    priority: 100,
    args,
    inBand: false,
    onRepeat: entry.onRepeat,
    abortable: entry.abortable,
    v: 1,
  };
}

/** An agent's step as a row of a run; its arguments are made when the segment is sent. */
export function agentStep(name: AgentStepName): Step {
  const entry = AGENT_STEPS[name];
  return {
    interface: entry.interface,
    step: name,
    priority: 100,
    args: {},
    inBand: true,
    onRepeat: entry.onRepeat,
    abortable: true,
    v: 1,
  };
}

/** A step of a driver's own as a row of a run: the node's implementation of `kind` does it. */
export const driverStep = (
  kind: InterfaceKind,
  step: Pick<DriverStep, 'step' | 'onRepeat' | 'abortable'>,
  args: JsonObject,
  priority: number,
): Step => ({
  interface: kind,
  step: step.step,
  priority,
  args,
  inBand: false,
  onRepeat: step.onRepeat,
  abortable: step.abortable,
  v: 1,
  source: 'driver',
});

/** A step that is done on child nodes. `args`: `args` for the step, and `nodes`, the uuids of the children; none means all. */
export const childStep = (kind: InterfaceKind, step: string, args: JsonObject, priority: number): Step => ({
  ...driverStep(kind, { step, onRepeat: 'safe', abortable: false }, args, priority),
  source: 'children',
});

/** Steps in their order as the segments of a run: neighbours of one party belong together. An agent knows a step of a segment by its name. */
export function segmentsOf(steps: readonly Step[]): Segment[] {
  const segments: Array<{ party: Segment['party']; steps: Step[] }> = [];
  for (const step of steps) {
    const party = step.inBand ? 'agent' : 'conductor';
    const last = segments.at(-1);
    const isNamed = party === 'agent' && last?.steps.some((other) => other.step === step.step);
    if (last?.party === party && !isNamed) last.steps.push(step);
    else segments.push({ party, steps: [step] });
  }
  return segments;
}

export const conductorSegment = (...steps: Step[]): Segment => ({ party: 'conductor', steps });
export const agentSegment = (...names: AgentStepName[]): Segment => ({ party: 'agent', steps: names.map(agentStep) });
