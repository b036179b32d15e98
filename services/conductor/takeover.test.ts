import { asNodeId, asRunId, asSessionId, resolveConfig } from '@bessemer/core';
import { memoryDb } from '@bessemer/db/testing';
import { silentLog } from '@bessemer/ports';
import { ManualClock, seededRandom } from '@bessemer/ports/testing';
import { expect, it } from 'vitest';
import type { DriverRegistry } from './drivers/registry.ts';
import type { Session } from './session.ts';
import { createTakeOver } from './takeover.ts';

/** More than one page of nodes. */
const AT_WORK = 1_010;

it('finds the node for which there is no work behind any number of those that are worked on', async () => {
  const clock = new ManualClock();
  const random = seededRandom(1);
  const db = await memoryDb({ clock, random });
  const id = asSessionId(random.uuid());
  const uuids = Array.from({ length: AT_WORK + 1 }, () => asNodeId(random.uuid()));
  await db.write('nodes', async (tx) => {
    await tx.conductors.heartbeat({ session: id, hostname: 'c', conductorGroup: '', drivers: [] }, 60_000);
    for (const [i, uuid] of uuids.entries()) {
      await tx.nodes.create({ uuid, driver: 'fake-hardware' });
      await tx.nodes.processEvent(uuid, 'manage', {});
      if (i === AT_WORK) continue;
      const { fence } = (await tx.nodes.reserve(uuid, id, 'c', 'test'))!;
      const runId = asRunId(random.uuid());
      const run = { id: runId, nodeUuid: uuid, verb: 'manage', state: 'running', input: {}, segments: [] } as const;
      await tx.runs.create({ ...run, deadline: 1e13, owner: id, fence, requestId: runId });
    }
  });
  const takeOver = createTakeOver({
    db,
    clock,
    log: silentLog,
    config: resolveConfig([]),
    session: { id, host: 'c', isLive: true } as Session,
    drivers: { descriptions: () => [{ name: 'fake-hardware' }] } as unknown as DriverRegistry,
    onTaken: () => {},
  });
  await takeOver.failStranded();
  const states = await Promise.all(uuids.map(async (uuid) => (await db.read.nodes.get(uuid))!.provisionState));
  expect(new Set(states.slice(0, AT_WORK))).toEqual(new Set(['verifying']));
  expect(states[AT_WORK]).toBe('enroll');
  await db.close();
});
