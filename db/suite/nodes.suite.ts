import type { JsonObject } from '@bessemer/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NodeFilter, NodePatch, Page, Repositories } from '../repositories.ts';
import { addNode, codeOf, newChassisId, newNodeId, newSession, newUuid } from './fixtures.ts';
import type { DbUnderTest, MakeDb } from './fixtures.ts';

export function describeNodes(make: MakeDb): void {
  let t: DbUnderTest;
  beforeEach(async () => void (t = await make()));
  afterEach(() => t.db.close());

  describe('nodes', () => {
    it('are stored and read whole', async () => {
      const { db } = t;
      const chassis = newChassisId();
      await db.write('test', (tx) => tx.chassis.create({ uuid: chassis }));
      const uuid = newNodeId();
      const given: NodePatch = {
        name: 'n1',
        chassisUuid: chassis,
        instanceUuid: newUuid(),
        instanceName: 'inst',
        interfaces: { power: 'ipmitool', vendor: 'noop' },
        driverInfo: { ipmi_address: '192.0.2.1', ipmi_password: 'pässword', ipmi_port: 623, nested: { token: [1] } },
        driverInternalInfo: { agent_secret_token: 'abc', is_x: true },
        properties: { cpus: 4 },
        instanceInfo: { image_source: 'x' },
        extra: { 'v1:': 'v1:a:b:c' },
        networkData: { links: [] },
        raidConfig: {},
        targetRaidConfig: { a: 1 },
        traits: ['CUSTOM_A', 'HW_B'],
        resourceClass: 'baremetal',
        conductorGroup: 'Rack1',
        automatedClean: false,
        protected: true,
        protectedReason: 'why',
        retired: true,
        retiredReason: 'old',
        owner: 'o',
        lessee: 'l',
        shard: 's',
        parentNode: newUuid(),
        description: 'A node',
        allocationUuid: newUuid(),
        disablePowerOff: true,
        maintenance: true,
        maintenanceReason: 'm',
        fault: 'power failure',
        consoleEnabled: true,
        bootMode: 'uefi',
        secureBoot: true,
        powerState: 'power on',
        targetPowerState: 'power off',
        lastError: 'e',
        cleanStep: { step: 'x' },
        deployStep: {},
        serviceStep: {},
        inspectionStartedAt: 1,
        inspectionFinishedAt: 2,
      };
      const made = await db.write('test', (tx) => tx.nodes.create({ uuid, driver: 'ipmi', ...given }));
      expect(made).toMatchObject({
        ...given,
        uuid,
        driver: 'ipmi',
        provisionState: 'enroll',
        targetProvisionState: null,
        provisionUpdatedAt: null,
        reservation: null,
        updatedAt: null,
      });
      expect(made.createdAt).toBeGreaterThan(1_500_000_000_000);
      expect(await db.read.nodes.get(uuid)).toEqual(made);
      expect(await db.read.nodes.find('n1')).toEqual(made);
      expect(await db.read.nodes.find(uuid.toUpperCase())).toEqual(made);
      expect(await db.read.nodes.find('n2')).toBeUndefined();
      const cleared = await db.write('test', (tx) =>
        tx.nodes.update(uuid, { name: null, interfaces: { boot: 'ipxe' }, secureBoot: null, powerState: null }),
      );
      expect(cleared).toMatchObject({ name: null, interfaces: { boot: 'ipxe' }, secureBoot: null, powerState: null });
      expect(cleared.updatedAt).not.toBeNull();
    });

    it('have a time of change that grows with every change of the row, so that it tells two states apart', async () => {
      const { db } = t;
      const uuid = await addNode(db);
      const times: number[] = [];
      const changed = async (work: (tx: Repositories) => Promise<unknown>) => {
        await db.write('test', work);
        times.push((await db.read.nodes.get(uuid))!.updatedAt!);
      };
      for (let i = 0; i < 3; i++) {
        await changed((tx) => tx.nodes.update(uuid, { extra: { i } }));
        await changed((tx) => tx.nodes.processEvent(uuid, 'manage', {}));
        await changed((tx) => tx.nodes.processEvent(uuid, 'fail', { error: 'no answer' }));
      }
      expect(times).toEqual([...new Set(times)].toSorted((a, b) => a - b));
    });

    it('have defaults for what is not given', async () => {
      const node = await t.db.read.nodes.get(await addNode(t.db));
      expect(node).toMatchObject({ name: null, extra: {}, traits: [], conductorGroup: '', maintenance: false });
      expect(node).toMatchObject({ automatedClean: null, powerState: null, interfaces: {}, driverInfo: {} });
    });

    it('refuse a taken uuid, name or instance, saying which', async () => {
      const { db } = t;
      const instanceUuid = newUuid();
      const one = await addNode(db, { name: 'one', instanceUuid });
      const create = (node: object) =>
        db.write('test', (tx) => tx.nodes.create({ uuid: newNodeId(), driver: 'x', ...node }));
      const update = async (patch: object) => {
        const uuid = await addNode(db);
        return db.write('test', (tx) => tx.nodes.update(uuid, patch));
      };
      for (const [work, message] of [
        [() => create({ uuid: one }), /UUID .* already exists/],
        [() => create({ name: 'one' }), /name one already exists/],
        [() => create({ instanceUuid }), /already associated/],
        [() => update({ name: 'one' }), /name one already exists/],
        [() => update({ instanceUuid }), /already associated/],
      ] as const) {
        expect(await codeOf(work())).toBe('NODE_ALREADY_EXISTS');
        await expect(work()).rejects.toThrow(message);
      }
      expect(await codeOf(create({ chassisUuid: newUuid() }))).toBe('CHASSIS_NOT_FOUND');
    });

    it('name what is not there', async () => {
      const ghost = newNodeId();
      const { db } = t;
      expect(await db.read.nodes.get(ghost)).toBeUndefined();
      for (const work of [
        () => db.write('test', (tx) => tx.nodes.update(ghost, { extra: {} })),
        () => db.write('test', (tx) => tx.nodes.update(ghost, { powerState: 'power on' })),
        () => db.write('test', (tx) => tx.nodes.update(ghost, {}, 1)),
        () => db.write('test', (tx) => tx.nodes.remove(ghost)),
        () => db.write('test', (tx) => tx.nodes.reserve(ghost, newSession(), 'c', 'p')),
        () => db.write('test', (tx) => tx.nodes.processEvent(ghost, 'manage', {})),
        () => db.write('test', (tx) => tx.nodes.setConfigDrive(ghost, 'x')),
      ])
        expect(await codeOf(work())).toBe('NODE_NOT_FOUND');
    });

    it('are found by each filter', async () => {
      const { db } = t;
      const chassisUuid = newChassisId();
      await db.write('test', (tx) => tx.chassis.create({ uuid: chassisUuid }));
      const instanceUuid = newUuid();
      const parent = await addNode(db, {
        name: 'a',
        chassisUuid,
        instanceUuid,
        instanceName: 'i',
        maintenance: true,
        resourceClass: 'rc',
        fault: 'f',
        conductorGroup: 'Rack1',
        owner: 'p1',
        description: '100%_Sure\\',
        retired: true,
        shard: 's1',
      });
      const child = await addNode(db, { name: 'b', lessee: 'p1', shard: 's2', parentNode: parent });
      const plain = await addNode(db, { name: 'c', description: '1000 sure' });
      await db.write('test', (tx) => tx.nodes.processEvent(plain, 'manage', {}));
      await db.write('test', (tx) => tx.nodes.reserve(plain, newSession(), 'c', 'p'));
      const names = async (filter: NodeFilter) =>
        (await db.read.nodes.list(filter, { limit: 10 })).map((n) => n.name).join('');
      const expected: Array<[NodeFilter, string]> = [
        [{}, 'ac'],
        [{ includeChildren: true }, 'abc'],
        [{ parentNode: parent }, 'b'],
        [{ chassisUuid }, 'a'],
        [{ instanceUuid }, 'a'],
        [{ associated: true }, 'a'],
        [{ associated: false }, 'c'],
        [{ maintenance: true }, 'a'],
        [{ maintenance: false, includeChildren: true }, 'bc'],
        [{ provisionState: 'verifying' }, 'c'],
        [{ driver: 'fake-hardware' }, 'ac'],
        [{ driver: 'ipmi' }, ''],
        [{ resourceClass: 'rc' }, 'a'],
        [{ fault: 'f' }, 'a'],
        [{ conductorGroup: 'rACK1' }, 'a'],
        [{ conductorGroup: '' }, 'c'],
        [{ owner: 'p1' }, 'a'],
        [{ lessee: 'p1', includeChildren: true }, 'b'],
        [{ project: 'p1', includeChildren: true }, 'ab'],
        [{ descriptionContains: 'SURE' }, 'ac'],
        [{ descriptionContains: '0%_s' }, 'a'],
        [{ descriptionContains: '\\' }, 'a'],
        [{ retired: true }, 'a'],
        [{ shards: ['s1', 's2'], includeChildren: true }, 'ab'],
        [{ shards: [] }, ''],
        [{ sharded: true }, 'a'],
        [{ sharded: false }, 'c'],
        [{ instanceName: 'i' }, 'a'],
        [{ reserved: true }, 'c'],
        [{ reserved: false }, 'a'],
        [{ uuids: [child, plain], includeChildren: true }, 'bc'],
        [{ owner: 'p1', maintenance: true, shards: ['s1'], descriptionContains: 'sure' }, 'a'],
      ];
      for (const [filter, found] of expected) {
        expect(await names(filter), JSON.stringify(filter)).toBe(found);
        expect(await db.read.nodes.count(filter), JSON.stringify(filter)).toBe(found.length);
        const rows = await db.read.nodes.listRows(['name'], filter, { limit: 10, sortKey: 'power_state' });
        expect(rows.map((r) => r['name']).join(''), JSON.stringify(filter)).toBe(found);
      }
    });

    it('come in pages that miss none and repeat none, by any key, nulls first', async () => {
      const { db } = t;
      const owners = ['b', null, 'a', 'b', null, 'c', 'a'];
      for (const owner of owners) await addNode(db, { owner });
      const orders: Array<[Partial<Page>, string]> = [
        [{ sortKey: 'owner' }, '--aabbc'],
        [{ sortKey: 'owner', sortDir: 'desc' }, 'cbbaa--'],
      ];
      const all = async (page: Partial<Page>) =>
        (await db.read.nodes.list({}, { limit: 100, ...page })).map((n) => n.uuid);
      for (const [page, order] of orders) {
        const whole = await db.read.nodes.list({}, { limit: 100, ...page });
        expect(whole.map((n) => n.owner ?? '-').join('')).toBe(order);
      }
      for (const page of [
        {},
        ...orders.map(([page]) => page),
        { sortDir: 'desc' },
        { sortKey: 'reservation' },
        { sortKey: 'power_state', sortDir: 'desc' },
        { sortKey: 'created_at' },
      ] as const) {
        const seen: string[] = [];
        for (let marker: string | undefined; ; marker = seen.at(-1)) {
          const rows = await db.read.nodes.list({}, { limit: 2, ...page, ...(marker ? { marker } : {}) });
          seen.push(...rows.map((n) => n.uuid));
          if (rows.length < 2) break;
        }
        expect(seen, JSON.stringify(page)).toEqual(await all(page));
      }
    });

    it('refuse a page that cannot be', async () => {
      const list = (page: Page) => codeOf(t.db.read.nodes.list({}, page));
      expect(await list({ limit: 0 })).toBe('INVALID_PARAMETER');
      expect(await list({ limit: 1.5 })).toBe('INVALID_PARAMETER');
      expect(await list({ limit: 1, marker: newUuid() })).toBe('NOT_FOUND');
      expect(await list({ limit: 1, marker: 'x' })).toBe('INVALID_PARAMETER');
      for (const sortKey of ['driver_info', 'nothing', 'toString', "uuid'"])
        expect(await list({ limit: 1, sortKey })).toBe('INVALID_PARAMETER');
      expect(await codeOf(t.db.read.nodes.listRows(['password'], {}, { limit: 1 }))).toBe('INVALID_PARAMETER');
    });

    it('are listed as rows with the columns asked for, JSON as text, secrets masked', async () => {
      const { db } = t;
      const uuid = await addNode(db, {
        driverInfo: { ipmi_address: '192.0.2.1', ipmi_password: 'hunter2' },
        interfaces: { power: 'ipmitool' },
        traits: ['A'],
        powerState: 'power on',
      });
      await db.write('test', (tx) => tx.nodes.reserve(uuid, newSession(), 'conductor-1', 'p'));
      const columns = [
        'uuid',
        'driver_info',
        'power_interface',
        'boot_interface',
        'traits',
        'maintenance',
        'chassis_uuid',
      ];
      expect(
        await db.read.nodes.listRows([...columns, 'power_state', 'reservation', 'updated_at'], {}, { limit: 5 }),
      ).toEqual([
        {
          uuid,
          driver_info: '{"ipmi_address":"192.0.2.1","ipmi_password":"******"}',
          power_interface: 'ipmitool',
          boot_interface: null,
          traits: '["A"]',
          maintenance: 0,
          chassis_uuid: null,
          power_state: 'power on',
          reservation: 'conductor-1',
          updated_at: null,
        },
      ]);
    });

    it('keep config drive and inventory apart', async () => {
      const { db } = t;
      const uuid = await addNode(db);
      expect(await db.read.nodes.getConfigDrive(uuid)).toBeNull();
      for (const drive of [{ user_data: 'x' }, 'H4sI...', { other: 1 }] as Array<JsonObject | string>) {
        await db.write('test', (tx) => tx.nodes.setConfigDrive(uuid, drive));
        expect(await db.read.nodes.getConfigDrive(uuid)).toEqual(drive);
      }
      await db.write('test', (tx) => tx.nodes.setConfigDrive(uuid, null));
      expect(await db.read.nodes.getConfigDrive(uuid)).toBeNull();

      const data = { inventory: { cpu: { count: 2 } }, pluginData: { x: [1] } };
      await db.write('test', (tx) => tx.nodes.setInventory(uuid, { ...data, pluginData: {} }));
      await db.write('test', (tx) => tx.nodes.setInventory(uuid, data));
      expect(await db.read.nodes.getInventory(uuid)).toEqual(data);
      await db.write('test', (tx) => tx.nodes.setInventory(uuid, null));
      expect(await db.read.nodes.getInventory(uuid)).toBeNull();
    });
  });
}
