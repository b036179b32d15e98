/**
 * The scaled mode as an operator runs it: PostgreSQL, RabbitMQ, an API and two conductors as processes. Any of them may die in the
 * middle of the work of many nodes: it is delayed, and nothing is lost.
 */
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres, type TestPostgres } from '@bessemer/db/testing';
import { startRabbit, type TestRabbit } from '@bessemer/rpc/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  allEvents,
  ask,
  must,
  type SeenEvent,
  type ServiceProcess,
  startRole,
  watch,
  type Watcher,
} from './service-process.ts';

const NODES = 10;
const SESSION_TTL_MS = 3_000;

let folder: string;
let databaseUrl: string;
let postgres: TestPostgres | undefined;
let rabbit: TestRabbit | undefined;
let watcher: Watcher | undefined;
const running = new Map<string, ServiceProcess>();

const dataDirOf = (host: string) => join(folder, host);

/** A role on a machine of its own: it has a data directory, and the keys of the installation were copied there. */
async function start(role: 'api' | 'conductor', host: string): Promise<ServiceProcess> {
  const service = await startRole({
    role,
    dataDir: dataDirOf(host),
    set: {
      'service.host': host,
      'database.url': databaseUrl,
      'amqp.url': rabbit!.url.reveal(),
      'conductor.session_ttl_ms': String(SESSION_TTL_MS),
    },
  });
  running.set(host, service);
  return service;
}
const api = () => running.get('api-1')!.apiUrl!;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bessemer-scaled-'));
  [postgres, rabbit] = await Promise.all([startPostgres(), startRabbit()]);
  databaseUrl = await postgres.createDatabase();
  await start('api', 'api-1');
  for (const host of ['conductor-1', 'conductor-2']) {
    await mkdir(dataDirOf(host), { mode: 0o700 });
    await cp(join(dataDirOf('api-1'), 'keys'), join(dataDirOf(host), 'keys'), { recursive: true });
  }
  await Promise.all([start('conductor', 'conductor-1'), start('conductor', 'conductor-2')]);
  watcher = watch(api());
});
afterAll(async () => {
  await watcher?.stop();
  await Promise.all([...running.values()].map((service) => service.kill()));
  await rabbit?.stop();
  await postgres?.stop();
  await rm(folder, { recursive: true, force: true });
});

const names = (group: string) => Array.from({ length: NODES }, (_, i) => `${group}-${i}`);
const order = (name: string, target: string) => must(api(), 'PUT', `/v1/nodes/${name}/states/provision`, { target });

/** Registers nodes with a secret for their BMC, all at once; gives name by id. */
async function register(group: string, delayMs: number): Promise<Map<string, string>> {
  const made = await Promise.all(
    names(group).map(async (name) => {
      const info = { fake_delay_ms: delayMs, ipmi_password: 'hunter2' };
      const node = await must(api(), 'POST', '/v1/nodes', { name, driver: 'fake-hardware', driver_info: info });
      return [node.uuid as string, name] as const;
    }),
  );
  return new Map(made);
}

/** Resolves when each of the nodes came to the state after the `from`-th event. */
const allCameTo = (nodes: ReadonlyMap<string, string>, state: string, from = 0) =>
  watcher!.until((seen) => {
    const there = new Set(
      seen
        .slice(from)
        .filter((e) => e.type === 'node.provision_state' && e.data['to'] === state)
        .map((e) => e.node_uuid),
    );
    return [...nodes.keys()].every((uuid) => there.has(uuid));
  });

/** Sends all nodes through a verb and waits for all. */
async function allThrough(nodes: ReadonlyMap<string, string>, target: string, state: string): Promise<void> {
  const from = watcher!.seen.length;
  await Promise.all([...nodes.values()].map((name) => order(name, target)));
  await allCameTo(nodes, state, from);
}

const ownersOf = (seen: readonly SeenEvent[]) => seen.filter((e) => e.type === 'run.taken_over');

test('the whole life cycle of many nodes at once over PostgreSQL and RabbitMQ', async () => {
  const nodes = await register('whole', 50);
  await allThrough(nodes, 'manage', 'manageable');
  await allThrough(nodes, 'provide', 'available');
  await allThrough(nodes, 'active', 'active');
  await allThrough(nodes, 'deleted', 'available');
  const { conductors } = await must(api(), 'GET', '/v1/conductors');
  expect(conductors.map((c: { hostname: string; alive: boolean }) => [c.hostname, c.alive])).toEqual([
    ['conductor-1', true],
    ['conductor-2', true],
  ]);
  // Work is spread: both have had some of it.
  const hosts = new Set<string>();
  for (const name of nodes.values()) hosts.add((await must(api(), 'GET', `/v1/nodes/${name}`)).conductor);
  expect([...hosts].toSorted()).toEqual(['conductor-1', 'conductor-2']);
});

test('a conductor that is killed in the middle leaves nothing behind: the other goes on', async () => {
  const nodes = await register('killed', 1_500);
  await allThrough(nodes, 'manage', 'manageable');
  await allThrough(nodes, 'provide', 'available');
  const from = watcher!.seen.length;
  await Promise.all([...nodes.values()].map((name) => order(name, 'active')));
  await watcher!.until((seen) => seen.slice(from).some((e) => e.type === 'run.waiting'));
  await running.get('conductor-1')!.kill();
  const isOver = (e: SeenEvent) => e.type === 'run.finished' && e.data['verb'] === 'deploy' && nodes.has(e.node_uuid!);
  await watcher!.until((seen) => seen.slice(from).filter(isOver).length >= NODES);
  const after = watcher!.seen.slice(from);
  expect(ownersOf(after).length).toBeGreaterThan(0);
  for (const uuid of nodes.keys()) {
    const ends = after.filter((e) => e.node_uuid === uuid && isOver(e));
    expect(ends.map((e) => e.data)).toEqual([{ verb: 'deploy', outcome: 'done' }]);
  }
  await start('conductor', 'conductor-1');
});

test('an API that is killed takes nothing with it', async () => {
  const nodes = await register('api', 500);
  const from = watcher!.seen.length;
  await Promise.all([...nodes.values()].map((name) => order(name, 'manage')));
  await running.get('api-1')!.kill();
  await start('api', 'api-1');
  watcher!.moveTo(api());
  await allCameTo(nodes, 'manageable', from);
});

test('a broker that dies delays: work goes on, a call gets a readable 503, and afterwards all is well', async () => {
  const nodes = await register('broker', 1_500);
  await allThrough(nodes, 'manage', 'manageable');
  const from = watcher!.seen.length;
  await Promise.all([...nodes.values()].map((name) => order(name, 'provide')));
  await rabbit!.halt('kill');

  // Reading needs no bus, and what was accepted goes on and is told.
  expect(await ask(api(), 'GET', '/v1/nodes')).toMatchObject({ status: 200 });
  await allCameTo(nodes, 'available', from);
  const [name] = nodes.values();
  const refused = await ask(api(), 'PUT', `/v1/nodes/${name}/states/provision`, { target: 'active' });
  expect(refused.status).toBe(503);
  const { faultstring } = JSON.parse(refused.body.error_message);
  expect(faultstring).toMatch(/did not answer within/);
  expect(faultstring).toMatch(/may be repeated/);
  expect(await must(api(), 'GET', `/v1/nodes/${name}`)).toMatchObject({ provision_state: 'available' });

  // Asked while it is away and back in time: delayed, not lost.
  const delayed = order(name!, 'active');
  await rabbit!.resume();
  await delayed;
  await allThrough(new Map([...nodes].slice(1)), 'active', 'active');
  await allCameTo(nodes, 'active', from);
});

test('the stream has told every event once, whatever died', async () => {
  const stored = await allEvents(api());
  await watcher!.until((seen) => seen.length >= stored.length);
  expect(watcher!.seen.slice(0, stored.length)).toEqual(stored);
});

test('a role alone without a bus says what it needs', async () => {
  const alone = startRole({ role: 'api', dataDir: join(folder, 'alone') });
  await expect(alone).rejects.toThrow(/set amqp\.url, and database\.url/);
});
