/** Bearer tokens. */
import type { Migration } from './index.ts';

export const tokens: Migration = {
  name: '0005-tokens',
  async up(knex) {
    await knex.schema.createTable('access_tokens', (t) => {
      t.increments('id');
      t.string('uuid', 36).notNullable().unique();
      t.text('name').notNullable().unique();
      t.string('sha256', 64).notNullable().unique();
      t.string('role', 15).notNullable();
      t.text('project').index();
      t.text('created_by').notNullable();
      t.bigInteger('created_at').notNullable();
      t.bigInteger('expires_at').index();
      t.bigInteger('last_used_at');
    });
  },
};
