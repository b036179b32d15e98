import { asNodeId, asSessionId, type NodeId } from '@bessemer/core';
import type { Db, NodeRepository } from '@bessemer/db';
import { memoryDb } from '@bessemer/db/testing';
import { ManualClock, seededRandom } from '@bessemer/ports/testing';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FAKE_DRIVER } from '../testing.ts';
import { createKeptNodes, type ViewOf } from './kept-nodes.ts';
import { fullFields } from './node-fields.ts';
import { createNodeWriter } from './node-rows.ts';

const page = { limit: 100 };
const random = seededRandom(3);
const UUIDS = Array.from({ length: 4 }, () => asNodeId(random.uuid()));
const SESSION = asSessionId(random.uuid());

let db: Db;
// Time stands still: what tells two states of a node apart must not be the clock.
beforeEach(async () => {
  db = await memoryDb({ clock: new ManualClock() });
  await beat('fake');
  for (const uuid of UUIDS) await addNode(uuid);
});
afterEach(() => db.close());

const addNode = (uuid: NodeId, description: string | null = null) =>
  db.write('node', (tx) => tx.nodes.create({ uuid, driver: 'fake-hardware', description }));
const beat = (bios: string) =>
  db.write('conductor', (tx) =>
    tx.conductors.heartbeat(
      {
        session: SESSION,
        hostname: 'c1',
        conductorGroup: '',
        drivers: [{ ...FAKE_DRIVER, defaults: { ...FAKE_DRIVER.defaults, bios } }],
      },
      3_600_000,
    ),
  );
const viewOf = async (minor = 115): Promise<ViewOf> => ({
  minor,
  base: 'http://h',
  conductors: await db.read.conductors.list(),
});

/** What a writer that keeps nothing makes of the same page. */
async function fresh(of: ViewOf, maintenance?: boolean): Promise<string> {
  const writer = createNodeWriter(fullFields(of.minor), { ...of, isFull: true });
  const filter = maintenance === undefined ? {} : { maintenance };
  return Buffer.from(
    writer.writeAll(await db.read.nodes.listValues(writer.columns, filter, page), '[', ']'),
  ).toString();
}

/** `source` that counts whole rows and can do something before it reads them. */
function counting(source: NodeRepository) {
  const seen = { wholeRows: 0, before: async () => {} };
  const nodes: NodeRepository = {
    ...source,
    async listValues(columns, filter, wanted) {
      if (columns.length < 10) return source.listValues(columns, filter, wanted);
      await seen.before();
      const rows = await source.listValues(columns, filter, wanted);
      seen.wholeRows += rows.length;
      return rows;
    },
  };
  return { seen, nodes };
}

const one = fc.constantFrom(...UUIDS);
const change = fc.oneof(
  fc.tuple(one, fc.string(), fc.boolean()).map(([uuid, description, maintenance]) => async () => {
    if (await db.read.nodes.get(uuid))
      await db.write('patch', (tx) => tx.nodes.update(uuid, { description, maintenance, extra: { [description]: 1 } }));
  }),
  fc.tuple(one, fc.constantFrom('power on', 'power off', null)).map(([uuid, powerState]) => async () => {
    if (await db.read.nodes.get(uuid)) await db.write('power', (tx) => tx.nodes.update(uuid, { powerState }));
  }),
  one.map((uuid) => async () => {
    const node = await db.read.nodes.get(uuid);
    if (!node) return;
    const event = node.provisionState === 'enroll' ? 'manage' : 'done';
    if (event === 'manage' || node.provisionState === 'verifying')
      await db.write('event', (tx) => tx.nodes.processEvent(uuid, event, {}));
  }),
  one.map((uuid) => async () => {
    const node = await db.read.nodes.get(uuid);
    if (node?.reservation) await db.write('release', (tx) => tx.nodes.release(uuid, node.reservation!.fence));
    else if (node) await db.write('reserve', (tx) => tx.nodes.reserve(uuid, SESSION, 'c1', 'test'));
  }),
  one.map((uuid) => async () => {
    if (!(await db.read.nodes.get(uuid))) await addNode(uuid);
    else if (!(await db.read.nodes.get(uuid))!.reservation) await db.write('remove', (tx) => tx.nodes.remove(uuid));
  }),
  // A node that is deleted and made anew in one moment.
  fc.tuple(one, fc.string()).map(([uuid, description]) => async () => {
    if (await db.read.nodes.get(uuid)) await db.write('remove', (tx) => tx.nodes.remove(uuid));
    await addNode(uuid, description);
  }),
  fc.constantFrom('fake', 'no-bios').map((bios) => async () => void (await beat(bios))),
);

it('shows what a view that is made anew shows, after any change', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(change, { maxLength: 12 }),
      fc.constantFrom(1, 50, 115),
      fc.constantFrom(1, 20_000, 64 * 1024 * 1024),
      async (changes, minor, mostBytes) => {
        const kept = createKeptNodes(db.read.nodes, mostBytes);
        for (const apply of changes) {
          await apply();
          const of = await viewOf(minor);
          for (const maintenance of [undefined, true]) {
            const filter = maintenance === undefined ? {} : { maintenance };
            const bytes = await kept.list(of, filter, page, '[', () => ']');
            expect(Buffer.from(bytes).toString()).toBe(await fresh(of, maintenance));
          }
          const writer = createNodeWriter(fullFields(minor), { ...of, isFull: true });
          for (const uuid of UUIDS) {
            const values = await db.read.nodes.findValues(writer.columns, uuid);
            expect((await kept.find(of, uuid))?.text).toBe(values && writer.write(values));
          }
        }
      },
    ),
    { numRuns: 60 },
  );
});

it('reads of the nodes that have not changed no more than what tells that', async () => {
  const { seen, nodes } = counting(db.read.nodes);
  const kept = createKeptNodes(nodes);
  const ask = async () => kept.list(await viewOf(), {}, page, '', () => '');
  await ask();
  await ask();
  expect(seen.wholeRows).toBe(4);
  await db.write('patch', (tx) => tx.nodes.update(UUIDS[2]!, { description: 'x' }));
  // A heartbeat alone says nothing new.
  await beat('fake');
  await ask();
  expect(seen.wholeRows).toBe(5);
  await beat('no-bios');
  await ask();
  expect(seen.wholeRows).toBe(9);
});

it('leaves out a node that goes while the page is made, and names it to the tail all the same', async () => {
  const { seen, nodes } = counting(db.read.nodes);
  const kept = createKeptNodes(nodes);
  seen.before = () => db.write('remove', (tx) => tx.nodes.remove(UUIDS[3]!));
  let named: readonly string[] = [];
  const bytes = await kept.list(await viewOf(), {}, page, '[', (uuids) => ((named = uuids), ']'));
  expect(JSON.parse(Buffer.from(bytes).toString()).map((n: { uuid: string }) => n.uuid)).toEqual(UUIDS.slice(0, 3));
  expect(named).toEqual(UUIDS);
});

it('keeps no more than it may', async () => {
  const { seen, nodes } = counting(db.read.nodes);
  const kept = createKeptNodes(nodes, 1);
  for (let i = 0; i < 2; i++) await kept.list(await viewOf(), {}, page, '', () => '');
  expect(seen.wholeRows).toBe(8);
});
