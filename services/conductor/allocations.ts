/**
 * Finds nodes for allocations. The candidates are read first and looked at again one by one in the transaction that takes one:
 * no two allocations get the same node, however many conductors match at once.
 */
import { type Allocation, type Node, type NodeId, nodeLocked, ServiceError } from '@bessemer/core';
import type { Db, NodeRow, Repositories } from '@bessemer/db';
import type { Clock, Log, Random } from '@bessemer/ports';
import { sleep } from '@bessemer/ports';
import type { RpcHandlers } from '@bessemer/rpc';
import { isDatabaseAway } from './drivers/errors.ts';

export interface AllocatorDeps {
  readonly db: Db;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface Allocator {
  readonly allocate: RpcHandlers['allocate'];
  /** Goes on with allocations that a process left unprocessed. */
  sweep(): Promise<void>;
}

/** A node that somebody holds for a moment (power sync) is tried again. */
const ATTEMPTS = 3;
const RETRY_PAUSE_MS = 1_000;
/** An allocation that has waited so long was left by a process that ended. */
const LEFT_BEHIND_MS = 30_000;

const hasAll = (traits: readonly string[], wanted: readonly string[]): boolean =>
  wanted.every((trait) => traits.includes(trait));

export function createAllocator({ db, clock, random, log }: AllocatorDeps): Allocator {
  const failed = (allocation: Allocation, reason: string) =>
    new ServiceError('ALLOCATION_FAILED', `Failed to process allocation ${allocation.uuid}: ${reason}.`);

  /** Idents of nodes that fit, in random order, the one of the same name first. @throws ALLOCATION_FAILED when there is none. */
  async function candidates(allocation: Allocation): Promise<string[]> {
    const { resourceClass, candidateNodes, owner, traits, name } = allocation;
    const rows: NodeRow[] = [];
    const filter = {
      resourceClass: resourceClass ?? '',
      provisionState: 'available' as const,
      associated: false,
      maintenance: false,
      ...(candidateNodes.length > 0 ? { uuids: candidateNodes } : {}),
      ...(owner === null ? {} : { project: owner }),
    };
    for (let marker: string | undefined; ; ) {
      const page = { limit: 1000, ...(marker === undefined ? {} : { marker }) };
      const found = await db.read.nodes.listRows(['uuid', 'name', 'traits', 'power_state'], filter, page);
      rows.push(...found.filter((row) => row['power_state'] !== null));
      if (found.length < page.limit) break;
      marker = String(found.at(-1)!['uuid']);
    }
    if (rows.length === 0)
      throw failed(
        allocation,
        candidateNodes.length > 0
          ? `none of the requested nodes are available and match the resource class ${resourceClass}`
          : `no available nodes match the resource class ${resourceClass}`,
      );
    const fitting = rows.filter((row) => hasAll(JSON.parse(String(row['traits'])), traits));
    if (fitting.length === 0)
      throw failed(allocation, `no suitable nodes have the requested traits ${traits.join(', ')}`);
    const weighed = fitting.map((row) => ({
      uuid: String(row['uuid']),
      weight: name !== null && row['name'] === name ? -1 : random.float(),
    }));
    return weighed.sort((a, b) => a.weight - b.weight).map((node) => node.uuid);
  }

  async function take(
    tx: Repositories,
    allocation: Allocation,
    node: Node,
    more: { readonly candidateNodes?: readonly string[] } = {},
  ): Promise<void> {
    await tx.nodes.update(node.uuid, {
      instanceUuid: allocation.uuid,
      allocationUuid: allocation.uuid,
      instanceInfo: { ...node.instanceInfo, traits: [...allocation.traits] },
    });
    await tx.allocations.update(allocation.uuid, { nodeUuid: node.uuid, state: 'active', lastError: null, ...more });
  }

  const fits = (node: Node, { owner, resourceClass, traits }: Allocation): boolean =>
    !node.maintenance &&
    node.instanceUuid === null &&
    node.provisionState === 'available' &&
    node.resourceClass === resourceClass &&
    hasAll(node.traits, traits) &&
    (owner === null || node.owner === owner || node.lessee === owner);

  /** One node, if it still fits. */
  const tryNode = (allocation: Allocation, uuid: string): Promise<'taken' | 'locked' | 'unfit' | 'gone'> =>
    db.write('allocate', async (tx) => {
      const now = await tx.allocations.find(allocation.uuid);
      if (now?.state !== 'allocating') return 'gone';
      const node = await tx.nodes.get(uuid as NodeId);
      if (!node || !fits(node, allocation)) return 'unfit';
      if (node.reservation) return 'locked';
      await take(tx, allocation, node);
      return 'taken';
    });

  async function match(allocation: Allocation): Promise<void> {
    let left = await candidates(allocation);
    for (let attempt = 1; ; attempt++) {
      const locked: string[] = [];
      for (const uuid of left) {
        const outcome = await tryNode(allocation, uuid);
        if (outcome === 'taken' || outcome === 'gone') return;
        if (outcome === 'locked') locked.push(uuid);
      }
      if (locked.length === 0) throw failed(allocation, 'all nodes were filtered out during reservation');
      if (attempt === ATTEMPTS) throw failed(allocation, `could not reserve any of ${locked.length} suitable nodes`);
      left = locked;
      await sleep(clock, RETRY_PAUSE_MS);
    }
  }

  async function backfill(allocation: Allocation, nodeUuid: string): Promise<void> {
    await db.write('backfill allocation', async (tx) => {
      const node = await tx.nodes.get(nodeUuid as NodeId);
      if (!node) throw new ServiceError('NODE_NOT_FOUND', `Node ${nodeUuid} could not be found.`);
      if (node.reservation) throw nodeLocked(node);
      const wrong: string[] = [];
      if (node.provisionState !== 'active')
        wrong.push(`Node must be in the "active" state, but the current state is "${node.provisionState}"`);
      if (allocation.resourceClass && node.resourceClass !== allocation.resourceClass)
        wrong.push(
          `Resource class ${node.resourceClass} does not match the requested resource class ${allocation.resourceClass}`,
        );
      if (!hasAll(node.traits, allocation.traits))
        wrong.push(
          `List of traits [${node.traits.join(', ')}] does not match the requested traits [${allocation.traits.join(', ')}]`,
        );
      if (allocation.candidateNodes.length > 0 && !allocation.candidateNodes.includes(node.uuid))
        wrong.push(
          `Candidate nodes must be empty or contain the target node, but got ['${allocation.candidateNodes.join("', '")}']`,
        );
      if (wrong.length > 0)
        throw failed(allocation, `Cannot backfill an allocation for node ${node.uuid}: ${wrong.join('; ')}`);
      if (node.allocationUuid !== null || (node.instanceUuid !== null && node.instanceUuid !== allocation.uuid))
        throw new ServiceError(
          'NODE_ASSOCIATED',
          `Node ${node.uuid} is associated with instance ${node.instanceUuid}.`,
        );
      await take(tx, allocation, node, { candidateNodes: [] });
    });
  }

  async function process(allocation: Allocation, nodeUuid: string | null): Promise<void> {
    try {
      await (nodeUuid === null ? match(allocation) : backfill(allocation, nodeUuid));
    } catch (error) {
      if (!(error instanceof ServiceError) || isDatabaseAway(error)) throw error;
      log.warn('an allocation failed', { allocation: allocation.uuid, error: error.publicMessage });
      await db.write('allocation failed', async (tx) => {
        const now = await tx.allocations.find(allocation.uuid);
        if (now?.state === 'allocating')
          await tx.allocations.update(now.uuid, {
            state: 'error',
            lastError: error.publicMessage,
            // Written down in the place of what was asked for.
            ...(allocation.candidateNodes.join() === nodeUuid ? { candidateNodes: [] } : {}),
          });
      });
      if (nodeUuid !== null) throw error;
    }
  }

  return {
    async allocate({ allocationUuid, nodeUuid }) {
      const allocation = await db.read.allocations.find(allocationUuid);
      if (allocation?.state === 'allocating') await process(allocation, nodeUuid);
      return null;
    },
    async sweep() {
      const left = await db.read.allocations.list({ state: 'allocating' }, { limit: 100 });
      const before = clock.nowMs() - LEFT_BEHIND_MS;
      for (const allocation of left) if (allocation.createdAt < before) await process(allocation, null);
    },
  };
}
