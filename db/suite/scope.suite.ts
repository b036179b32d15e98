import { asNodeId, type JsonObject, type NodeId, type Role, type RunId } from '@bessemer/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Db } from '../repositories.ts';
import { scopedDb } from '../scope.ts';
import { addNode, codeOf, heartbeat, newPortId, newRun, newSession, newUuid } from './fixtures.ts';
import type { DbUnderTest, MakeDb } from './fixtures.ts';

export function describeScope(make: MakeDb): void {
  let t: DbUnderTest;
  let owned: NodeId;
  let leased: NodeId;
  let foreign: NodeId;
  const as = (project: string, role: Role = 'admin') => scopedDb(t.db, { project, role });
  const write = <T>(db: Db, fn: Parameters<typeof db.write<T>>[1]) => db.write('test', fn);

  beforeEach(async () => {
    t = await make();
    const common = { lastError: 'why', driverInfo: { ipmi_address: '192.0.2.1' }, driverInternalInfo: { a: 1 } };
    owned = await addNode(t.db, { ...common, name: 'owned', owner: 'p' });
    leased = await addNode(t.db, { ...common, name: 'leased', owner: 'q', lessee: 'p' });
    foreign = await addNode(t.db, { ...common, name: 'foreign', owner: 'q' });
  });
  afterEach(() => t.db.close());

  describe('the database as a project sees it', () => {
    it('has the nodes that it owns and leases, and no others', async () => {
      const p = as('p');
      const page = { limit: 10 };
      expect((await p.read.nodes.list({}, page)).map((n) => n.name)).toEqual(['owned', 'leased']);
      expect((await p.read.nodes.list({ owner: 'q' }, page)).map((n) => n.name)).toEqual(['leased']);
      expect((await p.read.nodes.list({ project: 'q' }, page)).map((n) => n.name)).toEqual(['leased']);
      expect(await p.read.nodes.count({})).toBe(2);
      expect(await p.read.nodes.find('foreign')).toBeUndefined();
      expect(await p.read.nodes.get(foreign)).toBeUndefined();
      expect(await codeOf(p.read.nodes.list({}, { limit: 1, marker: foreign }))).toBe('NOT_FOUND');
      expect(await p.read.nodes.list({}, { limit: 1, marker: owned })).toHaveLength(1);
      for (const work of [
        () => write(p, (tx) => tx.nodes.update(foreign, { name: 'mine' })),
        () => write(p, (tx) => tx.nodes.remove(foreign)),
        () => write(p, (tx) => tx.nodes.processEvent(foreign, 'manage', {})),
        () => p.read.nodes.getInventory(foreign),
        () => p.read.nodes.getConfigDrive(foreign),
      ])
        expect(await codeOf(work())).toBe('NODE_NOT_FOUND');
      expect(await as('stranger').read.nodes.list({}, page)).toEqual([]);
    });

    it('shows a lessee that there is something, not what', async () => {
      const nodes = as('p').read.nodes;
      expect((await nodes.get(owned))?.driverInfo).toEqual({ ipmi_address: '192.0.2.1' });
      const shown = JSON.stringify(await nodes.get(leased));
      expect(shown).toContain('Requires baremetal:node:get:last_error permission');
      for (const hidden of ['192.0.2.1', '"why"', '"a":1']) expect(shown).not.toContain(hidden);
      const rows = await nodes.listRows(['uuid', 'driver_info', 'last_error'], {}, { limit: 10 });
      expect(
        rows.map((row) => [row['uuid'], String(row['driver_info']).includes('192.0.2.1'), row['last_error']]),
      ).toEqual([
        [owned, true, 'why'],
        [leased, false, expect.stringContaining('Redacted')],
      ]);
      expect(JSON.parse(String(rows[1]!['driver_info']))).toEqual({ content: expect.stringContaining('Redacted') });
    });

    it('lets nothing redacted be written back', async () => {
      const p = as('p');
      const { driverInfo } = (await p.read.nodes.get(leased))!;
      expect(await codeOf(write(p, (tx) => tx.nodes.update(leased, { driverInfo })))).toBe('FORBIDDEN');
      await write(p, (tx) => tx.nodes.update(leased, { extra: { a: 1 } }));
      expect(await t.db.read.nodes.get(leased)).toMatchObject({
        extra: { a: 1 },
        driverInfo: { ipmi_address: '192.0.2.1' },
      });
    });

    it('makes the project the owner of what it creates', async () => {
      const p = as('p');
      const create = (patch: JsonObject) =>
        write(p, (tx) => tx.nodes.create({ uuid: asNodeId(newUuid()), driver: 'fake-hardware', ...patch }));
      expect((await create({})).owner).toBe('p');
      expect(await codeOf(create({ owner: 'q' }))).toBe('FORBIDDEN');
      const allocation = await write(p, (tx) =>
        tx.allocations.create({ uuid: newUuid() as never, resourceClass: 'x', owner: null }),
      );
      expect(allocation.owner).toBe('p');
    });

    it('has what belongs to those nodes', async () => {
      const add = (nodeUuid: NodeId, address: string) =>
        write(t.db, (tx) => tx.ports.create({ uuid: newPortId(), nodeUuid, address }));
      const mine = await add(owned, '52:54:00:00:00:01');
      const lent = await add(leased, '52:54:00:00:00:02');
      const theirs = await add(foreign, '52:54:00:00:00:03');
      const p = as('p');
      expect(await p.read.ports.list({}, { limit: 10 })).toEqual([mine, lent]);
      expect(await p.read.ports.find(theirs.address)).toBeUndefined();
      expect(await codeOf(write(p, (tx) => tx.ports.remove(theirs.uuid)))).toBe('NOT_FOUND');
      const away = write(p, (tx) => tx.ports.update(mine.uuid, { nodeUuid: foreign }));
      expect(await codeOf(away)).toBe('NODE_NOT_FOUND');
      const onto = write(p, (tx) =>
        tx.ports.create({ uuid: newPortId(), nodeUuid: foreign, address: '52:54:00:00:00:04' }),
      );
      expect(await codeOf(onto)).toBe('NODE_NOT_FOUND');
      expect(await codeOf(p.read.ports.list({}, { limit: 1, marker: theirs.uuid }))).toBe('NOT_FOUND');
    });

    it('has the public runbooks too, to read', async () => {
      const add = (name: string, more: { owner?: string; public?: boolean }) =>
        write(t.db, (tx) => tx.runbooks.create({ uuid: newUuid() as never, name, ...more }));
      await add('CUSTOM_MINE', { owner: 'p' });
      const open = await add('CUSTOM_OPEN', { public: true });
      await add('CUSTOM_THEIRS', { owner: 'q' });
      const p = as('p');
      const names = (await p.read.runbooks.list({}, { limit: 10 })).map((r) => r.name);
      expect(names).toEqual(['CUSTOM_MINE', 'CUSTOM_OPEN']);
      expect(await p.read.runbooks.find('CUSTOM_OPEN')).toEqual(open);
      expect(await p.read.runbooks.find('CUSTOM_THEIRS')).toBeUndefined();
      expect(await codeOf(write(p, (tx) => tx.runbooks.update(open.uuid, { extra: {} })))).toBe('NOT_FOUND');
      expect(await codeOf(write(p, (tx) => tx.runbooks.remove(open.uuid)))).toBe('NOT_FOUND');
    });

    it('tells the events of its nodes, to a lessee without what failed and who did what', async () => {
      const append = (type: 'step.failed' | 'access.changed', nodeUuid: NodeId | null) =>
        write(t.db, (tx) => tx.events.append({ type, nodeUuid, runId: null, data: { error: 'the BMC said no' } }));
      for (const uuid of [owned, leased, foreign, null])
        for (const type of ['step.failed', 'access.changed'] as const) await append(type, uuid);
      const p = as('p');
      const expected = [
        ['step.failed', owned, 'the BMC said no'],
        ['access.changed', owned, 'the BMC said no'],
        ['step.failed', leased, expect.stringContaining('Redacted')],
      ];
      const filter = { types: ['step.failed', 'access.changed'] };
      for (const events of [
        await p.read.events.listAfter(undefined, filter, 100),
        await p.read.events.listLast(filter, 100),
      ])
        expect(events.map((e) => [e.type, e.nodeUuid, e.data['error']])).toEqual(expected);
    });

    it('tells a lessee that the power is waited for, not where the BMC is', async () => {
      const session = newSession();
      await heartbeat(t.db, session);
      const waitingFor = { what: 'power', from: 'the BMC at 192.0.2.1', since: 1, until: 2, hint: 'h', position: null };
      const run = await write(t.db, async (tx) => {
        const { fence } = (await tx.nodes.reserve(leased, session, 'host', 'test'))!;
        const made = await tx.runs.create(newRun(leased, fence));
        const { what, from, until } = waitingFor;
        await tx.events.append({ type: 'run.waiting', nodeUuid: leased, runId: made.id, data: { what, from, until } });
        return tx.runs.update(made.id, fence, { waitingFor });
      });
      const seenBy = async (project: string) => {
        const { runs, events } = as(project).read;
        const [event] = await events.listLast({ runId: run.id }, 1);
        return [(await runs.current(leased))?.waitingFor?.from, event?.data];
      };
      expect(await seenBy('p')).toEqual(['the BMC', { what: 'power', from: 'the BMC', until: 2 }]);
      expect(await seenBy('q')).toEqual([waitingFor.from, { what: 'power', from: waitingFor.from, until: 2 }]);
    });

    it('tells a lessee what happened since the node was lent to it, and the owner everything', async () => {
      const append = (text: string) =>
        write(t.db, (tx) => tx.events.append({ type: 'power.ordered', nodeUuid: owned, runId: null, data: { text } }));
      const lend = (lessee: string | null) => write(t.db, (tx) => tx.nodes.update(owned, { lessee }));
      const filter = { types: ['power.ordered'], nodeUuid: owned };
      const seenBy = async (project: string) => {
        const { events } = as(project).read;
        const found = (await events.listAfter(undefined, filter, 100)).map((e) => e.data['text']);
        expect((await events.listLast(filter, 100)).map((e) => e.data['text'])).toEqual(found);
        return found;
      };
      await append('mine');
      await lend('first');
      await append('for first');
      // A change that leaves the lessee what it is takes nothing away.
      await write(t.db, (tx) => tx.nodes.update(owned, { lessee: 'first', extra: { a: 1 } }));
      expect(await seenBy('first')).toEqual(['for first']);
      await lend(null);
      await append('between');
      expect(await seenBy('first')).toEqual([]);
      // In the transaction of the lending: what it was before, and what comes of it.
      await write(t.db, async (tx) => {
        const event = (text: string) =>
          ({ type: 'power.ordered', nodeUuid: owned, runId: null, data: { text } }) as const;
        await tx.events.append(event('before'));
        await tx.nodes.update(owned, { lessee: 'second' });
        await tx.events.append(event('after'));
      });
      expect(await seenBy('second')).toEqual(['after']);
      await lend('first');
      await append('again');
      expect(await seenBy('first')).toEqual(['again']);
      expect(await seenBy('second')).toEqual([]);
      expect(await seenBy('p')).toEqual(['mine', 'for first', 'between', 'before', 'after', 'again']);
    });

    it('tells a lessee nothing of a node of the same uuid that was there before', async () => {
      await write(t.db, (tx) =>
        tx.events.append({ type: 'power.ordered', nodeUuid: leased, runId: null, data: { of: 'the old one' } }),
      );
      await write(t.db, (tx) => tx.nodes.remove(leased));
      await write(t.db, (tx) => tx.nodes.create({ uuid: leased, driver: 'fake-hardware', lessee: 'p' }));
      expect(await as('p').read.events.listLast({ nodeUuid: leased }, 10)).toEqual([]);
    });

    it('shows a lessee the runs that were not over when the node was lent to it', async () => {
      const session = newSession();
      await heartbeat(t.db, session);
      const fence = await write(t.db, async (tx) => (await tx.nodes.reserve(owned, session, 'host', 'test'))!.fence);
      const begin = async () => {
        const run = newRun(owned, fence);
        await write(t.db, (tx) => tx.runs.create(run));
        return run.id;
      };
      const end = (id: RunId) =>
        write(t.db, async (tx) => {
          await tx.runs.update(id, fence, { state: 'done', finishedAt: 1 });
          await tx.events.append({ type: 'run.finished', nodeUuid: owned, runId: id, data: {} });
        });
      const before = await begin();
      await end(before);
      const during = await begin();
      await write(t.db, (tx) => tx.nodes.update(owned, { lessee: 'l' }));
      const { runs } = as('l').read;
      expect(await runs.get(before)).toBeUndefined();
      expect((await runs.current(owned))?.id).toBe(during);
      await end(during);
      expect((await runs.get(during))?.id).toBe(during);
      expect((await runs.latest(owned))?.id).toBe(during);
      await write(t.db, (tx) => tx.nodes.update(owned, { lessee: 'later' }));
      expect(await as('later').read.runs.latest(owned, ['deploy'])).toBeUndefined();
      expect((await as('p').read.runs.get(before))?.id).toBe(before);
    });
  });
}
