/** Two processes change nodes and a third shows them: what was acknowledged before it was asked is in the answer, and whole. */
import { asNodeId, asSessionId, type NodeId } from '@bessemer/core';
import { type Db, openPostgres } from '@bessemer/db';
import { startPostgres, testSecrets, type TestPostgres } from '@bessemer/db/testing';
import { silentLog } from '@bessemer/ports';
import { systemClock, systemRandom } from '@bessemer/ports/node';
import { seededRandom } from '@bessemer/ports/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FAKE_DRIVER } from '../testing.ts';
import { createKeptNodes } from './kept-nodes.ts';

const NODES = 12;
const WRITES = 150;
const READS = 120;
const random = seededRandom(77);
const UUIDS = Array.from({ length: NODES }, () => asNodeId(random.uuid()));
const SESSION = asSessionId(random.uuid());

let server: TestPostgres;
const dbs: Db[] = [];
beforeAll(async () => {
  server = await startPostgres();
  const url = await server.createDatabase();
  const common = { clock: systemClock, random: systemRandom, log: silentLog, secrets: testSecrets };
  for (let i = 0; i < 3; i++) dbs.push(await openPostgres({ url, ...common }));
  await dbs[0]!.write('nodes', async (tx) => {
    const drivers = [FAKE_DRIVER];
    await tx.conductors.heartbeat({ session: SESSION, hostname: 'c1', conductorGroup: '', drivers }, 3_600_000);
    for (const uuid of UUIDS)
      await tx.nodes.create({
        uuid,
        driver: 'fake-hardware',
        description: '0',
        extra: { n: 0 },
        powerState: 'power off',
      });
  });
});
afterAll(async () => {
  for (const db of dbs) await db.close();
  await server?.stop();
});

interface Shown {
  readonly uuid: string;
  readonly description: string;
  readonly extra: { readonly n: number };
  readonly power_state: string;
  readonly reservation: string | null;
}

it('holds on PostgreSQL while two others write', async () => {
  const [one, two, reader] = dbs as [Db, Db, Db];
  const kept = createKeptNodes(reader.read.nodes);
  const of = { minor: 115, base: 'http://h', conductors: await reader.read.conductors.list() };
  /** The last write of each node that was acknowledged: one writer has the even nodes, the other the odd ones. */
  const acknowledged = new Map<NodeId, number>(UUIDS.map((uuid) => [uuid, 0]));
  const powers = new Map<NodeId, string>(UUIDS.map((uuid) => [uuid, 'power off']));
  let writing = 2;
  async function write(db: Db, mine: readonly NodeId[], dice: ReturnType<typeof seededRandom>): Promise<void> {
    for (let i = 0; i < WRITES; i++) {
      const uuid = mine[Math.floor(dice.float() * mine.length)]!;
      const what = dice.float();
      if (what < 0.6) {
        const n = acknowledged.get(uuid)! + 1;
        await db.write('write', (tx) => tx.nodes.update(uuid, { description: String(n), extra: { n } }));
        acknowledged.set(uuid, n);
      } else if (what < 0.7)
        await db
          .write('undone', async (tx) => {
            await tx.nodes.update(uuid, { description: 'never', extra: { n: -1 } });
            throw new Error('undone');
          })
          .catch(() => {});
      else if (what < 0.85) {
        const state = powers.get(uuid) === 'power on' ? 'power off' : 'power on';
        powers.delete(uuid);
        await db.write('power', (tx) => tx.nodes.update(uuid, { powerState: state }));
        powers.set(uuid, state);
      } else {
        const { fence } = (await db.write('reserve', (tx) => tx.nodes.reserve(uuid, SESSION, 'c1', 'test')))!;
        await db.write('release', (tx) => tx.nodes.release(uuid, fence));
      }
    }
    writing--;
  }
  async function read(): Promise<void> {
    for (let i = 0; i < READS || writing > 0; i++) {
      const least = new Map(acknowledged);
      const power = new Map(powers);
      const bytes = await kept.list(of, {}, { limit: 100 }, '[', () => ']');
      const shown = JSON.parse(Buffer.from(bytes).toString()) as Shown[];
      expect(shown.map((node) => node.uuid)).toEqual(UUIDS);
      for (const node of shown) {
        expect(node.description).toBe(String(node.extra.n));
        expect(node.extra.n).toBeGreaterThanOrEqual(least.get(asNodeId(node.uuid))!);
        expect(node.extra.n).toBeLessThanOrEqual(acknowledged.get(asNodeId(node.uuid))! + 1);
        const known = power.get(asNodeId(node.uuid));
        // Nothing was written in between, so it must be this.
        if (known !== undefined && powers.get(asNodeId(node.uuid)) === known && writing === 0)
          expect(node.power_state).toBe(known);
      }
      const any = UUIDS[i % NODES]!;
      const before = acknowledged.get(any)!;
      const { text } = (await kept.find(of, any))!;
      expect((JSON.parse(text) as Shown).extra.n).toBeGreaterThanOrEqual(before);
    }
  }
  const halves = [UUIDS.filter((_, i) => i % 2 === 0), UUIDS.filter((_, i) => i % 2 === 1)] as const;
  await Promise.all([write(one, halves[0], seededRandom(1)), write(two, halves[1], seededRandom(2)), read(), read()]);
  const last = JSON.parse(Buffer.from(await kept.list(of, {}, { limit: 100 }, '[', () => ']')).toString()) as Shown[];
  expect(last.map(({ extra, power_state, reservation }) => [extra.n, power_state, reservation])).toEqual(
    UUIDS.map((uuid) => [acknowledged.get(uuid), powers.get(uuid), null]),
  );
});
