/**
 * Power state sync: what the BMCs say against what the rows say. What was changed at the machine is taken over and told; a BMC
 * that fails three times in a row puts its node into maintenance with fault `power failure`, and the first answer takes it out.
 */
import type { Node, PowerState } from '@bessemer/core';
import { coerceError, isTransient } from '@bessemer/core';
import type { Db } from '@bessemer/db';
import type { Log } from '@bessemer/ports';
import { conductorFor } from '@bessemer/rpc';
import type { DriverRegistry } from './drivers/registry.ts';
import type { Session } from './session.ts';

export interface PowerSyncOptions {
  readonly db: Db;
  readonly log: Log;
  readonly session: Session;
  readonly drivers: DriverRegistry;
}

export const POWER_FAULT = 'power failure';
const FAILURES_UNTIL_FAULT = 3;
/** BMCs asked at the same time: a dead one delays its neighbours only when so many are dead. */
const WORKERS = 8;
const PAGE = 500;

/** One round over all nodes of this conductor; resolves when each was asked once. */
export function createPowerSync(options: PowerSyncOptions): () => Promise<void> {
  const { db, log, session, drivers } = options;
  const failures = new Map<string, number>();

  const isWatched = (node: Node): boolean =>
    node.provisionState !== 'enroll' &&
    !isTransient(node.provisionState) &&
    node.reservation === null &&
    node.targetPowerState === null &&
    (!node.maintenance || node.fault === POWER_FAULT);

  async function mine(): Promise<Node[]> {
    const conductors = await db.read.conductors.list();
    const nodes: Node[] = [];
    for (let marker: string | undefined; ; ) {
      const page = await db.read.nodes.list({ includeChildren: true }, { limit: PAGE, ...(marker ? { marker } : {}) });
      for (const node of page) if (isWatched(node) && conductorFor(node, conductors) === session.host) nodes.push(node);
      if (page.length < PAGE) return nodes;
      marker = page.at(-1)!.uuid;
    }
  }

  async function compare(node: Node): Promise<void> {
    const task = { node, ports: [], log, checkMayOrder: () => session.checkMayOrder() };
    let state: PowerState;
    try {
      const power = drivers.get(node, 'power');
      power.validate(task);
      state = await power.getPowerState(task);
    } catch (error) {
      return failure(node, coerceError(error).message);
    }
    failures.delete(node.uuid);
    if (state === node.powerState && node.fault !== POWER_FAULT) return;
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

  async function failure(node: Node, message: string): Promise<void> {
    const count = (failures.get(node.uuid) ?? 0) + 1;
    failures.set(node.uuid, count);
    if (count < FAILURES_UNTIL_FAULT || node.maintenance) return;
    failures.delete(node.uuid);
    const reason = `During sync_power_state, max retries exceeded for node ${node.uuid}, node state None does not match expected state '${node.powerState}': ${message}`;
    await db.write('power.fault', async (tx) => {
      const fresh = await tx.nodes.get(node.uuid);
      if (!fresh || !isWatched(fresh) || fresh.maintenance) return;
      await tx.nodes.update(node.uuid, {
        maintenance: true,
        maintenanceReason: reason,
        fault: POWER_FAULT,
        lastError: reason,
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
