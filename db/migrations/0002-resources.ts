/** The resources of Ironic's API beyond nodes, ports and chassis. */
import type { Knex } from 'knex';
import type { Migration } from './index.ts';

type Table = Knex.CreateTableBuilder;

/** What every resource has: a number to sort by, a uuid, two times. */
function resource(t: Table): void {
  t.bigIncrements('id');
  t.string('uuid', 36).notNullable().unique();
  t.bigInteger('created_at').notNullable();
  t.bigInteger('updated_at');
}
const json = (t: Table, ...columns: string[]) => {
  for (const column of columns) t.text(column).notNullable();
};
const ofNode = (t: Table) =>
  t.string('node_uuid', 36).notNullable().references('nodes.uuid').onDelete('CASCADE').index();

export const resources: Migration = {
  name: '0002-resources',
  async up(knex) {
    await knex.schema.alterTable('ports', (t) => {
      t.text('vendor');
      t.text('category');
      t.smallint('available_for_dynamic_portgroup').notNullable().defaultTo(1);
    });
    await knex.schema.createTable('portgroups', (t) => {
      resource(t);
      ofNode(t);
      t.string('address', 17).unique();
      t.text('name').unique();
      t.text('mode');
      t.text('physical_network');
      t.text('category');
      t.smallint('standalone_ports_supported').notNullable();
      t.smallint('dynamic_portgroup').notNullable();
      json(t, 'extra', 'properties', 'internal_info');
    });
    await knex.schema.createTable('volume_connectors', (t) => {
      resource(t);
      ofNode(t);
      t.text('type').notNullable();
      t.text('connector_id').notNullable();
      json(t, 'extra');
      t.unique(['type', 'connector_id']);
    });
    await knex.schema.createTable('volume_targets', (t) => {
      resource(t);
      ofNode(t);
      t.text('volume_type').notNullable();
      t.text('volume_id').notNullable();
      t.integer('boot_index').notNullable();
      json(t, 'extra', 'properties');
      t.unique(['node_uuid', 'boot_index']);
    });
    await knex.schema.createTable('deploy_templates', (t) => {
      resource(t);
      t.text('name').notNullable().unique();
      json(t, 'steps', 'extra');
    });
    await knex.schema.createTable('runbooks', (t) => {
      resource(t);
      t.text('name').notNullable().unique();
      t.text('description');
      t.text('owner').index();
      t.smallint('disable_ramdisk').notNullable();
      t.smallint('public').notNullable();
      json(t, 'steps', 'traits', 'extra');
    });
    await knex.schema.createTable('inspection_rules', (t) => {
      resource(t);
      t.text('description');
      t.text('phase').notNullable();
      t.text('scope');
      t.integer('priority').notNullable();
      t.smallint('sensitive').notNullable();
      json(t, 'conditions', 'actions');
    });
    await knex.schema.createTable('allocations', (t) => {
      resource(t);
      t.text('name').unique();
      t.string('node_uuid', 36).unique().references('nodes.uuid').onDelete('CASCADE');
      t.string('state', 15).notNullable().index();
      t.text('resource_class');
      t.text('owner').index();
      t.text('last_error');
      json(t, 'traits', 'candidate_nodes', 'extra');
    });
    // Fat, and read one at a time: what a node's BIOS and firmware said of themselves.
    await knex.schema.createTable('node_documents', (t) => {
      t.string('node_uuid', 36).notNullable().references('nodes.uuid').onDelete('CASCADE');
      t.string('kind', 15).notNullable();
      json(t, 'document');
      t.primary(['node_uuid', 'kind']);
    });
  },
};
