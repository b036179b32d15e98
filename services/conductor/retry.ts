/** Going on with a failed deployment: the same run, at the step that failed. */
import {
  actionImpossible,
  type Config,
  type Cursor,
  nodeInMaintenance,
  type Segment,
  ServiceError,
} from '@bessemer/core';
import type { Db } from '@bessemer/db';
import type { Clock, Random } from '@bessemer/ports';
import type { Accepted } from '@bessemer/rpc';
import { mustGetNode } from './accept.ts';
import { agentSegmentOf } from './agent-phase.ts';
import type { AgentLinks } from './agent-links.ts';
import { DEPLOYMENT_VERBS } from './flows/flows.ts';
import { reserveNode } from './lease.ts';
import type { Session } from './session.ts';
import type { TaskWriter } from './task-writer.ts';

/** @throws INVALID_STATE_REQUESTED unless the node is in `deploy failed` and its last deployment failed; NODE_LOCKED, NODE_NOT_FOUND. */
export type RunRetry = (nodeUuid: string) => Promise<Accepted>;

export interface RetryOptions {
  readonly db: Db;
  readonly clock: Clock;
  readonly config: Config;
  readonly session: Session;
  readonly writer: TaskWriter;
  readonly links: AgentLinks;
  readonly random: Random;
  readonly onRetried: (runId: string) => void;
}

export function createRunRetry(options: RetryOptions): RunRetry {
  const { db, clock, session, writer, links } = options;
  return async (nodeUuid) => {
    const runId = await db.write('run.retry', async (tx) => {
      const node = await mustGetNode(tx, nodeUuid);
      if (node.maintenance) throw nodeInMaintenance('provisioning', node);
      if (node.provisionState !== 'deploy failed') throw actionImpossible('retry', node, node.provisionState);
      // The node may have been switched on and off since.
      const failed = await tx.runs.latest(node.uuid, DEPLOYMENT_VERBS);
      if (failed?.state !== 'failed')
        throw new ServiceError(
          'INVALID_STATE_REQUESTED',
          `The last deployment of node ${node.uuid} ${failed ? `was ${failed.state}` : 'is not recorded'}: there is nothing to go on with. Deploy it again, or undeploy it.`,
        );
      const segment = failed.segments[failed.cursor.segment];
      if (!segment)
        throw new ServiceError(
          'INVALID_STATE_REQUESTED',
          `The last deployment of node ${node.uuid} has nothing left to do.`,
        );
      const fence = await reserveNode(tx, node, session, 'retry');
      await tx.nodes.processEvent(node.uuid, 'deploy', { fence, runId: failed.id, error: null });
      // What was awaited before counts from an older boot: a retry has its own time.
      const {
        scratch: _,
        agentSegment: __,
        diskBootAt: ___,
        switchedOff: ____,
        powerOrder: _____,
        image,
        ...kept
      } = failed.notes;
      // The steps of an agent that still waits get new attempts.
      const hasAgent = segment.party === 'agent' && links.link(failed.id) !== undefined;
      const at = hasAgent || segment.party === 'conductor' ? failed.cursor : bootOf(failed.segments, failed.cursor);
      const isBoot = segment.steps[failed.cursor.step]?.step === 'boot_ramdisk' || at !== failed.cursor;
      // What is written is what the node asks for now: an operator may have corrected the image since. The depot knows it by its digest.
      const isWritten = !isBoot && segment.steps[failed.cursor.step]?.step !== 'write_image';
      const notes = isWritten && image !== undefined ? { ...kept, image } : kept;
      const isWanted = kept['imageWanted'] === true || image !== undefined;
      const retried = hasAgent ? retriedSegment(agentSegmentOf(failed.notes)) : undefined;
      await tx.runs.takeOver(failed.id, session.id, fence);
      const run = await tx.runs.update(failed.id, fence, {
        state: 'running',
        error: null,
        finishedAt: null,
        waitingFor: null,
        progress: null,
        deadline: clock.nowMs() + options.config.conductor.deploy_timeout_ms,
        notes: {
          ...notes,
          ...(isBoot ? { agent: null, restarts: 0 } : {}),
          ...(retried ? { agentSegment: retried } : {}),
          imageWanted: isWanted,
        },
      });
      await tx.events.append({
        type: 'run.started',
        nodeUuid: node.uuid,
        runId: run.id,
        data: { verb: run.verb, retry: true },
      });
      await writer.enterAt(tx, run, at);
      return run.id;
    });
    options.onRetried(runId);
    return { runId };
  };

  function retriedSegment(note: ReturnType<typeof agentSegmentOf>) {
    if (!note?.error) return undefined;
    const { error, ...rest } = note;
    return { ...rest, attempts: { ...rest.attempts, [error.step]: options.random.uuid() } };
  }
}

/** Where the ramdisk is booted for a segment of the agent. */
function bootOf(segments: readonly Segment[], from: Cursor): Pick<Cursor, 'segment' | 'step'> {
  for (let segment = from.segment - 1; segment >= 0; segment--) {
    const step = segments[segment]!.steps.findIndex((s) => s.step === 'boot_ramdisk');
    if (step >= 0) return { segment, step };
  }
  return { segment: 0, step: 0 };
}
