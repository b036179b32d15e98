/** From where on the lessee of a node sees its events. */
import type { Migration } from './index.ts';

export const lentNodes: Migration = {
  name: '0007-lent-nodes',
  async up(knex) {
    // The id of the last event before the node was lent to whom it is lent to. Null: nothing is seen.
    await knex.schema.alterTable('nodes', (t) => void t.bigInteger('lent_after'));
    // Since when a node is lent was not written down, so its lessee sees what comes from now on.
    await knex.raw('update nodes set lent_after = (select coalesce(max(id), 0) from events) where lessee is not null');
  },
};
