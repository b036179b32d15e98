/** Boot tokens, agents' session keys (both only as SHA-256) and what was seen on the boot network. */
import type { NodeId, RunId, UnknownMachine } from '@bessemer/core';
import type { BootRepository } from '../repositories.ts';
import { first, param, statement } from '../statements/statement.ts';
import type { Row } from '../statements/statement.ts';
import type { Context } from './context.ts';

const addToken = statement((b) =>
  b.knex('boot_tokens').insert({
    sha256: param('sha256'),
    node_uuid: param('nodeUuid'),
    run_id: param('runId'),
    mac: param('mac'),
    expires_at: param('expiresAt'),
  }),
);
const findToken = statement((b) =>
  b
    .knex('boot_tokens')
    .where('sha256', param('sha256'))
    .whereNull('closed_at')
    .where('expires_at', '>', b.now())
    .select('node_uuid', 'run_id', 'mac'),
);
const closeTokens = statement((b) =>
  b.knex('boot_tokens').where('run_id', param('runId')).whereNull('closed_at').update({ closed_at: b.now() }),
);
const purgeTokens = statement((b) =>
  b.knex('boot_tokens').whereNotNull('closed_at').orWhere('expires_at', '<', param('olderThan')).delete(),
);
const setAgentKey = statement((b) =>
  b
    .knex('agent_keys')
    .insert({ run_id: param('runId'), node_uuid: param('nodeUuid'), sha256: param('sha256'), boot_id: param('bootId') })
    .onConflict('run_id')
    .merge(['node_uuid', 'sha256', 'boot_id']),
);
const findAgentKey = statement((b) =>
  b.knex('agent_keys').where('sha256', param('sha256')).select('node_uuid', 'run_id', 'boot_id'),
);
const dropAgentKeys = statement((b) => b.knex('agent_keys').where('run_id', param('runId')).delete());

const SEEN = ['uuid', 'serial', 'arch', 'platform', 'address'];
/** What a later request does not tell is kept from an earlier one. */
const seenUnknown = statement((b) =>
  b
    .knex('unknown_machines')
    .insert({
      mac: param('mac'),
      ...Object.fromEntries(SEEN.map((c) => [c, param(c)])),
      first_seen_at: b.now(),
      last_seen_at: b.now(),
      requests: 1,
    })
    .onConflict('mac')
    .merge({
      ...Object.fromEntries(SEEN.map((c) => [c, b.knex.raw('coalesce(excluded.??, unknown_machines.??)', [c, c])])),
      last_seen_at: b.now(),
      requests: b.knex.raw('unknown_machines.requests + 1'),
    })
    .returning('requests'),
);
/** Anyone on the boot network can invent machines. */
export const MAX_UNKNOWN_MACHINES = 1000;
const trimUnknown = statement((b) =>
  b.knex.raw(
    'delete from unknown_machines where mac not in (select mac from unknown_machines order by last_seen_at desc, mac limit ?)',
    [param('keep')],
  ),
);
const listUnknown = statement((b) => ({
  query: b.knex('unknown_machines').orderBy('last_seen_at', 'desc').orderBy('mac').select('*'),
  limit: 'limit',
}));
const forgetUnknown = statement((b) => b.knex('unknown_machines').where('mac', param('mac')).delete());
const setAddress = statement((b) =>
  b
    .knex('boot_addresses')
    .insert({ mac: param('mac'), address: param('address') })
    .onConflict('mac')
    .merge(['address']),
);
const getAddress = statement((b) => b.knex('boot_addresses').where('mac', param('mac')).select('address'));

const purgeAddresses = statement((b) =>
  b
    .knex('boot_addresses')
    .whereNotExists(b.knex('ports').whereRaw('?? = ??', ['ports.address', 'boot_addresses.mac']))
    .delete(),
);

const text = (value: Row[string] | undefined): string | null => (typeof value === 'string' ? value : null);
const toUnknown = (row: Row): UnknownMachine => ({
  mac: String(row['mac']),
  uuid: text(row['uuid']),
  serial: text(row['serial']),
  arch: text(row['arch']),
  platform: text(row['platform']),
  address: text(row['address']),
  firstSeenAt: Number(row['first_seen_at']),
  lastSeenAt: Number(row['last_seen_at']),
  requests: Number(row['requests']),
});

export function createBootRepository({ sql }: Context): BootRepository {
  return {
    async addToken(token) {
      await sql.run(addToken, { ...token });
    },
    async findToken(sha256) {
      const row = await first(sql, findToken, { sha256 });
      return row && { nodeUuid: row['node_uuid'] as NodeId, runId: row['run_id'] as RunId, mac: String(row['mac']) };
    },
    async closeTokens(runId) {
      await sql.run(closeTokens, { runId });
    },
    purgeTokens: (olderThan) => sql.run(purgeTokens, { olderThan }),
    async setAgentKey(runId, nodeUuid, sha256, bootId) {
      await sql.run(setAgentKey, { runId, nodeUuid, sha256, bootId });
    },
    async findAgentKey(sha256) {
      const row = await first(sql, findAgentKey, { sha256 });
      return (
        row && {
          nodeUuid: row['node_uuid'] as NodeId,
          runId: row['run_id'] as RunId,
          bootId: String(row['boot_id']),
        }
      );
    },
    async dropAgentKeys(runId) {
      await sql.run(dropAgentKeys, { runId });
    },
    async seenUnknown({ mac, uuid, serial, arch, platform, address }) {
      const rows = await sql.all(seenUnknown, { mac, uuid, serial, arch, platform, address });
      const isNew = rows[0]?.['requests'] === 1;
      if (isNew) await sql.run(trimUnknown, { keep: MAX_UNKNOWN_MACHINES });
      return { isNew };
    },
    listUnknown: async (limit) => (await sql.all(listUnknown, { limit })).map(toUnknown),
    async forgetUnknown(mac) {
      await sql.run(forgetUnknown, { mac });
    },
    async setAddress(mac, address) {
      await sql.run(setAddress, { mac, address });
    },
    async getAddress(mac) {
      const row = await first(sql, getAddress, { mac });
      return row && String(row['address']);
    },
    purgeAddresses: () => sql.run(purgeAddresses, {}),
  };
}
