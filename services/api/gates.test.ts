/** Every microversion gate on both sides of its boundary. What the specification says is generated; the rest stands in tables. */
import { OPERATIONS, openapi, type OperationSpec } from '@bessemer/api-spec';
import { INTERFACE_KINDS, type Json, type JsonObject } from '@bessemer/core';
import { seededRandom } from '@bessemer/ports/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { tooOld } from './http/gates.ts';
import { startApi, type TestApi, type TestReply } from './testing.ts';
import { answerEverything, bodyOf, makeThings, pathOf, queryOf, type Things } from './things-testing.ts';
import { NODE_FIELDS } from './views/node-fields.ts';

let api: TestApi;
let things: Things;
const random = seededRandom(41);
beforeAll(async () => {
  api = await startApi();
  answerEverything(api);
});
afterAll(() => api.stop());
beforeEach(async () => void (things = await makeThings(api, random)));

function ask(operation: OperationSpec, version: number, query: Record<string, string> = {}): Promise<TestReply> {
  const search = new URLSearchParams({ ...queryOf(operation, things), ...query });
  const body = bodyOf(operation, things, random);
  return api.request(operation.method, `${pathOf(operation, things)}${search.size > 0 ? `?${search}` : ''}`, {
    version,
    ...(body === undefined ? {} : { body }),
  });
}
const operation = (id: string): OperationSpec => OPERATIONS.find((o) => o.operationId === id)!;
const outcome = ({ status, fault }: TestReply) => ({ status, fault });

/** Operations that 1.1 has; each other one has x-since and so two generated cases. A new one is put here on purpose or not at all. */
const FROM_THE_START = new Set(
  `getTimeline getWhy configureNode retryRun streamEvents listUnknownMachines bulk listChassis createChassis listChassisDetail
  getChassis patchChassis deleteChassis listChassisNodes listChassisNodesDetail listDrivers getDriver getDriverProperties getConsole setConsole
  listVendorMethods getVendorMethod postVendorMethod putVendorMethod patchVendorMethod deleteVendorMethod getVendorQuery
  postVendorQuery putVendorQuery patchVendorQuery deleteVendorQuery listDriverVendorMethods getDriverVendorMethod
  postDriverVendorMethod putDriverVendorMethod patchDriverVendorMethod deleteDriverVendorMethod getDriverVendorQuery
  postDriverVendorQuery putDriverVendorQuery patchDriverVendorQuery deleteDriverVendorQuery getNodeStates setPowerState
  setProvisionState setMaintenance clearMaintenance getBootDevice setBootDevice getSupportedBootDevices listNodes createNode
  listNodesDetail listNodePortsDetail listIndicators getIndicator setIndicator validateNodeByQuery getNode patchNode deleteNode validateNode listNodePorts listPorts createPort
  listPortsDetail getPort patchPort deletePort listTokens createToken getToken deleteToken getRoot getV1 getHealth getMetrics
  listWebhooks createWebhook getWebhook patchWebhook deleteWebhook getWebhookDelivery listDeadLetters deleteDeadLetters
  deleteDeadLetter redeliverDeadLetters getDocs getOpenapi continueInspection`.split(/\s+/),
);

describe('operations', () => {
  it('without a least version are those of 1.1', () => {
    const old = OPERATIONS.filter((o) => o.since === 1).map((o) => o.operationId);
    expect(old.filter((id) => !FROM_THE_START.has(id))).toEqual([]);
  });

  /** What an operation answers at its least version when it is not success, and why. */
  const REFUSED: Readonly<Record<string, RegExp>> = {
    deleteChassis: /contains nodes/,
    deletePortgroup: /contains ports/,
    lookup: /has a channel of its own/,
    heartbeat: /has a channel of its own/,
    continueInspection: /has a channel of its own/,
    // The verb is of 1.4.
    setProvisionState: /The target "manage" needs API version 1\.4/,
    getDriverVendorMethod: /No handler for method/,
    postDriverVendorMethod: /No handler for method/,
    putDriverVendorMethod: /No handler for method/,
    patchDriverVendorMethod: /No handler for method/,
    deleteDriverVendorMethod: /No handler for method/,
    getDriverVendorQuery: /No handler for method/,
    postDriverVendorQuery: /No handler for method/,
    putDriverVendorQuery: /No handler for method/,
    patchDriverVendorQuery: /No handler for method/,
    deleteDriverVendorQuery: /No handler for method/,
  };
  it.each(OPERATIONS.map((o) => ({ id: o.operationId, since: o.since })))('$id came with 1.$since', async (row) => {
    const asked = operation(row.id);
    if (row.since > 1) {
      const before = await ask(asked, row.since - 1);
      const { status, message } = tooOld(asked);
      expect(outcome(before)).toEqual({ status, fault: message });
    }
    const at = await ask(asked, row.since);
    const refusal = REFUSED[row.id];
    if (refusal) expect(at.fault).toMatch(refusal);
    else expect([at.status < 400, at.fault]).toEqual([true, undefined]);
  });
});

describe('query parameters', () => {
  const VALUES: Readonly<Record<string, (things: Things) => string>> = {
    node: (t) => t['node']!,
    portgroup: (t) => t['portgroup']!,
    parent_node: (t) => t['node']!,
    fields: () => 'uuid',
    provision_state: () => 'active',
    fault: () => 'clean failure',
    conductor: () => 'c1',
    type: () => 'dynamic',
    address: () => '52:54:00:00:00:01',
  };
  /** Known, but of no use here: the answer is about something else than the version. */
  const REFUSED: Readonly<Record<string, RegExp>> = {
    reset_interfaces: /reset_interfaces parameter can only be used when/,
    'fields of listNodesDetail': /detail=True and fields/,
    'shard of listNodePortgroups': /simultaneously is not supported/,
    'shard of listPortgroupPorts': /^Operation not permitted\.$/,
    'conductor_groups of listNodePortgroups': /cannot be combined/,
  };
  const cases = OPERATIONS.flatMap((o) =>
    o.parameters
      .filter((p) => p.in === 'query' && p.since > o.since)
      .map((p) => ({ id: o.operationId, parameter: p.name, since: p.since })),
  );
  it.each(cases)('$parameter of $id came with 1.$since', async ({ id, parameter, since }) => {
    const asked = operation(id);
    // A driver has names of its own for its fields.
    const isDriver = id === 'listDrivers' || id === 'getDriver';
    const value =
      parameter === 'fields' && isDriver
        ? 'name'
        : parameter === 'fields' && id === 'listBiosSettings'
          ? 'name'
          : parameter === 'fields' && id === 'listFirmware'
            ? 'component'
            : (VALUES[parameter]?.(things) ?? 'true');
    const before = await ask(asked, since - 1, { [parameter]: value });
    // Of `detail` instead of a path that ends so, Ironic says that it is a mistake.
    if (parameter === 'detail' && since === 43)
      expect(outcome(before)).toEqual({ status: 400, fault: 'Invalid query parameter ?detail=True received.' });
    else {
      expect(before.status).toBe(406);
      expect(before.fault).toContain(`The parameter ${parameter} needs API version 1.${since} or newer`);
    }
    const at = await ask(asked, since, { [parameter]: value });
    const refusal = REFUSED[`${parameter} of ${id}`] ?? REFUSED[parameter];
    if (refusal) expect(at.fault).toMatch(refusal);
    else expect([at.status, at.fault]).toEqual([200, undefined]);
  });
});

/** Only a node that is in use can be protected. */
// The last two are tried with values that say nothing, which a new node may have at every version.
const NOT_CREATED = new Set(['protected', 'protected_reason', 'conductor_group', 'retired_reason']);

/** A resource whose fields came one after another. */
interface Gated {
  readonly get: string;
  readonly list: string;
  readonly create: string;
  readonly patch: string;
  readonly schema: string;
  /** Fields that came later than the resource, and a value to write; undefined: only shown. */
  readonly fields: Readonly<Record<string, readonly [since: number, value?: (things: Things) => Json]>>;
  readonly unsortable: readonly string[];
}
const text = () => 'x';
const no = () => false;
const object = (): Json => ({ a: 1 });
const NODE: Gated = {
  get: 'getNode',
  list: 'listNodes',
  create: 'createNode',
  patch: 'patchNode',
  schema: 'Node',
  unsortable:
    'clean_step raid_config target_raid_config traits deploy_step conductor allocation_uuid network_data service_step driver_internal_info health'.split(
      ' ',
    ),
  fields: {
    driver_internal_info: [3],
    name: [5, () => `n-${random.uuid().slice(0, 8)}`],
    inspection_started_at: [6],
    inspection_finished_at: [6],
    clean_step: [7],
    raid_config: [12],
    target_raid_config: [12],
    network_interface: [20, () => 'noop'],
    resource_class: [21, text],
    ...Object.fromEntries(
      INTERFACE_KINDS.filter((kind) => !['network', 'storage', 'rescue', 'bios', 'firmware'].includes(kind)).map(
        (kind) => [`${kind}_interface`, [31, () => 'fake'] as const],
      ),
    ),
    storage_interface: [33, () => 'fake'],
    traits: [37],
    rescue_interface: [38, () => 'fake'],
    bios_interface: [40, () => 'fake'],
    fault: [42],
    deploy_step: [44],
    conductor_group: [46, () => ''],
    automated_clean: [47, no],
    protected: [48, no],
    protected_reason: [48, () => null],
    conductor: [49],
    // Before the owner: a parent is of the same one.
    parent_node: [83, (t) => t['child']!],
    owner: [50, text],
    description: [51, text],
    allocation_uuid: [52],
    retired: [61, no],
    retired_reason: [61, () => null],
    lessee: [65, text],
    network_data: [66, () => ({ links: [], networks: [], services: [] })],
    boot_mode: [75],
    secure_boot: [75],
    shard: [82, text],
    firmware_interface: [86, () => 'fake'],
    service_step: [87],
    disable_power_off: [95, no],
    instance_name: [104, text],
    health: [109],
  },
};
const PORT: Gated = {
  get: 'getPort',
  list: 'listPorts',
  create: 'createPort',
  patch: 'patchPort',
  schema: 'Port',
  unsortable: ['internal_info', 'local_link_connection', 'portgroup_uuid'],
  fields: {
    internal_info: [18],
    local_link_connection: [19, () => ({ port_id: 'e1', switch_id: '52:54:00:00:00:99' })],
    pxe_enabled: [19, no],
    portgroup_uuid: [24, (t) => t['portgroup']!],
    physical_network: [34, text],
    is_smartnic: [53, no],
    name: [88, () => `p-${random.uuid().slice(0, 8)}`],
    description: [97, text],
    vendor: [100, text],
    category: [101, text],
    available_for_dynamic_portgroup: [111, no],
  },
};
const PORTGROUP: Gated = {
  get: 'getPortgroup',
  list: 'listPortgroups',
  create: 'createPortgroup',
  patch: 'patchPortgroup',
  schema: 'Portgroup',
  unsortable: ['properties'],
  fields: {
    mode: [26, () => '802.3ad'],
    properties: [26, object],
    physical_network: [102, text],
    category: [103, text],
    dynamic_portgroup: [111],
  },
};
const ALLOCATION: Gated = {
  get: 'getAllocation',
  list: 'listAllocations',
  create: 'createAllocation',
  patch: 'patchAllocation',
  schema: 'Allocation',
  unsortable: [],
  fields: { owner: [60, text] },
};
const RUNBOOK: Gated = {
  get: 'getRunbook',
  list: 'listRunbooks',
  create: 'createRunbook',
  patch: 'patchRunbook',
  schema: 'Runbook',
  unsortable: ['traits'],
  fields: { description: [112, text], traits: [112] },
};

describe.each([NODE, PORT, PORTGROUP, ALLOCATION, RUNBOOK])('fields of $schema', (resource) => {
  const rows = Object.entries(resource.fields).map(([field, [since, value]]) => ({ field, since, value }));
  const get = operation(resource.get);
  const list = operation(resource.list);

  it('are all in the table, or as old as the resource', async () => {
    const oldest = await ask(get, get.since);
    const schemas = (openapi as unknown as { components: { schemas: Record<string, { properties: object }> } })
      .components.schemas;
    const links = { Node: ['portgroups', 'states', 'volume'], Portgroup: ['ports'] }[resource.schema] ?? [];
    const known = [...Object.keys(oldest.json), ...rows.map((row) => row.field), ...links];
    expect(known.toSorted()).toEqual(Object.keys(schemas[resource.schema]!.properties).toSorted());
  });

  it.each(rows)('$field is shown from 1.$since on', async ({ field, since }) => {
    expect((await ask(get, since - 1)).json).not.toHaveProperty(field);
    expect((await ask(get, since)).json).toHaveProperty(field);
  });

  it.each(rows)('$field can be asked for from 1.$since on', async ({ field, since }) => {
    // The parameter itself came with 1.8.
    const least = Math.max(since, 8);
    for (const asked of [get, list]) {
      expect((await ask(asked, since - 1, { fields: field })).status).toBe(406);
      const reply = await ask(asked, least, { fields: field });
      expect([reply.status, reply.fault]).toEqual([200, undefined]);
    }
  });

  it.each(rows.filter((row) => !resource.unsortable.includes(row.field)))(
    '$field can be sorted by from 1.$since on',
    async ({ field, since }) => {
      expect((await ask(list, since - 1, { sort_key: field })).status).toBe(406);
      const at = await ask(list, since, { sort_key: field });
      expect([at.status, at.fault]).toEqual([200, undefined]);
    },
  );
  it.each(rows.filter((row) => resource.unsortable.includes(row.field)))('$field is no sort key', async ({ field }) => {
    expect((await ask(list, 115, { sort_key: field })).status).toBe(400);
  });

  const writable = rows.filter((row) => row.value !== undefined);
  it.each(writable.filter(({ field }) => !NOT_CREATED.has(field)))(
    '$field can be given to a new one from 1.$since on',
    async ({ field, since, value }) => {
      const create = operation(resource.create);
      const post = (version: number) =>
        api.request('POST', create.path, {
          version,
          body: {
            ...(bodyOf(create, things, random) as JsonObject),
            // A node has its parent's owner.
            ...(field === 'parent_node' ? { owner: 'p1' } : {}),
            [field]: value!(things),
          },
        });
      const before = await post(since - 1);
      expect(outcome(before)).toEqual({ status: 406, fault: expect.stringContaining(`The field ${field} needs`) });
      const at = await post(since);
      expect([at.status, at.fault]).toEqual([201, undefined]);
    },
  );

  // An owner is not changed, once there is an allocation.
  it.each(writable.filter(() => resource !== ALLOCATION))(
    '$field can be patched from 1.$since on',
    async ({ field, since, value }) => {
      const patch = operation(resource.patch);
      const ask = (version: number) =>
        api.request('PATCH', pathOf(patch, things), {
          version,
          body: [{ op: 'add', path: `/${field}`, value: value!(things) }],
        });
      const before = await ask(since - 1);
      expect(outcome(before)).toEqual({ status: 406, fault: expect.stringContaining(`The field ${field} needs`) });
      const at = await ask(since);
      expect([at.status, at.fault]).toEqual([200, undefined]);
    },
  );
});

it('the table of node fields is the one that the API reads', () => {
  for (const { wire, since } of NODE_FIELDS) expect([wire, NODE.fields[wire]?.[0] ?? 1]).toEqual([wire, since]);
});
