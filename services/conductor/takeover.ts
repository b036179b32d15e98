/** Runs whose conductor is gone: the next one goes on with them. A dead conductor's nodes are never failed for its death. */
import type { Config, Node, Run } from '@bessemer/core';
import { isServiceError, isTransient, nextState, STATES, type ProvisionState } from '@bessemer/core';
import type { Db } from '@bessemer/db';
import type { Clock, Log } from '@bessemer/ports';
import type { DriverRegistry } from './drivers/registry.ts';
import { VERBS_OF_STATE } from './flows/flows.ts';
import type { Session } from './session.ts';
import { isLeftOrder, LEFT_ORDER } from './task.ts';

export interface TakeOverOptions {
  readonly db: Db;
  readonly clock: Clock;
  readonly log: Log;
  readonly config: Config;
  readonly session: Session;
  readonly drivers: DriverRegistry;
  /** A run is ours. */
  readonly onTaken: (runId: string) => void;
}

export interface TakeOver {
  /** Takes over what dead sessions have left. Gives how many runs were taken. */
  sweep(): Promise<number>;
  /** Ends earlier sessions of this host, whose process is known to be gone. */
  endOwnPast(): Promise<void>;
  /** Fails nodes in a working state for which there is no run at all: nothing may be stuck for ever. */
  failStranded(): Promise<void>;
}

/** What was awaited gets at least this long after a hand-over: it could not be noticed while nobody looked. */
const GRACE_MS = 60_000;
const PAGE = 1000;

export function createTakeOver(options: TakeOverOptions): TakeOver {
  const { db, clock, session, log, config } = options;
  const group = config.service.conductor_group.toLowerCase();
  const drivers = new Set(options.drivers.descriptions().map((d) => d.name));
  const isForUs = (node: Node): boolean => node.conductorGroup.toLowerCase() === group && drivers.has(node.driver);

  const liveSessions = async (): Promise<Set<string>> =>
    new Set((await db.read.conductors.list()).filter((c) => c.alive).map((c) => c.session));

  async function takeOne(id: Run['id']): Promise<boolean> {
    return db.write('run.take-over', async (tx) => {
      const run = await tx.runs.get(id);
      const node = run && (await tx.nodes.get(run.nodeUuid));
      if (!run || !node || run.finishedAt !== null || !isForUs(node)) return false;
      if (run.owner !== null && (await tx.conductors.get(run.owner))?.alive) return false;
      const lease = await tx.nodes.reserve(node.uuid, session.id, session.host, `takes over ${run.verb}`);
      if (!lease) return false;
      const { fence } = lease;
      await tx.runs.takeOver(id, session.id, fence);
      const earliest = clock.nowMs() + GRACE_MS;
      await tx.runs.update(id, fence, {
        deadline: Math.max(run.deadline, earliest),
        ...(run.waitingFor
          ? { waitingFor: { ...run.waitingFor, until: Math.max(run.waitingFor.until, earliest) } }
          : {}),
      });
      if (isLeftOrder(node, run)) await tx.nodes.update(node.uuid, LEFT_ORDER, fence);
      await tx.events.append({
        type: 'run.taken_over',
        nodeUuid: node.uuid,
        runId: id,
        severity: 'warning',
        data: { from: run.owner, to: session.id, fence },
      });
      // A node that rests in a wait or hold state is not reserved.
      const rests = (event: 'resume' | 'unhold') => nextState(node.provisionState, event, node.targetProvisionState).ok;
      if (rests('resume') || rests('unhold')) await tx.nodes.release(node.uuid, fence);
      return true;
    });
  }
  /** Leases of dead sessions under which no run goes on: a word with a BMC that was cut short, perhaps beside a run that rests. */
  async function freeOrphans(): Promise<void> {
    for (const orphan of await db.read.nodes.listOrphaned(100))
      await db.write('node.free', async (tx) => {
        const node = await tx.nodes.get(orphan.uuid);
        // Somebody has it since: another conductor, or another piece of work here.
        if (node?.reservation?.fence !== orphan.reservation.fence) return;
        const lease = await tx.nodes.reserve(orphan.uuid, session.id, session.host, 'frees the node');
        if (!lease) return;
        if (isLeftOrder(node, await tx.runs.current(orphan.uuid)))
          await tx.nodes.update(orphan.uuid, LEFT_ORDER, lease.fence);
        await tx.nodes.release(orphan.uuid, lease.fence);
      });
  }

  const inState = (provisionState: ProvisionState, marker: string | undefined): Promise<Node[]> => {
    const filter = { provisionState, includeChildren: true };
    if (marker === undefined) return db.read.nodes.list(filter, { limit: PAGE });
    return db.read.nodes.list(filter, { limit: PAGE, marker }).catch((error: unknown) => {
      // The last node of the page before was deleted meanwhile: the next round sees the rest.
      if (isServiceError(error, 'NOT_FOUND')) return [];
      throw error;
    });
  };

  return {
    async sweep() {
      const live = await liveSessions();
      const orphaned = (await db.read.runs.listUnfinished()).filter(
        (run) => run.owner === null || !live.has(run.owner),
      );
      let taken = 0;
      for (const run of orphaned) {
        if (!session.isLive) return taken;
        if (!(await takeOne(run.id))) continue;
        taken++;
        log.info('goes on with a run of another session', { run: run.id, node: run.nodeUuid, verb: run.verb });
        options.onTaken(run.id);
      }
      await freeOrphans();
      return taken;
    },
    async endOwnPast() {
      await db.write('conductor.end-past', (tx) => tx.conductors.endOthers(session.host, session.id));
    },
    async failStranded() {
      const working = (Object.keys(STATES) as ProvisionState[]).filter(isTransient);
      // All of them: those that somebody works on would hide the others behind a page.
      for (const provisionState of working)
        for (let marker: string | undefined; ; ) {
          const page = await inState(provisionState, marker);
          for (const node of page) {
            if (!isForUs(node)) continue;
            await db.write('node.stranded', async (tx) => {
              const fresh = await tx.nodes.get(node.uuid);
              if (fresh?.provisionState !== provisionState || (await tx.runs.current(node.uuid))) return;
              const verbs: readonly string[] = Object.hasOwn(VERBS_OF_STATE, provisionState)
                ? VERBS_OF_STATE[provisionState as keyof typeof VERBS_OF_STATE]
                : ['an unknown verb'];
              const error = `The node was in "${provisionState}" and no work (${verbs.join(' or ')}) is recorded for it.`;
              await tx.nodes.processEvent(node.uuid, 'fail', { error });
            });
          }
          if (page.length < PAGE) break;
          marker = page.at(-1)!.uuid;
        }
    },
  };
}
