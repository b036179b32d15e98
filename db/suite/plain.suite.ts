/** Plain resources: what the generic repository promises, on the resources that use it in their own ways. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addNode, codeOf, newPortId, newUuid } from './fixtures.ts';
import type { DbUnderTest, MakeDb } from './fixtures.ts';

export function describePlainResources(make: MakeDb): void {
  let t: DbUnderTest;
  beforeEach(async () => void (t = await make()));
  afterEach(() => t.db.close());

  describe('plain resources', () => {
    it('are refused by the unique column that is taken, also on update', async () => {
      const { db } = t;
      const node = await addNode(db);
      const add = (name: string, address: string | null) =>
        db.write('test', (tx) => tx.portgroups.create({ uuid: newUuid(), nodeUuid: node, name, address }));
      await add('bond0', 'AA-BB-CC-00-00-01');
      const other = await add('bond1', null);
      await expect(add('bond2', 'aa:bb:cc:00:00:01')).rejects.toThrow(/MAC address aa:bb:cc:00:00:01 already exists/);
      await expect(add('bond0', null)).rejects.toThrow(/name bond0 already exists/);
      const rename = db.write('test', (tx) => tx.portgroups.update(other.uuid, { name: 'bond0' }));
      await expect(rename).rejects.toThrow(/name bond0 already exists/);
      const connector = { nodeUuid: node, type: 'ip', connectorId: '192.0.2.1' };
      const addConnector = () =>
        db.write('test', (tx) => tx.volumeConnectors.create({ uuid: newUuid(), ...connector }));
      await addConnector();
      await expect(addConnector()).rejects.toThrow(/type ip and connector ID 192\.0\.2\.1 already exists/);
      const target = (bootIndex: number) =>
        db.write('test', (tx) =>
          tx.volumeTargets.create({ uuid: newUuid(), nodeUuid: node, bootIndex, volumeId: 'v', volumeType: 'iscsi' }),
        );
      await target(0);
      const second = await target(1);
      const move = db.write('test', (tx) => tx.volumeTargets.update(second.uuid, { bootIndex: 0 }));
      await expect(move).rejects.toThrow(/boot index '0' for the same node/);
      expect(await codeOf(db.write('test', (tx) => tx.runbooks.remove(newUuid())))).toBe('RUNBOOK_NOT_FOUND');
      expect(await codeOf(db.write('test', (tx) => tx.runbooks.update(newUuid(), {})))).toBe('RUNBOOK_NOT_FOUND');
    });

    it('are listed for a project by their node, their owner or because they are public', async () => {
      const { db } = t;
      const [mine, leased, strange] = [
        await addNode(db, { owner: 'p', shard: 's1' }),
        await addNode(db, { lessee: 'p', conductorGroup: 'left' }),
        await addNode(db, { owner: 'q' }),
      ];
      let last = 0;
      for (const nodeUuid of [mine, leased, strange]) {
        const address = `aa:bb:cc:00:00:0${++last}`;
        await db.write('test', async (tx) => {
          await tx.ports.create({ uuid: newPortId(), nodeUuid, address });
          await tx.volumeConnectors.create({ uuid: newUuid(), nodeUuid, type: 'mac', connectorId: address });
        });
      }
      const page = { limit: 10 };
      const addresses = async (filter: Parameters<typeof db.read.ports.list>[0]) =>
        (await db.read.ports.list(filter, page)).map((port) => port.address.slice(-1)).join('');
      expect(await addresses({ visibleTo: 'p' })).toBe('12');
      expect(await addresses({ visibleTo: 'nobody' })).toBe('');
      expect(await addresses({ shards: ['s1', 's2'] })).toBe('1');
      expect(await addresses({ conductorGroups: ['left'] })).toBe('2');
      expect(await db.read.volumeConnectors.list({ visibleTo: 'p', nodeUuid: mine }, page)).toHaveLength(1);

      await db.write('test', async (tx) => {
        await tx.runbooks.create({ uuid: newUuid(), name: 'own', owner: 'p' });
        await tx.runbooks.create({ uuid: newUuid(), name: 'all', public: true });
        await tx.runbooks.create({ uuid: newUuid(), name: 'other', owner: 'q' });
        for (const owner of ['p', 'q', null])
          await tx.allocations.create({ uuid: newUuid(), owner, resourceClass: 'b' });
      });
      const names = (await db.read.runbooks.list({ visibleTo: 'p' }, page)).map((runbook) => runbook.name);
      expect(names).toEqual(['own', 'all']);
      expect(await db.read.allocations.list({ visibleTo: 'p' }, page)).toHaveLength(1);
      expect(await db.read.allocations.list({ state: 'allocating', resourceClass: 'b' }, page)).toHaveLength(3);
    });

    it('go with their node, and hold what is in them', async () => {
      const { db } = t;
      const node = await addNode(db);
      const group = await db.write('test', (tx) => tx.portgroups.create({ uuid: newUuid(), nodeUuid: node }));
      const port = { uuid: newPortId(), nodeUuid: node, address: 'aa:bb:cc:00:00:01', portgroupUuid: group.uuid };
      await db.write('test', (tx) => tx.ports.create(port));
      expect(await codeOf(db.write('test', (tx) => tx.portgroups.remove(group.uuid)))).toBe('PORTGROUP_NOT_EMPTY');
      await db.write('test', async (tx) => {
        await tx.allocations.create({ uuid: newUuid(), nodeUuid: node, state: 'active' });
        await tx.nodes.setDocument(node, 'bios', { Boot: { value: 'Uefi' } });
      });
      expect(await db.read.nodes.getDocument(node, 'bios')).toEqual({ Boot: { value: 'Uefi' } });
      expect(await db.read.nodes.getDocument(node, 'firmware')).toBeNull();
      await db.write('test', (tx) => tx.nodes.remove(node));
      for (const repository of [db.read.portgroups, db.read.ports, db.read.allocations])
        expect(await repository.list({}, { limit: 10 })).toEqual([]);
      expect(await db.read.nodes.getDocument(node, 'bios')).toBeNull();
    });

    it('count nodes by shard', async () => {
      for (const shard of ['b', 'a', 'b', null]) await addNode(t.db, { shard });
      const counts = await t.db.read.nodes.countByShard();
      expect(counts[0]).toEqual({ name: 'b', count: 2 });
      expect(counts).toHaveLength(3);
      expect(counts).toContainEqual({ name: null, count: 1 });
    });
  });
}
