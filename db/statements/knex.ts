/** knex is CommonJS: its named export is found on the default one, under Node and when bundled alike. */
import knexModule from 'knex';

export const { knex } = knexModule;
