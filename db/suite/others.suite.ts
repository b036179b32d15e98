import type { DriverDescription, Run, RunId } from '@bessemer/core';
import { asNetworkId } from '@bessemer/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PortPatch } from '../repositories.ts';
import {
  addNode,
  codeOf,
  heartbeat,
  newChassisId,
  newNodeId,
  newPortId,
  newRun,
  newRunId,
  newSession,
  newUuid,
} from './fixtures.ts';
import type { DbUnderTest, MakeDb } from './fixtures.ts';

export function describeOthers(make: MakeDb): void {
  let t: DbUnderTest;
  beforeEach(async () => void (t = await make()));
  afterEach(() => t.db.close());
  const addPort = (nodeUuid: ReturnType<typeof newNodeId>, address: string, patch: PortPatch = {}) =>
    t.db.write('test', (tx) => tx.ports.create({ uuid: newPortId(), nodeUuid, address, ...patch }));

  describe('ports', () => {
    it('are stored, found, changed and removed', async () => {
      const { db } = t;
      const node = await addNode(db);
      const port = await addPort(node, 'AA-BB-CC-00-00-01', { name: 'p1', extra: { a: 1 }, pxeEnabled: false });
      expect(port).toMatchObject({
        address: 'aa:bb:cc:00:00:01',
        pxeEnabled: false,
        isSmartnic: false,
        extra: { a: 1 },
      });
      for (const ident of [port.uuid, 'p1', 'AA:BB:CC:00:00:01', 'aabbcc000001'])
        expect(await db.read.ports.find(ident)).toEqual(port);
      const changed = await db.write('test', (tx) => tx.ports.update(port.uuid, { address: 'aa:bb:cc:00:00:02' }));
      expect(changed).toMatchObject({ ...port, address: 'aa:bb:cc:00:00:02', updatedAt: expect.any(Number) });
      await db.write('test', (tx) => tx.ports.remove(port.uuid));
      expect(await db.read.ports.find(port.uuid)).toBeUndefined();
      expect(await codeOf(db.write('test', (tx) => tx.ports.remove(port.uuid)))).toBe('PORT_NOT_FOUND');
      expect(await codeOf(db.write('test', (tx) => tx.ports.update(port.uuid, {})))).toBe('PORT_NOT_FOUND');
    });

    it('refuse a taken address, a wrong one and a node that is not there', async () => {
      const node = await addNode(t.db);
      await addPort(node, 'aa:bb:cc:00:00:01');
      const other = await addPort(node, 'aa:bb:cc:00:00:02');
      expect(await codeOf(addPort(node, 'AA:BB:CC:00:00:01'))).toBe('ALREADY_EXISTS');
      const move = t.db.write('test', (tx) => tx.ports.update(other.uuid, { address: 'aa:bb:cc:00:00:01' }));
      await expect(move).rejects.toThrow(/MAC address aa:bb:cc:00:00:01 already exists/);
      expect(await codeOf(addPort(node, 'nonsense'))).toBe('INVALID_PARAMETER');
      expect(await codeOf(addPort(newNodeId(), 'aa:bb:cc:00:00:09'))).toBe('INVALID_PARAMETER');
    });

    it('are listed by node and address, and go with their node', async () => {
      const { db } = t;
      const [one, two] = [await addNode(db), await addNode(db)];
      for (let i = 1; i <= 3; i++) await addPort(one, `aa:bb:cc:00:01:0${i}`);
      await addPort(two, 'aa:bb:cc:00:02:01', { description: 'Uplink' });
      const list = async (filter: Parameters<typeof db.read.ports.list>[0]) =>
        (await db.read.ports.list(filter, { limit: 10 })).map((p) => p.address.slice(-5));
      expect(await list({})).toEqual(['01:01', '01:02', '01:03', '02:01']);
      expect(await list({ nodeUuid: two })).toEqual(['02:01']);
      expect(await list({ address: 'AA:BB:CC:00:01:02' })).toEqual(['01:02']);
      expect(await list({ descriptionContains: 'uplink' })).toEqual(['02:01']);
      const [first] = await db.read.ports.list({}, { limit: 1, sortKey: 'address', sortDir: 'desc' });
      expect(first!.address).toBe('aa:bb:cc:00:02:01');
      const next = await db.read.ports.list({}, { limit: 1, sortKey: 'address', sortDir: 'desc', marker: first!.uuid });
      expect(next[0]!.address).toBe('aa:bb:cc:00:01:03');
      await db.write('test', (tx) => tx.nodes.remove(one));
      expect(await list({})).toEqual(['02:01']);
    });
  });

  describe('chassis and networks', () => {
    it('keep a chassis while nodes are in it', async () => {
      const { db } = t;
      const uuid = newChassisId();
      const made = await db.write('test', (tx) => tx.chassis.create({ uuid, description: 'd', extra: { a: 1 } }));
      expect(await db.read.chassis.find(uuid)).toEqual(made);
      expect(await db.read.chassis.list({}, { limit: 5 })).toEqual([made]);
      expect(await codeOf(db.write('test', (tx) => tx.chassis.create({ uuid })))).toBe('ALREADY_EXISTS');
      expect((await db.write('test', (tx) => tx.chassis.update(uuid, { description: null }))).description).toBeNull();
      const node = await addNode(db, { chassisUuid: uuid });
      expect(await codeOf(db.write('test', (tx) => tx.chassis.remove(uuid)))).toBe('CHASSIS_NOT_EMPTY');
      await db.write('test', (tx) => tx.nodes.remove(node));
      await db.write('test', (tx) => tx.chassis.remove(uuid));
      expect(await codeOf(db.write('test', (tx) => tx.chassis.remove(uuid)))).toBe('CHASSIS_NOT_FOUND');
    });

    it('put networks by uuid, and keep one that has ports', async () => {
      const { db } = t;
      const uuid = asNetworkId(newUuid());
      const given = {
        uuid,
        name: 'prov',
        cidr: '192.0.2.0/24',
        vlan: null,
        role: 'provisioning',
        dhcp: 'own',
      } as const;
      await db.write('test', (tx) => tx.networks.put(given));
      const changed = await db.write('test', (tx) => tx.networks.put({ ...given, vlan: 7 }));
      expect(await db.read.networks.findByName('prov')).toEqual(changed);
      expect(await db.read.networks.list()).toEqual([{ ...given, vlan: 7, createdAt: expect.any(Number) }]);
      const taken = db.write('test', (tx) => tx.networks.put({ ...given, uuid: asNetworkId(newUuid()) }));
      expect(await codeOf(taken)).toBe('INVALID_PARAMETER');
      const port = await addPort(await addNode(db), 'aa:bb:cc:00:00:01', { networkUuid: uuid });
      expect(await codeOf(db.write('test', (tx) => tx.networks.remove(uuid)))).toBe('INVALID_PARAMETER');
      await db.write('test', (tx) => tx.ports.remove(port.uuid));
      await db.write('test', (tx) => tx.networks.remove(uuid));
      expect(await codeOf(db.write('test', (tx) => tx.networks.remove(uuid)))).toBe('NOT_FOUND');
    });
  });

  describe('runs', () => {
    const leased = async () => {
      const node = await addNode(t.db);
      const session = newSession();
      await heartbeat(t.db, session);
      const lease = await t.db.write('test', (tx) => tx.nodes.reserve(node, session, 'c', 'p'));
      return { node, session, fence: lease!.fence };
    };

    it('are stored and changed under their fence', async () => {
      const { db } = t;
      const { node, session, fence } = await leased();
      const given = {
        ...newRun(node, fence),
        input: { configDrive: { a: 1 }, rescuePassword: 'hunter2' },
        segments: [{ party: 'conductor', steps: [] }],
        owner: session,
      } as const;
      const made = await db.write('test', (tx) => tx.runs.create(given));
      expect(made).toMatchObject({
        ...given,
        notes: {},
        cursor: { segment: 0, step: 0, attempt: null },
        progress: null,
      });
      expect(await db.read.runs.get(made.id)).toEqual(made);
      const waitingFor = { what: 'boot', from: 'x', since: 1, until: 5_000, hint: 'h', position: null };
      const patch = {
        waitingFor,
        cursor: { segment: 0, step: 1, attempt: { id: 'a', startedAt: 1, number: 2 } },
        progress: { phase: 'write', bytes: 1, totalBytes: 2, bytesPerSecond: null, at: 3 },
        notes: { agent_token: 'secret', address: 'a' },
      } as const;
      expect(await db.write('test', (tx) => tx.runs.update(made.id, fence, patch))).toMatchObject(patch);
      expect(await codeOf(db.write('test', (tx) => tx.runs.update(made.id, fence - 1, patch)))).toBe('STALE_FENCE');
      expect(await codeOf(db.write('test', (tx) => tx.runs.update(newRunId(), fence, patch)))).toBe('RUN_NOT_FOUND');
      expect((await db.read.runs.listOverdue(4_999, 5)).length).toBe(0);
      expect((await db.read.runs.listOverdue(5_000, 5)).map((r) => r.id)).toEqual([made.id]);
      const done = { state: 'done', waitingFor: null, finishedAt: 9 } as const;
      expect(await db.write('test', (tx) => tx.runs.update(made.id, fence, done))).toMatchObject(done);
      expect(await db.read.runs.listOverdue(1e15, 5)).toEqual([]);
      expect(await db.read.runs.listUnfinished()).toEqual([]);
    });

    it('are forgotten a while after their node has gone and they have ended', async () => {
      const { db } = t;
      const make = async (isOver: boolean, isGone: boolean) => {
        const { node, fence } = await leased();
        return db.write('test', async (tx) => {
          const { id } = await tx.runs.create(newRun(node, fence));
          if (isOver) await tx.runs.update(id, fence, { state: 'done', finishedAt: 1 });
          if (isGone) await tx.nodes.remove(node);
          return id;
        });
      };
      const [there, open, gone] = [await make(true, false), await make(false, true), await make(true, true)];
      const purge = async (olderThan: number) => db.write('test', (tx) => tx.runs.purge(olderThan));
      const now = await db.now();
      expect(await purge(now - 60_000)).toBe(0);
      expect(await purge(now + 60_000)).toBe(1);
      expect(await db.read.runs.get(gone)).toBeUndefined();
      for (const id of [there, open]) expect((await db.read.runs.get(id))?.id).toBe(id);
    });

    it('are kept for a while: the newest of each node, and its last deployment', async () => {
      const { db } = t;
      const { node, fence } = await leased();
      const made: RunId[] = [];
      const add = (verb: Run['verb']) =>
        db.write('test', async (tx) => {
          const { id } = await tx.runs.create({ ...newRun(node, fence), verb });
          await tx.runs.update(id, fence, { state: 'done', finishedAt: 1 });
          made.push(id);
        });
      const of = async (index: number) => (await db.read.runs.get(made[index]!))?.verb;
      await add('deploy');
      await add('deploy');
      for (let i = 0; i < 100; i++) await add('power');
      // A hundred, and the deployment before those.
      expect(await Promise.all([0, 1, 2, 101].map(of))).toEqual([undefined, 'deploy', 'power', 'power']);
      await add('power');
      expect(await Promise.all([1, 2, 3].map(of))).toEqual(['deploy', undefined, 'power']);
      const { node: other, fence: theirs } = await leased();
      await db.write('test', (tx) => tx.runs.create(newRun(other, theirs)));
      expect(await of(3)).toBe('power');
    });

    it('are one unfinished at a time per node', async () => {
      const { db } = t;
      const { node, session, fence } = await leased();
      const one = await db.write('test', (tx) => tx.runs.create({ ...newRun(node, fence), owner: session }));
      expect(await codeOf(db.write('test', (tx) => tx.runs.create(newRun(node, fence))))).toBe('INVALID_STATE');
      expect((await db.read.runs.current(node))?.id).toBe(one.id);
      await db.write('test', (tx) => tx.runs.update(one.id, fence, { state: 'failed', error: 'e', finishedAt: 1 }));
      expect(await db.read.runs.current(node)).toBeUndefined();
      const two = await db.write('test', (tx) =>
        tx.runs.create({ ...newRun(node, fence), verb: 'delete', state: 'queued' }),
      );
      expect((await db.read.runs.latest(node))?.id).toBe(two.id);
      expect((await db.read.runs.latest(node, ['rebuild', 'deploy']))?.id).toBe(one.id);
      expect(await db.read.runs.latest(node, ['rebuild'])).toBeUndefined();
      expect((await db.read.runs.listQueued()).map((r) => r.id)).toEqual([two.id]);
      expect((await db.read.runs.listUnfinished()).map((r) => r.id)).toEqual([two.id]);
      expect(await db.read.runs.listUnfinished(session)).toEqual([]);
      expect(await db.read.runs.countUnfinished('queued')).toBe(1);
      expect(await db.read.runs.countUnfinished('running')).toBe(0);
      expect(await db.read.runs.countUnfinished('queued', ['deploy', 'rebuild'])).toBe(0);
      expect(await db.read.runs.countUnfinished('queued', ['deploy', 'delete'])).toBe(1);
      expect(await db.read.runs.listRunningIds(session)).toEqual([]);
      await db.write('test', (tx) => tx.runs.update(two.id, fence, { state: 'running' }));
      await db.write('test', (tx) => tx.runs.takeOver(two.id, session, fence));
      expect(await db.read.runs.listRunningIds(session)).toEqual([two.id]);
      expect(await db.read.runs.listRunningIds(newSession())).toEqual([]);
      expect(await db.read.runs.countUnfinished('running', ['delete'])).toBe(1);
      expect(await codeOf(db.write('test', (tx) => tx.runs.create(newRun(node, fence + 1))))).toBe('STALE_FENCE');
    });

    it('are taken over with the new fence, and the old owner writes no more', async () => {
      const { db } = t;
      const { node, session, fence } = await leased();
      const run = await db.write('test', (tx) => tx.runs.create({ ...newRun(node, fence), owner: session }));
      await db.write('test', (tx) => tx.conductors.end(session));
      const heir = newSession();
      await heartbeat(db, heir);
      const taken = await db.write('test', async (tx) => {
        const lease = await tx.nodes.reserve(node, heir, 'd', 'take-over');
        return tx.runs.takeOver(run.id, heir, lease!.fence);
      });
      expect(taken).toMatchObject({ owner: heir, fence: fence + 1 });
      expect(await codeOf(db.write('test', (tx) => tx.runs.update(run.id, fence, { error: 'x' })))).toBe('STALE_FENCE');
      expect(await codeOf(db.write('test', (tx) => tx.runs.takeOver(run.id, session, fence)))).toBe('STALE_FENCE');
    });
  });

  describe('conductors', () => {
    it('live as long as they say so', async () => {
      const { db } = t;
      const [a, b] = [newSession(), newSession()];
      const drivers = [{ name: 'ipmi' } as DriverDescription];
      const beat = (session: typeof a, ttlMs: number) =>
        db.write('test', (tx) =>
          tx.conductors.heartbeat({ session, hostname: 'h', conductorGroup: 'g', drivers }, ttlMs),
        );
      expect(await beat(a, 60_000)).toBe(true);
      expect(await beat(a, 1)).toBe(true);
      expect(await db.read.conductors.get(a)).toMatchObject({
        session: a,
        hostname: 'h',
        conductorGroup: 'g',
        drivers,
      });
      await t.passTime(20);
      expect(await beat(a, 60_000)).toBe(false);
      expect((await db.read.conductors.get(a))?.alive).toBe(false);
      expect((await db.read.conductors.list()).map((c) => [c.session, c.alive])).toEqual([[a, false]]);
      expect(await beat(b, 60_000)).toBe(true);
      expect((await db.read.conductors.list()).map((c) => [c.session, c.alive])).toEqual([[b, true]]);
      await db.write('test', (tx) => tx.conductors.end(b));
      expect((await db.read.conductors.get(b))?.alive).toBe(false);
      expect(await db.read.conductors.get(newSession())).toBeUndefined();
    });

    it('are forgotten long after they have ended', async () => {
      const { db } = t;
      const [old, now] = [newSession(), newSession()];
      await heartbeat(db, old, 1);
      await heartbeat(db, now);
      await t.passTime(20);
      const later = (await db.now()) - 10;
      expect(await db.write('test', (tx) => tx.conductors.purge(later))).toBe(1);
      expect(await db.read.conductors.get(old)).toBeUndefined();
      expect((await db.read.conductors.get(now))?.alive).toBe(true);
    });

    it('ends the earlier lives of a host, and of no other', async () => {
      const { db } = t;
      const [first, second, elsewhere, now] = [newSession(), newSession(), newSession(), newSession()];
      const beat = (session: typeof now, hostname: string) =>
        db.write('test', (tx) =>
          tx.conductors.heartbeat({ session, hostname, conductorGroup: '', drivers: [] }, 60_000),
        );
      for (const [session, host] of [
        [first, 'mine'],
        [second, 'mine'],
        [elsewhere, 'other'],
        [now, 'mine'],
      ] as const)
        await beat(session, host);
      await db.write('test', (tx) => tx.conductors.endOthers('mine', now));
      const lives = await Promise.all(
        [first, second, elsewhere, now].map(async (session) => (await db.read.conductors.get(session))?.alive),
      );
      expect(lives).toEqual([false, false, true, true]);
      expect(await beat(second, 'mine')).toBe(false);
    });
  });

  describe('boots', () => {
    it('open a token until it is closed or expires', async () => {
      const { db } = t;
      const nodeUuid = await addNode(db);
      const runId = newRunId();
      const now = await db.now();
      const token = { nodeUuid, runId, mac: 'aa:bb:cc:00:00:01' };
      await db.write('test', async (tx) => {
        await tx.boots.addToken({ ...token, sha256: 'a'.repeat(64), expiresAt: now + 60_000 });
        await tx.boots.addToken({ ...token, sha256: 'b'.repeat(64), expiresAt: now - 1 });
      });
      expect(await db.read.boots.findToken('a'.repeat(64))).toEqual(token);
      expect(await db.read.boots.findToken('b'.repeat(64))).toBeUndefined();
      await db.write('test', (tx) => tx.boots.closeTokens(runId));
      expect(await db.read.boots.findToken('a'.repeat(64))).toBeUndefined();

      await db.write('test', (tx) => tx.boots.setAgentKey(runId, nodeUuid, 'c'.repeat(64), 'boot1'));
      await db.write('test', (tx) => tx.boots.setAgentKey(runId, nodeUuid, 'd'.repeat(64), 'boot2'));
      expect(await db.read.boots.findAgentKey('c'.repeat(64))).toBeUndefined();
      expect(await db.read.boots.findAgentKey('d'.repeat(64))).toEqual({ nodeUuid, runId, bootId: 'boot2' });
      await db.write('test', (tx) => tx.boots.dropAgentKeys(runId));
      expect(await db.read.boots.findAgentKey('d'.repeat(64))).toBeUndefined();
    });

    it('keep no token that can open nothing any more', async () => {
      const { db } = t;
      const token = { nodeUuid: await addNode(db), mac: 'aa:bb:cc:00:00:01' };
      const [open, closed] = [newRunId(), newRunId()];
      const now = await db.now();
      await db.write('test', async (tx) => {
        await tx.boots.addToken({ ...token, runId: open, sha256: 'a'.repeat(64), expiresAt: now + 60_000 });
        await tx.boots.addToken({ ...token, runId: open, sha256: 'b'.repeat(64), expiresAt: now - 1 });
        await tx.boots.addToken({ ...token, runId: closed, sha256: 'c'.repeat(64), expiresAt: now + 60_000 });
        await tx.boots.closeTokens(closed);
      });
      expect(await db.write('test', (tx) => tx.boots.purgeTokens(now))).toBe(2);
      expect(await db.read.boots.findToken('a'.repeat(64))).toMatchObject({ runId: open });
    });

    it('remember the thousand strangers that were seen last', async () => {
      const { db } = t;
      const none = { uuid: null, serial: null, arch: null, platform: null, address: null };
      const mac = (n: number) =>
        `52:54:00:00:${[n >> 8, n & 255].map((b) => b.toString(16).padStart(2, '0')).join(':')}`;
      await db.write('test', async (tx) => {
        for (let n = 0; n < 1000; n++) await tx.boots.seenUnknown({ mac: mac(n), ...none });
      });
      await t.passTime(20);
      await db.write('test', (tx) => tx.boots.seenUnknown({ mac: mac(0), ...none }));
      expect(await db.write('test', (tx) => tx.boots.seenUnknown({ mac: mac(5000), ...none }))).toEqual({
        isNew: true,
      });
      const kept = (await db.read.boots.listUnknown(2000)).map((machine) => machine.mac);
      expect(kept).toHaveLength(1000);
      expect(kept).toEqual(expect.arrayContaining([mac(0), mac(5000)]));
    });

    it('remember machines nobody registered', async () => {
      const { db } = t;
      const seen = (machine: object) =>
        db.write('test', (tx) =>
          tx.boots.seenUnknown({
            mac: 'aa:bb:cc:00:00:01',
            ...{ uuid: null, serial: null, arch: null, platform: null, address: null, ...machine },
          }),
        );
      expect(await seen({ arch: 'x86_64' })).toEqual({ isNew: true });
      expect(await seen({ serial: 'S1', address: '192.0.2.9' })).toEqual({ isNew: false });
      expect(await db.read.boots.listUnknown(5)).toMatchObject([
        { mac: 'aa:bb:cc:00:00:01', arch: 'x86_64', serial: 'S1', address: '192.0.2.9', requests: 2 },
      ]);
      await db.write('test', (tx) => tx.boots.forgetUnknown('aa:bb:cc:00:00:01'));
      expect(await db.read.boots.listUnknown(5)).toEqual([]);
      expect(await db.read.boots.getAddress('aa:bb:cc:00:00:01')).toBeUndefined();
      for (const address of ['192.0.2.1', '192.0.2.2'])
        await db.write('test', (tx) => tx.boots.setAddress('aa:bb:cc:00:00:01', address));
      expect(await db.read.boots.getAddress('aa:bb:cc:00:00:01')).toBe('192.0.2.2');
    });

    it('forget the address of a MAC that no port has any more', async () => {
      const { db } = t;
      const purge = () => db.write('test', (tx) => tx.boots.purgeAddresses());
      const [one, two] = ['aa:bb:cc:00:00:01', 'aa:bb:cc:00:00:02'];
      const [kept, gone] = [await addNode(db), await addNode(db)];
      await addPort(kept, one);
      await addPort(gone, two);
      for (const mac of [one, two]) await db.write('test', (tx) => tx.boots.setAddress(mac, '192.0.2.1'));
      expect(await purge()).toBe(0);
      await db.write('test', (tx) => tx.nodes.remove(gone));
      expect(await purge()).toBe(1);
      expect(await db.read.boots.getAddress(one)).toBe('192.0.2.1');
      expect(await db.read.boots.getAddress(two)).toBeUndefined();
    });
  });

  describe('requests and settings', () => {
    it('keep the first answer', async () => {
      const { db } = t;
      expect(await db.read.requests.get('r')).toBeUndefined();
      for (const answer of [{ a: 1 }, { a: 2 }]) await db.write('test', (tx) => tx.requests.put('r', answer));
      expect(await db.read.requests.get('r')).toEqual({ a: 1 });
      const now = await db.now();
      expect(await db.write('test', (tx) => tx.requests.purge(now - 60_000))).toBe(0);
      expect(await db.write('test', (tx) => tx.requests.purge(now + 60_000))).toBe(1);
    });

    it('keep the last value', async () => {
      const { db } = t;
      expect(await db.read.settings.get('s')).toBeUndefined();
      await db.write('test', (tx) => tx.settings.put('s', 'one'));
      expect(await db.read.settings.get('s')).toBe('one');
      await db.write('test', (tx) => tx.settings.put('s', 'two', { secret: true }));
      expect(await db.read.settings.get('s')).toBe('two');
    });
  });
}
