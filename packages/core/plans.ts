/** What an operator writes down once and the service follows: deploy templates, runbooks, inspection rules, allocations. */
import type { JsonObject } from './json.ts';

/** One step of a deploy template. Priority 0 switches a step off. */
export interface TemplateStep {
  readonly interface: string;
  readonly step: string;
  readonly args: JsonObject;
  readonly priority: number;
}

/** Steps that a deployment gets when the instance asks for the trait of the template's name. */
export interface DeployTemplate {
  readonly uuid: string;
  /** A trait. Unique. */
  readonly name: string;
  readonly steps: readonly TemplateStep[];
  readonly extra: JsonObject;
  readonly createdAt: number;
  readonly updatedAt: number | null;
}

export interface RunbookStep {
  readonly interface: string;
  readonly step: string;
  readonly args: JsonObject;
  readonly order: number;
}

/** Steps for cleaning or servicing nodes that have one of its traits. */
export interface Runbook {
  readonly uuid: string;
  readonly name: string;
  readonly description: string | null;
  readonly steps: readonly RunbookStep[];
  readonly traits: readonly string[];
  readonly disableRamdisk: boolean;
  readonly public: boolean;
  readonly owner: string | null;
  readonly extra: JsonObject;
  readonly createdAt: number;
  readonly updatedAt: number | null;
}

/** What is done with a node when an inspection finds what the conditions say. */
export interface InspectionRule {
  readonly uuid: string;
  readonly description: string | null;
  /** 0 to 9999; higher first. */
  readonly priority: number;
  readonly phase: string;
  readonly conditions: readonly JsonObject[];
  readonly actions: readonly JsonObject[];
  /** Conditions and actions of a sensitive rule are never shown. */
  readonly sensitive: boolean;
  readonly scope: string | null;
  readonly createdAt: number;
  readonly updatedAt: number | null;
}

export type AllocationState = 'allocating' | 'active' | 'error';

/** A request for any node of a kind, and which node it got. */
export interface Allocation {
  readonly uuid: string;
  readonly name: string | null;
  readonly nodeUuid: string | null;
  readonly state: AllocationState;
  readonly resourceClass: string | null;
  readonly traits: readonly string[];
  readonly candidateNodes: readonly string[];
  readonly owner: string | null;
  readonly lastError: string | null;
  readonly extra: JsonObject;
  readonly createdAt: number;
  readonly updatedAt: number | null;
}

/** Traits of one node, at most. */
export const MAX_TRAITS = 50;
// The standard traits grow with every release of os-traits, so they are known by their namespaces.
const TRAIT = /^(CUSTOM|COMPUTE|HW|MISC|OWNER|STORAGE|HYPERVISOR)_[A-Z0-9_]+$/;
/** True for a standard trait or one that begins with CUSTOM_. */
export const isTrait = (value: string): boolean => value.length <= 255 && TRAIT.test(value);
