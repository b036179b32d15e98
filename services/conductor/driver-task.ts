/** One word with a node's hardware: what a driver's method is given, and the lease where it changes something. */
import { coerceError, type Node } from '@bessemer/core';
import type { Db, Repositories } from '@bessemer/db';
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
  /**
   * Likewise, and resolves as soon as the lease is there: the rest goes on behind it, and `work` tells the node what came of it.
   * @throws NODE_NOT_FOUND, NODE_LOCKED and what `begin` throws, which runs in the transaction that takes the lease.
   */
  startWithLease(
    nodeUuid: string,
    purpose: string,
    begin: (tx: Repositories, node: Node, fence: number) => Promise<unknown>,
    work: (task: DriverTask, fence: number) => Promise<void>,
  ): Promise<void>;
}

export function createDriverTasks(deps: {
  readonly db: Db;
  readonly log: Log;
  readonly session: () => Session;
  readonly leases: LeaseReturns;
}): DriverTasks {
  const { db, log, leases } = deps;
  type Lease = { readonly task: DriverTask; readonly fence: number };
  async function read(repositories: Pick<Repositories, 'nodes' | 'ports'>, nodeUuid: string): Promise<DriverTask> {
    const node = await mustGetNode(repositories, nodeUuid);
    const ports = await repositories.ports.list({ nodeUuid: node.uuid }, { limit: 1000 });
    return { node, ports, log, checkMayOrder: async () => deps.session().checkMayOrder() };
  }
  type Begin = Parameters<DriverTasks['startWithLease']>[2];
  function take(nodeUuid: string, purpose: string, begin?: Begin): Promise<Lease> {
    const session = deps.session();
    return db.write(`reserve.${purpose}`, async (tx) => {
      const node = await mustGetNode(tx, nodeUuid);
      const fence = await reserveNode(tx, node, session, purpose);
      await begin?.(tx, node, fence);
      // Read here: work that has been begun must not end because the database cannot be read a moment later.
      return { task: await read(tx, nodeUuid), fence };
    });
  }
  async function under<T>({ task, fence }: Lease, fn: (task: DriverTask, fence: number) => Promise<T>): Promise<T> {
    try {
      return await fn(task, fence);
    } finally {
      await leases.release(task.node.uuid, fence);
    }
  }
  return {
    taskFor: (nodeUuid) => read(db.read, nodeUuid),
    withLease: async (nodeUuid, purpose, fn) => under(await take(nodeUuid, purpose), fn),
    async startWithLease(nodeUuid, purpose, begin, work) {
      const lease = await take(nodeUuid, purpose, begin);
      under(lease, work).catch((error: unknown) =>
        log.warn('work on a node broke off', {
          node: lease.task.node.uuid,
          purpose,
          error: coerceError(error).message,
        }),
      );
    },
  };
}
