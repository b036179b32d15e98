/** What a webhook is sent: an event as the event stream has it, signed. Pure. */
import { createHmac } from 'node:crypto';
import { formatTime, type JsonObject, type StoredEvent } from '@bessemer/core';

/** More than a receiver should have to take in one piece; the event stream has the whole. */
const MAX_DATA_CHARS = 256 * 1024;

export function messageOf(event: StoredEvent): JsonObject {
  const isTooLarge = JSON.stringify(event.data).length > MAX_DATA_CHARS;
  return {
    id: event.cursor,
    type: event.type,
    node_uuid: event.nodeUuid,
    run_id: event.runId,
    severity: event.severity,
    at: formatTime(event.at),
    data: isTooLarge ? { is_cut: true } : event.data,
  };
}

/**
 * `t=<seconds>,v1=<hex>`: the HMAC-SHA256 of `<seconds>.<body>` with the secret. The time is signed as well, so that a receiver
 * can refuse a delivery that somebody recorded and sends again.
 */
function signatureOf(body: string, secret: string, nowMs: number): string {
  const seconds = Math.floor(nowMs / 1000);
  return `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`;
}

/** Headers of one attempt. */
export function headersOf(
  message: JsonObject,
  body: string,
  options: {
    readonly webhook: string;
    readonly secret: string | null;
    readonly attempt: number;
    readonly isRedelivery: boolean;
    readonly nowMs: number;
  },
): Record<string, string> {
  return {
    'Content-Type': 'application/json',
    'User-Agent': 'bessemer-webhook/1',
    'Bessemer-Webhook': options.webhook,
    'Bessemer-Event': String(message['type']),
    'Bessemer-Event-Id': String(message['id']),
    'Bessemer-Attempt': String(options.attempt),
    ...(options.isRedelivery ? { 'Bessemer-Redelivery': 'true' } : {}),
    ...(options.secret === null ? {} : { 'Bessemer-Signature': signatureOf(body, options.secret, options.nowMs) }),
  };
}
