/** All repositories over one connection. */
import type { Repositories } from '../repositories.ts';
import {
  createPortgroupRepository,
  createPortRepository,
  createVolumeConnectorRepository,
  createVolumeTargetRepository,
} from './attachments.ts';
import { createBootRepository } from './boots.ts';
import { createConductorRepository } from './conductors.ts';
import type { Context } from './context.ts';
import { createEventRepository } from './events.ts';
import { createIdempotencyRepository } from './idempotency.ts';
import { createNetworkRepository } from './networks.ts';
import { createNodeRepository } from './nodes.ts';
import {
  createAllocationRepository,
  createChassisRepository,
  createDeployTemplateRepository,
  createInspectionRuleRepository,
  createRunbookRepository,
} from './plans.ts';
import { createRequestRepository } from './requests.ts';
import { createRunRepository } from './runs.ts';
import { createSettingRepository } from './settings.ts';
import { createWebhookRepository } from './webhooks.ts';
import { createTokenRepository } from './tokens.ts';

/** Most transactions use two or three: each is made when it is first used. */
export function createRepositories(context: Context): Repositories {
  const made: { -readonly [K in keyof Repositories]?: Repositories[K] } = {};
  return {
    get nodes() {
      return (made.nodes ??= createNodeRepository(context));
    },
    get ports() {
      return (made.ports ??= createPortRepository(context));
    },
    get portgroups() {
      return (made.portgroups ??= createPortgroupRepository(context));
    },
    get volumeConnectors() {
      return (made.volumeConnectors ??= createVolumeConnectorRepository(context));
    },
    get volumeTargets() {
      return (made.volumeTargets ??= createVolumeTargetRepository(context));
    },
    get chassis() {
      return (made.chassis ??= createChassisRepository(context));
    },
    get deployTemplates() {
      return (made.deployTemplates ??= createDeployTemplateRepository(context));
    },
    get runbooks() {
      return (made.runbooks ??= createRunbookRepository(context));
    },
    get inspectionRules() {
      return (made.inspectionRules ??= createInspectionRuleRepository(context));
    },
    get allocations() {
      return (made.allocations ??= createAllocationRepository(context));
    },
    get networks() {
      return (made.networks ??= createNetworkRepository(context));
    },
    get runs() {
      return (made.runs ??= createRunRepository(context));
    },
    get events() {
      return (made.events ??= createEventRepository(context));
    },
    get conductors() {
      return (made.conductors ??= createConductorRepository(context));
    },
    get boots() {
      return (made.boots ??= createBootRepository(context));
    },
    get requests() {
      return (made.requests ??= createRequestRepository(context));
    },
    get idempotency() {
      return (made.idempotency ??= createIdempotencyRepository(context));
    },
    get webhooks() {
      return (made.webhooks ??= createWebhookRepository(context));
    },
    get settings() {
      return (made.settings ??= createSettingRepository(context));
    },
    get tokens() {
      return (made.tokens ??= createTokenRepository(context));
    },
  };
}
