/**
 * Migrations go forward only: expand (add what the new release needs, readable by the old one), release, contract (in a later
 * release, drop what nobody reads). They are imported, not found in a folder, so that a bundled release has them inside.
 */
import type { Knex } from 'knex';
import { initial } from './0001-initial.ts';
import { resources } from './0002-resources.ts';
import { tokens } from './0005-tokens.ts';
import { beyondIronic } from './0006-beyond-ironic.ts';
import { lentNodes } from './0007-lent-nodes.ts';

export interface Migration {
  /** Stored in the database: never rename one that was released. */
  readonly name: string;
  up(knex: Knex): Promise<void>;
}

export const MIGRATIONS: readonly Migration[] = [initial, resources, tokens, beyondIronic, lentNodes];

const source: Knex.MigrationSource<Migration> = {
  getMigrations: async () => [...MIGRATIONS],
  getMigrationName: (migration) => migration.name,
  getMigration: async (migration) => ({
    up: (knex) => migration.up(knex),
    async down() {
      throw new Error('migrations go forward only');
    },
  }),
};

/**
 * Brings the schema up to date. The caller has made sure that nobody else migrates, so a lock row left by a killed process is
 * freed. A schema newer than this release is accepted: releases only expand what their predecessor reads.
 */
export async function migrate(knex: Knex): Promise<void> {
  const config = { migrationSource: source, disableMigrationsListValidation: true };
  await knex.migrate.forceFreeMigrationsLock(config);
  await knex.migrate.latest(config);
}
