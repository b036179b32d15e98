import { asSessionId } from '@bessemer/core';
import { afterEach, expect, it } from 'vitest';
import { createWorld, request, type World } from './testing.ts';

let world: World;
afterEach(() => world.close());

it('a step gives no order once another conductor has taken its run over', async () => {
  world = await createWorld();
  const { db } = world;
  const other = asSessionId('00000000-0000-4000-8000-0000000000aa');
  const orders: string[] = [];
  const get = world.drivers.get;
  const power = {
    getPowerState: async () => 'power off',
    actsAtOnce: () => false,
    async setPowerState(task: { node: { uuid: string }; checkMayOrder(): Promise<number> }, target: string) {
      // This conductor stands still here, and the other one goes on with the run.
      await db.write('take over', async (tx) => {
        await tx.conductors.heartbeat({ session: other, hostname: 'c2', conductorGroup: '', drivers: [] }, 60_000);
        const run = (await tx.runs.current(task.node.uuid as never))!;
        await tx.nodes.release(run.nodeUuid, run.fence);
        const lease = await tx.nodes.reserve(run.nodeUuid, other, 'c2', 'takes over');
        await tx.runs.takeOver(run.id, other, lease!.fence);
      });
      await task.checkMayOrder();
      orders.push(target);
    },
  };
  const drivers = {
    ...world.drivers,
    get: ((node, kind) => (kind === 'power' ? { ...get(node, kind), ...power } : get(node, kind))) as typeof get,
  };
  const conductor = world.conductor({ drivers });
  await conductor.start();
  const node = await world.node();
  await conductor.handlers.doProvisioningAction({ nodeUuid: node.uuid, action: 'manage' }, request('m'));
  await world.reaches(node.uuid, 'manageable');
  await conductor.handlers.changeNodePowerState(
    { nodeUuid: node.uuid, target: 'power on', timeoutS: null },
    request('p'),
  );
  await world.until(async () => (await db.read.runs.current(node.uuid))?.owner === other);
  expect(orders).toEqual([]);
  expect(await db.read.nodes.get(node.uuid)).toMatchObject({ reservation: { session: other }, lastError: null });
});
