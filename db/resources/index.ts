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

export function createRepositories(context: Context): Repositories {
  return {
    nodes: createNodeRepository(context),
    ports: createPortRepository(context),
    portgroups: createPortgroupRepository(context),
    volumeConnectors: createVolumeConnectorRepository(context),
    volumeTargets: createVolumeTargetRepository(context),
    chassis: createChassisRepository(context),
    deployTemplates: createDeployTemplateRepository(context),
    runbooks: createRunbookRepository(context),
    inspectionRules: createInspectionRuleRepository(context),
    allocations: createAllocationRepository(context),
    networks: createNetworkRepository(context),
    runs: createRunRepository(context),
    events: createEventRepository(context),
    conductors: createConductorRepository(context),
    boots: createBootRepository(context),
    requests: createRequestRepository(context),
    idempotency: createIdempotencyRepository(context),
    webhooks: createWebhookRepository(context),
    settings: createSettingRepository(context),
    tokens: createTokenRepository(context),
  };
}
