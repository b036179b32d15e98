/**
 * Leases (`reservation`): who works on a node. The fence grows with each hand-over and never goes back, so that a write by a
 * worker that was given up fails.
 */
import type { NodeId, SessionId } from '@bessemer/core';
import type { NodeRepository } from '../repositories.ts';
import { first, param, statement } from '../statements/statement.ts';
import type { Builder } from '../statements/statement.ts';
import { readLease } from './context.ts';
import type { Context } from './context.ts';

const taken = (b: Builder) => ({
  session: param('session'),
  conductor: param('conductor'),
  purpose: param('purpose'),
  reserved_at: b.now(),
  fence: b.knex.raw('fence + 1'),
});
/**
 * One conditional update: nobody holds the node, or this session itself, or one that is closed. A session that is not seen
 * counts as alive here: on PostgreSQL it may have begun after this statement did.
 */
const reserve = statement((b) =>
  b
    .knex('node_leases')
    .where('node_uuid', param('uuid'))
    .where((q) =>
      q
        .whereNull('session')
        .orWhere('session', param('session'))
        .orWhereExists(
          b
            .knex('conductor_sessions as s')
            .whereRaw('s.session = node_leases.session')
            .whereNotNull('s.ended_at')
            .select('s.session'),
        ),
    )
    .update(taken(b))
    .returning('fence'),
);
/** The same when the holder was seen to be dead and the row has been locked since. */
const succeed = statement((b) =>
  b
    .knex('node_leases')
    .where({ node_uuid: param('uuid'), fence: param('fence') })
    .update(taken(b))
    .returning('fence'),
);
/**
 * Closes a session whose whole life is over. Heartbeats never open a closed one, so one that comes at the same moment either
 * was in time for everybody or comes too late for everybody.
 */
const bury = statement((b) =>
  b
    .knex('conductor_sessions')
    .where('session', param('holder'))
    .whereNull('ended_at')
    .where('expires_at', '<=', b.now())
    .update({ ended_at: b.now() }),
);
const isOpen = statement((b) =>
  b.knex('conductor_sessions').where('session', param('holder')).whereNull('ended_at').select('session'),
);
const release = statement((b) =>
  b
    .knex('node_leases')
    .where({ node_uuid: param('uuid'), fence: param('fence') })
    .whereNotNull('session')
    .update({ session: null, conductor: null, purpose: null, reserved_at: null }),
);
const listOrphaned = statement((b: Builder) => ({
  query: b
    .knex('node_leases as l')
    .leftJoin('conductor_sessions as s', 's.session', 'l.session')
    .whereNotNull('l.session')
    .whereRaw(
      "not exists (select 1 from runs as r where r.node_uuid = l.node_uuid and r.fence = l.fence and r.state in ('queued', 'running'))",
    )
    .where((q) => q.whereNull('s.session').orWhereNotNull('s.ended_at').orWhere('s.expires_at', '<=', b.now()))
    .orderBy('l.reserved_at')
    .orderBy('l.node_uuid')
    .select('l.node_uuid', 'l.session', 'l.conductor', 'l.purpose', 'l.fence'),
  limit: 'limit',
}));

export function createLeases(context: Context): Pick<NodeRepository, 'reserve' | 'release' | 'listOrphaned'> {
  const { sql } = context;
  return {
    async reserve(uuid, session, conductor, purpose) {
      const wanted = { uuid, session, conductor, purpose };
      let row = await first(sql, reserve, wanted);
      if (!row) {
        const lease = await readLease(context, uuid);
        const holder = lease['session'] ?? null;
        if (holder !== null) {
          await sql.run(bury, { holder });
          if (await first(sql, isOpen, { holder })) return undefined;
        }
        row = await first(sql, succeed, { ...wanted, fence: lease['fence'] ?? 0 });
      }
      return row && { session, conductor, purpose, fence: Number(row['fence']) };
    },
    async release(uuid, fence) {
      return (await sql.run(release, { uuid, fence })) > 0;
    },
    async listOrphaned(limit) {
      return (await sql.all(listOrphaned, { limit })).map((row) => ({
        uuid: row['node_uuid'] as NodeId,
        reservation: {
          session: row['session'] as SessionId,
          conductor: String(row['conductor']),
          purpose: String(row['purpose']),
          fence: Number(row['fence']),
        },
      }));
    },
  };
}
