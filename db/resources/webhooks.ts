/** Webhooks, how far each is, and what could not be delivered. */
import { isUuid, ServiceError } from '@bessemer/core';
import type { DeadLetter, Webhook, WebhookDelivery, WebhookPatch, WebhookRepository } from '../contracts/webhooks.ts';
import { planPage } from '../statements/paging.ts';
import { first, param, statement, statementFamily } from '../statements/statement.ts';
import type { Builder, Row, Value } from '../statements/statement.ts';
import { isUniqueViolation } from '../statements/violations.ts';
import type { Context } from './context.ts';

const OWN = ['uuid', 'name', 'url', 'events', 'nodes', 'severity', 'secret_sealed', 'enabled', 'disabled_reason'];
const STAMPS = ['created_at', 'updated_at'];
const DELIVERY = [
  'cursor',
  'attempts',
  'failures',
  'next_attempt_at',
  'last_status',
  'last_error',
  'delivered_at',
  'delivered',
  'lease',
  'leased_until',
];
const hooks = (b: Builder) => b.knex('webhooks');
const letters = (b: Builder) => b.knex('webhook_dead_letters').where('webhook_uuid', param('uuid'));
const inMs = (b: Builder, name: string) =>
  b.knex.raw('? + ?', [b.now(), b.knex.raw('cast(? as bigint)', [param(name)])]);
const leased = (b: Builder) => hooks(b).where({ uuid: param('uuid'), lease: param('holder') });
const plus1 = (b: Builder, column: string) => b.knex.raw('?? + 1', [column]);

const insert = statement((b) =>
  hooks(b)
    .insert({
      ...Object.fromEntries([...OWN, 'cursor'].map((name) => [name, param(name)])),
      created_at: b.now(),
    })
    .onConflict()
    .ignore(),
);
const byUuid = statement((b) =>
  hooks(b)
    .where('uuid', param('ident'))
    .select([...OWN, ...STAMPS, ...DELIVERY]),
);
const byName = statement((b) =>
  hooks(b)
    .where('name', param('ident'))
    .select([...OWN, ...STAMPS, ...DELIVERY]),
);
const enabled = statement((b) =>
  hooks(b)
    .where('enabled', 1)
    .orderBy('id')
    .select([...OWN, ...STAMPS, ...DELIVERY]),
);
const remove = statement((b) => hooks(b).where('uuid', param('uuid')).delete());
const lists = statementFamily();
const updates = statementFamily();

const countLetters = statement((b) => letters(b).count('* as found'));
const listLetters = statement((b) => ({
  query: letters(b).where('id', '>', param('after')).orderBy('id').select('*'),
  limit: 'limit',
}));
const firstDue = statement((b) => letters(b).where('is_due', 1).orderBy('id').limit(1).select('*'));
const idIsListed = (b: Builder) =>
  b.engine === 'sqlite'
    ? b.knex.raw('id in (select value from json_each(?))', [param('ids')])
    : b.knex.raw('id in (select jsonb_array_elements_text(?::jsonb)::bigint)', [param('ids')]);
const redeliverAll = statement((b) => letters(b).update({ is_due: 1 }));
const redeliverSome = statement((b) => letters(b).whereRaw(idIsListed(b)).update({ is_due: 1 }));
const dropAll = statement((b) => letters(b).delete());
const dropSome = statement((b) => letters(b).whereRaw(idIsListed(b)).delete());
const insertLetter = statement((b) =>
  b.knex('webhook_dead_letters').insert({
    webhook_uuid: param('uuid'),
    event: param('event'),
    attempts: param('attempts'),
    status: param('status'),
    error: param('error'),
    at: b.now(),
  }),
);
const trimLetters = statement((b) =>
  b.knex.raw(
    `delete from webhook_dead_letters where webhook_uuid = ? and id <=
      (select id from webhook_dead_letters where webhook_uuid = ? order by id desc limit 1 offset ?)`,
    [param('uuid'), param('uuid'), b.engine === 'sqlite' ? param('kept') : b.knex.raw('?::bigint', [param('kept')])],
  ),
);
const deleteLetter = statement((b) => letters(b).where('id', param('id')).delete());
const failLetter = statement((b) =>
  letters(b)
    .where('id', param('id'))
    .update({
      is_due: 0,
      attempts: plus1(b, 'attempts'),
      status: param('status'),
      error: param('error'),
      at: b.now(),
    }),
);

const takeLease = statement((b) =>
  hooks(b)
    .where('uuid', param('uuid'))
    .where((q) => q.whereNull('lease').orWhere('lease', param('holder')).orWhere('leased_until', '<=', b.now()))
    .update({ lease: param('holder'), leased_until: inMs(b, 'ttlMs') }),
);
const endLeases = statement((b) =>
  hooks(b).where('lease', param('holder')).update({ lease: null, leased_until: null }),
);
const endAllLeases = statement((b) => hooks(b).whereNotNull('lease').update({ lease: null, leased_until: null }));
const fresh = { attempts: 0, next_attempt_at: null };
const delivered = statement((b) =>
  leased(b).update({
    ...fresh,
    failures: 0,
    cursor: param('cursor'),
    last_status: param('status'),
    last_error: null,
    delivered_at: b.now(),
    delivered: plus1(b, 'delivered'),
  }),
);
const failed = statement((b) =>
  leased(b).update({
    attempts: plus1(b, 'attempts'),
    next_attempt_at: inMs(b, 'retryInMs'),
    last_status: param('status'),
    last_error: param('error'),
  }),
);
const giveUp = statement((b) =>
  leased(b).update({
    ...fresh,
    failures: plus1(b, 'failures'),
    cursor: param('cursor'),
    last_status: param('status'),
    last_error: param('error'),
  }),
);
const disable = statement((b) =>
  leased(b).update({ enabled: 0, disabled_reason: param('reason'), updated_at: b.later('updated_at') }),
);
const noteDelivery = statement((b) =>
  leased(b).update({ last_status: param('status'), delivered_at: b.now(), delivered: plus1(b, 'delivered') }),
);
const noteFailure = statement((b) => leased(b).update({ last_status: param('status'), last_error: param('error') }));

const number = (value: Value | undefined): number | null => (value == null ? null : Number(value));
const text = (value: Value | undefined): string | null => (value == null ? null : String(value));

const toLetter = (row: Row): DeadLetter => ({
  id: Number(row['id']),
  event: JSON.parse(String(row['event'])),
  attempts: Number(row['attempts']),
  status: number(row['status']),
  error: String(row['error']),
  at: Number(row['at']),
  isDue: row['is_due'] === 1,
});

const notFound = (ident: string) =>
  new ServiceError('WEBHOOK_NOT_FOUND', `Webhook ${ident.slice(0, 100)} could not be found.`);
const duplicate = (cause?: unknown) =>
  new ServiceError('WEBHOOK_ALREADY_EXISTS', 'A webhook of that name or UUID already exists.', { cause });

export function createWebhookRepository({ sql, cipher }: Context): WebhookRepository {
  const owner = (uuid: string) => `webhook ${uuid}`;
  const toWebhook = (row: Row): Webhook => {
    const uuid = String(row['uuid']);
    const sealed = text(row['secret_sealed']);
    return {
      uuid,
      name: text(row['name']),
      url: String(row['url']),
      events: JSON.parse(String(row['events'])),
      nodes: text(row['nodes']),
      severity: text(row['severity']) as Webhook['severity'],
      secret: sealed === null ? null : cipher.open(sealed, owner(uuid), 'secret'),
      enabled: row['enabled'] === 1,
      disabledReason: text(row['disabled_reason']),
      createdAt: Number(row['created_at']),
      updatedAt: number(row['updated_at']),
    };
  };
  const toDelivery = (row: Row): WebhookDelivery => ({
    cursor: String(row['cursor']),
    attempts: Number(row['attempts']),
    failures: Number(row['failures']),
    nextAttemptAt: number(row['next_attempt_at']),
    lastStatus: number(row['last_status']),
    lastError: text(row['last_error']),
    deliveredAt: number(row['delivered_at']),
    delivered: Number(row['delivered']),
    lease: text(row['lease']),
    leasedUntil: number(row['leased_until']),
  });
  const toBoth = (row: Row) => ({ ...toWebhook(row), ...toDelivery(row) });
  function columnsOf(uuid: string, patch: WebhookPatch): Record<string, Value> {
    const { events, secret, enabled: isEnabled, ...rest } = patch;
    const given: Record<string, Value | undefined> = {
      ...rest,
      events: events && JSON.stringify(events),
      secret_sealed: typeof secret === 'string' ? cipher.seal(secret, owner(uuid), 'secret') : secret,
      ...(isEnabled === undefined ? {} : { enabled: Number(isEnabled), disabled_reason: null }),
    };
    return Object.fromEntries(
      Object.entries(given).filter((entry): entry is [string, Value] => entry[1] !== undefined),
    );
  }
  const mustFind = async (uuid: string): Promise<Webhook> => {
    const row = await first(sql, byUuid, { ident: uuid });
    if (!row) throw notFound(uuid);
    return toWebhook(row);
  };
  const some = (ids: readonly number[]) => JSON.stringify(ids.map(String));

  return {
    async create({ uuid, cursor, ...patch }) {
      const values: Record<string, Value> = {
        ...Object.fromEntries(OWN.map((name) => [name, null])),
        events: '[]',
        enabled: 1,
        ...columnsOf(uuid, patch),
        uuid,
        cursor,
      };
      if ((await sql.run(insert, values)) === 0) throw duplicate();
      return mustFind(uuid);
    },
    async find(ident) {
      const isId = isUuid(ident);
      const row = await first(sql, isId ? byUuid : byName, { ident: isId ? ident.toLowerCase() : ident });
      return row && toWebhook(row);
    },
    async list(page) {
      const paging = await planPage(sql, page, PAGED);
      const query = lists(paging.shape, (b) => {
        const q = hooks(b).select([...OWN, ...STAMPS]);
        paging.apply(q, b);
        return { query: q, limit: 'limit' };
      });
      return (await sql.all(query, paging.params)).map(toWebhook);
    },
    async update(uuid, patch) {
      const values = columnsOf(uuid, patch);
      const columns = Object.keys(values).toSorted();
      const update = updates(columns.join(), (b) =>
        hooks(b)
          .where('uuid', param('uuid'))
          .update({
            ...Object.fromEntries(columns.map((name) => [name, param(name)])),
            ...fresh,
            failures: 0,
            updated_at: b.later('updated_at'),
          }),
      );
      try {
        if ((await sql.run(update, { ...values, uuid })) === 0) throw notFound(uuid);
      } catch (error) {
        throw isUniqueViolation(error) ? duplicate(error) : error;
      }
      return mustFind(uuid);
    },
    async remove(uuid) {
      if ((await sql.run(remove, { uuid })) === 0) throw notFound(uuid);
    },
    async delivery(uuid) {
      const row = await first(sql, byUuid, { ident: uuid });
      if (!row) return undefined;
      return { ...toDelivery(row), deadLetters: Number((await first(sql, countLetters, { uuid }))?.['found'] ?? 0) };
    },

    listDeadLetters: async (uuid, after, limit) => (await sql.all(listLetters, { uuid, after, limit })).map(toLetter),
    redeliver: (uuid, ids) =>
      ids ? sql.run(redeliverSome, { uuid, ids: some(ids) }) : sql.run(redeliverAll, { uuid }),
    dropDeadLetters: (uuid, ids) => (ids ? sql.run(dropSome, { uuid, ids: some(ids) }) : sql.run(dropAll, { uuid })),

    listEnabled: async () => (await sql.all(enabled)).map(toBoth),
    async get(uuid) {
      const row = await first(sql, byUuid, { ident: uuid });
      return row && toBoth(row);
    },
    async nextDue(uuid) {
      const row = await first(sql, firstDue, { uuid });
      return row && toLetter(row);
    },
    lease: async (uuid, holder, ttlMs) => (await sql.run(takeLease, { uuid, holder, ttlMs })) > 0,
    async endLeases(holder) {
      await (holder === undefined ? sql.run(endAllLeases) : sql.run(endLeases, { holder }));
    },
    delivered: async (uuid, holder, cursor, status) => (await sql.run(delivered, { uuid, holder, cursor, status })) > 0,
    failed: async (uuid, holder, { status, error, retryInMs }) =>
      (await sql.run(failed, { uuid, holder, status, error, retryInMs })) > 0,
    async giveUp(uuid, holder, { event, cursor, status, error, kept }) {
      const row = await first(sql, byUuid, { ident: uuid });
      if ((await sql.run(giveUp, { uuid, holder, cursor, status, error })) === 0) return false;
      const attempts = Number(row?.['attempts'] ?? 0) + 1;
      await sql.run(insertLetter, { uuid, event: JSON.stringify(event), attempts, status, error });
      await sql.run(trimLetters, { uuid, kept });
      return true;
    },
    disable: async (uuid, holder, reason) => (await sql.run(disable, { uuid, holder, reason })) > 0,
    async deadLetterDelivered(uuid, holder, id, status) {
      if ((await sql.run(noteDelivery, { uuid, holder, status })) === 0) return false;
      await sql.run(deleteLetter, { uuid, id });
      return true;
    },
    async deadLetterFailed(uuid, holder, id, { status, error }) {
      if ((await sql.run(noteFailure, { uuid, holder, status, error })) === 0) return false;
      await sql.run(failLetter, { uuid, id, status, error });
      return true;
    },
  };
}

const PAGED = {
  name: 'webhooks',
  id: 'id',
  uuid: 'uuid',
  noun: 'webhook',
  columns: { uuid: 'uuid', name: 'name', url: 'url', created_at: 'created_at', updated_at: 'updated_at' },
  from: (b: Builder) => b.knex.queryBuilder().from('webhooks'),
};
