/**
 * The lease on a node and the writes of a run. Every write here is one transaction that begins by naming the run's fence: the
 * database refuses an old one (STALE_FENCE), `Gone` says that the run has ended, and then nothing was written.
 *
 * A node is reserved while a conductor works on it and free while it rests in a wait state (`wait call-back`, `clean wait`,
 * `inspect wait`), as Ironic's clients expect; the run's own fence guards the run all the time.
 */
import type { Cursor, JsonObject, NewEvent, Node, Progress, Run, SessionId, Step, WaitingFor } from '@bessemer/core';
import { nextState, ServiceError } from '@bessemer/core';
import type { Db, NodePatch, Repositories, RunPatch } from '@bessemer/db';
import type { Clock, Random } from '@bessemer/ports';
import { EVENT_AFTER_STEP, flowOf } from './flows/flows.ts';
import { isConductorStep } from './steps/catalogue.ts';
import type { Awaited, StepOutcome } from './steps/step.ts';

/** The run has ended: whoever worked on it stops. */
export class Gone extends Error {}

/** What a call of a step leaves to be written with its outcome. */
export interface Effects {
  readonly notes: JsonObject;
  readonly events: readonly Omit<NewEvent, 'nodeUuid' | 'runId'>[];
  readonly nodePatch: NodePatch;
}
export const NO_EFFECTS: Effects = { notes: {}, events: [], nodePatch: {} };

export const nodeLocked = (node: Node): ServiceError =>
  new ServiceError(
    'NODE_LOCKED',
    `Node ${node.uuid} is locked by host ${node.reservation?.conductor ?? 'unknown'}, please retry after the current operation is completed.`,
    { context: { purpose: node.reservation?.purpose } },
  );

/**
 * Takes the node's lease and gives the fence. The conductor's own session is a holder like any other: two pieces of work on one
 * node exclude each other within a process too. @throws NODE_LOCKED.
 */
export async function reserveNode(
  tx: Repositories,
  node: Node,
  session: { readonly id: SessionId; readonly host: string },
  purpose: string,
): Promise<number> {
  if (node.reservation?.session === session.id) throw nodeLocked(node);
  const reservation = await tx.nodes.reserve(node.uuid, session.id, session.host, purpose);
  if (!reservation) throw nodeLocked(node);
  return reservation.fence;
}

export interface TaskWriter {
  /**
   * Enters the first segment of a run that was created in this very transaction: stores the first attempt, or, when the plan is
   * empty, ends the run.
   */
  enterFirst(tx: Repositories, run: Run): Promise<void>;
  /** Likewise for a run that begins again in this very transaction, at a step of its own. */
  enterAt(tx: Repositories, run: Run, at: Pick<Cursor, 'segment' | 'step'>): Promise<void>;
  /** Another attempt of the step at the cursor; gives the run as stored. */
  beginAttempt(run: Run): Promise<Run>;
  /** Stores what came of a step. `next`: there is more to do at once. */
  settle(run: Run, step: Step, outcome: StepOutcome, effects: Effects): Promise<'next' | 'waiting' | 'ended'>;
  /** Stores a wait outside a step: for an agent's segment. The node rests in its wait state. */
  rest(run: Run, waitingFor: Awaited, notes?: JsonObject): Promise<Run>;
  /** The agent's segment is done. */
  endSegment(run: Run): Promise<'next' | 'ended'>;
  /** Goes back to the step at `cursor`, with a fact for the operator. */
  goBack(run: Run, cursor: Cursor, notes: JsonObject, event: Effects['events'][number]): Promise<void>;
  fail(run: Run, error: string): Promise<void>;
  /** Writes facts in the middle of a step. */
  record(
    run: Run,
    change: { notes?: JsonObject; waitingFor?: Awaited; progress?: Progress | null; events?: Effects['events'] },
  ): Promise<Run>;
}

export interface TaskWriterOptions {
  readonly db: Db;
  readonly clock: Clock;
  readonly random: Random;
  readonly session: { readonly id: SessionId; readonly host: string };
}

export function createTaskWriter({ db, clock, random, session }: TaskWriterOptions): TaskWriter {
  interface Held {
    readonly tx: Repositories;
    run: Run;
    node: Node;
  }

  /**
   * Runs `fn` on the rows as they are now. The first write names the fence that the caller worked under: whoever was given up in
   * the meantime ends here. @throws Gone when the run has ended, STALE_FENCE when somebody else goes on with it.
   */
  function own<T>(name: string, run: Run, fn: (held: Held) => Promise<T>): Promise<T> {
    return db.write(`run.${name}`, async (tx) => {
      const row = await tx.runs.get(run.id);
      const node = await tx.nodes.get(run.nodeUuid);
      if (!row || !node || row.finishedAt !== null) throw new Gone(`run ${run.id} has ended`);
      return fn({ tx, run: await tx.runs.update(run.id, run.fence, {}), node });
    });
  }
  const update = async (held: Held, patch: RunPatch): Promise<void> => {
    held.run = await held.tx.runs.update(held.run.id, held.run.fence, patch);
  };
  const append = async (held: Held, events: Effects['events']): Promise<void> => {
    for (const event of events) await held.tx.events.append({ ...event, nodeUuid: held.node.uuid, runId: held.run.id });
  };
  const isReserved = (held: Held): boolean =>
    held.node.reservation?.session === session.id && held.node.reservation.fence === held.run.fence;

  /** Brings the node from a wait state to the working one, with the lease; does nothing in a working state. */
  async function toWork(held: Held): Promise<void> {
    const canResume = nextState(held.node.provisionState, 'resume', held.node.targetProvisionState).ok;
    if (isReserved(held) && !canResume) return;
    const fence = isReserved(held)
      ? held.run.fence
      : await reserveNode(held.tx, held.node, session, `goes on with ${held.run.verb}`);
    if (fence !== held.run.fence) held.run = await held.tx.runs.takeOver(held.run.id, session.id, fence);
    if (canResume) await held.tx.nodes.processEvent(held.node.uuid, 'resume', { fence, runId: held.run.id });
    held.node = (await held.tx.nodes.get(held.node.uuid))!;
  }
  /** Brings the node to its verb's wait state and frees it; a verb without one keeps the lease. */
  async function toRest(held: Held): Promise<void> {
    if (!nextState(held.node.provisionState, 'wait', held.node.targetProvisionState).ok) return;
    await held.tx.nodes.processEvent(held.node.uuid, 'wait', { fence: held.run.fence, runId: held.run.id });
    await held.tx.nodes.release(held.node.uuid, held.run.fence);
    held.node = (await held.tx.nodes.get(held.node.uuid))!;
  }

  const awaitedRow = (run: Run, awaited: Awaited): WaitingFor => {
    const isSame = run.waitingFor?.what === awaited.what && run.waitingFor.from === awaited.from;
    return { ...awaited, since: isSame ? run.waitingFor!.since : clock.nowMs(), position: null };
  };
  async function wait(held: Held, awaited: Awaited, more: RunPatch = {}): Promise<void> {
    const waitingFor = awaitedRow(held.run, awaited);
    if (waitingFor.since !== held.run.waitingFor?.since || waitingFor.what !== held.run.waitingFor.what)
      await append(held, [
        { type: 'run.waiting', data: { what: awaited.what, from: awaited.from, until: awaited.until } },
      ]);
    await update(held, { ...more, waitingFor });
  }
  /** Stores the attempt of the step at the cursor: always before the step is called. */
  async function attempt(held: Held, cursor: Omit<Cursor, 'attempt'>, number: number): Promise<void> {
    const step = held.run.segments[cursor.segment]!.steps[cursor.step]!;
    const record = { id: random.uuid(), startedAt: clock.nowMs(), number };
    await append(held, [
      { type: 'step.started', data: { interface: step.interface, step: nameOf(step), attempt: number } },
    ]);
    await showStep(held, step);
    await update(held, { cursor: { ...cursor, attempt: record }, waitingFor: null, progress: null });
  }
  async function showStep(held: Held, step: Step | null): Promise<void> {
    const { stepField } = flowOf(held.run.verb);
    if (!stepField) return;
    const shown = step ? { interface: step.interface, step: nameOf(step), priority: step.priority } : {};
    held.node = await held.tx.nodes.update(held.node.uuid, { [stepField]: shown });
  }

  /** Moves the cursor on; the next step's attempt is stored in the same transaction, so that no run is ever without one. */
  async function advance(held: Held): Promise<'next' | 'ended'> {
    const { segments, cursor } = held.run;
    const isSegmentOver = cursor.step + 1 >= segments[cursor.segment]!.steps.length;
    const next = isSegmentOver
      ? { segment: cursor.segment + 1, step: 0 }
      : { segment: cursor.segment, step: cursor.step + 1 };
    const { scratch: _, ...notes } = held.run.notes;
    await update(held, { notes });
    return enter(held, next);
  }
  async function enter(held: Held, next: Omit<Cursor, 'attempt'>): Promise<'next' | 'ended'> {
    const segment = held.run.segments[next.segment];
    if (!segment) return end(held);
    if (segment.party === 'conductor') {
      await toWork(held);
      await attempt(held, next, 1);
      return 'next';
    }
    await update(held, { cursor: { ...next, attempt: null }, progress: null });
    await toRest(held);
    await wait(held, {
      what: 'agent',
      from: 'the agent',
      until: held.run.deadline,
      hint: 'The ramdisk is up; its work is about to be sent.',
    });
    return 'next';
  }
  async function end(held: Held): Promise<'ended'> {
    await toWork(held);
    const flow = flowOf(held.run.verb);
    const event = flow.end(held.node);
    await showStep(held, null);
    if (event)
      await held.tx.nodes.processEvent(held.node.uuid, event, {
        fence: held.run.fence,
        runId: held.run.id,
        error: null,
      });
    await close(held, 'done', null);
    await held.tx.boots.dropAgentKeys(held.run.id);
    return 'ended';
  }
  async function close(held: Held, state: 'done' | 'failed', error: string | null): Promise<void> {
    await update(held, { state, error, waitingFor: null, progress: null, finishedAt: clock.nowMs() });
    await append(held, [
      {
        type: 'run.finished',
        severity: error === null ? 'info' : 'error',
        data: { verb: held.run.verb, outcome: state, ...(error === null ? {} : { error }) },
      },
    ]);
    await held.tx.boots.closeTokens(held.run.id);
    await held.tx.nodes.release(held.node.uuid, held.run.fence);
  }
  /** The one way in which work fails: the state machine's `fail`, or a sentence on a node whose state was never left. */
  async function failHeld(held: Held, error: string): Promise<void> {
    const canFail = nextState(held.node.provisionState, 'fail', held.node.targetProvisionState).ok;
    if (canFail) await held.tx.nodes.processEvent(held.node.uuid, 'fail', { runId: held.run.id, error });
    else await held.tx.nodes.update(held.node.uuid, { lastError: error });
    if (held.run.verb === 'power') await held.tx.nodes.update(held.node.uuid, { targetPowerState: null });
    await close(held, 'failed', error);
  }
  async function enterAt(tx: Repositories, run: Run, at: Pick<Cursor, 'segment' | 'step'>): Promise<void> {
    const node = await tx.nodes.get(run.nodeUuid);
    if (node) await enter({ tx, run, node }, { segment: at.segment, step: at.step });
  }
  const mergeNotes = async (held: Held, notes: JsonObject): Promise<void> => {
    if (Object.keys(notes).length > 0) await update(held, { notes: { ...held.run.notes, ...notes } });
  };

  return {
    enterFirst: (tx, run) => enterAt(tx, run, { segment: 0, step: 0 }),
    enterAt,
    beginAttempt: (run) =>
      own('attempt', run, async (held) => {
        const { cursor } = held.run;
        await attempt(held, { segment: cursor.segment, step: cursor.step }, (cursor.attempt?.number ?? 0) + 1);
        return held.run;
      }),

    settle: (run, step, outcome, effects) =>
      own(`step.${outcome.kind}`, run, async (held) => {
        await mergeNotes(held, effects.notes);
        if (Object.keys(effects.nodePatch).length > 0)
          held.node = await held.tx.nodes.update(held.node.uuid, effects.nodePatch);
        await append(held, effects.events);
        const about = { interface: step.interface, step: nameOf(step), attempt: held.run.cursor.attempt?.number ?? 1 };
        switch (outcome.kind) {
          case 'done': {
            const result: JsonObject = outcome.result === undefined ? {} : { result: outcome.result };
            await append(held, [{ type: 'step.done', data: { ...about, ...result } }]);
            const event = isConductorStep(step.step) ? EVENT_AFTER_STEP[step.step] : undefined;
            if (event) {
              await toWork(held);
              await held.tx.nodes.processEvent(held.node.uuid, event, {
                fence: held.run.fence,
                runId: held.run.id,
              });
              held.node = (await held.tx.nodes.get(held.node.uuid))!;
            }
            return advance(held);
          }
          case 'wait':
            if (step.abortable) await toRest(held);
            await wait(held, outcome.for);
            return 'waiting';
          case 'retry':
            await wait(held, {
              what: 'retry',
              from: `step ${nameOf(step)}`,
              until: held.run.deadline,
              hint: `${outcome.reason} It is tried again in ${Math.ceil(outcome.afterMs / 1000)} s.`,
            });
            return 'waiting';
          case 'failed':
            await append(held, [{ type: 'step.failed', severity: 'error', data: { ...about, error: outcome.error } }]);
            await failHeld(held, outcome.error);
            return 'ended';
        }
      }),

    rest: (run, waitingFor, notes = {}) =>
      own('rest', run, async (held) => {
        await toRest(held);
        await wait(held, waitingFor, { notes: { ...held.run.notes, ...notes } });
        return held.run;
      }),
    endSegment: (run) =>
      own('segment', run, async (held) => {
        const segment = held.run.segments[held.run.cursor.segment]!;
        held.run = { ...held.run, cursor: { ...held.run.cursor, step: segment.steps.length - 1 } };
        return advance(held);
      }),
    goBack: (run, cursor, notes, event) =>
      own('back', run, async (held) => {
        await append(held, [event]);
        const { scratch: _, ...kept } = held.run.notes;
        await update(held, { notes: { ...kept, ...notes } });
        await held.tx.boots.dropAgentKeys(held.run.id);
        await enter(held, { segment: cursor.segment, step: cursor.step });
      }),
    fail: (run, error) => own('fail', run, (held) => failHeld(held, error)),
    record: (run, { notes = {}, waitingFor, progress, events = [] }) =>
      own('record', run, async (held) => {
        await append(held, events);
        const more: RunPatch = {
          ...(Object.keys(notes).length > 0 ? { notes: { ...held.run.notes, ...notes } } : {}),
          ...(progress === undefined ? {} : { progress }),
        };
        if (waitingFor) await wait(held, waitingFor, more);
        else if (Object.keys(more).length > 0) await update(held, more);
        return held.run;
      }),
  };
}

/** The name that a step is shown by: a pretended step shows what it pretends. */
export const nameOf = (step: Step): string => (step.step === 'fake' ? String(step.args['name']) : step.step);
