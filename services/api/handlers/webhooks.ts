/** Webhooks: where events are sent. The sending is done by the process of a conductor. */
import {
  egressProblem,
  isSeverity,
  isUuid,
  type JsonObject,
  matchEventTypes,
  ServiceError,
  SEVERITIES,
} from '@bessemer/core';
import { MASK, type Repositories, type Webhook, type WebhookPatch } from '@bessemer/db';
import { expand } from '@bessemer/node-range';
import { applyPatch, type PatchOperation } from '../http/patch.ts';
import { pageOf } from '../http/query.ts';
import { type ApiServices, created, type Handler, noContent, ok } from '../request.ts';
import { collection } from '../views/links.ts';
import { deadLetterView, webhookDeliveryView, webhookView } from '../views/webhook.ts';

const SORT_KEYS = ['uuid', 'name', 'url', 'created_at', 'updated_at'];
const WRITABLE = ['name', 'url', 'events', 'nodes', 'severity', 'secret', 'enabled'];

const notFound = (ident: string) =>
  new ServiceError('WEBHOOK_NOT_FOUND', `Webhook ${ident.slice(0, 100)} could not be found.`);
const wrong = (field: string, problem: string) =>
  new ServiceError('INVALID_PARAMETER', `Invalid ${field} of a webhook: ${problem}`);

async function find(ident: string, repositories: Repositories): Promise<Webhook> {
  const webhook = await repositories.webhooks.find(ident);
  if (!webhook) throw notFound(ident);
  return webhook;
}

const isText = (value: unknown, least: number, most: number): value is string =>
  typeof value === 'string' && value.length >= least && value.length <= most;

/** What a schema cannot say, for a body as well as for what a patch has made. */
function patchFrom(fields: JsonObject): WebhookPatch {
  const { name, url, events, nodes, severity, secret, enabled } = fields;
  if (name !== undefined && name !== null && (!isText(name, 1, 255) || isUuid(name)))
    throw wrong('name', 'it is text of 1 to 255 characters, and no UUID');
  if (url !== undefined) {
    const problem = typeof url === 'string' ? egressProblem(url) : 'it is no text';
    if (problem !== undefined) throw wrong('url', problem);
  }
  if (events !== undefined) {
    const patterns = Array.isArray(events) && events.length <= 100 ? events : undefined;
    if (!patterns?.every((e) => isText(e, 1, 60)))
      throw wrong('events', 'it is a list of at most 100 patterns such as "node.*"');
    const matched = matchEventTypes(patterns as string[]);
    if (!matched.ok) throw wrong('events', matched.error);
  }
  if (nodes !== undefined && nodes !== null) {
    const range = expand(String(nodes));
    if (!range.ok) throw wrong('nodes', `${range.error.message}, at character ${range.error.at + 1}`);
  }
  if (severity !== undefined && severity !== null && !isSeverity(severity))
    throw wrong('severity', `it is one of ${SEVERITIES.join(', ')}`);
  if (secret !== undefined && secret !== null && !isText(secret, 16, 255))
    throw wrong('secret', 'it is text of 16 to 255 characters');
  if (enabled !== undefined && typeof enabled !== 'boolean') throw wrong('enabled', 'it is true or false');
  return Object.fromEntries(
    Object.entries({ name, url, events, nodes, severity, secret, enabled }).filter(([, value]) => value !== undefined),
  ) as WebhookPatch;
}

/** Tells operators, and wakes who delivers. */
const note = (tx: Repositories, webhook: string, change: string): Promise<void> =>
  tx.events.append({ type: 'webhook.changed', nodeUuid: null, runId: null, data: { webhook, change } });

export const listWebhooks: Handler = async (request, services) => {
  const { query, base } = request;
  const page = pageOf(query, services.config.max_limit, SORT_KEYS);
  const webhooks = await services.db.read.webhooks.list(page);
  const items = webhooks.map((webhook) => webhookView(webhook, base));
  const marker = webhooks.at(-1)?.uuid;
  return ok(collection('webhooks', items, { base, path: 'webhooks', limit: page.limit, query, marker }));
};

export const getWebhook: Handler = async (request, services) =>
  ok(webhookView(await find(request.params['webhook']!, services.db.read), request.base));

export const createWebhook: Handler = async (request, services) => {
  const { uuid: asked, ...fields } = request.body as JsonObject;
  const uuid = asked ?? services.random.uuid();
  if (typeof uuid !== 'string' || !isUuid(uuid))
    throw new ServiceError('INVALID_PARAMETER', `Expected UUID for uuid: ${String(uuid).slice(0, 60)}`);
  const patch = patchFrom(fields);
  const webhook = await services.db.write('create webhook', async (tx) => {
    // Its own making is the first event that it may be sent.
    const cursor = await tx.events.head();
    const made = await tx.webhooks.create({ ...patch, uuid: uuid.toLowerCase(), url: patch.url!, cursor });
    await note(tx, made.uuid, 'created');
    return made;
  });
  return created(webhookView(webhook, request.base), `${request.base}/v1/webhooks/${webhook.uuid}`);
};

export const patchWebhook: Handler = async (request, services) => {
  const operations = request.body as unknown as PatchOperation[];
  const touched = new Set(operations.map((o) => o.path.split('/')[1]!));
  const bad = [...touched].find((name) => !WRITABLE.includes(name));
  if (bad !== undefined)
    throw new ServiceError(
      'INVALID_PARAMETER',
      `Cannot patch /${bad}. Only the following can be updated: ${WRITABLE.join(', ')}`,
    );
  const webhook = await services.db.write('patch webhook', async (tx) => {
    const now = await find(request.params['webhook']!, tx);
    const shown = webhookView(now, request.base);
    const before = Object.fromEntries(WRITABLE.map((name) => [name, shown[name]!]));
    const after = applyPatch(before, operations, request.minor);
    // What is removed is as if it had never been said.
    const defaults: JsonObject = { name: null, events: [], nodes: null, severity: null, secret: null, enabled: true };
    const changed: JsonObject = {};
    for (const name of touched) changed[name] = after[name] ?? defaults[name] ?? null;
    if (changed['secret'] === MASK && now.secret !== null) delete changed['secret'];
    const updated = await tx.webhooks.update(now.uuid, patchFrom(changed));
    await note(tx, now.uuid, 'changed');
    return updated;
  });
  return ok(webhookView(webhook, request.base));
};

export const deleteWebhook: Handler = async (request, services) => {
  await services.db.write('delete webhook', async (tx) => {
    const { uuid } = await find(request.params['webhook']!, tx);
    await tx.webhooks.remove(uuid);
    await note(tx, uuid, 'removed');
  });
  return noContent;
};

export const getWebhookDelivery: Handler = async (request, services) => {
  const { webhooks } = services.db.read;
  const ident = request.params['webhook']!;
  const delivery = await webhooks.delivery((await find(ident, services.db.read)).uuid);
  if (!delivery) throw notFound(ident);
  return ok(webhookDeliveryView(delivery));
};

export const listDeadLetters: Handler = async (request, services) => {
  const { query, base } = request;
  const webhook = await find(request.params['webhook']!, services.db.read);
  const { limit, marker = '0' } = pageOf(query, services.config.max_limit, []);
  const letters = await services.db.read.webhooks.listDeadLetters(webhook.uuid, idOf(marker, 'marker'), limit);
  const last = letters.at(-1)?.id;
  const path = `webhooks/${webhook.uuid}/dead_letters`;
  return ok(
    collection('dead_letters', letters.map(deadLetterView), {
      base,
      path,
      limit,
      query,
      marker: last === undefined ? undefined : String(last),
    }),
  );
};

function idOf(text: string, what: string): number {
  if (!/^\d{1,15}$/.test(text))
    throw new ServiceError(
      'INVALID_PARAMETER',
      `${what} is the id of a dead letter, a number, not ${text.slice(0, 40)}`,
    );
  return Number(text);
}

async function drop(ident: string, ids: readonly number[] | undefined, services: ApiServices): Promise<number> {
  return services.db.write('drop dead letters', async (tx) =>
    tx.webhooks.dropDeadLetters((await find(ident, tx)).uuid, ids),
  );
}

export const deleteDeadLetters: Handler = async (request, services) => {
  await drop(request.params['webhook']!, undefined, services);
  return noContent;
};

export const deleteDeadLetter: Handler = async (request, services) => {
  const letter = request.params['letter']!;
  if ((await drop(request.params['webhook']!, [idOf(letter, 'The last part of the path')], services)) === 0)
    throw new ServiceError('NOT_FOUND', `Dead letter ${letter} could not be found.`);
  return noContent;
};

export const redeliverDeadLetters: Handler = async (request, services) => {
  const ids = (request.body as { ids?: number[] } | undefined)?.ids;
  const redelivering = await services.db.write('redeliver dead letters', async (tx) => {
    const { uuid, enabled } = await find(request.params['webhook']!, tx);
    if (!enabled)
      throw new ServiceError('INVALID_STATE', `Webhook ${uuid} is switched off: set enabled to true first.`);
    const count = await tx.webhooks.redeliver(uuid, ids);
    if (count > 0) await note(tx, uuid, 'redeliver');
    return count;
  });
  return { status: 202, body: { redelivering } };
};
