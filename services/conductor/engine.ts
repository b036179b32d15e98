/**
 * The run engine: dispatches the step at a run's cursor and acts on its outcome. Nothing is held in memory that a successor
 * would miss: waits are rows, attempts are stored before they are made. In memory are only wake-ups (timers and bells) and
 * background jobs, which both are made again from the rows.
 *
 * A run under way is in one of three situations, told by its row alone:
 * - `waitingFor` is set: the step (or the agent) waits; the step may be called again at any time to look at the world.
 * - `cursor.attempt` is set and `waitingFor` is not: the step was dispatched and its outcome is not known yet. When the process
 *   that dispatched it is gone, `onRepeat` says what may be done.
 * - it is `queued`: the admission queue wakes it.
 */
import type { Node, Run, RunId, Step, WaitingFor } from '@bessemer/core';
import { coerceError, isServiceError } from '@bessemer/core';
import type { AgentPhase } from './agent-phase.ts';
import { EVENT_AFTER_STEP } from './flows/flows.ts';
import type { ImageOrders } from './image-orders.ts';
import { createJobs, type Jobs } from './jobs.ts';
import { createStepCalls, type StepCallOptions } from './step-call.ts';
import { isConductorStep } from './steps/catalogue.ts';
import type { StepOutcome } from './steps/step.ts';
import { type Effects, Gone, type StepResult } from './task-writer.ts';
import type { Timers } from './timers.ts';

export interface EngineOptions extends StepCallOptions {
  readonly timers: Timers;
  /** Made with the engine's jobs. */
  readonly images: (jobs: Jobs) => ImageOrders;
  readonly agentPhase: AgentPhase;
  /** A run has ended: queues and agents want to know. */
  readonly onEnded: (run: Run, outcome: 'done' | 'failed') => void;
}

export interface Engine {
  /** Looks at a run soon. Cheap, and may be called for any run at any time. */
  wake(runId: string): void;
  /**
   * Wakes those of these running runs that nothing drives and no timer will wake. A commit may be durable although its answer was
   * lost: then nobody here knows of the run, and nobody else takes it, since its session lives.
   */
  wakeForgotten(runIds: readonly string[]): void;
  /** The attempt at the run's cursor was stored by this process and not dispatched yet. */
  markFresh(runId: string): void;
  /** Ends the background work of a run that was ended from outside. */
  forget(runId: string): void;
  /** Runs that are being worked on at this moment. */
  readonly busy: number;
  /** Stops: nothing more is dispatched; resolves when no call is under way. */
  stop(): Promise<void>;
}

/** Where the database is in trouble, the run is looked at again after this. */
const TROUBLE_PAUSE_MS = 1_000;
/** Another piece of work holds the node for a moment. */
const LOCKED_PAUSE_MS = 500;

export function createEngine(options: EngineOptions): Engine {
  const { db, clock, log, session, timers, writer } = options;
  const driving = new Map<string, { again: boolean; finished: Promise<void> }>();
  const fresh = new Set<string>();
  let isStopped = false;
  const jobs = createJobs((runId) => wake(runId));
  const images = options.images(jobs);
  const calls = createStepCalls(options, jobs);

  function wake(runId: string): void {
    if (isStopped || !session.isLive) return;
    const under = driving.get(runId);
    if (under) {
      under.again = true;
      return;
    }
    const entry = { again: false, finished: Promise.resolve() };
    driving.set(runId, entry);
    entry.finished = driveUntilQuiet(runId, entry);
  }
  async function driveUntilQuiet(runId: string, entry: { again: boolean }): Promise<void> {
    do {
      entry.again = false;
      try {
        await drive(runId);
      } catch (error) {
        if (error instanceof Gone || isServiceError(error, 'STALE_FENCE')) {
          log.info('a run is not ours any more', { run: runId });
          forget(runId);
        } else {
          const isLocked = isServiceError(error, 'NODE_LOCKED');
          if (!isLocked) log.error('a run could not be driven', { run: runId, error: coerceError(error).stack });
          wakeAt(runId, clock.nowMs() + (isLocked ? LOCKED_PAUSE_MS : TROUBLE_PAUSE_MS));
        }
      }
    } while (entry.again && !isStopped);
    driving.delete(runId);
  }
  const runKey = (runId: string): string => `run:${runId}`;
  /** Of its own: the end of its stay in the queue is no wake-up for a run that has begun. */
  const queuedKey = (runId: string): string => `queued:${runId}`;
  const wakeAt = (runId: string, atMs: number): void => timers.set(runKey(runId), atMs, () => wake(runId));

  function forget(runId: string): void {
    timers.clear(runKey(runId));
    timers.clear(queuedKey(runId));
    fresh.delete(runId);
    jobs.cancel(runId);
  }
  /** @param run as it was stored at its end. */
  function ended(run: Run): void {
    forget(run.id);
    options.onEnded(run, run.state === 'done' ? 'done' : 'failed');
  }

  async function drive(runId: string): Promise<void> {
    while (!isStopped && session.isLive) {
      const run = await db.read.runs.get(runId as RunId);
      const node = run && (await db.read.nodes.get(run.nodeUuid));
      if (!run || !node || run.finishedAt !== null || run.owner !== session.id) return forget(runId);
      const late = overdue(run, clock.nowMs());
      if (late !== null) {
        return ended(await writer.fail(run, late));
      }
      if (run.state === 'queued') return timers.set(queuedKey(runId), nextLook(run), () => wake(runId));
      timers.clear(queuedKey(runId));
      const image = await orFailed(() => images.tend(run, node));
      if (image.kind === 'changed') continue;
      if (image.kind === 'failed') {
        return ended(await writer.fail(run, image.error));
      }
      const segment = run.segments[run.cursor.segment]!;
      const goesOn =
        segment.party === 'agent' ? await driveAgent(run, node) : await driveSteps(run, node, segment.steps);
      if (!goesOn) return;
    }
  }

  async function driveAgent(run: Run, node: Node): Promise<boolean> {
    const verdict = await orFailed(() => options.agentPhase.drive(run, node));
    switch (verdict.kind) {
      case 'segmentDone': {
        const settled = await writer.endSegment(run);
        if (settled.what === 'ended') {
          ended(settled.run);
          return false;
        }
        fresh.add(run.id);
        return true;
      }
      case 'failed':
        ended(await writer.fail(run, verdict.error));
        return false;
      case 'wentBack':
        fresh.add(run.id);
        return true;
      case 'wait': {
        const stored = isSameWait(run.waitingFor, verdict.for) ? run : await writer.rest(run, verdict.for);
        wakeAt(run.id, nextLook(stored, verdict.checkAfterMs));
        return false;
      }
    }
  }

  /**
   * Calls the step at the cursor and, while steps end at once, those after it: what came of them is stored in one transaction. A
   * step that wants something remembered (`save`) has the steps before it stored first. A conductor that dies in between leaves the
   * run at the first of them, and all of them are safe to repeat.
   */
  async function driveSteps(found: Run, foundNode: Node, steps: readonly Step[]): Promise<boolean> {
    const ports = await db.read.ports.list({ nodeUuid: foundNode.uuid }, { limit: 1000 });
    let run = found;
    let node = foundNode;
    if (run.cursor.attempt === null) {
      run = await writer.beginAttempt(run);
      fresh.add(run.id);
    }
    const isFresh = fresh.delete(run.id);
    let step = steps[run.cursor.step]!;
    let mayCall = true;
    if (run.waitingFor === null && !isFresh) {
      if (step.onRepeat === 'safe') run = await writer.beginAttempt(run);
      else mayCall = false;
    }
    let pending: StepResult[] = [];
    for (;;) {
      const attempt = run.cursor.attempt!;
      const flush = async (): Promise<void> => {
        const results = pending;
        pending = [];
        if (results.length > 0) await writer.settle(run, results, attempt);
      };
      const call = calls.prepare(run, node, ports, step, flush);
      const outcome = mayCall
        ? await calls.make(call, (begin) => begin(call.task))
        : ((await calls.make(call, async (_, look) => (await look?.(call.task)) ?? null)) ?? lost(step));
      mayCall = true;
      const effects = call.effects();
      if (
        pending.length === 0 &&
        outcome.kind === 'wait' &&
        isSameWait(run.waitingFor, outcome.for) &&
        isEmpty(effects)
      ) {
        wakeAt(run.id, nextLook(run, outcome.checkAfterMs));
        return false;
      }
      pending.push({ step, attempt, outcome, effects });
      const next = steps[run.cursor.step + 1];
      if (outcome.kind === 'done' && next && goesOnAtOnce(run, node, step, next, effects)) {
        const { scratch: _, ...notes } = { ...run.notes, ...effects.notes };
        const cursor = { ...run.cursor, step: run.cursor.step + 1, attempt: writer.nextAttempt(1) };
        run = { ...run, notes, cursor, waitingFor: null, progress: null };
        node = { ...node, ...effects.nodePatch };
        step = next;
        continue;
      }
      const results = pending;
      pending = [];
      const settled = await writer.settle(run, results);
      if (settled.what === 'ended') {
        ended(settled.run);
        return false;
      }
      if (settled.what === 'next') {
        fresh.add(run.id);
        return true;
      }
      const checkAfterMs =
        outcome.kind === 'retry' ? outcome.afterMs : outcome.kind === 'wait' ? outcome.checkAfterMs : undefined;
      wakeAt(run.id, nextLook(settled.run, checkAfterMs));
      return false;
    }
  }
  /** Whether the next step may be called before it is stored that this one is done. */
  function goesOnAtOnce(run: Run, node: Node, step: Step, next: Step, effects: Effects): boolean {
    const isHeld = node.reservation?.session === session.id && node.reservation.fence === run.fence;
    const movesState = isConductorStep(step.step) && EVENT_AFTER_STEP[step.step] !== undefined;
    // An image is ordered as soon as it is wanted, and an abort that waits for the end of a step comes after it.
    const isWaitedFor = effects.notes['imageWanted'] === true || run.notes['abortAfter'] === true;
    return isHeld && !movesState && !isWaitedFor && step.onRepeat === 'safe' && next.onRepeat === 'safe';
  }

  const nextLook = (run: Run, checkAfterMs = Number.MAX_SAFE_INTEGER): number =>
    Math.min(run.deadline, run.waitingFor?.until ?? run.deadline, clock.nowMs() + checkAfterMs);

  return {
    wake,
    wakeForgotten(runIds) {
      for (const runId of runIds) if (!driving.has(runId) && !timers.has(runKey(runId))) wake(runId);
    },
    markFresh: (runId) => void fresh.add(runId),
    forget,
    get busy() {
      return driving.size;
    },
    async stop() {
      isStopped = true;
      jobs.close();
      await Promise.all([...driving.values()].map((entry) => entry.finished));
    },
  };
}

/** What node and request say may be unusable by the time it is needed: that ends the run. Trouble that passes is met again. */
async function orFailed<T>(fn: () => Promise<T>): Promise<T | { readonly kind: 'failed'; readonly error: string }> {
  try {
    return await fn();
  } catch (error) {
    if (!isServiceError(error) || error.context['isTransient'] === true || !UNUSABLE.includes(error.code)) throw error;
    return { kind: 'failed', error: error.publicMessage };
  }
}
const UNUSABLE: readonly string[] = ['INVALID_PARAMETER', 'MISSING_PARAMETER', 'INVALID_STATE'];

/** The sentence with which a run fails whose time is over, or null. */
export function overdue(run: Run, nowMs: number): string | null {
  const wait = run.waitingFor;
  if (wait && nowMs >= wait.until)
    return `Waited ${seconds(wait.until - wait.since)} for ${wait.what} (${wait.from}), which did not come. ${wait.hint}`;
  if (nowMs < run.deadline) return null;
  const step = run.segments[run.cursor.segment]?.steps[run.cursor.step];
  return (
    `The deadline of the whole ${run.verb} is over after ${seconds(run.deadline - run.createdAt)}` +
    (step ? ` in step ${step.step}.` : '.') +
    (wait ? ` It waited for ${wait.what} (${wait.from}). ${wait.hint}` : '')
  );
}

const lost = (step: Step): StepOutcome => ({
  kind: 'failed',
  error:
    `A conductor was lost while step ${step.step} was under way. Nobody can tell whether it was carried out, ` +
    'and it may not be done twice: look at the node and order it again.',
});

const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;

const isSameWait = (row: WaitingFor | null, now: Pick<WaitingFor, 'what' | 'from' | 'until' | 'hint'>): boolean =>
  row !== null && row.what === now.what && row.from === now.from && row.until === now.until && row.hint === now.hint;

const isEmpty = (effects: Effects): boolean =>
  !effects.inventory &&
  effects.configDrive === undefined &&
  (effects.documents ?? []).length === 0 &&
  effects.events.length === 0 &&
  Object.keys(effects.notes).length === 0 &&
  Object.keys(effects.nodePatch).length === 0;
