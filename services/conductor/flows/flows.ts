/** What each verb does with a node: its plan, and the event that ends it. A verb without a row here is refused by name. */
import type {
  InterfaceKind,
  Json,
  JsonObject,
  Node,
  ProvisionEvent,
  ProvisionState,
  Run,
  Segment,
  Step,
  TransientState,
} from '@bessemer/core';
import { ServiceError } from '@bessemer/core';
import type { NodePatch } from '@bessemer/db';
import type { DriverTask, HardwareInterfaces } from '../drivers/interfaces.ts';
import { conductorSegment, conductorStep, type ConductorStepName, segmentsOf } from '../steps/catalogue.ts';
import {
  automatedSteps,
  knownSteps,
  parseUserSteps,
  requestedSteps,
  rowsOf,
  type SelectedStep,
  selectSteps,
} from '../steps/select.ts';

export type RunVerb = Run['verb'];

/** The node's implementation of a kind. */
export type InterfaceOf = <K extends InterfaceKind>(kind: K) => HardwareInterfaces[K];

/** How a run ended without being done. */
export interface Failure {
  readonly error: string;
  /** A step of the verb was under way. */
  readonly isInStep: boolean;
}

export interface Flow {
  /** The segments of a run of this verb. @throws ServiceError when the node or the request does not allow it. */
  plan(task: DriverTask, interfaceOf: InterfaceOf, input: JsonObject): Segment[];
  /** The event that ends the run well; null when the provision state was never left. */
  end(node: Node): ProvisionEvent | null;
  /** What is written on the node beside it. */
  onDone?(nowMs: number): NodePatch;
  /** What is written on the node when the run failed or was aborted (then without `failure`). */
  onFailed?(node: Node, failure?: Failure): NodePatch;
  /** The sentence of an abort; `step` is what was under way, as `interface.step`. */
  aborted(step: string | null): string;
  /** Where the node shows the step under way. */
  readonly stepField: 'deployStep' | 'cleanStep' | 'serviceStep' | null;
  /** Whether it counts among the simultaneous deployments. */
  readonly isDeployment: boolean;
}

const abortedAt =
  (operation: string) =>
  (step: string | null): string =>
    `By request, the ${operation} operation was aborted` +
    (step === null ? '' : ` during or after the completion of step "${step}"`);

const flow = (row: Partial<Flow> & Pick<Flow, 'plan'>): Flow => ({
  end: () => 'done',
  aborted: abortedAt('running'),
  stepField: null,
  isDeployment: false,
  ...row,
});

const listOf = (input: JsonObject, name: string): readonly Json[] => {
  const value = input[name];
  return Array.isArray(value) ? value : [];
};
/** The templates that the acceptor found for the instance's traits. */
const templatesOf = (input: JsonObject) =>
  (listOf(input, 'templates') as JsonObject[]).map((template) => ({
    name: String(template['name']),
    steps: parseUserSteps(listOf(template, 'steps'), `deploy template ${String(template['name'])}: steps`),
  }));

const deployment = flow({
  plan: (task, interfaceOf, input) => {
    const steps = selectSteps({
      driverSteps: knownSteps(task, interfaceOf, 'deploy'),
      templates: templatesOf(input),
      userSteps: parseUserSteps(listOf(input, 'deploySteps'), 'deploy_steps'),
    });
    if (steps.length === 0) throw new ServiceError('INVALID_PARAMETER', 'No deploy steps returned by the driver');
    // Before anything is done to the node, also by steps of templates and of the request.
    const fetching = input['fetchesConfigDrive'] === true ? [conductorStep('fetch_config_drive')] : [];
    return segmentsOf([...fetching, ...rowsOf(steps, input)]);
  },
  aborted: abortedAt('deploy'),
  stepField: 'deployStep',
  isDeployment: true,
});

/** Retired nodes are cleaned and then kept from use. */
const cleaned = (node: Node): ProvisionEvent => (node.retired ? 'manage' : 'done');

/** A failed step may have left the node in any shape: it is kept from use until somebody has looked. */
const distrust =
  (fault: string) =>
  (node: Node, failure?: Failure): NodePatch =>
    failure?.isInStep ? { maintenance: true, fault, maintenanceReason: node.maintenanceReason ?? failure.error } : {};

/** The steps, with the ramdisk around them when one of them needs it. @throws INVALID_PARAMETER. */
function framed(
  kind: 'clean' | 'service',
  steps: readonly SelectedStep[],
  { task, interfaceOf, input }: { task: DriverTask; interfaceOf: InterfaceOf; input: JsonObject },
): Segment[] {
  const rows = rowsOf(steps, input);
  if (!steps.some((step) => step.known?.requiresRamdisk)) return segmentsOf(rows);
  checkRamdiskStays(rows);
  const { before, after } = interfaceOf('deploy').ramdisk(task, kind);
  return segmentsOf([...before, ...rows, ...after]);
}

/** Nobody brings the ramdisk up again in the middle. @throws INVALID_PARAMETER. */
function checkRamdiskStays(rows: readonly Step[]): void {
  const power = rows.findIndex((row) => !row.inBand && ['power_off', 'reboot'].includes(row.step));
  const after = rows.slice(power + 1).find((row) => row.inBand);
  if (power >= 0 && after)
    throw new ServiceError(
      'INVALID_PARAMETER',
      `Step ${after.interface}.${after.step} is done by the ramdisk and cannot follow ${rows[power]!.step}, which ends it.`,
    );
}

function automatedClean(task: DriverTask, interfaceOf: InterfaceOf, input: JsonObject): Segment[] {
  if (input['automatedClean'] === false) return [];
  return framed('clean', automatedSteps(knownSteps(task, interfaceOf, 'clean')), { task, interfaceOf, input });
}
const requested =
  (kind: 'clean' | 'service', name: string) =>
  (task: DriverTask, interfaceOf: InterfaceOf, input: JsonObject): Segment[] =>
    framed(
      kind,
      requestedSteps(
        kind,
        knownSteps(task, interfaceOf, kind),
        parseUserSteps(listOf(input, name), name === 'cleanSteps' ? 'clean_steps' : 'service_steps'),
        input['disableRamdisk'] === true,
      ),
      { task, interfaceOf, input },
    );

const cleaning = {
  stepField: 'cleanStep',
  onFailed: distrust('clean failure'),
  aborted: abortedAt('clean'),
} as const satisfies Partial<Flow>;

const FLOWS = {
  manage: flow({ plan: () => [conductorSegment(conductorStep('verify'))] }),
  provide: flow({ ...cleaning, plan: automatedClean, end: cleaned }),
  clean: flow({ ...cleaning, plan: requested('clean', 'cleanSteps'), end: () => 'manage' }),
  deploy: deployment,
  rebuild: deployment,
  delete: flow({
    ...cleaning,
    plan: (task, interfaceOf, input) => [
      ...interfaceOf('deploy').planTearDown(task),
      ...automatedClean(task, interfaceOf, input),
    ],
    end: cleaned,
    // What fails before the cleaning ends in `error`, and the node stays as it is.
    onFailed: (node, failure) => (CLEANING.includes(node.provisionState) ? cleaning.onFailed(node, failure) : {}),
  }),
  inspect: flow({
    plan: (task, interfaceOf) => interfaceOf('inspect').planInspect(task),
    onDone: (nowMs) => ({ inspectionStartedAt: null, inspectionFinishedAt: nowMs }),
    onFailed: () => ({ inspectionStartedAt: null }),
    aborted: () => 'Inspection was aborted by request.',
  }),
  adopt: flow({ plan: () => [conductorSegment(conductorStep('adopt'))] }),
  rescue: flow({
    plan: (task, interfaceOf) => interfaceOf('rescue').planRescue(task),
    aborted: () => 'By request, the rescue operation was aborted.',
  }),
  unrescue: flow({ plan: (task, interfaceOf) => interfaceOf('rescue').planUnrescue(task) }),
  service: flow({
    plan: requested('service', 'serviceSteps'),
    stepField: 'serviceStep',
    onFailed: distrust('service failure'),
    aborted: abortedAt('service'),
  }),
  power: flow({
    plan: (_task, _interfaceOf, input) => [
      conductorSegment(
        input['target'] === 'rebooting'
          ? conductorStep('reset')
          : conductorStep('change_power', { target: input['target'] ?? null }),
      ),
    ],
    end: () => null,
  }),
  configure: flow({ plan: () => [conductorSegment(conductorStep('configure'))], end: () => null }),
} as const satisfies Partial<Record<RunVerb, Flow>>;

const CLEANING: readonly ProvisionState[] = ['cleaning', 'clean wait', 'clean hold'];

export type ImplementedVerb = keyof typeof FLOWS;

/** The verbs that count among the simultaneous deployments. */
export const DEPLOYMENT_VERBS = (Object.keys(FLOWS) as ImplementedVerb[]).filter((verb) => FLOWS[verb].isDeployment);

/** The flow of a verb. @throws VERB_NOT_SUPPORTED naming it. */
export function flowOf(verb: string): Flow {
  const flows: Readonly<Record<string, Flow>> = FLOWS;
  if (!Object.hasOwn(flows, verb))
    throw new ServiceError('VERB_NOT_SUPPORTED', `The requested action "${verb}" is not supported by this service.`);
  return flows[verb]!;
}

/** The verbs whose runs may be found in each transient state: a state without a verb that works there does not compile. */
export const VERBS_OF_STATE = {
  verifying: ['manage'],
  deploying: ['deploy', 'rebuild'],
  'wait call-back': ['deploy', 'rebuild'],
  deleting: ['delete'],
  cleaning: ['provide', 'clean', 'delete'],
  'clean wait': ['provide', 'clean', 'delete'],
  inspecting: ['inspect'],
  'inspect wait': ['inspect'],
  adopting: ['adopt'],
  rescuing: ['rescue'],
  'rescue wait': ['rescue'],
  unrescuing: ['unrescue'],
  servicing: ['service'],
  'service wait': ['service'],
} as const satisfies Record<TransientState, readonly [ImplementedVerb, ...ImplementedVerb[]]>;

/** What the state machine is told when a step is done, beside going on. */
export const EVENT_AFTER_STEP: Partial<Record<ConductorStepName, ProvisionEvent>> = { tear_down: 'clean' };
