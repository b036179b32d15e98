/**
 * The lease on a node and the writes of a run. Every write here is one transaction that begins by naming the run's fence: the
 * database refuses an old one (STALE_FENCE), `Gone` says that the run has ended, and then nothing was written.
 *
 * A node is reserved while a conductor works on it and free while it rests in a wait state (`wait call-back`, `clean wait`,
 * `inspect wait` ...), as Ironic's clients expect; the run's own fence guards the run all the time.
 */
import type {
  AttemptRecord,
  Cursor,
  JsonObject,
  Node,
  ProvisionEvent,
  Run,
  SessionId,
  Step,
  WaitingFor,
} from '@bessemer/core';
import { nextState } from '@bessemer/core';
import type { Db, NodePatch, Repositories, RunPatch } from '@bessemer/db';
import type { Clock, Random } from '@bessemer/ports';
import { EVENT_AFTER_STEP, flowOf } from './flows/flows.ts';
import { followRules } from './inspection/apply.ts';
import { forgetInstance } from './instance.ts';
import { reserveNode } from './lease.ts';
import { isConductorStep } from './steps/catalogue.ts';
import type { Awaited } from './steps/step.ts';
import { type Effects, Gone, type Settled, type StepResult, type TaskWriter } from './task-writer.ts';

const SEVERITY_OF_END = { done: 'info', failed: 'error', aborted: 'warning' } as const;
/** A held run rests until somebody says `unhold`: longer than anybody waits. */
export const HOLD_MS = 10 * 365 * 24 * 3_600_000;

export interface TaskWriterOptions {
  readonly db: Db;
  readonly clock: Clock;
  readonly random: Random;
  readonly session: { readonly id: SessionId; readonly host: string };
}

export function createTaskWriter({ db, clock, random, session }: TaskWriterOptions): TaskWriter {
  /** A run and its node within a transaction. What changes of them is gathered here and written once, by `flush`. */
  interface Held {
    readonly tx: Repositories;
    run: Run;
    node: Node;
    runPatch: RunPatch;
    nodePatch: NodePatch;
    events: Array<Effects['events'][number]>;
  }
  const holding = (tx: Repositories, run: Run, node: Node): Held => ({
    ...{ tx, run, node },
    ...{ runPatch: {}, nodePatch: {}, events: [] },
  });

  /**
   * Runs `fn` on the rows as they are now. The first write names the fence that the caller worked under: whoever was given up in
   * the meantime ends here. @throws Gone when the run has ended, STALE_FENCE when somebody else goes on with it.
   */
  function own<T>(name: string, run: Run, fn: (held: Held) => Promise<T>): Promise<T> {
    return db.write(`run.${name}`, async (tx) => {
      const row = await tx.runs.update(run.id, run.fence, {});
      const node = await tx.nodes.get(row.nodeUuid);
      if (!node || row.finishedAt !== null) throw new Gone(`run ${run.id} has ended`);
      const held = holding(tx, row, node);
      const result = await fn(held);
      await flush(held);
      return result;
    });
  }
  const update = (held: Held, patch: RunPatch): void => {
    held.run = { ...held.run, ...patch };
    held.runPatch = { ...held.runPatch, ...patch };
  };
  const patchNode = (held: Held, patch: NodePatch): void => {
    if (Object.keys(patch).length === 0) return;
    held.node = { ...held.node, ...patch };
    held.nodePatch = { ...held.nodePatch, ...patch };
  };
  const append = (held: Held, ...events: Effects['events']): void => void held.events.push(...events);

  async function flushNode(held: Held): Promise<void> {
    if (Object.keys(held.nodePatch).length > 0) held.node = await held.tx.nodes.update(held.node.uuid, held.nodePatch);
    held.nodePatch = {};
    for (const event of held.events.splice(0))
      await held.tx.events.append({ ...event, nodeUuid: held.node.uuid, runId: held.run.id });
  }
  async function flush(held: Held): Promise<void> {
    await flushNode(held);
    if (Object.keys(held.runPatch).length > 0)
      held.run = await held.tx.runs.update(held.run.id, held.run.fence, held.runPatch);
    held.runPatch = {};
  }
  /** Moves the state machine; what was gathered goes first, so that the events lie in their order. */
  async function move(
    held: Held,
    event: ProvisionEvent,
    more: { fence?: number; error?: string | null },
  ): Promise<void> {
    await flushNode(held);
    held.node = (await held.tx.nodes.processEvent(held.node.uuid, event, { ...more, runId: held.run.id })).node;
  }
  const canMove = (held: Held, event: ProvisionEvent): boolean =>
    nextState(held.node.provisionState, event, held.node.targetProvisionState).ok;
  const isReserved = (held: Held): boolean =>
    held.node.reservation?.session === session.id && held.node.reservation.fence === held.run.fence;

  /** Brings the node from a wait state to the working one, with the lease; does nothing in a working state. */
  async function toWork(held: Held): Promise<void> {
    const canResume = canMove(held, 'resume');
    if (isReserved(held)) {
      if (canResume) await move(held, 'resume', { fence: held.run.fence });
      return;
    }
    const fence = await reserveNode(held.tx, held.node, session, `goes on with ${held.run.verb}`);
    held.run = { ...(await held.tx.runs.takeOver(held.run.id, session.id, fence)), ...held.runPatch };
    if (canResume) await move(held, 'resume', { fence });
    else held.node = (await held.tx.nodes.get(held.node.uuid))!;
    if (isLeftOrder(held.node, held.run)) patchNode(held, LEFT_ORDER);
  }
  /** Brings the node to its verb's wait or hold state and frees it; a verb without one keeps the lease. */
  async function toRest(held: Held, event: 'wait' | 'hold' = 'wait'): Promise<void> {
    if (!canMove(held, event)) return;
    await move(held, event, { fence: held.run.fence });
    await held.tx.nodes.release(held.node.uuid, held.run.fence);
    held.node = { ...held.node, reservation: null };
  }

  const awaitedRow = (run: Run, awaited: Awaited): WaitingFor => {
    const isSame = run.waitingFor?.what === awaited.what && run.waitingFor.from === awaited.from;
    return { ...awaited, since: isSame ? run.waitingFor!.since : clock.nowMs(), position: null };
  };
  function wait(held: Held, awaited: Awaited, more: RunPatch = {}): void {
    const waitingFor = awaitedRow(held.run, awaited);
    if (waitingFor.since !== held.run.waitingFor?.since || waitingFor.what !== held.run.waitingFor.what)
      append(held, {
        type: 'run.waiting',
        data: { what: awaited.what, from: awaited.from, until: awaited.until },
      });
    update(held, { ...more, waitingFor });
  }
  const nextAttempt = (number: number): AttemptRecord => ({ id: random.uuid(), startedAt: clock.nowMs(), number });
  /** Stores the attempt of the step at the cursor: always before the step is called, or with what came of it. */
  function attempt(held: Held, cursor: Omit<Cursor, 'attempt'>, record: AttemptRecord): void {
    const step = held.run.segments[cursor.segment]!.steps[cursor.step]!;
    append(held, {
      type: 'step.started',
      data: { interface: step.interface, step: step.step, attempt: record.number },
    });
    showStep(held, step);
    update(held, { cursor: { ...cursor, attempt: record }, waitingFor: null, progress: null });
  }
  function showStep(held: Held, step: Step | null): void {
    const { stepField } = flowOf(held.run.verb);
    if (!stepField) return;
    patchNode(held, {
      [stepField]: step ? { interface: step.interface, step: step.step, priority: step.priority } : {},
    });
  }

  /** Moves the cursor on; the next step's attempt is stored in the same transaction, so that no run is ever without one. */
  async function advance(held: Held, under?: AttemptRecord): Promise<'next' | 'ended'> {
    const { segments, cursor } = held.run;
    const isSegmentOver = cursor.step + 1 >= segments[cursor.segment]!.steps.length;
    const next = isSegmentOver
      ? { segment: cursor.segment + 1, step: 0 }
      : { segment: cursor.segment, step: cursor.step + 1 };
    const { scratch: _, ...notes } = held.run.notes;
    update(held, { notes });
    return enter(held, next, under);
  }
  async function enter(held: Held, next: Omit<Cursor, 'attempt'>, under?: AttemptRecord): Promise<'next' | 'ended'> {
    const segment = held.run.segments[next.segment];
    if (!segment) return end(held);
    if (segment.party === 'conductor') {
      await toWork(held);
      attempt(held, next, under ?? nextAttempt(1));
      return 'next';
    }
    update(held, { cursor: { ...next, attempt: null }, progress: null });
    await toRest(held);
    wait(held, {
      what: 'agent',
      from: 'the agent',
      until: held.run.deadline,
      hint: 'The ramdisk is up; its work is about to be sent.',
    });
    return 'next';
  }
  async function end(held: Held): Promise<'ended'> {
    await toWork(held);
    if (held.run.verb === 'inspect') {
      const { nodePatch, notes, failure } = await followRules(held.tx, held.node);
      append(held, ...notes);
      if (failure !== null) {
        await failHeld(held, failure);
        return 'ended';
      }
      patchNode(held, nodePatch);
    }
    const flow = flowOf(held.run.verb);
    const event = flow.end(held.node);
    showStep(held, null);
    patchNode(held, flow.onDone?.(clock.nowMs()) ?? {});
    if (event) await move(held, event, { fence: held.run.fence, error: null });
    await close(held, 'done', null);
    await held.tx.boots.dropAgentKeys(held.run.id);
    return 'ended';
  }
  async function close(held: Held, state: 'done' | 'failed' | 'aborted', error: string | null): Promise<void> {
    update(held, { state, error, waitingFor: null, progress: null, finishedAt: clock.nowMs() });
    append(held, {
      type: 'run.finished',
      severity: SEVERITY_OF_END[state],
      data: { verb: held.run.verb, outcome: state, ...(error === null ? {} : { error }) },
    });
    await flush(held);
    await held.tx.boots.closeTokens(held.run.id);
    await held.tx.nodes.release(held.node.uuid, held.run.fence);
  }
  /** The one way in which work fails: the state machine's `fail`, or a sentence on a node whose state was never left. */
  async function failHeld(held: Held, error: string, isAborted = false): Promise<void> {
    const flow = flowOf(held.run.verb);
    const step = stepOf(held.run);
    const isInStep = step !== undefined && (step.inBand || step.source !== undefined);
    const failure = isAborted ? undefined : { error, isInStep };
    const wasTrusted = !held.node.maintenance;
    patchNode(held, flow.onFailed?.(held.node, failure) ?? {});
    if (wasTrusted && held.node.maintenance)
      append(held, { type: 'node.maintenance', severity: 'error', data: { maintenance: true, reason: error } });
    showStep(held, null);
    if (held.node.targetPowerState !== null) patchNode(held, { targetPowerState: null });
    if (canMove(held, 'fail')) await move(held, 'fail', { error });
    else patchNode(held, { lastError: error });
    await close(held, isAborted ? 'aborted' : 'failed', error);
  }
  async function enterAt(tx: Repositories, run: Run, at: Pick<Cursor, 'segment' | 'step'>): Promise<void> {
    const node = await tx.nodes.get(run.nodeUuid);
    if (!node) return;
    const held = holding(tx, run, node);
    await enter(held, { segment: at.segment, step: at.step });
    await flush(held);
  }
  const mergeNotes = (held: Held, notes: JsonObject): void => {
    if (Object.keys(notes).length > 0) update(held, { notes: { ...held.run.notes, ...notes } });
  };

  async function settleOne(held: Held, result: StepResult, under?: AttemptRecord): Promise<Settled['what']> {
    const { step, outcome, effects } = result;
    const before = held.node;
    mergeNotes(held, effects.notes);
    patchNode(held, effects.nodePatch);
    append(held, ...effects.events);
    const { tx, node } = held;
    if (effects.inventory) await tx.nodes.setInventory(node.uuid, effects.inventory);
    if (effects.configDrive !== undefined) await tx.nodes.setConfigDrive(node.uuid, effects.configDrive);
    for (const { kind, change } of effects.documents ?? [])
      await tx.nodes.setDocument(node.uuid, kind, change((await tx.nodes.getDocument(node.uuid, kind)) ?? {}));
    const about = { interface: step.interface, step: step.step, attempt: held.run.cursor.attempt?.number ?? 1 };
    switch (outcome.kind) {
      case 'done': {
        const value: JsonObject = outcome.result === undefined ? {} : { result: outcome.result };
        append(held, { type: 'step.done', data: { ...about, ...value } });
        if (held.run.notes['abortAfter'] === true) {
          await toWork(held);
          await failHeld(held, flowOf(held.run.verb).aborted(idOf(step)), true);
          return 'ended';
        }
        const event = isConductorStep(step.step) && !step.source ? EVENT_AFTER_STEP[step.step] : undefined;
        if (event) {
          await toWork(held);
          if (step.step === 'tear_down') await forgetInstance(held.tx, before);
          await move(held, event, { fence: held.run.fence });
        }
        return advance(held, under);
      }
      case 'wait':
        if (outcome.isHold) {
          await toRest(held, 'hold');
          update(held, { deadline: clock.nowMs() + HOLD_MS });
        } else if (step.abortable || step.source) await toRest(held);
        wait(held, outcome.for);
        return 'waiting';
      case 'retry':
        wait(held, {
          what: 'retry',
          from: `step ${step.step}`,
          until: held.run.deadline,
          hint: `${outcome.reason} It is tried again in ${Math.ceil(outcome.afterMs / 1000)} s.`,
        });
        return 'waiting';
      case 'failed':
        append(held, { type: 'step.failed', severity: 'error', data: { ...about, error: outcome.error } });
        await failHeld(held, outcome.error);
        return 'ended';
    }
  }

  return {
    enterFirst: (tx, run) => enterAt(tx, run, { segment: 0, step: 0 }),
    enterAt,
    nextAttempt,
    beginAttempt: (run) =>
      own('attempt', run, async (held) => {
        const { cursor } = held.run;
        const number = (cursor.attempt?.number ?? 0) + 1;
        attempt(held, { segment: cursor.segment, step: cursor.step }, nextAttempt(number));
        await flush(held);
        return held.run;
      }),

    settle: (run, results, under) =>
      own(`step.${results.at(-1)!.outcome.kind}`, run, async (held) => {
        let what: Settled['what'] = 'next';
        for (const [index, result] of results.entries()) {
          what = await settleOne(held, result, results[index + 1]?.attempt ?? under);
          if (what !== 'next') break;
        }
        await flush(held);
        return { what, run: held.run };
      }),

    rest: (run, waitingFor, notes = {}) =>
      own('rest', run, async (held) => {
        await toRest(held);
        wait(held, waitingFor, { notes: { ...held.run.notes, ...notes } });
        await flush(held);
        return held.run;
      }),
    endSegment: (run) =>
      own('segment', run, async (held) => {
        const segment = held.run.segments[held.run.cursor.segment]!;
        held.run = { ...held.run, cursor: { ...held.run.cursor, step: segment.steps.length - 1 } };
        const what = await advance(held);
        await flush(held);
        return { what, run: held.run };
      }),
    goBack: (run, cursor, notes, event) =>
      own('back', run, async (held) => {
        append(held, event);
        const { scratch: _, ...kept } = held.run.notes;
        update(held, { notes: { ...kept, ...notes } });
        await held.tx.boots.dropAgentKeys(held.run.id);
        await enter(held, { segment: cursor.segment, step: cursor.step });
      }),
    fail: (run, error) =>
      own('fail', run, async (held) => {
        await failHeld(held, error);
        return held.run;
      }),
    record: (run, { notes = {}, waitingFor, progress, events = [] }) =>
      own('record', run, async (held) => {
        append(held, ...events);
        const more: RunPatch = {
          ...(Object.keys(notes).length > 0 ? { notes: { ...held.run.notes, ...notes } } : {}),
          ...(progress === undefined ? {} : { progress }),
        };
        if (waitingFor) wait(held, waitingFor, more);
        else update(held, more);
        await flush(held);
        return held.run;
      }),
  };
}

/** `interface.step`, as errors name it. */
export const idOf = (step: Step): string => `${step.interface}.${step.step}`;

/** What is written on a node when nobody goes on with an order that was given to its power. In Ironic's words. */
export const LEFT_ORDER = {
  targetPowerState: null,
  lastError: 'Pending power operation was aborted due to conductor restart',
} as const satisfies NodePatch;
/**
 * Whether the power state that a node is on its way to was ordered beside its run, to be asked by who got the lease: the conductor that
 * had taken the order is gone then.
 */
export function isLeftOrder(node: Pick<Node, 'targetPowerState'>, run: Run | undefined): boolean {
  if (node.targetPowerState === null || run?.verb === 'power') return false;
  const step = run?.state === 'running' ? stepOf(run) : undefined;
  return step?.step !== 'boot_ramdisk' || step.source !== undefined;
}

/** The step at a run's cursor. */
export const stepOf = (run: Run): Step | undefined => run.segments[run.cursor.segment]?.steps[run.cursor.step];
