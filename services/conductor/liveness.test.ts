import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isTransient, type Node, type PowerState, ServiceError, STATES, type ProvisionState } from '@bessemer/core';
import type { Db } from '@bessemer/db';
import type { Conductor } from './conductor.ts';
import { bmcFailure } from './drivers/errors.ts';
import type { PowerInterface } from './drivers/interfaces.ts';
import { VERBS_OF_STATE } from './flows/flows.ts';
import { createWorld, quiet, request, type World } from './testing.ts';

const never = <T>(): Promise<T> => new Promise<T>(() => {});
let world: World;
afterEach(() => world.close());

async function availableNode(conductor: Conductor, patch: Partial<Node> = {}): Promise<Node> {
  const node = await world.node({ automatedClean: false, ...patch });
  await conductor.handlers.doProvisioningAction({ nodeUuid: node.uuid, action: 'manage' }, request(`m${node.uuid}`));
  await world.reaches(node.uuid, 'manageable');
  await conductor.handlers.doProvisioningAction({ nodeUuid: node.uuid, action: 'provide' }, request(`p${node.uuid}`));
  return world.reaches(node.uuid, 'available');
}
const deploy = (conductor: Conductor, node: Node) =>
  conductor.handlers.doNodeDeploy(
    { nodeUuid: node.uuid, rebuild: false, configDrive: null, deploySteps: null },
    request(`d${node.uuid}${world.clock.nowMs()}`),
  );
/** The database, some of whose writes never come back. */
const hangingAt = (hangs: (name: string) => boolean): Db => ({
  ...world.db,
  engine: world.db.engine,
  read: world.db.read,
  write: (name, fn) => (hangs(name) ? never() : world.db.write(name, fn)),
});
/** Drivers whose power button is replaced. */
function driversWith(power: Partial<PowerInterface>) {
  const get = world.drivers.get;
  return {
    ...world.drivers,
    get: ((node, kind) => (kind === 'power' ? { ...get(node, 'power'), ...power } : get(node, kind))) as typeof get,
  };
}

describe('a session and its leases', () => {
  beforeEach(async () => {
    world = await createWorld({ 'conductor.session_ttl_ms': '10000' });
  });

  it('is waited out in full by another conductor, whose fence then shuts the first one out', async () => {
    // The first conductor hangs in a call to a BMC; its heartbeats stop.
    let isHung = false;
    let release = (_state: PowerState): void => {};
    const drivers = driversWith({ setPowerState: () => new Promise((resolve) => (release = () => resolve())) });
    const first = world.conductor({ host: 'a', db: hangingAt(() => isHung), drivers });
    await first.start();
    const node = await world.node();
    await first.handlers.changeNodePowerState(
      { nodeUuid: node.uuid, target: 'power on', timeoutS: null },
      request('p'),
    );
    await quiet();
    const before = (await world.get(node.uuid)).reservation!;
    isHung = true;
    const second = world.conductor({ host: 'b' });
    await second.start();
    const diedAtMs = world.clock.nowMs();
    const owner = (await world.run(node.uuid)).owner;
    await world.until(async () => (await world.run(node.uuid)).owner !== owner);
    expect(world.clock.nowMs() - diedAtMs).toBeGreaterThanOrEqual(7_500);
    await world.until(async () => (await world.run(node.uuid)).finishedAt !== null);
    expect(await world.get(node.uuid)).toMatchObject({ powerState: 'power on', reservation: null });
    expect((await world.run(node.uuid)).fence).toBeGreaterThan(before.fence);
    // The first one wakes up again: it has lost its session and writes nothing.
    isHung = false;
    release('power on');
    await world.clock.advance(1);
    expect((await world.run(node.uuid)).state).toBe('done');
  });

  it('gives no order to a BMC when half of its life is gone', async () => {
    let isDeaf = false;
    const conductor = world.conductor({ db: hangingAt((name) => isDeaf && name === 'conductor.heartbeat') });
    await conductor.start();
    const node = await world.node();
    isDeaf = true;
    await world.clock.advance(8_000);
    await conductor.handlers.changeNodePowerState(
      { nodeUuid: node.uuid, target: 'power on', timeoutS: null },
      request('p'),
    );
    await quiet();
    const events = await world.db.read.events.listLast({ nodeUuid: node.uuid, types: ['power.ordered'] }, 5);
    expect(events).toEqual([]);
    expect((await world.run(node.uuid)).waitingFor?.hint).toContain('lost touch with the database');
  });

  it('that could not be begun in full is given up, and the next one has the work to itself', async () => {
    let isDeaf = false;
    let troubles = 1;
    let heartbeats = 0;
    const deaf: Db = {
      ...world.db,
      engine: world.db.engine,
      read: world.db.read,
      write: (name, fn) => {
        if (isDeaf && name === 'conductor.heartbeat') return never();
        if (name === 'conductor.heartbeat') heartbeats++;
        if (name === 'run.take-over' && troubles-- > 0) return Promise.reject(new Error('the disk is full'));
        return world.db.write(name, fn);
      },
    };
    const conductor = world.conductor({ db: deaf });
    await conductor.start();
    const node = await availableNode(conductor, { driverInfo: { fake_delay_ms: 60_000 } });
    await deploy(conductor, node);
    isDeaf = true;
    await world.until(async () => troubles < 1);
    isDeaf = false;
    heartbeats = 0;
    await world.clock.advance(30_000);
    // One session: four in each of its lives of 10 s.
    expect(heartbeats).toBeLessThanOrEqual(12);
    await world.reaches(node.uuid, 'active');
  });

  it('is followed by another one when it was lost, and the work goes on', async () => {
    let isDeaf = false;
    const conductor = world.conductor({ db: hangingAt((name) => isDeaf && name === 'conductor.heartbeat') });
    await conductor.start();
    const node = await availableNode(conductor, { driverInfo: { fake_delay_ms: 60_000 } });
    await deploy(conductor, node);
    isDeaf = true;
    await world.clock.advance(13_000);
    isDeaf = false;
    await world.reaches(node.uuid, 'active');
    const taken = await world.db.read.events.listLast({ nodeUuid: node.uuid, types: ['run.taken_over'] }, 5);
    expect(taken).toHaveLength(1);
  });
});

it('a database that is away in the middle of a step fails nothing', async () => {
  world = await createWorld();
  let lost = 0;
  const db: Db = {
    ...world.db,
    write: (name, fn, options) =>
      name === 'run.record' && lost++ < 2
        ? Promise.reject(new ServiceError('TEMPORARY_FAILURE', 'The database cannot be reached at the moment.'))
        : world.db.write(name, fn, options),
  };
  const conductor = world.conductor({ db });
  await conductor.start();
  const node = await availableNode(conductor, { driverInfo: { fake_power_delay_ms: 2_000 } });
  const order = { nodeUuid: node.uuid, target: 'power on', timeoutS: null } as const;
  await conductor.handlers.changeNodePowerState(order, request('on'));
  await world.until(async () => (await world.run(node.uuid)).finishedAt !== null);
  expect(await world.run(node.uuid)).toMatchObject({ verb: 'power', state: 'done', error: null });
  expect(lost).toBeGreaterThan(2);
});

it('a conductor overwrites nothing that was changed since it read it', async () => {
  world = await createWorld();
  const without = new Set<string>();
  const db: Db = {
    ...world.db,
    write(name, fn, options) {
      if (!options?.snapshot) without.add(name);
      return world.db.write(name, fn, options);
    },
  };
  const node = await world.node();
  const conductor = world.conductor({ db });
  await conductor.start();
  await conductor.handlers.doProvisioningAction({ nodeUuid: node.uuid, action: 'manage' }, request('m'));
  await world.reaches(node.uuid, 'manageable');
  await conductor.handlers.setConsole({ nodeUuid: node.uuid, enabled: true }, request('c'));
  expect([...without]).toEqual([]);
});

describe('deadlines', () => {
  it('no node is ever in a working state without a run that has a deadline and says what is under way', async () => {
    world = await createWorld();
    const broken: string[] = [];
    const look = async (tx: Db['read'], name: string): Promise<void> => {
      for (const node of await tx.nodes.list({}, { limit: 100 })) {
        const run = await tx.runs.current(node.uuid);
        if (!run) {
          if (isTransient(node.provisionState)) broken.push(`${name}: ${node.provisionState} without a run`);
          continue;
        }
        if (!(run.deadline > run.createdAt)) broken.push(`${name}: no deadline`);
        if (run.waitingFor === null && run.cursor.attempt === null) broken.push(`${name}: neither waits nor works`);
        if (run.waitingFor && !(run.waitingFor.until > run.waitingFor.since && run.waitingFor.hint !== ''))
          broken.push(`${name}: a wait without an end or a hint`);
        if (isTransient(node.provisionState)) {
          const verbs: Partial<Record<ProvisionState, readonly string[]>> = VERBS_OF_STATE;
          if (!verbs[node.provisionState]?.includes(run.verb))
            broken.push(`${name}: ${run.verb} in ${node.provisionState}`);
        }
      }
    };
    // Looks at all rows in every single transaction, after its last write.
    const watched: Db = {
      ...world.db,
      engine: world.db.engine,
      read: world.db.read,
      write: (name, fn) =>
        world.db.write(name, async (tx) => {
          const result = await fn(tx);
          await look(tx, name);
          return result;
        }),
    };
    const conductor = world.conductor({ db: watched });
    await conductor.start();
    const image = { image_source: 'http://images.test/x', image_checksum: 'a'.repeat(64) };
    const pretended = await availableNode(conductor, { driverInfo: { fake_delay_ms: 1_000 } });
    const direct = await availableNode(conductor, { interfaces: { deploy: 'direct' }, instanceInfo: image });
    await deploy(conductor, pretended);
    await deploy(conductor, direct);
    await world.reaches(pretended.uuid, 'active');
    await conductor.handlers.doNodeTearDown({ nodeUuid: pretended.uuid }, request('u'));
    await world.reaches(pretended.uuid, 'available');
    // Nobody ever boots: the deployment ends at its deadline and says why.
    await world.reaches(direct.uuid, 'deploy failed');
    expect(broken).toEqual([]);
  });

  it('end every run whose party never answers', async () => {
    world = await createWorld();
    world.depot.answer = () => never();
    const drivers = driversWith({ getPowerState: async () => 'power off' });
    const conductor = world.conductor({ drivers });
    await conductor.start();
    const node = await availableNode(conductor);
    await deploy(conductor, node);
    const failed = await world.reaches(node.uuid, 'deploy failed');
    expect(failed.lastError).toMatch(/Waited \d+ s for power \(the BMC\).*still says "power off"/);
  });

  it('a BMC that answers late switches nothing on for a run that was aborted meanwhile', async () => {
    world = await createWorld();
    const orders: string[] = [];
    let answer = (_state: PowerState): void => {};
    const drivers = driversWith({
      getPowerState: () => (orders.length === 0 ? Promise.resolve('power off') : new Promise((r) => (answer = r))),
      setPowerState: async (_task, target) => void orders.push(target),
    });
    const conductor = world.conductor({ drivers });
    await conductor.start();
    const image = { image_source: 'http://images.test/x', image_checksum: 'a'.repeat(64) };
    const node = await availableNode(conductor, { interfaces: { deploy: 'direct' }, instanceInfo: image });
    await deploy(conductor, node);
    await world.until(async () => (await world.get(node.uuid)).provisionState === 'wait call-back');
    await world.clock.advance(1_000);
    await conductor.handlers.doProvisioningAction({ nodeUuid: node.uuid, action: 'abort' }, request('a'));
    answer('power off');
    await quiet();
    expect(orders).toEqual(['power on']);
  });

  it('are there for every working state that a verb leads to', () => {
    const working = (Object.keys(STATES) as ProvisionState[]).filter(isTransient);
    expect(Object.keys(VERBS_OF_STATE).sort()).toEqual(working.sort());
  });

  it('fail a node that is found in a working state without any work', async () => {
    world = await createWorld();
    const node = await world.node();
    await world.db.write('test', (tx) => tx.nodes.processEvent(node.uuid, 'manage', {}));
    await world.conductor().start();
    expect(await world.get(node.uuid)).toMatchObject({
      provisionState: 'enroll',
      lastError: expect.stringContaining('no work (manage) is recorded'),
    });
    // Not only at the start.
    await world.db.write('test', (tx) => tx.nodes.processEvent(node.uuid, 'manage', {}));
    await world.reaches(node.uuid, 'enroll', 700_000);
  });
});

describe('a commit whose answer is lost', () => {
  /** Loses the answer of the first write of that name. */
  const losing = (name: string): Db => {
    let isLost = false;
    return {
      ...world.db,
      engine: world.db.engine,
      read: world.db.read,
      async write(written, fn) {
        const result = await world.db.write(written, fn);
        if (written !== name || isLost) return result;
        isLost = true;
        throw new Error('the connection was cut');
      },
    };
  };

  it('of an accepted order: the work is done, and done once', async () => {
    world = await createWorld();
    let resets = 0;
    const drivers = driversWith({ reboot: async () => void resets++, getPowerState: async () => 'power on' });
    const conductor = world.conductor({ db: losing('accept.power'), drivers });
    await conductor.start();
    const node = await world.node();
    const order = () =>
      conductor.handlers.changeNodePowerState(
        { nodeUuid: node.uuid, target: 'rebooting', timeoutS: null },
        request('once'),
      );
    await expect(order()).rejects.toThrow('cut');
    await world.until(async () => (await world.run(node.uuid)).finishedAt !== null, 60_000);
    expect(await world.run(node.uuid)).toMatchObject({ state: 'done', error: null });
    expect(await order()).toEqual({ runId: (await world.run(node.uuid)).id });
    expect(resets).toBe(1);
  });

  it('of an admission: the run is found by the next look', async () => {
    world = await createWorld({ 'conductor.max_concurrent_deploy': '1' });
    const conductor = world.conductor({ db: losing('queue.admit') });
    await conductor.start();
    const nodes = [await availableNode(conductor), await availableNode(conductor)];
    for (const node of nodes) await deploy(conductor, node);
    for (const node of nodes) await world.reaches(node.uuid, 'active', 120_000);
  });

  it('of a retry: the run is found by the next look', async () => {
    world = await createWorld();
    let isDead = false;
    const getPowerState = async (): Promise<PowerState> => {
      if (isDead) throw bmcFailure('the BMC at 192.0.2.9 does not answer.', false);
      return 'power off';
    };
    const conductor = world.conductor({ db: losing('run.retry'), drivers: driversWith({ getPowerState }) });
    await conductor.start();
    const image = { image_source: 'http://images.test/x', image_checksum: 'a'.repeat(64) };
    const node = await availableNode(conductor, { interfaces: { deploy: 'direct' }, instanceInfo: image });
    isDead = true;
    await deploy(conductor, node);
    await world.reaches(node.uuid, 'deploy failed');
    isDead = false;
    await expect(conductor.handlers.retryRun({ nodeUuid: node.uuid }, request('r'))).rejects.toThrow('cut');
    await world.until(async () => (await world.run(node.uuid)).waitingFor?.what === 'boot', 60_000);
  });
});

describe('the queue', () => {
  it('lets so many work as configured, shows positions, and goes on in order', async () => {
    world = await createWorld({ 'conductor.max_concurrent_deploy': '2' });
    const conductor = world.conductor();
    await conductor.start();
    const nodes: Node[] = [];
    for (let i = 0; i < 5; i++) nodes.push(await availableNode(conductor, { driverInfo: { fake_delay_ms: 30_000 } }));
    for (const node of nodes) await deploy(conductor, node);
    await quiet();
    const runs = () => Promise.all(nodes.map((node) => world.run(node.uuid)));
    expect((await runs()).map((run) => run.waitingFor?.position ?? null)).toEqual([null, null, 1, 2, 3]);
    expect((await runs()).map((run) => run.state)).toEqual(['running', 'running', 'queued', 'queued', 'queued']);
    expect(await world.get(nodes[4]!.uuid)).toMatchObject({ provisionState: 'wait call-back', reservation: null });
    // One that waits can be taken out of the queue.
    await conductor.handlers.doProvisioningAction({ nodeUuid: nodes[3]!.uuid, action: 'abort' }, request('a'));
    await world.reaches(nodes[0]!.uuid, 'active');
    await world.until(async () => (await world.run(nodes[2]!.uuid)).state === 'running');
    for (const i of [1, 2, 4]) await world.reaches(nodes[i]!.uuid, 'active');
    const order = (await world.db.read.events.listLast({ types: ['run.finished'] }, 100))
      .filter((event) => event.data['verb'] === 'deploy' && event.data['outcome'] === 'done')
      .map((event) => nodes.findIndex((node) => node.uuid === event.nodeUuid));
    expect(order.at(-1)).toBe(4);
  });

  it('goes on after its conductor died', async () => {
    world = await createWorld({ 'conductor.max_concurrent_deploy': '1' });
    const first = world.conductor();
    await first.start();
    const nodes: Node[] = [];
    for (let i = 0; i < 3; i++) nodes.push(await availableNode(first, { driverInfo: { fake_delay_ms: 5_000 } }));
    for (const node of nodes) await deploy(first, node);
    first.abandon();
    await world.conductor({ isOnlyProcess: true }).start();
    for (const node of nodes) await world.reaches(node.uuid, 'active');
  });
});

describe('passing trouble', () => {
  it('makes a step try again, and it gives up in words', async () => {
    world = await createWorld();
    const manageable = async (conductor: Conductor) => {
      const node = await world.node();
      await conductor.handlers.doProvisioningAction({ nodeUuid: node.uuid, action: 'manage' }, request('m'));
      return world.reaches(node.uuid, 'manageable');
    };
    let failures = 2;
    const getPowerState = async (): Promise<PowerState> => {
      if (failures-- > 0) throw bmcFailure('the BMC at 192.0.2.9 does not answer.', true);
      return 'power off';
    };
    const conductor = world.conductor({ drivers: driversWith({ getPowerState }) });
    await conductor.start();
    const node = await manageable(conductor);
    expect(node.lastError).toBeNull();
    failures = Number.MAX_SAFE_INTEGER;
    const other = await world.node();
    await conductor.handlers.doProvisioningAction({ nodeUuid: other.uuid, action: 'manage' }, request('m2'));
    await world.until(async () => (await world.get(other.uuid)).lastError !== null);
    expect(await world.get(other.uuid)).toMatchObject({
      provisionState: 'enroll',
      lastError: 'the BMC at 192.0.2.9 does not answer.',
    });
  });
});
