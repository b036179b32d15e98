import { asNodeId, asSessionId, type NodeId, ServiceError } from '@bessemer/core';
import type { Db, NodePatch } from '@bessemer/db';
import { memoryDb } from '@bessemer/db/testing';
import { silentLog } from '@bessemer/ports';
import { ManualClock, seededRandom, settle } from '@bessemer/ports/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAllocator, type Allocator } from './allocations.ts';

let db: Db;
let clock: ManualClock;
let allocator: Allocator;
const random = seededRandom(3);

beforeEach(async () => {
  clock = new ManualClock();
  db = await memoryDb({ clock, random });
  allocator = createAllocator({ db, clock, random, log: silentLog });
});
afterEach(() => db.close());

async function node(patch: NodePatch = {}): Promise<NodeId> {
  const uuid = asNodeId(random.uuid());
  await db.write('test', (tx) =>
    tx.nodes.create({
      uuid,
      driver: 'fake-hardware',
      provisionState: 'available',
      resourceClass: 'baremetal',
      powerState: 'power off',
      ...patch,
    }),
  );
  return uuid;
}
async function ask(more: object = {}, nodeUuid: string | null = null): Promise<string> {
  const uuid = random.uuid();
  await db.write('test', (tx) => tx.allocations.create({ uuid, resourceClass: 'baremetal', ...more }));
  await allocator.allocate({ allocationUuid: uuid, nodeUuid }, { requestId: 'r' });
  return uuid;
}
const deploy = (uuid: NodeId) =>
  db.write('test', async (tx) => {
    for (const event of ['deploy', 'done'] as const) await tx.nodes.processEvent(uuid, event, {});
  });
const outcome = async (uuid: string) => {
  const found = await db.read.allocations.find(uuid);
  return { state: found!.state, node: found!.nodeUuid, error: found!.lastError };
};

describe('an allocation', () => {
  it('gets a node that fits, and the node is taken', async () => {
    await node({ resourceClass: 'other' });
    await node({ maintenance: true });
    await node({ powerState: null });
    await node({ traits: ['CUSTOM_SILVER'] });
    const fit = await node({ traits: ['CUSTOM_GOLD', 'CUSTOM_SILVER'], instanceInfo: { kept: 1 } });
    const uuid = await ask({ traits: ['CUSTOM_GOLD'] });
    expect(await outcome(uuid)).toEqual({ state: 'active', node: fit, error: null });
    expect(await db.read.nodes.get(fit)).toMatchObject({
      instanceUuid: uuid,
      allocationUuid: uuid,
      instanceInfo: { kept: 1, traits: ['CUSTOM_GOLD'] },
    });
    expect((await outcome(await ask({ traits: ['CUSTOM_GOLD'] }))).error).toMatch(
      /no suitable nodes have the requested/,
    );
  });

  it('prefers the node of its own name, a candidate, and a node of its owner', async () => {
    for (let i = 0; i < 5; i++) await node();
    const named = await node({ name: 'web-1' });
    expect((await outcome(await ask({ name: 'web-1' }))).node).toBe(named);
    const candidate = await node();
    expect((await outcome(await ask({ candidateNodes: [candidate] }))).node).toBe(candidate);
    const leased = await node({ lessee: 'p' });
    expect((await outcome(await ask({ owner: 'p' }))).node).toBe(leased);
  });

  it('never shares a node with another, however many ask at once', async () => {
    for (let i = 0; i < 3; i++) await node();
    const all = await Promise.all(Array.from({ length: 5 }, () => ask()));
    const outcomes = await Promise.all(all.map(outcome));
    const given = outcomes.filter((o) => o.state === 'active').map((o) => o.node);
    expect(new Set(given).size).toBe(3);
    expect(outcomes.filter((o) => o.state === 'error')).toHaveLength(2);
  });

  it('says why it failed', async () => {
    const uuid = await ask({ resourceClass: 'nosuch' });
    expect(await outcome(uuid)).toEqual({
      state: 'error',
      node: null,
      error: `Failed to process allocation ${uuid}: no available nodes match the resource class nosuch.`,
    });
    const other = await node({ resourceClass: 'other' });
    expect((await outcome(await ask({ candidateNodes: [other] }))).error).toMatch(/none of the requested nodes/);
  });

  it('waits a little for a node that somebody holds', async () => {
    const held = await node();
    const session = asSessionId(random.uuid());
    await db.write('test', async (tx) => {
      await tx.conductors.heartbeat({ session, hostname: 'c', conductorGroup: '', drivers: [] }, 3_600_000);
      await tx.nodes.reserve(held, session, 'c', 'power sync');
    });
    const uuid = random.uuid();
    await db.write('test', (tx) => tx.allocations.create({ uuid, resourceClass: 'baremetal' }));
    const work = allocator.allocate({ allocationUuid: uuid, nodeUuid: null }, { requestId: 'r' });
    await settle();
    expect((await outcome(uuid)).state).toBe('allocating');
    const fence = (await db.read.nodes.get(held))!.reservation!.fence;
    await db.write('test', (tx) => tx.nodes.release(held, fence));
    await clock.advance(1_000);
    await work;
    expect(await outcome(uuid)).toMatchObject({ state: 'active', node: held });
  });

  it('is backfilled for an active node only, and tells who asked', async () => {
    const free = await node();
    const uuid = random.uuid();
    await db.write('test', (tx) => tx.allocations.create({ uuid, resourceClass: 'baremetal' }));
    const refused = allocator.allocate({ allocationUuid: uuid, nodeUuid: free }, { requestId: 'r' });
    await expect(refused).rejects.toThrow(
      `Failed to process allocation ${uuid}: Cannot backfill an allocation for node ${free}: Node must be in the "active" state, but the current state is "available".`,
    );
    expect((await outcome(uuid)).state).toBe('error');
    await deploy(free);
    const late = await ask({}, free);
    expect(await outcome(late)).toMatchObject({ state: 'active', node: free });
    await expect(ask({}, free)).rejects.toThrow(/is associated with instance/);
  });

  it('that a process left unprocessed is gone on with', async () => {
    const fit = await node();
    const uuid = random.uuid();
    await db.write('test', (tx) => tx.allocations.create({ uuid, resourceClass: 'baremetal' }));
    await allocator.sweep();
    expect((await outcome(uuid)).state).toBe('allocating');
    await clock.advance(31_000);
    await allocator.sweep();
    expect(await outcome(uuid)).toMatchObject({ state: 'active', node: fit });
  });

  it('that was to backfill a node and was left gets no other one', async () => {
    await node();
    const named = await node();
    await deploy(named);
    const uuid = random.uuid();
    const candidateNodes = [named];
    await db.write('test', (tx) => tx.allocations.create({ uuid, resourceClass: 'baremetal', candidateNodes }));
    await clock.advance(31_000);
    await allocator.sweep();
    expect(await outcome(uuid)).toMatchObject({ state: 'error', node: null });
    const done = await ask({ candidateNodes }, named);
    expect(await db.read.allocations.find(done)).toMatchObject({
      state: 'active',
      nodeUuid: named,
      candidateNodes: [],
    });
  });

  it('is gone on with when the database was away meanwhile', async () => {
    const fit = await node();
    const uuid = random.uuid();
    await db.write('test', (tx) => tx.allocations.create({ uuid, resourceClass: 'baremetal' }));
    const away: Db = {
      ...db,
      write: (name, fn, options) =>
        name === 'allocate'
          ? Promise.reject(new ServiceError('TEMPORARY_FAILURE', 'The database cannot be reached at the moment.'))
          : db.write(name, fn, options),
    };
    const failing = createAllocator({ db: away, clock, random, log: silentLog });
    await expect(failing.allocate({ allocationUuid: uuid, nodeUuid: null }, { requestId: 'r' })).rejects.toThrow();
    expect((await outcome(uuid)).state).toBe('allocating');
    await clock.advance(31_000);
    await allocator.sweep();
    expect(await outcome(uuid)).toMatchObject({ state: 'active', node: fit });
  });

  it('gets no node that was given to another project meanwhile', async () => {
    const uuid = await node({ owner: 'p' });
    const moving: Db = {
      ...db,
      async write(name, fn, options) {
        if (name === 'allocate') await db.write('test', (tx) => tx.nodes.update(uuid, { owner: 'q' }));
        return db.write(name, fn, options);
      },
    };
    allocator = createAllocator({ db: moving, clock, random, log: silentLog });
    expect(await outcome(await ask({ owner: 'p' }))).toMatchObject({ state: 'error', node: null });
  });
});
