/** Webhooks on the wire. */
import { formatTime, type JsonObject } from '@bessemer/core';
import { type DeadLetter, MASK, type Webhook, type WebhookDelivery } from '@bessemer/db';
import { linksTo } from './links.ts';

export const webhookView = (webhook: Webhook, base: string): JsonObject => ({
  uuid: webhook.uuid,
  name: webhook.name,
  url: webhook.url,
  events: [...webhook.events],
  nodes: webhook.nodes,
  severity: webhook.severity,
  secret: webhook.secret === null ? null : MASK,
  enabled: webhook.enabled,
  disabled_reason: webhook.disabledReason,
  created_at: formatTime(webhook.createdAt),
  updated_at: formatTime(webhook.updatedAt),
  links: linksTo(base, `webhooks/${webhook.uuid}`),
});

export const webhookDeliveryView = (delivery: WebhookDelivery & { readonly deadLetters: number }): JsonObject => ({
  cursor: delivery.cursor,
  delivered: delivery.delivered,
  delivered_at: formatTime(delivery.deliveredAt),
  attempts: delivery.attempts,
  next_attempt_at: formatTime(delivery.nextAttemptAt),
  last_status: delivery.lastStatus,
  last_error: delivery.lastError,
  failures: delivery.failures,
  dead_letters: delivery.deadLetters,
});

export const deadLetterView = (letter: DeadLetter): JsonObject => ({
  id: letter.id,
  event: letter.event,
  attempts: letter.attempts,
  status: letter.status,
  error: letter.error,
  at: formatTime(letter.at),
  redelivering: letter.isDue,
});
