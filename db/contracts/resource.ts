/** What every plain resource's repository does: those that lie in one table and have no states of their own. */
import type {
  Allocation,
  Chassis,
  DeployTemplate,
  InspectionRule,
  Port,
  Portgroup,
  Runbook,
  VolumeConnector,
  VolumeTarget,
} from '@bessemer/core';
import type { Page } from '../repositories.ts';

export type ResourcePatch<T> = Partial<Omit<T, 'uuid' | 'createdAt' | 'updatedAt'>>;

/** `visibleTo` of a filter names a project: what it may not see is as if it were not there. */
export interface ResourceRepository<T extends { readonly uuid: string }, F extends object> {
  /** @throws ALREADY_EXISTS for a taken uuid, name or address; INVALID_PARAMETER for a reference that leads nowhere. */
  create(item: { readonly uuid: T['uuid'] } & ResourcePatch<T>): Promise<T>;
  /** By uuid, or by what else names such a thing. */
  find(ident: string): Promise<T | undefined>;
  list(filter: F, page: Page): Promise<T[]>;
  /** @throws the resource's NOT_FOUND, ALREADY_EXISTS. */
  update(uuid: T['uuid'], patch: ResourcePatch<T>): Promise<T>;
  /** @throws the resource's NOT_FOUND, or its NOT_EMPTY while something is in it. */
  remove(uuid: T['uuid']): Promise<void>;
}

export interface PortFilter {
  readonly nodeUuid?: string;
  readonly address?: string;
  readonly portgroupUuid?: string;
  readonly descriptionContains?: string;
  readonly shards?: readonly string[];
  readonly conductorGroups?: readonly string[];
  readonly visibleTo?: string;
}
export interface PortgroupFilter {
  readonly nodeUuid?: string;
  readonly address?: string;
  readonly shards?: readonly string[];
  readonly conductorGroups?: readonly string[];
  readonly visibleTo?: string;
}
export interface OfNodeFilter {
  readonly nodeUuid?: string;
  readonly visibleTo?: string;
}
export interface AllocationFilter {
  readonly nodeUuid?: string;
  readonly resourceClass?: string;
  readonly state?: Allocation['state'];
  readonly owner?: string;
  readonly visibleTo?: string;
}
export interface InspectionRuleFilter {
  readonly phase?: string;
}
export interface RunbookFilter {
  /** Its own and the public ones. */
  readonly visibleTo?: string;
}

export type PortPatch = ResourcePatch<Port>;
export type PortRepository = ResourceRepository<Port, PortFilter>;
export type ChassisRepository = ResourceRepository<Chassis, object>;

/** Joined into Repositories. */
export interface PlainResources {
  readonly ports: PortRepository;
  readonly portgroups: ResourceRepository<Portgroup, PortgroupFilter>;
  readonly chassis: ChassisRepository;
  readonly volumeConnectors: ResourceRepository<VolumeConnector, OfNodeFilter>;
  readonly volumeTargets: ResourceRepository<VolumeTarget, OfNodeFilter>;
  readonly deployTemplates: ResourceRepository<DeployTemplate, object>;
  readonly runbooks: ResourceRepository<Runbook, RunbookFilter>;
  readonly inspectionRules: ResourceRepository<InspectionRule, InspectionRuleFilter>;
  readonly allocations: ResourceRepository<Allocation, AllocationFilter>;
}
