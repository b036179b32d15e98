/** The first schema. Times are ms since the epoch, booleans 0 or 1, JSON is text: both engines hold the same. */
import { INTERFACE_KINDS } from '@bessemer/core';
import type { Knex } from 'knex';
import type { Migration } from './index.ts';

type Table = Knex.CreateTableBuilder;
const isPostgres = (knex: Knex): boolean => knex.client.config.client === 'pg';
const uuid = (t: Table, column: string) => t.string(column, 36);
const json = (t: Table, ...columns: string[]) => {
  for (const column of columns) t.text(column).notNullable();
};
const flag = (t: Table, ...columns: string[]) => {
  for (const column of columns) t.smallint(column).notNullable().defaultTo(0);
};
const stamps = (t: Table) => {
  t.bigInteger('created_at').notNullable();
  t.bigInteger('updated_at');
};

/**
 * An index of the rows that have something there: it finds them as well as a full one, and costs the others no write. With the
 * nulls in it, a new node would write nine more pages.
 */
async function sparseIndex(knex: Knex, table: string, column: string, more = '', unique = ''): Promise<void> {
  const name = `${table}_${column}_${unique || 'index'}`;
  await knex.raw(`create ${unique} index ${name} on ${table} (${column}${more}) where ${column} is not null`);
}

async function nodes(knex: Knex): Promise<void> {
  await knex.schema.createTable('chassis', (t) => {
    t.bigIncrements('id');
    uuid(t, 'uuid').notNullable().unique();
    t.text('description');
    json(t, 'extra');
    stamps(t);
  });
  await knex.schema.createTable('nodes', (t) => {
    t.bigIncrements('id');
    uuid(t, 'uuid').notNullable().unique();
    t.text('name').unique();
    uuid(t, 'chassis_uuid').references('chassis.uuid');
    uuid(t, 'instance_uuid');
    t.text('instance_name');
    t.text('driver').notNullable().index();
    for (const kind of INTERFACE_KINDS) t.text(`${kind}_interface`);
    json(t, 'driver_info', 'driver_internal_info', 'properties', 'instance_info', 'extra', 'network_data');
    json(t, 'raid_config', 'target_raid_config', 'traits', 'clean_step', 'deploy_step', 'service_step');
    t.text('resource_class').index();
    t.text('conductor_group').notNullable();
    t.smallint('automated_clean');
    flag(t, 'protected', 'retired', 'disable_power_off', 'maintenance', 'console_enabled');
    t.text('protected_reason');
    t.text('retired_reason');
    t.text('owner');
    t.text('lessee');
    t.text('shard');
    uuid(t, 'parent_node');
    t.text('description');
    uuid(t, 'allocation_uuid');
    t.text('maintenance_reason');
    t.text('fault');
    t.text('boot_mode');
    t.smallint('secure_boot');
    t.string('provision_state', 15).notNullable().index();
    t.string('target_provision_state', 15);
    t.bigInteger('provision_updated_at');
    t.text('last_error');
    t.bigInteger('inspection_started_at');
    t.bigInteger('inspection_finished_at');
    stamps(t);
  });
  await sparseIndex(knex, 'nodes', 'instance_uuid', '', 'unique');
  for (const column of ['chassis_uuid', 'instance_name', 'owner', 'lessee', 'shard', 'parent_node'])
    await sparseIndex(knex, 'nodes', column);
  await knex.raw('create index nodes_conductor_group on nodes (lower(conductor_group))');
  await knex.raw('create index nodes_in_maintenance on nodes (id) where maintenance = 1');
  await knex.raw('create index nodes_with_fault on nodes (fault) where fault is not null');
  await knex.raw('create index nodes_retired on nodes (id) where retired = 1');

  // Written often, so apart from the wide row.
  await knex.schema.createTable('node_power', (t) => {
    uuid(t, 'node_uuid').primary().references('nodes.uuid').onDelete('CASCADE');
    t.string('power_state', 15);
    t.string('target_power_state', 15);
  });
  await knex.schema.createTable('node_leases', (t) => {
    uuid(t, 'node_uuid').primary().references('nodes.uuid').onDelete('CASCADE');
    uuid(t, 'session');
    t.text('conductor');
    t.text('purpose');
    t.bigInteger('reserved_at');
    t.bigInteger('fence').notNullable().defaultTo(0);
  });
  await sparseIndex(knex, 'node_leases', 'session');
  // Fat, and read one at a time.
  await knex.schema.createTable('node_config_drives', (t) => {
    uuid(t, 'node_uuid').primary().references('nodes.uuid').onDelete('CASCADE');
    t.text('sealed').notNullable();
  });
  await knex.schema.createTable('node_inventories', (t) => {
    uuid(t, 'node_uuid').primary().references('nodes.uuid').onDelete('CASCADE');
    json(t, 'inventory', 'plugin_data');
  });
}

async function networks(knex: Knex): Promise<void> {
  await knex.schema.createTable('networks', (t) => {
    uuid(t, 'uuid').primary();
    t.text('name').notNullable().unique();
    t.text('cidr').notNullable();
    t.integer('vlan');
    t.text('role').notNullable();
    t.text('dhcp').notNullable();
    t.bigInteger('created_at').notNullable();
  });
  await knex.schema.createTable('ports', (t) => {
    t.bigIncrements('id');
    uuid(t, 'uuid').notNullable().unique();
    uuid(t, 'node_uuid').notNullable().references('nodes.uuid').onDelete('CASCADE').index();
    t.string('address', 17).notNullable().unique();
    uuid(t, 'network_uuid').references('networks.uuid').index();
    t.text('name').unique();
    t.text('description');
    json(t, 'extra', 'internal_info', 'local_link_connection');
    flag(t, 'pxe_enabled', 'is_smartnic');
    t.text('physical_network');
    uuid(t, 'portgroup_uuid').index();
    stamps(t);
  });
}

async function work(knex: Knex): Promise<void> {
  await knex.schema.createTable('conductor_sessions', (t) => {
    uuid(t, 'session').primary();
    t.text('hostname').notNullable().index();
    t.text('conductor_group').notNullable();
    json(t, 'drivers');
    t.bigInteger('started_at').notNullable();
    t.bigInteger('expires_at').notNullable();
    t.bigInteger('ended_at');
  });
  // Runs and events outlive their node, so they do not refer to it.
  await knex.schema.createTable('runs', (t) => {
    t.bigIncrements('seq');
    uuid(t, 'id').notNullable().unique();
    uuid(t, 'node_uuid').notNullable();
    t.text('verb').notNullable();
    t.string('state', 15).notNullable();
    t.text('input_sealed').notNullable();
    json(t, 'segments', 'cursor', 'notes');
    uuid(t, 'owner');
    t.bigInteger('fence').notNullable();
    t.bigInteger('deadline').notNullable();
    t.text('waiting_for');
    t.bigInteger('waiting_until');
    t.text('progress');
    t.text('error');
    t.text('request_id').notNullable();
    t.bigInteger('created_at').notNullable();
    t.bigInteger('updated_at').notNullable();
    t.bigInteger('finished_at');
    t.index(['node_uuid', 'seq']);
  });
  await knex.raw("create unique index runs_unfinished on runs (node_uuid) where state in ('queued', 'running')");
  await knex.raw("create index runs_open on runs (owner, seq) where state in ('queued', 'running')");

  await knex.schema.createTable('events', (t) => {
    t.bigIncrements('id');
    // A sequence number becomes visible out of order; the transaction's id tells what may still come.
    if (isPostgres(knex)) t.specificType('xid', 'xid8').notNullable().defaultTo(knex.raw('pg_current_xact_id()'));
    t.bigInteger('at').notNullable();
    t.text('type').notNullable();
    uuid(t, 'node_uuid');
    uuid(t, 'run_id');
    t.string('severity', 7).notNullable();
    json(t, 'data');
    if (isPostgres(knex)) {
      t.index(['xid', 'id']);
      t.index(['node_uuid', 'xid', 'id']);
    } else t.index(['node_uuid', 'id']);
  });
  await sparseIndex(knex, 'events', 'run_id', isPostgres(knex) ? ', xid, id' : ', id');
}

async function boots(knex: Knex): Promise<void> {
  await knex.schema.createTable('boot_tokens', (t) => {
    t.string('sha256', 64).primary();
    uuid(t, 'node_uuid').notNullable().references('nodes.uuid').onDelete('CASCADE').index();
    uuid(t, 'run_id').notNullable().index();
    t.string('mac', 17).notNullable();
    t.bigInteger('expires_at').notNullable();
    t.bigInteger('closed_at');
  });
  await knex.schema.createTable('agent_keys', (t) => {
    uuid(t, 'run_id').primary();
    uuid(t, 'node_uuid').notNullable().references('nodes.uuid').onDelete('CASCADE').index();
    t.string('sha256', 64).notNullable().unique();
    t.text('boot_id').notNullable();
  });
  await knex.schema.createTable('unknown_machines', (t) => {
    t.string('mac', 17).primary();
    t.text('uuid');
    t.text('serial');
    t.text('arch');
    t.text('platform');
    t.text('address');
    t.bigInteger('first_seen_at').notNullable();
    t.bigInteger('last_seen_at').notNullable().index();
    t.integer('requests').notNullable();
  });
  await knex.schema.createTable('boot_addresses', (t) => {
    t.string('mac', 17).primary();
    t.text('address').notNullable();
  });
}

async function rest(knex: Knex): Promise<void> {
  await knex.schema.createTable('requests', (t) => {
    t.text('request_id').primary();
    json(t, 'answer');
    t.bigInteger('created_at').notNullable().index();
  });
  await knex.schema.createTable('settings', (t) => {
    t.text('name').primary();
    t.text('value').notNullable();
    flag(t, 'is_sealed');
  });
}

export const initial: Migration = {
  name: '0001-initial',
  async up(knex) {
    await nodes(knex);
    await networks(knex);
    await work(knex);
    await boots(knex);
    await rest(knex);
  },
};
