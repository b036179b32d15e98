/** What holds in one process holds in two over PostgreSQL: no lost update, no double creation. */
import { asSessionId } from '@bessemer/core';
import { type Db, openPostgres } from '@bessemer/db';
import { startPostgres, testSecrets, type TestPostgres } from '@bessemer/db/testing';
import { silentLog } from '@bessemer/ports';
import { systemClock, systemRandom } from '@bessemer/ports/node';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FAKE_DRIVER, startApi, type TestApi } from './testing.ts';

let server: TestPostgres;
const dbs: Db[] = [];
const apis: TestApi[] = [];
beforeAll(async () => {
  server = await startPostgres();
  const url = await server.createDatabase();
  for (let i = 0; i < 2; i++) {
    const db = await openPostgres({
      url,
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
      secrets: testSecrets,
    });
    dbs.push(db);
    apis.push(await startApi({ clock: systemClock, random: systemRandom, around: () => db }));
  }
  const session = asSessionId(systemRandom.uuid());
  await dbs[0]!.write('conductor', (tx) =>
    tx.conductors.heartbeat({ session, hostname: 'c1', conductorGroup: '', drivers: [FAKE_DRIVER] }, 3_600_000),
  );
});
afterAll(async () => {
  for (const api of apis) await api.stop();
  for (const db of dbs) await db.close();
  await server?.stop();
});
const each = <T>(work: (api: TestApi, n: number) => Promise<T>): Promise<T[]> => Promise.all(apis.map(work));

it('of two processes that change a node from the same tag one is told so', async () => {
  const made = await apis[0]!.request('POST', '/v1/nodes', { body: { driver: 'fake-hardware', extra: { n: 0 } } });
  const path = `/v1/nodes/${String(made.json['uuid'])}`;
  for (let round = 1; round <= 10; round++) {
    const tag = (await apis[0]!.request('GET', path)).headers.get('etag')!;
    const replies = await each((api, n) =>
      api.request('PATCH', path, {
        body: [{ op: 'add', path: `/extra/by${n}-${round}`, value: true }],
        headers: { 'If-Match': tag },
      }),
    );
    expect(replies.map((r) => r.status).toSorted()).toEqual([200, 412]);
  }
  const { extra } = (await apis[1]!.request('GET', path)).json as { extra: object };
  expect(Object.keys(extra).length).toBe(11);
});

it('a creation that is sent to two processes at once is done once', async () => {
  for (let round = 1; round <= 10; round++) {
    const send = (api: TestApi) =>
      api.request('POST', '/v1/nodes', {
        body: { driver: 'fake-hardware', extra: { round } },
        headers: { 'Idempotency-Key': `round ${round}` },
      });
    const replies = await each(send);
    expect(replies.map((r) => r.status)).toEqual([201, 201]);
    expect(replies[0]!.text.replaceAll(/http:..127.0.0.1:\d+/g, '')).toBe(
      replies[1]!.text.replaceAll(/http:..127.0.0.1:\d+/g, ''),
    );
  }
  expect(await dbs[0]!.read.nodes.count({})).toBe(11);
});

it('patches of one node at two processes lose nothing of each other', async () => {
  const made = await apis[0]!.request('POST', '/v1/nodes', { body: { driver: 'fake-hardware' } });
  const path = `/v1/nodes/${String(made.json['uuid'])}`;
  for (let round = 1; round <= 20; round++) {
    const replies = await each((api, n) =>
      api.request('PATCH', path, { body: [{ op: 'add', path: `/extra/by${n}-${round}`, value: true }] }),
    );
    expect(replies.map((r) => r.status)).toEqual([200, 200]);
  }
  const { extra } = (await apis[1]!.request('GET', path)).json as { extra: object };
  expect(Object.keys(extra).length).toBe(40);
});
