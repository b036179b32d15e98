/** The embedded service is killed at every stage of a deployment and goes on where it was. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ask, must, type SeenEvent, type ServiceProcess, startRole, watch, type Watcher } from './service-process.ts';

let dataDir: string;
let service: ServiceProcess;
let watcher: Watcher;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'bessemer-restart-'));
  service = await startRole({ role: 'up', dataDir });
  watcher = watch(service.apiUrl!);
});
afterEach(async () => {
  await watcher.stop();
  await service.kill();
  await rm(dataDir, { recursive: true, force: true });
});

async function killAndRestart(): Promise<void> {
  await service.kill();
  service = await startRole({ role: 'up', dataDir });
  watcher.moveTo(service.apiUrl!);
}

const order = (name: string, target: string) =>
  must(service.apiUrl!, 'PUT', `/v1/nodes/${name}/states/provision`, { target });
const cameTo = (uuid: string, state: string) =>
  watcher.until((seen) =>
    seen.some((e) => e.node_uuid === uuid && e.type === 'node.provision_state' && e.data['to'] === state),
  );

/** A node that can be deployed. */
async function available(name: string): Promise<string> {
  const info = { fake_delay_ms: 150, fake_power_delay_ms: 50 };
  const node = await must(service.apiUrl!, 'POST', '/v1/nodes', { name, driver: 'fake-hardware', driver_info: info });
  await order(name, 'manage');
  await cameTo(node.uuid, 'manageable');
  await order(name, 'provide');
  await cameTo(node.uuid, 'available');
  return node.uuid;
}

/** The events of the last run of a node, from its start on. */
function lastRun(uuid: string, verb: string): SeenEvent[] {
  const of = watcher.seen.filter((e) => e.node_uuid === uuid);
  const start = of.findLast((e) => e.type === 'run.started' && e.data['verb'] === verb);
  return start ? of.filter((e) => e.run_id === start.run_id) : [];
}
const isOver = (uuid: string, verb: string) => lastRun(uuid, verb).some((e) => e.type === 'run.finished');
/** Step and attempt of each event of that type. */
const steps = (events: readonly SeenEvent[], type: string) =>
  events.filter((e) => e.type === type).map((e) => `${e.data['step']} ${e.data['attempt']}`);

const STEPS = ['validate', 'fake_boot_ramdisk', 'fake_write_image', 'boot_disk', 'finish'];

test('killed after each of the events of a deployment, it goes on to active; no step is done twice', async () => {
  let wasWhole = false;
  for (let kill = 1; !wasWhole; kill += 3) {
    const name = `n${kill}`;
    const uuid = await available(name);
    await order(name, 'active');
    await watcher.until(() => lastRun(uuid, 'deploy').length >= kill || isOver(uuid, 'deploy'));
    wasWhole = isOver(uuid, 'deploy');
    if (!wasWhole) {
      await killAndRestart();
      await watcher.until(() => isOver(uuid, 'deploy'));
    }
    const events = lastRun(uuid, 'deploy');
    const node = await must(service.apiUrl!, 'GET', `/v1/nodes/${name}`);
    expect(node, `after the kill at event ${kill}`).toMatchObject({ provision_state: 'active', last_error: null });
    expect(node.reservation).toBeNull();
    // Each attempt was begun once; a step that may be repeated has a new attempt with the next number; each step ended once.
    const begun = steps(events, 'step.started');
    expect(new Set(begun).size, begun.join(', ')).toBe(begun.length);
    expect(events.filter((e) => e.type === 'step.done').map((e) => e.data['step'])).toEqual(STEPS);
    expect(events.filter((e) => e.type === 'run.started')).toHaveLength(1);
    expect(events.filter((e) => e.type === 'run.finished').map((e) => e.data['outcome'])).toEqual(['done']);
  }
  // More than a handful of different moments, or the test shows nothing.
  expect(watcher.breaks).toBeGreaterThan(5);
});

test('killed again and again, one deployment still ends', async () => {
  const uuid = await available('n1');
  await order('n1', 'active');
  for (let kills = 0; kills < 4; kills++) {
    const doneBefore = steps(lastRun(uuid, 'deploy'), 'step.done').length;
    await watcher.until(
      () => isOver(uuid, 'deploy') || steps(lastRun(uuid, 'deploy'), 'step.done').length > doneBefore,
    );
    await killAndRestart();
  }
  await cameTo(uuid, 'active');
  expect(lastRun(uuid, 'deploy').filter((e) => e.type === 'run.taken_over').length).toBeGreaterThan(0);
});

test('a reset that was under way is not ordered a second time', async () => {
  const uuid = await available('n1');
  await must(service.apiUrl!, 'PUT', '/v1/nodes/n1/states/power', { target: 'rebooting' });
  await watcher.until(() => steps(lastRun(uuid, 'power'), 'step.started').length > 0);
  await killAndRestart();
  await watcher.until(() => isOver(uuid, 'power'));
  expect(steps(lastRun(uuid, 'power'), 'step.started')).toEqual(['reset 1']);
  const orders = lastRun(uuid, 'power').filter((e) => e.type === 'power.ordered' && e.data['action'] === 'rebooting');
  expect(orders.length).toBeLessThan(2);
});

test('a second service on the same data directory is refused in words, and the first goes on', async () => {
  await expect(startRole({ role: 'up', dataDir })).rejects.toThrow(
    new RegExp(`The data directory ${dataDir} is in use by another service \\(process ${service.pid}\\)`),
  );
  expect(await ask(service.apiUrl!, 'GET', '/v1/nodes')).toMatchObject({ status: 200 });
});
