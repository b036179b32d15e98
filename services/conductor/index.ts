/** The conductor: the life cycle of nodes. */
export { createConductor, type Conductor, type ConductorDeps } from './conductor.ts';
export type { AgentGateway } from './agent-gateway.ts';
export { type AgentServer, type AgentServerOptions, startAgentServer } from './agent-server.ts';
export type {
  Configurer,
  ConfigurePlay,
  ConfigureResult,
  ConfigureTaskEvent,
  ExitRequest,
  ExitStats,
  ImageDepot,
  ImageRequest,
  ReadyImage,
  SshProbe,
} from './ports.ts';
export { createDefaultRegistry, HARDWARE_TYPES } from './drivers/index.ts';
export type * from './drivers/interfaces.ts';
export { createWebhookDelivery, type WebhookDeliveryService } from './webhooks/delivery.ts';
export { createHttpSender, type SendResult, type WebhookSender } from './webhooks/http-sender.ts';
