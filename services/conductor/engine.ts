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
import type { Config, Json, NewEvent, Node, Progress, Run, RunId, Step, WaitingFor } from '@bessemer/core';
import { coerceError, isServiceError } from '@bessemer/core';
import type { Db, NodePatch } from '@bessemer/db';
import type { Clock, Log } from '@bessemer/ports';
import type { AgentPhase } from './agent-phase.ts';
import type { DriverRegistry } from './drivers/registry.ts';
import type { ImageOrders } from './image-orders.ts';
import { createJobs, type Jobs } from './jobs.ts';
import type { Configurer, SshProbe } from './ports.ts';
import type { Session } from './session.ts';
import { isConductorStep, type ConductorStepName } from './steps/catalogue.ts';
import type { StepHandler, StepOutcome, StepTask } from './steps/step.ts';
import { Gone, nameOf, type Effects, type TaskWriter } from './task.ts';
import type { Timers } from './timers.ts';

export interface EngineOptions {
  readonly db: Db;
  readonly clock: Clock;
  readonly log: Log;
  readonly config: Config;
  readonly session: Session;
  readonly timers: Timers;
  readonly writer: TaskWriter;
  readonly drivers: DriverRegistry;
  readonly handlers: Readonly<Record<ConductorStepName, StepHandler>>;
  readonly ssh: SshProbe;
  readonly configurer: Configurer;
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

/** How often a step that met a passing trouble is tried again, and when. */
const TRANSIENT_DELAYS_MS: readonly number[] = [1_000, 2_000, 5_000];
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
  async function ended(run: Run): Promise<void> {
    forget(run.id);
    const row = await db.read.runs.get(run.id);
    options.onEnded(row ?? run, row?.state === 'done' ? 'done' : 'failed');
  }

  async function drive(runId: string): Promise<void> {
    while (!isStopped && session.isLive) {
      const run = await db.read.runs.get(runId as RunId);
      const node = run && (await db.read.nodes.get(run.nodeUuid));
      if (!run || !node || run.finishedAt !== null || run.owner !== session.id) return forget(runId);
      const late = overdue(run, clock.nowMs());
      if (late !== null) {
        await writer.fail(run, late);
        return await ended(run);
      }
      if (run.state === 'queued') return timers.set(queuedKey(runId), nextLook(run), () => wake(runId));
      timers.clear(queuedKey(runId));
      const image = await orFailed(() => images.tend(run, node));
      if (image.kind === 'changed') continue;
      if (image.kind === 'failed') {
        await writer.fail(run, image.error);
        return await ended(run);
      }
      const segment = run.segments[run.cursor.segment]!;
      const goesOn =
        segment.party === 'agent'
          ? await driveAgent(run, node)
          : await driveStep(run, node, segment.steps[run.cursor.step]!);
      if (!goesOn) return;
    }
  }

  async function driveAgent(run: Run, node: Node): Promise<boolean> {
    const verdict = await orFailed(() => options.agentPhase.drive(run, node));
    switch (verdict.kind) {
      case 'segmentDone':
        if ((await writer.endSegment(run)) === 'ended') {
          await ended(run);
          return false;
        }
        fresh.add(run.id);
        return true;
      case 'failed':
        await writer.fail(run, verdict.error);
        await ended(run);
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

  async function driveStep(found: Run, node: Node, step: Step): Promise<boolean> {
    let run = found;
    if (run.cursor.attempt === null) {
      run = await writer.beginAttempt(run);
      fresh.add(run.id);
    }
    const isFresh = fresh.delete(run.id);
    let outcome: StepOutcome | null;
    let call: Call;
    if (run.waitingFor !== null || isFresh) {
      call = await prepareCall(run, node, step);
      outcome = await callStep(call, (handler) => handler.run(call.task));
    } else if (step.onRepeat === 'safe') {
      run = await writer.beginAttempt(run);
      call = await prepareCall(run, node, step);
      outcome = await callStep(call, (handler) => handler.run(call.task));
    } else {
      call = await prepareCall(run, node, step);
      outcome = await callStep(call, async (handler) => (await handler.lookAtWorld?.(call.task)) ?? null);
      outcome ??= {
        kind: 'failed',
        error:
          `A conductor was lost while step ${nameOf(step)} was under way. Nobody can tell whether it was carried out, ` +
          'and it may not be done twice: look at the node and order it again.',
      };
    }
    const effects = call.effects();
    if (outcome.kind === 'wait' && isSameWait(run.waitingFor, outcome.for) && isEmpty(effects)) {
      wakeAt(run.id, nextLook(run, outcome.checkAfterMs));
      return false;
    }
    const then = await writer.settle(run, step, outcome, effects);
    if (then === 'ended') {
      await ended(run);
      return false;
    }
    if (then === 'next') {
      fresh.add(run.id);
      return true;
    }
    const checkAfterMs =
      outcome.kind === 'retry' ? outcome.afterMs : outcome.kind === 'wait' ? outcome.checkAfterMs : 0;
    const until = outcome.kind === 'wait' ? outcome.for.until : run.deadline;
    wakeAt(run.id, Math.min(until, run.deadline, clock.nowMs() + (checkAfterMs ?? Number.MAX_SAFE_INTEGER)));
    return false;
  }

  interface Call {
    readonly task: StepTask;
    effects(): Effects;
    /** Adds to what is written with the outcome. */
    note(patch: Effects['notes']): void;
  }

  async function prepareCall(run: Run, node: Node, step: Step): Promise<Call> {
    const ports = await db.read.ports.list({ nodeUuid: node.uuid }, { limit: 1000 });
    const attempt = run.cursor.attempt!;
    const scope = log.child({ node: node.uuid, run: run.id, step: nameOf(step) });
    let scratch = (run.notes['scratch'] ?? {}) as Effects['notes'];
    const notes: Record<string, Json> = {};
    const events: Array<Effects['events'][number]> = [];
    let nodePatch: NodePatch = {};
    const task: StepTask = {
      node,
      ports,
      log: scope,
      checkMayOrder: () => session.checkMayOrder(),
      run,
      step,
      attempt,
      waitingFor: run.waitingFor,
      nowMs: clock.nowMs(),
      get scratch() {
        return scratch;
      },
      notes: run.notes,
      config: options.config,
      read: db.read,
      get power() {
        return options.drivers.get(node, 'power');
      },
      get management() {
        return options.drivers.get(node, 'management');
      },
      get boot() {
        return options.drivers.get(node, 'boot');
      },
      get deploy() {
        return options.drivers.get(node, 'deploy');
      },
      ssh: options.ssh,
      configurer: options.configurer,
      async save(patch, waitingFor) {
        scratch = { ...scratch, ...patch };
        await writer.record(run, { notes: { scratch }, ...(waitingFor ? { waitingFor } : {}) });
      },
      async record(more: readonly Omit<NewEvent, 'nodeUuid' | 'runId'>[], progress?: Progress) {
        await writer.record(run, { events: more, ...(progress ? { progress } : {}) });
      },
      note: (patch) => void Object.assign(notes, patch),
      emit: (type, data, severity) => void events.push({ type, data, ...(severity ? { severity } : {}) }),
      patchNode: (patch) => {
        nodePatch = { ...nodePatch, ...patch };
      },
      job: (start) => jobs.ensure(run.id, attempt.id, start),
      async seenSince(types, sinceMs) {
        const [last] = await db.read.events.listLast({ nodeUuid: node.uuid, types }, 1);
        return last && last.at >= sinceMs ? last : undefined;
      },
    };
    return {
      task,
      effects: () => ({ notes, events, nodePatch }),
      note: (patch) => void Object.assign(notes, patch),
    };
  }

  /** Calls a step's handler and turns what it throws into an outcome. */
  async function callStep<O extends StepOutcome | null>(
    call: Call,
    invoke: (handler: StepHandler) => Promise<O>,
  ): Promise<O | StepOutcome> {
    const { run, step, attempt } = call.task;
    if (!isConductorStep(step.step))
      return {
        kind: 'failed',
        error: `Step ${step.step} is not known to this release: it was planned by another one.`,
      };
    try {
      return await invoke(options.handlers[step.step]);
    } catch (error) {
      if (error instanceof Gone || isServiceError(error, 'STALE_FENCE')) throw error;
      if (!isServiceError(error)) {
        call.task.log.error('a step threw', { error: coerceError(error).stack });
        return { kind: 'failed', error: `Step ${nameOf(step)} failed: ${coerceError(error).message}` };
      }
      const before = (run.notes['transient'] ?? {}) as { attempt?: string; count?: number };
      const count = before.attempt === attempt.id ? (before.count ?? 0) : 0;
      const afterMs = TRANSIENT_DELAYS_MS[count];
      if (error.context['isTransient'] !== true || step.onRepeat === 'never' || afterMs === undefined)
        return { kind: 'failed', error: error.publicMessage };
      call.note({ transient: { attempt: attempt.id, count: count + 1 } });
      return { kind: 'retry', afterMs, reason: error.publicMessage };
    }
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
    (step ? ` in step ${nameOf(step)}.` : '.') +
    (wait ? ` It waited for ${wait.what} (${wait.from}). ${wait.hint}` : '')
  );
}

const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;

const isSameWait = (row: WaitingFor | null, now: Pick<WaitingFor, 'what' | 'from' | 'until' | 'hint'>): boolean =>
  row !== null && row.what === now.what && row.from === now.from && row.until === now.until && row.hint === now.hint;

const isEmpty = (effects: Effects): boolean =>
  effects.events.length === 0 && Object.keys(effects.notes).length === 0 && Object.keys(effects.nodePatch).length === 0;
