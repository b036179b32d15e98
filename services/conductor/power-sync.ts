/**
 * Power state sync: what the BMCs say against what the rows say. A node that differs is brought back to the stored state, or, with
 * `force_power_state_during_sync` off, the stored state follows. A BMC that fails, or a node that cannot be brought back, more than
 * `power_sync_max_retries` times in a row is put into maintenance with fault `power failure`; the first answer takes it out.
 */
import type { Config, Node, PowerState, ProvisionState } from '@bessemer/core';
import { coerceError, isServiceError, isTransient, ServiceError } from '@bessemer/core';
import type { Db } from '@bessemer/db';
import type { Log } from '@bessemer/ports';
import { conductorFor } from '@bessemer/rpc';
import type { DriverRegistry } from './drivers/registry.ts';
import type { Session } from './session.ts';
import { type LeaseReturns, reserveNode } from './lease.ts';

export interface PowerSyncOptions {
  readonly db: Db;
  readonly log: Log;
  readonly session: Session;
  readonly drivers: DriverRegistry;
  readonly leases: LeaseReturns;
  readonly config: Pick<Config['conductor'], 'force_power_state_during_sync' | 'power_sync_max_retries'>;
}

export const POWER_FAULT = 'power failure';
/** States whose power is nobody's business yet, or in the middle of work that rests. */
const UNWATCHED: readonly ProvisionState[] = ['enroll', 'adopt failed', 'clean hold', 'deploy hold', 'service hold'];
/** BMCs asked at the same time: a dead one delays its neighbours only when so many are dead. */
const WORKERS = 8;
const PAGE = 500;

/** One round over all nodes of this conductor; resolves when each was asked once. */
export function createPowerSync(options: PowerSyncOptions): () => Promise<void> {
  const { db, log, session, drivers, leases, config } = options;
  const failures = new Map<string, number>();

  const isWatched = (node: Node): boolean =>
    !UNWATCHED.includes(node.provisionState) &&
    !isTransient(node.provisionState) &&
    node.reservation === null &&
    node.targetPowerState === null &&
    (!node.maintenance || node.fault === POWER_FAULT);

  async function mine(): Promise<Node[]> {
    const conductors = await db.read.conductors.list();
    const nodes: Node[] = [];
    const gone = new Set(failures.keys());
    for (let marker: string | undefined; ; ) {
      const page = await db.read.nodes.list({ includeChildren: true }, { limit: PAGE, ...(marker ? { marker } : {}) });
      for (const node of page) {
        gone.delete(node.uuid);
        if (isWatched(node) && conductorFor(node, conductors) === session.host) nodes.push(node);
      }
      if (page.length < PAGE) break;
      marker = page.at(-1)!.uuid;
    }
    for (const uuid of gone) failures.delete(uuid);
    return nodes;
  }

  async function compare(node: Node): Promise<void> {
    const task = { node, ports: [], log, checkMayOrder: async () => session.checkMayOrder() };
    let state: PowerState | null;
    try {
      const power = drivers.get(node, 'power');
      power.validate(task);
      state = await power.getPowerState(task);
      if (state === 'error') throw new ServiceError('BMC_FAILURE', 'the BMC tells no power state.');
    } catch (error) {
      return failure(node, coerceError(error).message, null);
    }
    const isSame = state === node.powerState;
    if (isSame) failures.delete(node.uuid);
    if (isSame && node.fault !== POWER_FAULT) return;
    const isToBeForced =
      config.force_power_state_during_sync && node.powerState !== null && !node.disablePowerOff && !node.maintenance;
    if (!isSame && isToBeForced) return bringBack(node, state);
    failures.delete(node.uuid);
    await db.write('power.sync', async (tx) => {
      const fresh = await tx.nodes.get(node.uuid);
      if (!fresh || !isWatched(fresh) || fresh.powerState !== node.powerState) return;
      const isCured = fresh.fault === POWER_FAULT;
      await tx.nodes.update(node.uuid, {
        powerState: state,
        ...(isCured ? { maintenance: false, maintenanceReason: null, fault: null } : {}),
      });
      if (fresh.powerState !== state)
        await tx.events.append({
          type: 'node.power_state',
          nodeUuid: node.uuid,
          runId: null,
          data: { from: fresh.powerState, to: state, cause: 'sync' },
        });
      if (isCured)
        await tx.events.append({
          type: 'node.maintenance',
          nodeUuid: node.uuid,
          runId: null,
          data: { maintenance: false, reason: 'the BMC answers again' },
        });
    });
  }

  /** Orders the stored state again; whether it helped is seen in the next round. */
  async function bringBack(node: Node, actual: PowerState | null): Promise<void> {
    const target = node.powerState === 'power off' ? 'power off' : 'power on';
    const message = `node state '${actual}' does not match expected state '${node.powerState}'`;
    if ((failures.get(node.uuid) ?? 0) >= config.power_sync_max_retries) return failure(node, message, actual);
    failures.set(node.uuid, (failures.get(node.uuid) ?? 0) + 1);
    let fence: number | undefined;
    try {
      fence = await db.write('power.force', async (tx) => {
        const fresh = await tx.nodes.get(node.uuid);
        if (!fresh || !isWatched(fresh) || fresh.powerState !== node.powerState) return undefined;
        const held = await reserveNode(tx, fresh, session, 'power state sync');
        await tx.events.append({
          type: 'power.ordered',
          nodeUuid: node.uuid,
          runId: null,
          severity: 'warning',
          data: { action: target, cause: 'sync', was: actual },
        });
        return held;
      });
      if (fence === undefined) return;
      const task = { node, ports: [], log, checkMayOrder: async () => session.checkMayOrder() };
      await drivers.get(node, 'power').setPowerState(task, target);
    } catch (error) {
      if (!isServiceError(error, 'NODE_LOCKED'))
        log.warn('a power state was not brought back', { node: node.uuid, error: coerceError(error).message });
    } finally {
      if (fence !== undefined) await leases.release(node.uuid, fence);
    }
  }

  /** @param actual the state that is told, null when none is. */
  async function failure(node: Node, message: string, actual: PowerState | null): Promise<void> {
    const count = (failures.get(node.uuid) ?? 0) + 1;
    failures.set(node.uuid, count);
    if (count <= config.power_sync_max_retries || node.maintenance) return;
    failures.delete(node.uuid);
    const words =
      actual === null
        ? `node state None does not match expected state '${node.powerState}': ${message}`
        : `${message}. Updating DB state to '${actual}'. Switching node to maintenance mode.`;
    const reason = `During sync_power_state, max retries exceeded for node ${node.uuid}, ${words}`;
    await db.write('power.fault', async (tx) => {
      const fresh = await tx.nodes.get(node.uuid);
      if (!fresh || !isWatched(fresh) || fresh.maintenance) return;
      await tx.nodes.update(node.uuid, {
        maintenance: true,
        maintenanceReason: reason,
        fault: POWER_FAULT,
        lastError: reason,
        ...(actual === null ? {} : { powerState: actual }),
      });
      await tx.events.append({
        type: 'node.maintenance',
        nodeUuid: node.uuid,
        runId: null,
        severity: 'error',
        data: { maintenance: true, reason },
      });
    });
  }

  return async () => {
    const nodes = await mine();
    const worker = async (): Promise<void> => {
      for (let node = nodes.shift(); node && session.isLive; node = nodes.shift()) await compare(node);
    };
    await Promise.all(Array.from({ length: WORKERS }, worker));
  };
}
