/** Who reads the event stream sees each event exactly once and in order, however often the service is killed. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { allEvents, must, type ServiceProcess, startRole, watch, type Watcher } from './service-process.ts';

const KILLS = 5;

let dataDir: string;
let service: ServiceProcess;
let watcher: Watcher;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'bessemer-stream-'));
  service = await startRole({ role: 'up', dataDir });
  watcher = watch(service.apiUrl!);
});
afterEach(async () => {
  await watcher.stop();
  await service.kill();
  await rm(dataDir, { recursive: true, force: true });
});

/** Registers nodes and sends them through the first states; what is refused because the service died is asked of the next one. */
async function makeEvents(round: number): Promise<void> {
  await Promise.allSettled(
    Array.from({ length: 4 }, async (_, i) => {
      const name = `n${round}-${i}`;
      const info = { fake_delay_ms: 20 };
      await must(service.apiUrl!, 'POST', '/v1/nodes', { name, driver: 'fake-hardware', driver_info: info });
      await must(service.apiUrl!, 'PUT', `/v1/nodes/${name}/states/provision`, { target: 'manage' });
    }),
  );
}

test('kill -9 between two events: nothing is lost, nothing comes twice, the order stays', async () => {
  for (let round = 0; round < KILLS; round++) {
    const before = watcher.seen.length;
    const asked = makeEvents(round);
    // A different moment of the flow each time, by events and not by the clock.
    await watcher.until((seen) => seen.length >= before + 1 + round * 3);
    await service.kill();
    await asked;
    service = await startRole({ role: 'up', dataDir });
    watcher.moveTo(service.apiUrl!);
  }
  await makeEvents(KILLS);
  const last = await must(service.apiUrl!, 'POST', '/v1/nodes', { name: 'last', driver: 'fake-hardware' });
  const isLast = (event: { node_uuid: string | null }) => event.node_uuid === last.uuid;
  await watcher.until((seen) => seen.some(isLast));

  const stored = await allEvents(service.apiUrl!);
  const to = stored.findIndex(isLast) + 1;
  expect(watcher.breaks).toBe(KILLS);
  expect(watcher.seen.slice(0, to)).toEqual(stored.slice(0, to));
  expect(new Set(watcher.seen.map((event) => event.id)).size).toBe(watcher.seen.length);
  expect(stored.length).toBeGreaterThan(KILLS * 4);
});
