/** What is fat and read one at a time: config drive, inventory, BIOS and firmware, in tables of their own. */
import type { NodeId } from '@bessemer/core';
import type { NodeRepository } from '../repositories.ts';
import { first, param, statement } from '../statements/statement.ts';
import { isForeignKeyViolation } from '../statements/violations.ts';
import { nodeNotFound } from './context.ts';
import type { Context } from './context.ts';

const putConfigDrive = statement((b) =>
  b
    .knex('node_config_drives')
    .insert({ node_uuid: param('uuid'), sealed: param('sealed') })
    .onConflict('node_uuid')
    .merge(['sealed']),
);
const dropConfigDrive = statement((b) => b.knex('node_config_drives').where('node_uuid', param('uuid')).delete());
const getConfigDrive = statement((b) =>
  b.knex('node_config_drives').where('node_uuid', param('uuid')).select('sealed'),
);
const putInventory = statement((b) =>
  b
    .knex('node_inventories')
    .insert({ node_uuid: param('uuid'), inventory: param('inventory'), plugin_data: param('pluginData') })
    .onConflict('node_uuid')
    .merge(['inventory', 'plugin_data']),
);
const dropInventory = statement((b) => b.knex('node_inventories').where('node_uuid', param('uuid')).delete());
const getInventory = statement((b) =>
  b.knex('node_inventories').where('node_uuid', param('uuid')).select('inventory', 'plugin_data'),
);

const putDocument = statement((b) =>
  b
    .knex('node_documents')
    .insert({ node_uuid: param('uuid'), kind: param('kind'), document: param('document') })
    .onConflict(['node_uuid', 'kind'])
    .merge(['document']),
);
const ofKind = { node_uuid: param('uuid'), kind: param('kind') };
const dropDocument = statement((b) => b.knex('node_documents').where(ofKind).delete());
const getDocument = statement((b) => b.knex('node_documents').where(ofKind).select('document'));

type Documents = Pick<
  NodeRepository,
  'setConfigDrive' | 'getConfigDrive' | 'setInventory' | 'getInventory' | 'setDocument' | 'getDocument'
>;

export function createNodeDocuments({ sql, cipher }: Context): Documents {
  const write = async (uuid: NodeId, work: () => Promise<number>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      throw isForeignKeyViolation(error) ? nodeNotFound(uuid) : error;
    }
  };
  return {
    setConfigDrive: (uuid, value) =>
      write(uuid, () =>
        value === null
          ? sql.run(dropConfigDrive, { uuid })
          : sql.run(putConfigDrive, { uuid, sealed: cipher.seal(JSON.stringify(value), uuid, 'config_drive') }),
      ),
    async getConfigDrive(uuid) {
      const row = await first(sql, getConfigDrive, { uuid });
      return row ? JSON.parse(cipher.open(String(row['sealed']), uuid, 'config_drive')) : null;
    },
    setInventory: (uuid, value) =>
      write(uuid, () =>
        value === null
          ? sql.run(dropInventory, { uuid })
          : sql.run(putInventory, {
              uuid,
              inventory: JSON.stringify(value.inventory),
              pluginData: JSON.stringify(value.pluginData),
            }),
      ),
    async getInventory(uuid) {
      const row = await first(sql, getInventory, { uuid });
      if (!row) return null;
      return { inventory: JSON.parse(String(row['inventory'])), pluginData: JSON.parse(String(row['plugin_data'])) };
    },
    setDocument: (uuid, kind, value) =>
      write(uuid, () =>
        value === null
          ? sql.run(dropDocument, { uuid, kind })
          : sql.run(putDocument, { uuid, kind, document: JSON.stringify(value) }),
      ),
    async getDocument(uuid, kind) {
      const row = await first(sql, getDocument, { uuid, kind });
      return row ? JSON.parse(String(row['document'])) : null;
    },
  };
}
