/** What every repository is made with. */
import { ServiceError } from '@bessemer/core';
import type { ConductorSession, NodeId } from '@bessemer/core';
import type { Cipher } from '../secrets.ts';
import { first, param, statement } from '../statements/statement.ts';
import type { Row, Sql } from '../statements/statement.ts';

export interface Context {
  readonly sql: Sql;
  readonly cipher: Cipher;
  /** False only in the simulator's proof that it would notice. */
  readonly fenceCheck: boolean;
  /** An event was appended in this transaction. */
  onEvent(): void;
  /** Sessions of conductors were written in this transaction. */
  onConductors?(): void;
  /** What was read of the conductors last: only where every write comes through this process. */
  readonly conductorCache?: ConductorCache;
}

/** Conductors are read with every request and written every few seconds. */
export interface ConductorCache {
  readonly nowMs: () => number;
  known: { readonly sessions: Array<ConductorSession & { alive: boolean }>; readonly untilMs: number } | undefined;
}

const lockLease = statement((b) =>
  b
    .knex('node_leases')
    .where('node_uuid', param('uuid'))
    .select('session', 'conductor', 'purpose', 'fence')
    .forUpdate(),
);

/**
 * The lease's row, locked until the transaction ends: nobody takes the node over between this look and the commit.
 * @throws NODE_NOT_FOUND
 */
export async function readLease(context: Context, uuid: NodeId): Promise<Row> {
  const row = await first(context.sql, lockLease, { uuid });
  if (!row) throw nodeNotFound(uuid);
  return row;
}

/** @throws STALE_FENCE unless the node is reserved with this very fence; NODE_NOT_FOUND. */
export async function requireFence(context: Context, uuid: NodeId, fence: number): Promise<void> {
  const lease = await readLease(context, uuid);
  if (!context.fenceCheck) return;
  if (lease['session'] === null || lease['fence'] !== fence) throw staleFence(uuid, fence, lease);
}

export const staleFence = (uuid: string, fence: number, lease: Row): ServiceError =>
  new ServiceError('STALE_FENCE', `The lease ${fence} on node ${uuid} is over: another worker goes on with it.`, {
    context: { node: uuid, fence, held: lease['session'] !== null, current: lease['fence'] },
  });

export const nodeNotFound = (uuid: string): ServiceError =>
  new ServiceError('NODE_NOT_FOUND', `Node ${uuid} could not be found.`, { context: { node: uuid } });
