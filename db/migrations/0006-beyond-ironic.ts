/** First answers by Idempotency-Key, and webhooks with what could not be delivered. */
import type { Migration } from './index.ts';

export const beyondIronic: Migration = {
  name: '0006-beyond-ironic',
  async up(knex) {
    await knex.schema.createTable('idempotency_keys', (t) => {
      t.text('user_name').notNullable();
      t.text('key').notNullable();
      t.string('request_hash', 64).notNullable();
      t.text('request_id').notNullable();
      // Who is at work on the first answer, and until when nobody else may be.
      t.string('claim', 36);
      t.bigInteger('claimed_until').notNullable();
      t.text('answer_sealed');
      t.bigInteger('created_at').notNullable().index();
      t.primary(['user_name', 'key']);
    });
    await knex.schema.createTable('webhooks', (t) => {
      t.bigIncrements('id');
      t.string('uuid', 36).notNullable().unique();
      t.text('name').unique();
      t.text('url').notNullable();
      t.text('events').notNullable();
      t.text('nodes');
      t.string('severity', 7);
      t.text('secret_sealed');
      t.smallint('enabled').notNullable();
      t.text('disabled_reason');
      // Everything up to this event is delivered, or lies among the dead letters.
      t.text('cursor').notNullable();
      t.integer('attempts').notNullable().defaultTo(0);
      t.integer('failures').notNullable().defaultTo(0);
      t.bigInteger('next_attempt_at');
      t.integer('last_status');
      t.text('last_error');
      t.bigInteger('delivered_at');
      t.bigInteger('delivered').notNullable().defaultTo(0);
      t.string('lease', 36);
      t.bigInteger('leased_until');
      t.bigInteger('created_at').notNullable();
      t.bigInteger('updated_at');
    });
    await knex.schema.createTable('webhook_dead_letters', (t) => {
      t.bigIncrements('id');
      t.string('webhook_uuid', 36).notNullable().references('webhooks.uuid').onDelete('CASCADE');
      t.text('event').notNullable();
      t.integer('attempts').notNullable();
      t.integer('status');
      t.text('error').notNullable();
      t.bigInteger('at').notNullable();
      t.smallint('is_due').notNullable().defaultTo(0);
      t.index(['webhook_uuid', 'id']);
    });
  },
};
