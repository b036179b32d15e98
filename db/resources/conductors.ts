/** Conductor sessions: one row per life of a conductor process, alive until it expires or is closed. */
import type { ConductorSession, SessionId } from '@bessemer/core';
import type { ConductorRepository } from '../repositories.ts';
import { first, param, statement } from '../statements/statement.ts';
import type { Builder, Params, Row, Statement } from '../statements/statement.ts';
import type { Context } from './context.ts';

const expiry = (b: Builder) => b.knex.raw('? + ?', [b.now(), b.knex.raw('cast(? as bigint)', [param('ttlMs')])]);

/** A closed session and one whose life is over are never renewed: others may have taken its leases. */
const heartbeat = statement((b) =>
  b
    .knex('conductor_sessions')
    .insert({
      session: param('session'),
      hostname: param('hostname'),
      conductor_group: param('conductorGroup'),
      drivers: param('drivers'),
      started_at: b.now(),
      expires_at: expiry(b),
    })
    .onConflict('session')
    .merge({
      hostname: param('hostname'),
      conductor_group: param('conductorGroup'),
      drivers: param('drivers'),
      expires_at: expiry(b),
    })
    .whereNull('conductor_sessions.ended_at')
    .where('conductor_sessions.expires_at', '>', b.now()),
);
const end = statement((b) =>
  b.knex('conductor_sessions').where('session', param('session')).whereNull('ended_at').update({ ended_at: b.now() }),
);
const endOthers = statement((b) =>
  b
    .knex('conductor_sessions')
    .where('hostname', param('hostname'))
    .whereNot('session', param('session'))
    .whereNull('ended_at')
    .update({ ended_at: b.now() }),
);
const columns = (b: Builder) => [
  'session',
  'hostname',
  'conductor_group',
  'drivers',
  'started_at',
  'expires_at',
  b.knex.raw('case when ended_at is null and expires_at > ? then 1 else 0 end as alive', [b.now()]),
];
const get = statement((b) => b.knex('conductor_sessions').where('session', param('session')).select(columns(b)));
const DAY_MS = 86_400_000;
const CACHED_MS = 60_000;
const list = statement((b) =>
  b
    .knex('conductor_sessions')
    .where('expires_at', '>', b.knex.raw('? - ?', [b.now(), DAY_MS]))
    .orderBy('hostname')
    .orderBy('started_at', 'desc')
    .orderBy('session')
    .select(columns(b)),
);

const purge = statement((b) => b.knex('conductor_sessions').where('expires_at', '<', param('olderThan')).delete());

/** Descriptions of drivers are long, change with a conductor's release and are read with every request. */
const KEPT_DESCRIPTIONS = 100;
const descriptions = new Map<string, ConductorSession['drivers']>();

function driversOf(text: string): ConductorSession['drivers'] {
  let found = descriptions.get(text);
  if (!found) {
    found = JSON.parse(text) as ConductorSession['drivers'];
    if (descriptions.size >= KEPT_DESCRIPTIONS) descriptions.clear();
    descriptions.set(text, found);
  }
  return found;
}

const toSession = (row: Row): ConductorSession & { alive: boolean } => ({
  session: row['session'] as SessionId,
  hostname: String(row['hostname']),
  conductorGroup: String(row['conductor_group']),
  drivers: driversOf(String(row['drivers'])),
  startedAt: Number(row['started_at']),
  expiresAt: Number(row['expires_at']),
  alive: row['alive'] === 1,
});

export function createConductorRepository({ sql, onConductors, conductorCache }: Context): ConductorRepository {
  const write = async (statement: Statement, params: Params): Promise<number> => {
    onConductors?.();
    return sql.run(statement, params);
  };
  return {
    async heartbeat({ session, hostname, conductorGroup, drivers }, ttlMs) {
      const params = { session, hostname, conductorGroup, drivers: JSON.stringify(drivers), ttlMs };
      return (await write(heartbeat, params)) > 0;
    },
    async end(session) {
      await write(end, { session });
    },
    async endOthers(hostname, session) {
      await write(endOthers, { hostname, session });
    },
    async list() {
      const known = conductorCache?.known;
      const nowMs = conductorCache?.nowMs() ?? 0;
      if (known && nowMs < known.untilMs) return known.sessions;
      const newest = new Map<string, ConductorSession & { alive: boolean }>();
      for (const session of (await sql.all(list)).map(toSession)) {
        const other = newest.get(session.hostname);
        // Two lives may have begun in the same millisecond: the one that is alive counts.
        if (!other || (other.startedAt === session.startedAt && session.alive && !other.alive))
          newest.set(session.hostname, session);
      }
      const sessions = [...newest.values()];
      if (conductorCache) {
        // Time alone ends a life; a dead session leaves the list after a day, which may be seen a little late.
        const ends = sessions.filter((s) => s.alive).map((s) => s.expiresAt);
        conductorCache.known = { sessions, untilMs: Math.min(nowMs + CACHED_MS, ...ends) };
      }
      return sessions;
    },
    async get(session) {
      const row = await first(sql, get, { session });
      return row && toSession(row);
    },
    purge: (olderThan) => write(purge, { olderThan }),
  };
}
