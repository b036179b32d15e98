/** The only writer of provision_state: the table of transitions decides, the event is written in the same transaction. */
import { isProvisionState, nextState, ServiceError } from '@bessemer/core';
import type { Node, NodeId, StableState } from '@bessemer/core';
import type { NodeRepository } from '../repositories.ts';
import { first, param, statement, statementFamily } from '../statements/statement.ts';
import { nodeNotFound, requireFence } from './context.ts';
import type { Context } from './context.ts';
import { createEventRepository } from './events.ts';

const readState = statement((b) =>
  b.knex('nodes').where('uuid', param('uuid')).select('provision_state', 'target_provision_state').forUpdate(),
);
const writeState = statementFamily();

export function createProvisioning(
  context: Context,
  mustGet: (uuid: NodeId) => Promise<Node>,
): Pick<NodeRepository, 'processEvent'> {
  const { sql } = context;
  const events = createEventRepository(context);
  return {
    async processEvent(uuid, event, { fence, runId = null, error }) {
      if (fence !== undefined) await requireFence(context, uuid, fence);
      const row = await first(sql, readState, { uuid });
      if (!row) throw nodeNotFound(uuid);
      const from = row['provision_state'];
      if (!isProvisionState(from))
        throw new Error(`node ${uuid} is in the provision state "${from}", which this release does not know`);
      const next = nextState(from, event, row['target_provision_state'] as StableState | null);
      if (!next.ok)
        throw new ServiceError(
          'INVALID_STATE',
          `The requested action "${event}" can not be performed on node "${uuid}" while it is in state "${from}".`,
          { context: { node: uuid, state: from, event } },
        );
      const keepsError = error === undefined;
      const write = writeState(keepsError ? 'state' : 'state and error', (b) =>
        b
          .knex('nodes')
          .where({ uuid: param('uuid'), provision_state: param('from') })
          .update({
            provision_state: param('to'),
            target_provision_state: param('target'),
            provision_updated_at: b.now(),
            updated_at: b.later('updated_at'),
            ...(keepsError ? {} : { last_error: param('error') }),
          }),
      );
      await sql.run(write, {
        uuid,
        from,
        to: next.state,
        target: next.target,
        ...(keepsError ? {} : { error }),
      });
      await events.append({
        type: 'node.provision_state',
        nodeUuid: uuid,
        runId,
        severity: event === 'fail' || error ? 'error' : 'info',
        data: { from, to: next.state, event, target: next.target, ...(error ? { error } : {}) },
      });
      return { from, to: next.state, target: next.target, node: await mustGet(uuid) };
    },
  };
}
