/** One word with a node's hardware: what a driver's method is given, and the lease where it changes something. */
import type { Db } from '@bessemer/db';
import type { Log } from '@bessemer/ports';
import { mustGetNode } from './accept.ts';
import type { DriverTask } from './drivers/interfaces.ts';
import type { Session } from './session.ts';
import { type LeaseReturns, reserveNode } from './lease.ts';

export interface DriverTasks {
  /** @throws NODE_NOT_FOUND. */
  taskFor(nodeUuid: string): Promise<DriverTask>;
  /** Under the lease of the node. @throws NODE_LOCKED. */
  withLease<T>(nodeUuid: string, purpose: string, fn: (task: DriverTask, fence: number) => Promise<T>): Promise<T>;
}

export function createDriverTasks(deps: {
  readonly db: Db;
  readonly log: Log;
  readonly session: () => Session;
  readonly leases: LeaseReturns;
}): DriverTasks {
  const { db, log, leases } = deps;
  async function taskFor(nodeUuid: string): Promise<DriverTask> {
    const node = await mustGetNode(db.read, nodeUuid);
    const ports = await db.read.ports.list({ nodeUuid: node.uuid }, { limit: 1000 });
    return { node, ports, log, checkMayOrder: async () => deps.session().checkMayOrder() };
  }
  return {
    taskFor,
    async withLease(nodeUuid, purpose, fn) {
      const session = deps.session();
      const { uuid, fence } = await db.write(`reserve.${purpose}`, async (tx) => {
        const node = await mustGetNode(tx, nodeUuid);
        return { uuid: node.uuid, fence: await reserveNode(tx, node, session, purpose) };
      });
      try {
        return await fn(await taskFor(nodeUuid), fence);
      } finally {
        await leases.release(uuid, fence);
      }
    },
  };
}
