/** Runs: work on nodes. Every write names the fence of the lease under which it is done. */
import { asRunId, ServiceError } from '@bessemer/core';
import type { Run, RunId } from '@bessemer/core';
import type { RunRepository } from '../repositories.ts';
import { fromRow, RUN_COLUMNS, toColumns } from '../rows.ts';
import { first, param, statement, statementFamily } from '../statements/statement.ts';
import type { Builder, Row, Value } from '../statements/statement.ts';
import { readLease, requireFence, staleFence } from './context.ts';
import type { Context } from './context.ts';

const NAMES = Object.keys(RUN_COLUMNS);
const runs = (b: Builder) => b.knex('runs').select(NAMES);
/** Written as constants: the partial indexes have this very condition. */
const UNFINISHED = "state in ('queued', 'running')";
const unfinished = (b: Builder) => runs(b).whereRaw(UNFINISHED);

const WRITTEN = ['id', 'node_uuid', 'verb', 'state', 'input_sealed', 'segments', 'cursor', 'notes', 'owner', 'fence'];
const CREATED = [...WRITTEN, 'deadline', 'request_id'];
const insert = statement((b) =>
  b
    .knex('runs')
    .insert({
      ...Object.fromEntries(CREATED.map((c) => [c, param(c)])),
      created_at: b.now(),
      updated_at: b.now(),
    })
    .onConflict()
    .ignore(),
);
const get = statement((b) => runs(b).where('id', param('id')));
const current = statement((b) => unfinished(b).where('node_uuid', param('nodeUuid')));
const latest = statement((b) => runs(b).where('node_uuid', param('nodeUuid')).orderBy('seq', 'desc').limit(1));
const latestOfVerbs = statement((b) =>
  runs(b).where('node_uuid', param('nodeUuid')).where(b.inList('verb', 'verbs')).orderBy('seq', 'desc').limit(1),
);
const listUnfinished = statement((b) => unfinished(b).orderBy('seq'));
const listOwned = statement((b) => unfinished(b).where('owner', param('owner')).orderBy('seq'));
const listQueued = statement((b) => unfinished(b).where('state', 'queued').orderBy('seq'));
const listRunningIds = statement((b) =>
  b
    .knex('runs')
    .select('id')
    .whereRaw(UNFINISHED)
    .where({ owner: param('owner'), state: 'running' })
    .orderBy('seq'),
);
const count = (b: Builder) => b.knex('runs').count('* as found').whereRaw(UNFINISHED).where('state', param('state'));
const countInState = statement(count);
const countOfVerbs = statement((b) => count(b).where(b.inList('verb', 'verbs')));
const listOverdue = statement((b) => ({
  query: unfinished(b)
    .where((q) => q.where('deadline', '<=', param('now')).orWhere('waiting_until', '<=', param('now')))
    .orderBy('seq'),
  limit: 'limit',
}));
const takeOver = statement((b) =>
  b
    .knex('runs')
    .where('id', param('id'))
    .where('fence', '<=', param('fence'))
    .update({ owner: param('owner'), fence: param('fence'), updated_at: b.now() }),
);
/** Finished runs of a node that are kept. Its last deployment stays whatever its age: it may be retried, and its timeline is shown. */
const KEPT_PER_NODE = 100;
const ofNode = (b: Builder) => b.knex('runs').where('node_uuid', param('nodeUuid'));
const prune = statement((b) =>
  ofNode(b)
    .whereNotNull('finished_at')
    .where('seq', '<=', ofNode(b).select('seq').orderBy('seq', 'desc').limit(1).offset(KEPT_PER_NODE))
    .whereNotIn('seq', ofNode(b).whereIn('verb', ['deploy', 'rebuild']).select(b.knex.raw('coalesce(max(seq), 0)')))
    .delete(),
);
/** Of nodes that are gone. The nodes are found in the index first: most runs are of nodes that are there. */
const purge = statement((b) =>
  b.knex.raw(
    `delete from runs where finished_at is not null and updated_at < ? and node_uuid in
      (select node_uuid from (select distinct node_uuid from runs) as known except select uuid from nodes)`,
    [param('olderThan')],
  ),
);
const updates = statementFamily();

const notFound = (id: string) => new ServiceError('RUN_NOT_FOUND', `Run ${id} could not be found.`);

export function createRunRepository(context: Context): RunRepository {
  const { sql, cipher, fenceCheck } = context;
  const toRun = (row: Row): Run => fromRow(row, RUN_COLUMNS, cipher, String(row['node_uuid'])) as unknown as Run;
  const one = (row: Row | undefined): Run | undefined => row && toRun(row);
  const mustGet = async (id: RunId): Promise<Run> => {
    const run = one(await first(sql, get, { id }));
    if (!run) throw notFound(id);
    return run;
  };

  return {
    async create(run) {
      const { id, nodeUuid, verb, state, input, segments, deadline, owner, fence, requestId } = run;
      await requireFence(context, nodeUuid, fence);
      const values = toColumns(
        {
          ...{ id, nodeUuid, verb, state, input, segments, deadline, owner, fence, requestId },
          cursor: { segment: 0, step: 0, attempt: null },
          notes: {},
        },
        RUN_COLUMNS,
        cipher,
        nodeUuid,
      );
      if ((await sql.run(insert, values)) === 0) {
        const other = one(await first(sql, current, { nodeUuid }));
        throw new ServiceError(
          'INVALID_STATE',
          other
            ? `Node ${nodeUuid} has an unfinished run already: ${other.verb} (${other.id}).`
            : `A run with the id ${id} exists already.`,
          { context: { node: nodeUuid, run: id } },
        );
      }
      await sql.run(prune, { nodeUuid });
      return mustGet(id);
    },
    get: async (id) => one(await first(sql, get, { id })),
    current: async (nodeUuid) => one(await first(sql, current, { nodeUuid })),
    latest: async (nodeUuid, verbs) =>
      one(
        await (verbs === undefined
          ? first(sql, latest, { nodeUuid })
          : first(sql, latestOfVerbs, { nodeUuid, verbs: JSON.stringify(verbs) })),
      ),
    listUnfinished: async (owner) =>
      (await (owner === undefined ? sql.all(listUnfinished) : sql.all(listOwned, { owner }))).map(toRun),
    listRunningIds: async (owner) =>
      (await sql.all(listRunningIds, { owner })).map((row) => asRunId(String(row['id']))),
    countUnfinished: async (state, verbs) => {
      const rows =
        verbs === undefined
          ? first(sql, countInState, { state })
          : first(sql, countOfVerbs, { state, verbs: JSON.stringify(verbs) });
      return Number((await rows)?.['found'] ?? 0);
    },
    listQueued: async () => (await sql.all(listQueued)).map(toRun),
    listOverdue: async (now, limit) => (await sql.all(listOverdue, { now, limit })).map(toRun),

    async update(id, fence, patch) {
      // Secrets are sealed for their node, which has to be known for them alone.
      const hasSecrets = patch.input !== undefined || patch.notes !== undefined;
      const before = hasSecrets ? await first(sql, get, { id }) : undefined;
      if (hasSecrets && !before) throw notFound(id);
      const values: Record<string, Value> = toColumns(patch, RUN_COLUMNS, cipher, String(before?.['node_uuid']));
      if (patch.waitingFor !== undefined) {
        const until = patch.waitingFor?.until;
        values['waiting_until'] = until !== undefined && Number.isFinite(until) ? Math.floor(until) : null;
      }
      const columns = Object.keys(values).toSorted();
      const update = updates(`${fenceCheck} ${columns.join()}`, (b) => {
        const query = b.knex('runs').where('id', param('id'));
        if (fenceCheck) query.where('fence', param('fence'));
        return query.update({ ...Object.fromEntries(columns.map((c) => [c, param(c)])), updated_at: b.now() });
      });
      if ((await sql.run(update, { ...values, id, fence })) === 0) {
        const { fence: current } = await mustGet(id);
        throw new ServiceError('STALE_FENCE', `Run ${id} is no longer under the lease ${fence}.`, {
          context: { run: id, fence, current },
        });
      }
      return mustGet(id);
    },

    async takeOver(id, session, fence) {
      const before = await mustGet(id);
      const lease = await readLease(context, before.nodeUuid);
      if (lease['session'] !== session || lease['fence'] !== fence) throw staleFence(before.nodeUuid, fence, lease);
      if ((await sql.run(takeOver, { id, owner: session, fence })) === 0)
        throw staleFence(before.nodeUuid, fence, lease);
      return mustGet(id);
    },

    purge: (olderThan) => sql.run(purge, { olderThan }),
  };
}
