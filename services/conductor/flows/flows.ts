/** What each verb does with a node: its plan, and the event that ends it. A verb without a row here is refused by name. */
import type { InterfaceKind, JsonObject, Node, ProvisionEvent, Run, Segment, TransientState } from '@bessemer/core';
import { ServiceError } from '@bessemer/core';
import type { DriverTask, HardwareInterfaces } from '../drivers/interfaces.ts';
import { conductorSegment, conductorStep, type ConductorStepName } from '../steps/catalogue.ts';

export type RunVerb = Run['verb'];

/** The node's implementation of a kind. */
export type InterfaceOf = <K extends InterfaceKind>(kind: K) => HardwareInterfaces[K];

export interface Flow {
  /** The segments of a run of this verb. @throws ServiceError when the node or the request does not allow it. */
  plan(task: DriverTask, interfaceOf: InterfaceOf, input: JsonObject): Segment[];
  /** The event that ends the run well; null when the provision state was never left. */
  end(node: Node): ProvisionEvent | null;
  /** Where the node shows the step under way. */
  readonly stepField: 'deployStep' | 'cleanStep' | null;
  /** Whether it counts among the simultaneous deployments. */
  readonly isDeployment: boolean;
}

const flow = (row: Partial<Flow> & Pick<Flow, 'plan'>): Flow => ({
  end: () => 'done',
  stepField: null,
  isDeployment: false,
  ...row,
});

const deployment = flow({
  plan: (task, interfaceOf, input) => interfaceOf('deploy').planDeploy(task, input),
  stepField: 'deployStep',
  isDeployment: true,
});

/** Retired nodes are cleaned and then kept from use. */
const cleaned = (node: Node): ProvisionEvent => (node.retired ? 'manage' : 'done');

function automatedClean(task: DriverTask, interfaceOf: InterfaceOf, input: JsonObject): Segment[] {
  return input['automatedClean'] === false ? [] : interfaceOf('deploy').planClean(task, null);
}

export const FLOWS = {
  manage: flow({ plan: () => [conductorSegment(conductorStep('verify'))] }),
  provide: flow({ plan: automatedClean, end: cleaned, stepField: 'cleanStep' }),
  clean: flow({
    plan: (task, interfaceOf, input) =>
      interfaceOf('deploy').planClean(task, (input['cleanSteps'] ?? []) as JsonObject[]),
    end: () => 'manage',
    stepField: 'cleanStep',
  }),
  deploy: deployment,
  rebuild: deployment,
  delete: flow({
    plan: (task, interfaceOf, input) => [
      ...interfaceOf('deploy').planTearDown(task),
      ...automatedClean(task, interfaceOf, input),
    ],
    end: cleaned,
    stepField: 'cleanStep',
  }),
  inspect: flow({ plan: (task, interfaceOf) => interfaceOf('inspect').planInspect(task) }),
  adopt: flow({ plan: () => [conductorSegment(conductorStep('adopt'))] }),
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

/** States that no implemented verb leads to. */
type UnusedState = 'rescuing' | 'rescue wait' | 'unrescuing' | 'servicing' | 'service wait';
export type ImplementedTransientState = Exclude<TransientState, UnusedState>;

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
} as const satisfies Record<ImplementedTransientState, readonly [ImplementedVerb, ...ImplementedVerb[]]>;

/** What the state machine is told when a step is done, beside going on. */
export const EVENT_AFTER_STEP: Partial<Record<ConductorStepName, ProvisionEvent>> = { tear_down: 'clean' };
