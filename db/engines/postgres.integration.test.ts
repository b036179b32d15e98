import { silentLog } from '@bessemer/ports';
import { systemClock, systemRandom } from '@bessemer/ports/node';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Db } from '../repositories.ts';
import { addNode, codeOf, heartbeat, newSession, newUuid } from '../suite/fixtures.ts';
import { describeRepositories } from '../suite/index.ts';
import { startPostgres, testSecrets } from '../testing.ts';
import type { TestPostgres } from '../testing.ts';
import { openPostgres } from './postgres.ts';

let server: TestPostgres;
beforeAll(async () => void (server = await startPostgres()));
afterAll(() => server.stop());

const open = (url: string, migrate = false) =>
  openPostgres({ url, clock: systemClock, random: systemRandom, log: silentLog, secrets: testSecrets, migrate });

/** Opens what a test needs and closes it whatever happens. */
async function withDatabase(count: number, test: (dbs: Db[], admin: pg.Client) => Promise<void>): Promise<void> {
  const url = await server.createDatabase();
  const admin = new pg.Client({ connectionString: url });
  await admin.connect();
  const dbs = await Promise.all(Array.from({ length: count }, () => open(url)));
  try {
    await test(dbs, admin);
  } finally {
    for (const db of dbs) await db.close();
    await admin.end();
  }
}
const appendEvent = (db: Db, n: number) =>
  db.write('test', (tx) => tx.events.append({ type: 'step.done', nodeUuid: null, runId: null, data: { n } }));

describeRepositories('PostgreSQL', async () => {
  const url = await server.createDatabase();
  return {
    db: await open(url),
    async passTime(ms) {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      await client.query('select pg_sleep($1)', [ms / 1000]);
      await client.end();
    },
  };
});

describe('events on PostgreSQL', () => {
  it('hold back what an open transaction could still come before, and lose nothing', () =>
    withDatabase(1, async ([db]) => {
      if (!db) return;
      const appended = Promise.withResolvers<void>();
      const gate = Promise.withResolvers<void>();
      const slow = db.write('slow', async (tx) => {
        await tx.events.append({ type: 'step.done', nodeUuid: null, runId: null, data: { n: 1 } });
        appended.resolve();
        await gate.promise;
      });
      await appended.promise;
      await appendEvent(db, 2);
      const start = await db.read.events.head();
      // The second has a greater id and is committed: a reader that took it would never see the first.
      expect(await db.read.events.listAfter(undefined, {}, 10)).toEqual([]);
      gate.resolve();
      await slow;
      const after = await db.read.events.listAfter(start, {}, 10);
      expect(after.map((e) => e.data['n'])).toEqual([1, 2]);
    }));

  it('ring in other processes, also when a transaction without events had hidden them', () =>
    withDatabase(2, async ([one, two]) => {
      if (!one || !two) return;
      let heard = Promise.withResolvers<void>();
      two.onEvents(() => heard.resolve());
      await heard.promise;
      const untilSeen = async (count: number) => {
        for (;;) {
          heard = Promise.withResolvers<void>();
          if ((await two.read.events.listAfter(undefined, {}, 10)).length === count) return;
          await heard.promise;
        }
      };
      await appendEvent(one, 1);
      await untilSeen(1);

      const entered = Promise.withResolvers<void>();
      const gate = Promise.withResolvers<void>();
      const hiding = one.write('hiding', async (tx) => {
        await tx.settings.put('a', 'b');
        entered.resolve();
        await gate.promise;
      });
      await entered.promise;
      await appendEvent(one, 2);
      const seen = untilSeen(2);
      expect((await two.read.events.listAfter(undefined, {}, 10)).length).toBe(1);
      gate.resolve();
      await hiding;
      await seen;
    }));

  it('are visible after a dump was restored into a younger server', () =>
    withDatabase(1, async ([db], admin) => {
      if (!db) return;
      await appendEvent(db, 1);
      await admin.query("update events set xid = '99999999999'");
      expect(await db.read.events.listLast({}, 5)).toEqual([]);
      const again = await open(urlOf(admin));
      expect((await again.read.events.listLast({}, 5)).length).toBe(1);
      await appendEvent(again, 2);
      expect((await again.read.events.listAfter(undefined, {}, 5)).map((e) => e.data['n'])).toEqual([1, 2]);
      await again.close();
    }));
});

describe('transactions on PostgreSQL', () => {
  it('are run again after a deadlock', () =>
    withDatabase(1, async ([db]) => {
      if (!db) return;
      const [a, b] = [await addNode(db), await addNode(db)];
      const both = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      let attempts = 0;
      const cross = (first: typeof a, second: typeof a, me: number) =>
        db.write('cross', async (tx) => {
          attempts++;
          const node = await tx.nodes.update(first, { extra: { [me]: true } });
          both[me]!.resolve();
          await both[1 - me]!.promise;
          await tx.nodes.update(second, { extra: { ...node.extra } });
        });
      await Promise.all([cross(a, b, 0), cross(b, a, 1)]);
      expect(attempts).toBeGreaterThan(2);
    }));

  it('fail for the moment when the connection is cut, and work again afterwards', () =>
    withDatabase(1, async ([db], admin) => {
      if (!db) return;
      const cut = () =>
        admin.query(
          'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
        );
      const work = db.write('test', async (tx) => {
        await tx.settings.put('a', 'b');
        await cut();
        await tx.settings.put('c', 'd');
      });
      expect(await codeOf(work)).toBe('TEMPORARY_FAILURE');
      expect(await db.read.settings.get('a')).toBeUndefined();
      await db.write('test', (tx) => tx.settings.put('a', 'again'));
      expect(await db.read.settings.get('a')).toBe('again');
    }));

  it('say so when a failed statement was ignored', () =>
    withDatabase(1, async ([db]) => {
      if (!db) return;
      const name = newUuid();
      await addNode(db, { name });
      const other = await addNode(db);
      const work = db.write('test', async (tx) => {
        await tx.nodes.update(other, { name }).catch(() => {});
      });
      await expect(work).rejects.toThrow(/a failed statement was ignored/);
    }));

  it('never give a lease to two when many reach for it at once', () =>
    withDatabase(4, async (dbs) => {
      const node = await addNode(dbs[0]!);
      const sessions = dbs.map(() => newSession());
      for (const [i, db] of dbs.entries()) await heartbeat(db, sessions[i]!, 60_000, `h${i}`);
      const fences: number[] = [];
      for (let round = 0; round < 25; round++) {
        const leases = await Promise.all(
          dbs.map((db, i) => db.write('test', (tx) => tx.nodes.reserve(node, sessions[i]!, `h${i}`, 'fight'))),
        );
        const won = leases.filter((lease) => lease !== undefined);
        expect(won.length).toBe(1);
        fences.push(won[0]!.fence);
        await dbs[0]!.write('test', (tx) => tx.nodes.release(node, won[0]!.fence));
      }
      expect(fences).toEqual(Array.from({ length: 25 }, (_, i) => i + 1));
    }));
});

describe('migrations on PostgreSQL', () => {
  it('are made once when several processes start at the same time', async () => {
    const url = await server.createEmptyDatabase();
    const dbs = await Promise.all([open(url, true), open(url, true), open(url, true)]);
    await addNode(dbs[0]!, { name: 'x' });
    expect((await dbs[2]!.read.nodes.find('x'))?.name).toBe('x');
    for (const db of dbs) await db.close();
  });

  it('go on after a process was killed in the middle of them', async () => {
    const url = await server.createEmptyDatabase();
    await (await open(url, true)).close();
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query('update knex_migrations_lock set is_locked = 1');
    await client.end();
    await (await open(url, true)).close();
  });

  it('say why when there is no server', async () => {
    const url = 'postgresql://nobody@127.0.0.1:1/none';
    await expect(open(url, true)).rejects.toThrow(/ECONNREFUSED/);
  });
});

const urlOf = (client: pg.Client): string =>
  `postgresql://postgres@localhost/${client.database}?host=${encodeURIComponent(client.host)}`;
