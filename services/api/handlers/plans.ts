/** What operators write down once: deploy templates, runbooks, inspection rules. And shards, which are only counted. */
import {
  type DeployTemplate,
  type InspectionRule,
  isUuid,
  type Json,
  type JsonObject,
  ruleProblem,
  type Runbook,
  ServiceError,
} from '@bessemer/core';
import type { InspectionRuleFilter, RunbookFilter } from '@bessemer/db';
import type { PatchOperation } from '../http/patch.ts';
import { textParameter } from '../http/query.ts';
import { type Handler, noContent, ok } from '../request.ts';
import { commonFields, createResource, fieldsFor } from '../resources/resource.ts';
import { maskSecrets } from '../views/node.ts';
import { checkTrait } from './traits.ts';

const MAX_PRIORITY = 9999;
const LOGICAL_NAME = /^[A-Za-z0-9\-._~]+$/;

type Step = { readonly interface: string; readonly step: string; readonly args: JsonObject };

function noDuplicates(steps: readonly Step[] | undefined, owner: 'Deploy template' | 'Runbook'): void {
  const seen = new Set<string>();
  for (const { interface: kind, step } of steps ?? []) {
    const key = `interface: ${kind}, step: ${step}`;
    if (seen.has(key))
      throw new ServiceError(
        'INVALID_PARAMETER',
        `${owner} invalid: Duplicate deploy steps. A template cannot have multiple deploy steps with the same interface and step. Duplicates: ${key}.`,
      );
    seen.add(key);
  }
}

/** Steps with their numbers as numbers: Ironic takes them as text too. */
const numbered = (value: Json, name: 'priority' | 'order'): Json[] =>
  (value as JsonObject[]).map((step) => ({ ...step, args: step['args'] ?? {}, [name]: Number(step[name]) }));
const maskArgs = (steps: readonly Step[]): Json =>
  steps.map((step) => ({ ...step, args: maskSecrets(step.args) })) as unknown as Json;

const templateField = fieldsFor<DeployTemplate>();
const templates = createResource<DeployTemplate, object>({
  collection: 'deploy_templates',
  path: 'deploy_templates',
  param: 'template',
  ident: { called: 'template_ident', namesSince: 55 },
  patchNamesFirst: true,
  notFound: (ident) => new ServiceError('DEPLOY_TEMPLATE_NOT_FOUND', `Deploy template ${ident} could not be found.`),
  repository: (tx) => tx.deployTemplates,
  summary: ['uuid', 'name'],
  fields: [
    ...commonFields<DeployTemplate>(55),
    templateField('extra', 55, 'json', 'extra'),
    templateField('name', 55, 'text', 'name'),
    templateField('steps', 55, 'list', 'steps', { show: (t) => maskArgs(t.steps) }),
  ],
  validate(wire, value, { operation }) {
    if (wire === 'name') checkTrait(value, operation.method === 'POST' ? 'template' : 'patch');
  },
  async parse(wire, value) {
    return wire === 'steps' ? numbered(value, 'priority') : undefined;
  },
  check: (template) => noDuplicates(template.steps, 'Deploy template'),
});

export const listDeployTemplates = templates.list;
export const getDeployTemplate = templates.get;
export const createDeployTemplate = templates.create;
export const patchDeployTemplate = templates.patch;
export const deleteDeployTemplate = templates.remove;

const runbookField = fieldsFor<Runbook>();
const runbooks = createResource<Runbook, RunbookFilter>({
  collection: 'runbooks',
  path: 'runbooks',
  param: 'runbook',
  ident: { called: 'runbook_ident', namesSince: 92 },
  notFound: (ident) => new ServiceError('RUNBOOK_NOT_FOUND', `Runbook ${ident} could not be found.`),
  repository: (tx) => tx.runbooks,
  summary: ['uuid', 'name'],
  fields: [
    ...commonFields<Runbook>(92),
    runbookField('description', 112, 'text', 'description'),
    runbookField('disable_ramdisk', 92, 'boolean', 'disableRamdisk'),
    runbookField('extra', 92, 'json', 'extra'),
    runbookField('name', 92, 'text', 'name'),
    runbookField('owner', 92, 'text', 'owner'),
    runbookField('public', 92, 'boolean', 'public'),
    runbookField('steps', 92, 'list', 'steps', { show: (r) => maskArgs(r.steps) }),
    runbookField('traits', 112, 'list', 'traits', { writable: 'never' }),
  ],
  async parse(wire, value, request) {
    // As in Ironic, a runbook that there is may get a logical name with every microversion.
    if (wire === 'name' && request.minor < 112 && request.operation.method === 'POST')
      checkTrait(value, 'Runbook name');
    if (wire === 'name' && (!LOGICAL_NAME.test(String(value)) || isUuid(String(value))))
      throw new ServiceError('INVALID_PARAMETER', `Cannot use '${String(value)}' as the name of a runbook.`);
    return wire === 'steps' ? numbered(value, 'order') : undefined;
  },
  check(runbook) {
    noDuplicates(runbook.steps, 'Runbook');
    if (runbook.public && runbook.owner)
      throw new ServiceError('INVALID_PARAMETER', 'There cannot be an owner for a public runbook');
  },
});

export const listRunbooks = runbooks.list;
export const getRunbook = runbooks.get;
export const createRunbook = runbooks.create;
/** Who makes a runbook public, or takes that back, takes its owner off it, as Ironic does. */
export const patchRunbook: Handler = (request, services) => {
  const operations = request.body as unknown as PatchOperation[];
  if (!operations.some(({ op, path }) => path === '/public' && op !== 'remove'))
    return runbooks.patch(request, services);
  const disowned: PatchOperation[] = [{ op: 'add', path: '/owner', value: null }, ...operations];
  return runbooks.patch({ ...request, body: disowned as unknown as JsonObject }, services);
};
export const deleteRunbook = runbooks.remove;

export const getRunbookTraits: Handler = async (request, services) =>
  ok({ traits: [...(await runbooks.find(request.params['runbook']!, services)).traits] });

const changeTraits =
  (change: (traits: readonly string[], request: Parameters<Handler>[0]) => readonly string[]): Handler =>
  async (request, services) => {
    const runbook = await runbooks.find(request.params['runbook']!, services);
    await services.db.write('runbook traits', async (tx) => {
      const now = await tx.runbooks.find(runbook.uuid);
      await tx.runbooks.update(runbook.uuid, { traits: [...new Set(change(now?.traits ?? [], request))].toSorted() });
    });
    const { trait } = request.params;
    if (trait === undefined || request.operation.method !== 'PUT') return noContent;
    return {
      ...noContent,
      headers: { Location: `${request.base}/v1/runbooks/${request.params['runbook']}/traits/${trait}` },
    };
  };
export const setRunbookTraits = changeTraits((_, request) =>
  ((request.body as JsonObject)['traits'] as Json[]).map((trait) => checkTrait(trait, 'trait')),
);
export const addRunbookTrait = changeTraits((traits, { params }) => [...traits, checkTrait(params['trait']!, 'trait')]);
export const removeRunbookTrait = changeTraits((traits, { params }) => traits.filter((t) => t !== params['trait']));
export const removeRunbookTraits = changeTraits(() => []);

const ruleField = fieldsFor<InspectionRule>();
const rules = createResource<InspectionRule, InspectionRuleFilter>({
  collection: 'inspection_rules',
  path: 'inspection_rules',
  param: 'rule',
  ident: { called: 'inspection_rule_uuid' },
  notFound: (ident) => new ServiceError('INSPECTION_RULE_NOT_FOUND', `Inspection rule ${ident} could not be found.`),
  repository: (tx) => tx.inspectionRules,
  summary: ['uuid', 'priority', 'phase', 'description'],
  fields: [
    ...commonFields<InspectionRule>(96),
    ruleField('actions', 96, 'list', 'actions', { show: (r) => (r.sensitive ? null : (r.actions as Json)) }),
    ruleField('conditions', 96, 'list', 'conditions', { show: (r) => (r.sensitive ? null : (r.conditions as Json)) }),
    ruleField('description', 96, 'text', 'description'),
    ruleField('phase', 96, 'text', 'phase'),
    ruleField('priority', 96, 'number', 'priority'),
    ruleField('scope', 96, 'text', 'scope'),
    ruleField('sensitive', 96, 'boolean', 'sensitive'),
  ],
  async filterOf({ query }) {
    const phase = textParameter(query, 'phase');
    return phase === undefined ? {} : { phase };
  },
  async parse(wire, value) {
    if (wire === 'phase') return value ?? 'main';
    return wire === 'priority' ? (value ?? 0) : undefined;
  },
  check(rule) {
    if ((rule.priority ?? 0) < 0 || (rule.priority ?? 0) > MAX_PRIORITY)
      throw new ServiceError(
        'INVALID_PARAMETER',
        `Inspection rule: priority ${rule.priority} is out of range, it must be between 0 and ${MAX_PRIORITY}.`,
      );
    const problem = ruleProblem(rule);
    if (problem) throw new ServiceError('INVALID_PARAMETER', `Inspection rule: ${problem}`);
  },
  async mayWrite(_tx, { found, patch, touched }) {
    if (found?.sensitive && touched.has('sensitive') && !patch.sensitive)
      throw new ServiceError('INVALID_PATCH', 'Inspection rules cannot have the sensitive flag unset.');
  },
});

export const listInspectionRules = rules.list;
export const getInspectionRule = rules.get;
export const patchInspectionRule = rules.patch;
export const deleteInspectionRule = rules.remove;
export const createInspectionRule = rules.create;
export const deleteInspectionRules: Handler = async (_request, services) => {
  await services.db.write('delete inspection rules', async (tx) => {
    const page = { limit: 1000 };
    for (let found = await tx.inspectionRules.list({}, page); found.length > 0; ) {
      for (const rule of found) await tx.inspectionRules.remove(rule.uuid);
      found = await tx.inspectionRules.list({}, page);
    }
  });
  return noContent;
};

export const listShards: Handler = async (_request, services) =>
  ok({ shards: await services.db.read.nodes.countByShard() });
