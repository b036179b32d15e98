/**
 * The provision state machine, as data. A state is stable or not; the target belongs to the transition that left a stable
 * state, is kept through the transient ones and is cleared on arrival. Nothing else in the tree decides what may follow what.
 */

export const STATES = {
  enroll: { stable: true, meaning: 'known to us, not yet checked' },
  verifying: { stable: false, meaning: 'the BMC credentials are being checked' },
  manageable: { stable: true, meaning: 'under our control, not for use' },
  available: { stable: true, meaning: 'clean and ready to be deployed' },
  deploying: { stable: false, meaning: 'a conductor works on a deployment' },
  'wait call-back': { stable: false, meaning: 'a deployment waits for the agent' },
  'deploy failed': { stable: false, resting: true, meaning: 'a deployment failed' },
  'deploy hold': { stable: false, resting: true, meaning: 'a deployment was told to hold' },
  active: { stable: true, meaning: 'runs its image' },
  deleting: { stable: false, meaning: 'is being undeployed' },
  error: { stable: true, meaning: 'undeploying failed' },
  cleaning: { stable: false, meaning: 'a conductor works on cleaning' },
  'clean wait': { stable: false, meaning: 'cleaning waits for the agent' },
  'clean failed': { stable: false, resting: true, meaning: 'cleaning failed' },
  'clean hold': { stable: false, resting: true, meaning: 'cleaning was told to hold' },
  inspecting: { stable: false, meaning: 'hardware is being inspected' },
  'inspect wait': { stable: false, meaning: 'inspection waits for the agent' },
  'inspect failed': { stable: false, resting: true, meaning: 'inspection failed' },
  adopting: { stable: false, meaning: 'a running machine is being taken over' },
  'adopt failed': { stable: false, resting: true, meaning: 'taking over failed' },
  rescue: { stable: true, meaning: 'runs the rescue ramdisk' },
  rescuing: { stable: false, meaning: 'a conductor works on rescue' },
  'rescue wait': { stable: false, meaning: 'rescue waits for the agent' },
  'rescue failed': { stable: false, resting: true, meaning: 'rescue failed' },
  unrescuing: { stable: false, meaning: 'is going back from rescue to its image' },
  'unrescue failed': { stable: false, resting: true, meaning: 'going back from rescue failed' },
  servicing: { stable: false, meaning: 'a conductor works on service steps' },
  'service wait': { stable: false, meaning: 'service waits for the agent' },
  'service failed': { stable: false, resting: true, meaning: 'a service step failed' },
  'service hold': { stable: false, resting: true, meaning: 'service was told to hold' },
} as const satisfies Record<string, { stable: boolean; resting?: boolean; meaning: string }>;

export type ProvisionState = keyof typeof STATES;
export type StableState = {
  [S in ProvisionState]: (typeof STATES)[S]['stable'] extends true ? S : never;
}[ProvisionState];
/** States in which work goes on: each has a deadline, a run and a named `waitingFor`. */
export type TransientState = {
  [S in ProvisionState]: (typeof STATES)[S] extends { stable: false; resting: true } | { stable: true } ? never : S;
}[ProvisionState];

export type ProvisionEvent =
  | 'manage'
  | 'provide'
  | 'clean'
  | 'inspect'
  | 'adopt'
  | 'deploy'
  | 'rebuild'
  | 'delete'
  | 'rescue'
  | 'unrescue'
  | 'service'
  | 'abort'
  | 'hold'
  | 'unhold'
  | 'wait'
  | 'resume'
  | 'done'
  | 'fail';

export type Transition = readonly [
  from: ProvisionState,
  event: ProvisionEvent,
  to: ProvisionState,
  /** `target`: where the machine is going from here; a transition without one keeps the target that is stored. */
  options?: { readonly target: StableState },
];

export const TRANSITIONS = [
  // A new node is checked before it is managed.
  ['enroll', 'manage', 'verifying', { target: 'manageable' }],
  ['verifying', 'done', 'manageable'],
  ['verifying', 'fail', 'enroll'],

  // Inspection, only from manageable.
  ['manageable', 'inspect', 'inspecting', { target: 'manageable' }],
  ['inspecting', 'wait', 'inspect wait'],
  ['inspecting', 'done', 'manageable'],
  ['inspecting', 'fail', 'inspect failed'],
  ['inspect wait', 'resume', 'inspecting'],
  ['inspect wait', 'done', 'manageable'],
  ['inspect wait', 'fail', 'inspect failed'],
  ['inspect wait', 'abort', 'inspect failed'],
  ['inspect failed', 'inspect', 'inspecting', { target: 'manageable' }],
  ['inspect failed', 'manage', 'manageable'],

  // Adoption of a machine that already runs.
  ['manageable', 'adopt', 'adopting', { target: 'active' }],
  ['adopting', 'done', 'active'],
  ['adopting', 'fail', 'adopt failed'],
  ['adopt failed', 'adopt', 'adopting', { target: 'active' }],
  ['adopt failed', 'manage', 'manageable'],

  // Cleaning: automatic on the way to available, manual on the way back to manageable.
  ['manageable', 'provide', 'cleaning', { target: 'available' }],
  ['manageable', 'clean', 'cleaning', { target: 'manageable' }],
  ['cleaning', 'wait', 'clean wait'],
  ['cleaning', 'hold', 'clean hold'],
  ['cleaning', 'done', 'available'],
  ['cleaning', 'manage', 'manageable'],
  ['cleaning', 'fail', 'clean failed'],
  ['clean wait', 'resume', 'cleaning'],
  ['clean wait', 'hold', 'clean hold'],
  ['clean wait', 'fail', 'clean failed'],
  ['clean wait', 'abort', 'clean failed'],
  ['clean hold', 'unhold', 'clean wait'],
  ['clean hold', 'fail', 'clean failed'],
  ['clean hold', 'abort', 'clean failed'],
  ['clean failed', 'manage', 'manageable'],

  // Deployment.
  ['available', 'manage', 'manageable'],
  ['available', 'deploy', 'deploying', { target: 'active' }],
  ['deploying', 'wait', 'wait call-back'],
  ['deploying', 'hold', 'deploy hold'],
  ['deploying', 'done', 'active'],
  ['deploying', 'fail', 'deploy failed'],
  ['wait call-back', 'resume', 'deploying'],
  ['wait call-back', 'hold', 'deploy hold'],
  ['wait call-back', 'fail', 'deploy failed'],
  ['wait call-back', 'abort', 'deploy failed'],
  ['deploy hold', 'unhold', 'wait call-back'],
  ['deploy hold', 'fail', 'deploy failed'],
  ['deploy hold', 'abort', 'deploy failed'],
  ['deploy failed', 'deploy', 'deploying', { target: 'active' }],
  ['deploy failed', 'rebuild', 'deploying', { target: 'active' }],
  ['active', 'rebuild', 'deploying', { target: 'active' }],
  ['error', 'rebuild', 'deploying', { target: 'active' }],

  // Undeploying ends in automatic cleaning.
  ['active', 'delete', 'deleting', { target: 'available' }],
  ['error', 'delete', 'deleting', { target: 'available' }],
  ['deploy failed', 'delete', 'deleting', { target: 'available' }],
  ['wait call-back', 'delete', 'deleting', { target: 'available' }],
  ['rescue', 'delete', 'deleting', { target: 'available' }],
  ['rescue wait', 'delete', 'deleting', { target: 'available' }],
  ['rescue failed', 'delete', 'deleting', { target: 'available' }],
  ['unrescue failed', 'delete', 'deleting', { target: 'available' }],
  ['service wait', 'delete', 'deleting', { target: 'available' }],
  ['service failed', 'delete', 'deleting', { target: 'available' }],
  ['deleting', 'clean', 'cleaning'],
  ['deleting', 'fail', 'error'],

  // Rescue: a ramdisk with a password beside an installed machine, and back.
  ['active', 'rescue', 'rescuing', { target: 'rescue' }],
  ['rescue', 'rescue', 'rescuing', { target: 'rescue' }],
  ['rescue failed', 'rescue', 'rescuing', { target: 'rescue' }],
  ['unrescue failed', 'rescue', 'rescuing', { target: 'rescue' }],
  ['service failed', 'rescue', 'rescuing', { target: 'rescue' }],
  ['rescuing', 'wait', 'rescue wait'],
  ['rescuing', 'done', 'rescue'],
  ['rescuing', 'fail', 'rescue failed'],
  ['rescue wait', 'resume', 'rescuing'],
  ['rescue wait', 'fail', 'rescue failed'],
  ['rescue wait', 'abort', 'rescue failed'],
  ['rescue', 'unrescue', 'unrescuing', { target: 'active' }],
  ['rescue failed', 'unrescue', 'unrescuing', { target: 'active' }],
  ['unrescue failed', 'unrescue', 'unrescuing', { target: 'active' }],
  ['unrescuing', 'done', 'active'],
  ['unrescuing', 'fail', 'unrescue failed'],

  // Service steps on a machine in use.
  ['active', 'service', 'servicing', { target: 'active' }],
  ['service hold', 'service', 'servicing', { target: 'active' }],
  ['service failed', 'service', 'servicing', { target: 'active' }],
  ['servicing', 'wait', 'service wait'],
  ['servicing', 'hold', 'service hold'],
  ['servicing', 'done', 'active'],
  ['servicing', 'fail', 'service failed'],
  ['service wait', 'resume', 'servicing'],
  ['service wait', 'hold', 'service hold'],
  ['service wait', 'fail', 'service failed'],
  ['service wait', 'abort', 'service failed'],
  ['service hold', 'unhold', 'service wait'],
  ['service hold', 'fail', 'service failed'],
  ['service hold', 'abort', 'service failed'],
  ['service failed', 'abort', 'active'],
] as const satisfies readonly Transition[];

/** The targets that a client may PUT to `states/provision`, and the event each one means (Ironic's VERBS). */
export const VERBS = {
  active: 'deploy',
  deploy: 'deploy',
  deleted: 'delete',
  undeploy: 'delete',
  manage: 'manage',
  provide: 'provide',
  inspect: 'inspect',
  abort: 'abort',
  clean: 'clean',
  adopt: 'adopt',
  rescue: 'rescue',
  unrescue: 'unrescue',
  rebuild: 'rebuild',
  unhold: 'unhold',
  service: 'service',
} as const satisfies Record<string, ProvisionEvent>;
export type ProvisionVerb = keyof typeof VERBS;

const TABLE: ReadonlyMap<string, Transition> = new Map(
  TRANSITIONS.map((row): [string, Transition] => [`${row[0]}|${row[1]}`, row]),
);

export type NextState =
  | { readonly ok: true; readonly state: ProvisionState; readonly target: StableState | null }
  | { readonly ok: false };

/**
 * Where `event` leads from `state`. `target` is the target stored on the node; the answer's target is the one to store:
 * null on arrival at a stable state.
 */
export function nextState(state: ProvisionState, event: ProvisionEvent, target: StableState | null): NextState {
  const row = TABLE.get(`${state}|${event}`);
  if (!row) return { ok: false };
  const to = row[2];
  return { ok: true, state: to, target: STATES[to].stable ? null : (row[3]?.target ?? target) };
}

/** The events that are allowed in `state`, in the order of the table. */
export function allowedEvents(state: ProvisionState): ProvisionEvent[] {
  return TRANSITIONS.filter((row) => row[0] === state).map((row) => row[1]);
}

/** True for a known state name: for values that come from outside. */
export function isProvisionState(value: unknown): value is ProvisionState {
  return typeof value === 'string' && Object.hasOwn(STATES, value);
}

/** True while a conductor or an agent works: neither stable nor resting. */
export function isTransient(state: ProvisionState): state is TransientState {
  const entry: { stable: boolean; resting?: boolean } = STATES[state];
  return !entry.stable && !entry.resting;
}

/** States whose node may be deleted; maintenance allows it in any (Ironic's DELETE_ALLOWED_STATES). */
export const DELETE_ALLOWED_STATES: readonly ProvisionState[] = ['available', 'manageable', 'enroll', 'adopt failed'];

/** States in which a node may be changed although it has a target (Ironic's UPDATE_ALLOWED_STATES). */
export const UPDATE_ALLOWED_STATES: readonly ProvisionState[] = [
  'deploy failed',
  'inspecting',
  'inspect failed',
  'inspect wait',
  'clean failed',
  'error',
  'verifying',
  'adopt failed',
  'rescue failed',
  'unrescue failed',
  'servicing',
  'service hold',
  'service failed',
];

/** The Mermaid state diagram of the table: docs/provision-states.md holds this, and CI compares. */
export function stateDiagram(): string {
  const id = (state: string) => state.replaceAll(/[ -]/g, '_');
  const names = Object.keys(STATES)
    .filter((s) => /[ -]/.test(s))
    .map((s) => `  state "${s}" as ${id(s)}`);
  const arrows = TRANSITIONS.map((row) => {
    const options: { target?: string } | undefined = row[3];
    return `  ${id(row[0])} --> ${id(row[2])}: ${row[1]}${options?.target ? ` (to ${options.target})` : ''}`;
  });
  return ['stateDiagram-v2', '  [*] --> enroll', ...names, ...arrows, ''].join('\n');
}
