/**
 * Which steps a clean, a deployment or a service consists of, and in which order: what the drivers offer, what deploy templates
 * say and what the request asks for. Pure; the rules and the sentences are Ironic's (its admin guide, "Cleaning", "Deploy steps",
 * "Node servicing").
 */
import type { InterfaceKind, Json, JsonObject, Step } from '@bessemer/core';
import { INTERFACE_KINDS, INTERFACE_RANK, isJsonObject, isUuid, ServiceError } from '@bessemer/core';
import type { DriverStep, DriverTask, StepFlow } from '../drivers/interfaces.ts';
import type { InterfaceOf } from '../flows/flows.ts';
import { childStep, conductorStep, type ConductorStepName, driverStep } from './catalogue.ts';

/** A step that a node's interfaces offer. */
export interface KnownStep extends DriverStep {
  readonly interface: InterfaceKind;
}
/** A step that a request or a template names. */
export interface UserStep {
  readonly interface: InterfaceKind;
  readonly step: string;
  readonly args: JsonObject;
  /** Only deployments order by it. */
  readonly priority: number;
  /** The step is done on the child nodes instead: on these (uuids), on all when there are none. */
  readonly children?: readonly string[];
}
/** A deploy template, as far as it matters here. */
export interface StepTemplate {
  readonly name: string;
  readonly steps: readonly UserStep[];
}
/** A step that will be done. `known` is null for a reserved one. */
export interface SelectedStep extends UserStep {
  readonly known: KnownStep | null;
}

/** Steps that every interface has: the conductor does them itself. */
const RESERVED_STEPS = [
  'power_on',
  'power_off',
  'reboot',
  'hold',
  'wait',
] as const satisfies readonly ConductorStepName[];
type ReservedStep = (typeof RESERVED_STEPS)[number];
const isReserved = (name: string): name is ReservedStep => (RESERVED_STEPS as readonly string[]).includes(name);

const idOf = (step: Pick<UserStep, 'interface' | 'step'>): string => `${step.interface}.${step.step}`;

/** All steps that the node's interfaces offer to a flow. @throws ServiceError when an interface cannot be resolved. */
export function knownSteps(task: DriverTask, interfaceOf: InterfaceOf, flow: StepFlow): KnownStep[] {
  return INTERFACE_KINDS.flatMap((kind) =>
    (interfaceOf(kind).steps?.(task, flow) ?? []).map((step) => ({ ...step, interface: kind })),
  );
}

/** Steps as they come in a request. @throws INVALID_PARAMETER for one without interface or name. */
export function parseUserSteps(steps: readonly Json[], where: string): UserStep[] {
  return steps.map((step, index) => {
    const fields: JsonObject = isJsonObject(step) ? step : {};
    const { interface: kind, step: name, args = {}, priority = 0 } = fields;
    if (!INTERFACE_KINDS.includes(kind as InterfaceKind) || typeof name !== 'string' || name === '')
      throw new ServiceError(
        'INVALID_PARAMETER',
        `${where}[${index}] must name an interface (${INTERFACE_KINDS.join(', ')}) and a step.`,
      );
    if (!isJsonObject(args) && args !== null)
      throw new ServiceError('INVALID_PARAMETER', `${where}[${index}].args must be an object of arguments by name.`);
    if (typeof priority !== 'number' || !Number.isInteger(priority) || priority < 0)
      throw new ServiceError('INVALID_PARAMETER', `${where}[${index}].priority must be an integer of at least 0.`);
    const children = childrenOf(fields, `${where}[${index}]`);
    return {
      interface: kind as InterfaceKind,
      step: name,
      args: args ?? {},
      priority,
      ...(children ? { children } : {}),
    };
  });
}

function childrenOf(fields: JsonObject, where: string): readonly string[] | undefined {
  const { execute_on_child_nodes: isForChildren = false, limit_child_node_execution: limit = [] } = fields;
  if (typeof isForChildren !== 'boolean')
    throw new ServiceError('INVALID_PARAMETER', `${where}.execute_on_child_nodes must be true or false.`);
  if (!Array.isArray(limit) || !limit.every((uuid) => typeof uuid === 'string' && isUuid(uuid)))
    throw new ServiceError('INVALID_PARAMETER', `${where}.limit_child_node_execution must be a list of nodes' uuids.`);
  return isForChildren ? (limit as string[]) : undefined;
}

const byPriority = (a: UserStep, b: UserStep): number =>
  b.priority - a.priority || INTERFACE_RANK[b.interface] - INTERFACE_RANK[a.interface];

/** Automated cleaning: every step with a priority, the higher first; among equals by the rank of the interface. */
export const automatedSteps = (known: readonly KnownStep[]): SelectedStep[] =>
  known
    .filter((step) => step.priority > 0)
    .map((step) => ({ interface: step.interface, step: step.step, args: {}, priority: step.priority, known: step }))
    .sort(byPriority);

/**
 * Manual cleaning and service: what was asked for, in that order.
 * @throws INVALID_PARAMETER with every problem: unknown steps, arguments that a step does not take or misses, and, with
 * `disableRamdisk`, steps that need the ramdisk.
 */
export function requestedSteps(
  flow: 'clean' | 'service',
  known: readonly KnownStep[],
  userSteps: readonly UserStep[],
  disableRamdisk: boolean,
): SelectedStep[] {
  const problems: string[] = [];
  const selected = userSteps.map((step): SelectedStep => {
    const found = match(flow, known, step, problems, { isUsed: true, disableRamdisk });
    return { ...step, priority: found?.priority ?? 0, known: found };
  });
  refuse('', problems);
  return selected;
}

export interface DeployStepSources {
  readonly driverSteps: readonly KnownStep[];
  /** Those whose names are among the instance's traits. */
  readonly templates: readonly StepTemplate[];
  readonly userSteps: readonly UserStep[];
}

/**
 * The steps of a deployment. What the request names wins over templates, templates over drivers; priority 0 disables a step.
 * @throws INVALID_PARAMETER with every problem, beginning with where the steps came from.
 */
export function selectSteps({ driverSteps, templates, userSteps }: DeployStepSources): SelectedStep[] {
  const asked = checkDeploySteps(
    driverSteps,
    userSteps,
    'Validation of deploy steps from "deploy steps" argument failed.',
  );
  const names = templates.map((template) => template.name).join(',');
  const templated = checkDeploySteps(
    driverSteps,
    templates.flatMap((template) => template.steps),
    "Validation of deploy steps from deploy templates matching this node's instance traits failed. " +
      `Matching deploy templates: ${names}. Errors: `,
  );
  const taken = new Set(asked.map(idOf));
  const chosen = [...asked, ...templated.filter((step) => !taken.has(idOf(step)))];
  for (const step of chosen) taken.add(idOf(step));
  const rest = automatedSteps(driverSteps).filter((step) => !taken.has(idOf(step)));
  return [...rest, ...chosen.filter((step) => step.priority > 0)].sort(byPriority);
}

function checkDeploySteps(known: readonly KnownStep[], steps: readonly UserStep[], prefix: string): SelectedStep[] {
  const problems: string[] = [];
  const selected = steps.map((step): SelectedStep => {
    const found = match('deploy', known, step, problems, { isUsed: step.priority > 0, disableRamdisk: false });
    if (found && step.priority > 0 && idOf(step) === 'deploy.deploy')
      problems.push(
        'deploy step deploy on interface deploy is a core step and cannot be overridden by user steps. ' +
          'It may be disabled by setting the priority to 0',
      );
    return { ...step, known: found };
  });
  const ids = selected.filter((step) => step.known).map(idOf);
  const duplicates = [...new Set(ids.filter((id, index) => ids.indexOf(id) !== index))];
  if (duplicates.length > 0)
    problems.push(
      "deploy steps from all deploy templates matching this node's instance traits cannot have the same interface " +
        `and step. Duplicate deploy steps for ${duplicates.join(', ')}`,
    );
  refuse(prefix, problems);
  return selected;
}

/** The driver's step that is meant, null for a reserved one and for one with a problem. */
function match(
  flow: StepFlow,
  known: readonly KnownStep[],
  step: UserStep,
  problems: string[],
  { isUsed, disableRamdisk }: { readonly isUsed: boolean; readonly disableRamdisk: boolean },
): KnownStep | null {
  // What a child's interfaces offer is known when it is asked.
  if (step.children) return null;
  if (isReserved(step.step)) {
    problems.push(...reservedProblems(flow, step));
    return null;
  }
  const found = known.find((candidate) => idOf(candidate) === idOf(step));
  const shown = describe(flow, step);
  if (!found) {
    problems.push(`node does not support this ${flow} step: ${shown}`);
    return null;
  }
  const unexpected = Object.keys(step.args).filter((name) => !Object.hasOwn(found.args, name));
  if (unexpected.length > 0)
    problems.push(`${flow} step ${shown} has these unexpected arguments: ${unexpected.join(', ')}`);
  const missing = Object.entries(found.args)
    .filter(([name, argument]) => argument.required && !Object.hasOwn(step.args, name))
    .map(([name, argument]) => `${name} (${argument.description})`);
  if (isUsed && missing.length > 0)
    problems.push(`${flow} step ${shown} is missing these required arguments: ${missing.join(', ')}`);
  if (isUsed && disableRamdisk && found.requiresRamdisk)
    problems.push(`${flow} step ${shown} requires booting a ramdisk`);
  return found;
}

function reservedProblems(flow: StepFlow, step: UserStep): string[] {
  const allowed = step.step === 'wait' ? ['seconds'] : [];
  const unexpected = Object.keys(step.args).filter((name) => !allowed.includes(name));
  if (unexpected.length > 0)
    return [`${flow} step ${describe(flow, step)} has these unexpected arguments: ${unexpected.join(', ')}`];
  const seconds = step.args['seconds'] ?? 0;
  if (Number.isFinite(Number(seconds)) && Number(seconds) >= 0) return [];
  return [`${flow} step ${describe(flow, step)}: seconds must be a number of at least 0`];
}

function refuse(prefix: string, problems: readonly string[]): void {
  if (problems.length > 0) throw new ServiceError('INVALID_PARAMETER', prefix + problems.join('; '));
}

/** As Ironic's clients are used to read it. Values of arguments may be secrets and are left out. */
function describe(flow: StepFlow, step: UserStep): string {
  const args = Object.keys(step.args).map((name) => `'${name}': ...`);
  const parts = [
    `'interface': '${step.interface}'`,
    `'step': '${step.step}'`,
    ...(flow === 'deploy' || args.length > 0 ? [`'args': {${args.join(', ')}}`] : []),
    ...(flow === 'deploy' ? [`'priority': ${step.priority}`] : []),
  ];
  return `{${parts.join(', ')}}`;
}

/** The rows of a run that do these steps. `input` is what the request brought along. */
export function rowsOf(steps: readonly SelectedStep[], input: JsonObject): Step[] {
  return steps.flatMap(({ known, interface: kind, step, args, priority, children }): readonly Step[] => {
    if (children) return [childStep(kind, step, { args, nodes: [...children] }, priority)];
    if (known?.rows) return known.rows(args, input).map((row) => ({ ...row, priority }));
    if (known) return [driverStep(kind, known, args, priority)];
    return isReserved(step) ? [{ ...conductorStep(step, args), interface: kind, priority }] : [];
  });
}
