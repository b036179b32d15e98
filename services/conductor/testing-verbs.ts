/** For tests: the verbs of a client, in a world with one conductor. */
import type { JsonObject, Node } from '@bessemer/core';
import { expect } from 'vitest';
import { createWorld, quiet, request, type World } from './testing.ts';

type Action = 'manage' | 'provide' | 'adopt' | 'abort' | 'unhold';

/** A step of a request, from `interface.step`. */
export const step = (id: string, args: JsonObject = {}, priority?: number): JsonObject => {
  const [kind, name] = id.split('.');
  return { interface: kind!, step: name!, args, ...(priority === undefined ? {} : { priority }) };
};

export async function createVerbs(overrides: Record<string, string> = {}) {
  const world: World = await createWorld(overrides);
  const conductor = world.conductor();
  await conductor.start();
  const { handlers } = conductor;
  let requests = 0;
  const next = () => request(`r${++requests}`);

  const verbs = {
    world,
    handlers,
    next,
    act: (node: Node, action: Action) => handlers.doProvisioningAction({ nodeUuid: node.uuid, action }, next()),
    clean: (node: Node, cleanSteps: JsonObject[], disableRamdisk = false) =>
      handlers.doNodeClean({ nodeUuid: node.uuid, cleanSteps, disableRamdisk }, next()),
    service: (node: Node, serviceSteps: JsonObject[], disableRamdisk = false) =>
      handlers.doNodeService({ nodeUuid: node.uuid, serviceSteps, disableRamdisk }, next()),
    deploy: (node: Node, deploySteps: JsonObject[] | null = null, rebuild = false) =>
      handlers.doNodeDeploy({ nodeUuid: node.uuid, rebuild, configDrive: null, deploySteps }, next()),
    rescue: (node: Node) => handlers.doNodeRescue({ nodeUuid: node.uuid, rescuePassword: 'hunter2' }, next()),
    unrescue: (node: Node) => handlers.doNodeUnrescue({ nodeUuid: node.uuid }, next()),
    inspect: (node: Node) => handlers.inspectHardware({ nodeUuid: node.uuid }, next()),
    undeploy: (node: Node) => handlers.doNodeTearDown({ nodeUuid: node.uuid }, next()),
    change: (node: Node, patch: Partial<Node>) =>
      world.db.write('test', (tx) => tx.nodes.update(node.uuid, patch as JsonObject)),

    async manageable(patch: Partial<Node> = {}): Promise<Node> {
      const node = await world.node({ automatedClean: false, ...patch });
      await verbs.act(node, 'manage');
      return world.reaches(node.uuid, 'manageable');
    },
    async available(patch: Partial<Node> = {}): Promise<Node> {
      const node = await verbs.manageable(patch);
      await verbs.act(node, 'provide');
      return world.reaches(node.uuid, 'available');
    },
    /** `driverInfo` is what is told after the deployment. */
    async active({ driverInfo, ...patch }: Partial<Node> = {}): Promise<Node> {
      const node = await verbs.available(patch);
      await verbs.deploy(node);
      const deployed = await world.reaches(node.uuid, 'active');
      if (driverInfo) await verbs.change(deployed, { driverInfo });
      await quiet();
      return deployed;
    },
    /** `interface.step` of what the last run has done. */
    async stepsOf(node: Node): Promise<string[]> {
      const run = await world.run(node.uuid);
      const events = await world.db.read.events.listLast({ runId: run.id, types: ['step.done'] }, 100);
      return events.map((event) => `${String(event.data['interface'])}.${String(event.data['step'])}`);
    },
    /** The node, after a look at what holds for every node that rests. */
    async rests(node: Node): Promise<Node> {
      await quiet();
      const now = await world.get(node.uuid);
      expect(now.reservation).toBeNull();
      expect([now.cleanStep, now.deployStep, now.serviceStep]).toEqual([{}, {}, {}]);
      return now;
    },
  };
  return verbs;
}
export type Verbs = Awaited<ReturnType<typeof createVerbs>>;
