/** How work is accepted: one transaction that checks, reserves, moves the state machine and writes the run. After it the work is a row. */
import type { Config, ErrorCode, JsonObject, Node, ProvisionEvent, Run } from '@bessemer/core';
import {
  actionImpossible,
  asNodeId,
  asRunId,
  isServiceError,
  nextState,
  nodeLocked,
  ServiceError,
} from '@bessemer/core';
import type { Db, NodePatch, Repositories } from '@bessemer/db';
import type { Clock, Log, Random } from '@bessemer/ports';
import type { Accepted } from '@bessemer/rpc';
import type { DriverTask } from './drivers/interfaces.ts';
import type { DriverRegistry } from './drivers/registry.ts';
import { flowOf, type InterfaceOf, type RunVerb } from './flows/flows.ts';
import { QUEUE_TIMEOUT_MS, type Queue } from './queue.ts';
import type { Session } from './session.ts';
import { withoutArguments } from './step-arguments.ts';
import { reserveNode } from './lease.ts';
import type { TaskWriter } from './task-writer.ts';

export interface WorkRequest {
  readonly nodeUuid: string;
  readonly requestId: string;
  /** Part of the key of the stored answer: two calls of one client's request differ by it. */
  readonly method: string;
  readonly verb: RunVerb;
  /** What it is called in an error; the verb when absent. */
  readonly action?: string;
  /** The event that begins it; null for work that leaves the provision state alone. */
  readonly event: ProvisionEvent | null;
  readonly input: JsonObject;
  /** More input, read in the same transaction. @throws ServiceError */
  readonly prepare?: (tx: Repositories, node: Node) => Promise<JsonObject>;
  /** @throws ServiceError when node or request do not allow it: nothing is written then. */
  readonly check?: (task: DriverTask, interfaceOf: InterfaceOf) => Promise<void> | void;
  /** Puts what `check`, `prepare` and the plan find wrong with the node or the request into the words of the verb. */
  readonly words?: (reason: string) => string;
  /** Written in the same transaction. */
  readonly nodePatch?: NodePatch;
  readonly also?: (tx: Repositories, node: Node) => Promise<void>;
  /** Ends the run under way, as aborted, with this reason; without it a run under way refuses the request. */
  readonly endsCurrent?: string;
}

export interface Acceptor {
  /** @throws NODE_NOT_FOUND, NODE_LOCKED, INVALID_STATE_REQUESTED, NODE_IN_MAINTENANCE and what `check` throws. */
  accept(request: WorkRequest): Promise<Accepted>;
  /** Ends the run under way from outside. In the caller's transaction; gives the run that was ended. */
  endCurrent(tx: Repositories, node: Node, reason: string): Promise<Run | undefined>;
}

export interface AcceptorOptions {
  readonly db: Db;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly config: Config;
  readonly session: Session;
  readonly writer: TaskWriter;
  readonly drivers: DriverRegistry;
  readonly queue: Queue;
  readonly onAccepted: (run: Run) => void;
  /** A run was ended from outside: its agent is to stop. */
  readonly onEnded: (run: Run) => void;
}

/** The node as it is at this moment. @throws NODE_NOT_FOUND. */
export async function mustGetNode(repositories: Pick<Repositories, 'nodes'>, uuid: string): Promise<Node> {
  const node = await repositories.nodes.get(asNodeId(uuid));
  if (!node) throw new ServiceError('NODE_NOT_FOUND', `Node ${uuid} could not be found.`);
  return node;
}

/** A run of the node goes on, and the request cannot meet it. */
export const underWay = (node: Node): ServiceError =>
  new ServiceError('INVALID_STATE', `Node ${node.uuid} has work under way: wait until it ends, or abort it.`);

const UNFIT: readonly ErrorCode[] = ['INVALID_PARAMETER', 'MISSING_PARAMETER', 'UNSUPPORTED_DRIVER_EXTENSION'];

/** Runs checks; what they find unfit is told in the words of the verb. */
async function inWords<T>({ words }: WorkRequest, checks: () => Promise<T>): Promise<T> {
  try {
    return await checks();
  } catch (error) {
    if (!words || !isServiceError(error) || !UNFIT.includes(error.code)) throw error;
    throw new ServiceError(error.code, words(error.publicMessage), { context: error.context, cause: error });
  }
}

export function createAcceptor(options: AcceptorOptions): Acceptor {
  const { db, clock, config, session, writer, drivers } = options;
  const keyOf = (request: WorkRequest): string => `${request.method}:${request.nodeUuid}:${request.requestId}`;

  async function endCurrent(tx: Repositories, node: Node, reason: string): Promise<Run | undefined> {
    const run = await tx.runs.current(node.uuid);
    if (!run) return undefined;
    if (node.targetPowerState !== null) await tx.nodes.update(node.uuid, { targetPowerState: null });
    await tx.runs.update(run.id, run.fence, {
      state: 'aborted',
      error: reason,
      waitingFor: null,
      finishedAt: clock.nowMs(),
    });
    await tx.events.append({
      type: 'run.finished',
      nodeUuid: node.uuid,
      runId: run.id,
      severity: 'warning',
      data: { verb: run.verb, outcome: 'aborted', error: reason },
    });
    await tx.boots.closeTokens(run.id);
    await tx.boots.dropAgentKeys(run.id);
    return run;
  }

  return {
    endCurrent,
    async accept(request) {
      const runId = asRunId(options.random.uuid());
      let accepted: Run | undefined;
      let endedRun: Run | undefined;
      const write = async (tx: Repositories): Promise<Accepted> => {
        accepted = endedRun = undefined;
        const earlier = await tx.requests.get(keyOf(request));
        if (earlier) return earlier as Accepted;
        const node = await mustGetNode(tx, request.nodeUuid);
        const action = request.action ?? request.verb;
        const flow = flowOf(request.verb);
        if (node.reservation && !(await isFree(tx, node))) throw nodeLocked(node);
        if (request.event && !nextState(node.provisionState, request.event, null).ok)
          throw actionImpossible(action, node, node.provisionState);
        const ports = await tx.ports.list({ nodeUuid: node.uuid }, { limit: 1000 });
        const task: DriverTask = {
          node: { ...node, ...request.nodePatch },
          ports,
          log: options.log,
          checkMayOrder: async () => session.checkMayOrder(),
        };
        const interfaceOf: InterfaceOf = (kind) => drivers.get(node, kind);
        const { asked, segments, stepArguments } = await inWords(request, async () => {
          await request.check?.(task, interfaceOf);
          const input = { ...request.input, ...(await request.prepare?.(tx, task.node)) };
          const planned = flow.plan(task, interfaceOf, input).filter((s) => s.steps.length > 0);
          return { asked: input, ...withoutArguments(planned) };
        });
        const input = stepArguments ? { ...asked, stepArguments } : asked;
        if (request.endsCurrent !== undefined) endedRun = await endCurrent(tx, node, request.endsCurrent);
        else if (await tx.runs.current(node.uuid)) throw underWay(node);
        const fence = await reserveNode(tx, node, session, request.verb);
        if (request.event) await tx.nodes.processEvent(node.uuid, request.event, { fence, runId, error: null });
        if (request.nodePatch) await tx.nodes.update(node.uuid, request.nodePatch, fence);
        await request.also?.(tx, node);
        const position = flow.isDeployment ? await options.queue.positionFor(tx) : 0;
        const lifeMs = position > 0 ? QUEUE_TIMEOUT_MS : config.conductor.deploy_timeout_ms;
        const run = await tx.runs.create({
          id: runId,
          nodeUuid: node.uuid,
          verb: request.verb,
          state: position > 0 ? 'queued' : 'running',
          input,
          segments,
          deadline: clock.nowMs() + lifeMs,
          owner: session.id,
          fence,
          requestId: request.requestId,
        });
        await tx.events.append({ type: 'run.started', nodeUuid: node.uuid, runId, data: { verb: request.verb } });
        if (position > 0) await stand(tx, run, position);
        else await writer.enterFirst(tx, run);
        accepted = run;
        const result: Accepted = { runId };
        await tx.requests.put(keyOf(request), result);
        return result;
      };
      let answer: Accepted;
      try {
        answer = await db.write(`accept.${request.verb}`, write);
      } catch (error) {
        // All was written and only the answer of the commit is missing: whether there is a run now, a look will say.
        if (accepted) options.onAccepted(accepted);
        throw error;
      }
      if (endedRun) options.onEnded(endedRun);
      if (accepted) options.onAccepted(accepted);
      return answer;
    },
  };

  /** A lease whose session is over holds nobody up, unless a run goes on under it. */
  async function isFree(tx: Repositories, node: Node): Promise<boolean> {
    const holder = node.reservation && (await tx.conductors.get(node.reservation.session));
    return !holder?.alive && !(await tx.runs.current(node.uuid));
  }

  /** Puts a run at the end of the queue; the node rests, so that it can be aborted. */
  async function stand(tx: Repositories, run: Run, position: number): Promise<void> {
    const from = 'other deployments';
    await tx.runs.update(run.id, run.fence, {
      waitingFor: {
        what: 'queue',
        from,
        since: clock.nowMs(),
        until: run.deadline,
        hint: `At most ${config.conductor.max_concurrent_deploy} deployments work at the same time (conductor.max_concurrent_deploy).`,
        position,
      },
    });
    await tx.events.append({
      type: 'run.queued',
      nodeUuid: run.nodeUuid,
      runId: run.id,
      data: { queue: 'deploy', position },
    });
    await tx.nodes.processEvent(run.nodeUuid, 'wait', { fence: run.fence, runId: run.id });
    await tx.nodes.release(run.nodeUuid, run.fence);
  }
}
