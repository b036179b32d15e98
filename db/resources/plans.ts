/** Chassis, deploy templates, runbooks, inspection rules and allocations. */
import { ServiceError } from '@bessemer/core';
import type { Allocation, Chassis, DeployTemplate, InspectionRule, Runbook } from '@bessemer/core';
import type { AllocationFilter, InspectionRuleFilter, RunbookFilter } from '../contracts/resource.ts';
import { columns } from '../rows.ts';
import { param } from '../statements/statement.ts';
import { tableRepository } from './table.ts';

const uniqueName = (what: string) => ({
  columns: ['name'],
  message: (v: Readonly<Record<string, unknown>>) => `${what} with name ${String(v['name'])} already exists.`,
});

export const createChassisRepository = tableRepository<Chassis, object>({
  table: 'chassis',
  columns: columns('', { text: 'uuid description', number: 'created_at updated_at', json: 'extra' }),
  noun: 'chassis',
  notFound: { code: 'CHASSIS_NOT_FOUND', message: (ident) => `Chassis ${ident} could not be found.` },
  defaults: { extra: {} },
  heldBy: {
    table: 'nodes',
    column: 'chassis_uuid',
    refuse: (uuid) =>
      new ServiceError(
        'CHASSIS_NOT_EMPTY',
        `Cannot complete the requested action because chassis ${uuid} contains nodes.`,
      ),
  },
});

export const createDeployTemplateRepository = tableRepository<DeployTemplate, object>({
  table: 'deploy_templates',
  columns: columns('', { text: 'uuid name', number: 'created_at updated_at', json: 'extra', list: 'steps' }),
  noun: 'deploy template',
  notFound: {
    code: 'DEPLOY_TEMPLATE_NOT_FOUND',
    message: (ident) => `Deploy template ${ident} could not be found.`,
  },
  idents: [{ column: 'name' }],
  uniques: [uniqueName('A deploy template')],
  defaults: { extra: {}, steps: [] },
});

export const createRunbookRepository = tableRepository<Runbook, RunbookFilter>({
  table: 'runbooks',
  columns: columns('', {
    text: 'uuid name description owner',
    number: 'created_at updated_at',
    boolean: 'disable_ramdisk public',
    json: 'extra',
    list: 'steps traits',
  }),
  noun: 'runbook',
  notFound: { code: 'RUNBOOK_NOT_FOUND', message: (ident) => `Runbook ${ident} could not be found.` },
  idents: [{ column: 'name' }],
  uniques: [uniqueName('A runbook')],
  defaults: { extra: {}, steps: [], traits: [], disableRamdisk: false, public: false },
  filters: {
    visibleTo: {
      apply: (query, _b, name) =>
        void query.where((either) => either.where('runbooks.owner', param(name)).orWhere('runbooks.public', 1)),
    },
  },
});

export const createInspectionRuleRepository = tableRepository<InspectionRule, InspectionRuleFilter>({
  table: 'inspection_rules',
  columns: columns('', {
    text: 'uuid description phase scope',
    number: 'priority created_at updated_at',
    boolean: 'sensitive',
    // They may set passwords.
    closed: 'conditions actions',
  }),
  noun: 'inspection rule',
  notFound: { code: 'INSPECTION_RULE_NOT_FOUND', message: (ident) => `Inspection rule ${ident} could not be found.` },
  defaults: { conditions: [], actions: [], priority: 0, phase: 'main', sensitive: false },
});

export const createAllocationRepository = tableRepository<Allocation, AllocationFilter>({
  table: 'allocations',
  columns: columns('', {
    text: 'uuid name node_uuid state resource_class owner last_error',
    number: 'created_at updated_at',
    json: 'extra',
    list: 'traits candidate_nodes',
  }),
  noun: 'allocation',
  notFound: { code: 'ALLOCATION_NOT_FOUND', message: (ident) => `Allocation ${ident} could not be found.` },
  idents: [{ column: 'name' }],
  uniques: [
    uniqueName('An allocation'),
    { columns: ['node_uuid'], message: (v) => `Node ${v['node_uuid']} already has an allocation.` },
  ],
  defaults: { extra: {}, traits: [], candidateNodes: [], state: 'allocating' },
  filters: {
    visibleTo: { apply: (query, _b, name) => void query.where('allocations.owner', param(name)) },
  },
});
