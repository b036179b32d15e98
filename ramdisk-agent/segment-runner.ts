/**
 * The agent's work: one segment at a time, its steps in order.
 *
 *   idle -> running -> done | failed | cancelled;   running -> held (after the running step) -> running
 *   failed -> running (retry, or the segment again with a new attempt)
 *
 * Only `work` moves through steps; orders set flags that it looks at. It never waits for the service.
 */
import type {
  AgentJournal,
  LogLine,
  Progress,
  SegmentMessage,
  SegmentState,
  SegmentStep,
  ServiceMessage,
  StepError,
  StepRecord,
} from '@bessemer/agent-protocol';
import type { Log } from '@bessemer/ports';
import type { AttemptRef, Outbox } from './outbox.ts';
import type { StepContext, StepMemory, StepServices } from './ports.ts';
import { reasonOf, StepFailure } from './step-failure.ts';
import { runStep } from './steps/index.ts';

/** Why an order is not followed, or undefined. */
export type Refusal = { readonly code: string; readonly message: string } | undefined;
type Order = Extract<ServiceMessage, { run: string; fence: number }>;
type OrderOf<T extends Order['type']> = Extract<Order, { type: T }>;

interface Segment {
  readonly id: string;
  steps: SegmentStep[];
  /** By step id: what happened to its last attempt. */
  readonly records: Map<string, StepRecord>;
}

export interface SegmentRunner {
  segment(order: SegmentMessage): Refusal;
  hold(order: OrderOf<'hold'>): Refusal;
  continue(order: OrderOf<'continue'>): Refusal;
  retry(order: OrderOf<'retry'>): Refusal;
  cancel(order: OrderOf<'cancel'>): Refusal;
  /** Whether the machine may be reset or switched off. */
  mayPower(order: OrderOf<'power'>): Refusal;
  journal(): Omit<AgentJournal, 'lastSeq' | 'ackedSeq'>;
  /** Nobody waits for the work any more: what runs is aborted. */
  giveUp(): void;
  /** Aborts what runs and takes no more orders; resolves when nothing runs. */
  stop(): Promise<void>;
}

const CANCELLED = new StepFailure('CANCELLED', 'the step was cancelled');
const PROGRESS_RATE_WINDOW_MS = 1000;

export function createSegmentRunner(deps: StepServices & { outbox: Outbox; log: Log }): SegmentRunner {
  const { outbox, log, clock } = deps;
  let run: string | undefined;
  let fence = -1;
  let state: SegmentState = 'idle';
  let segment: Segment | undefined;
  let holding = false;
  let working: Promise<void> | undefined;
  let cancelling: AbortController | undefined;
  /** All attempts of this boot: an id that is here is never worked on again. */
  const attempts = new Map<string, StepRecord>();
  let memory: StepMemory = {};

  /** Refuses an old fence and orders for another run; adopts a higher fence. */
  function authorise(order: Order): Refusal {
    if (order.fence < fence)
      return {
        code: 'OLD_FENCE',
        message: `fence ${order.fence} is older than ${fence}: another conductor owns this machine`,
      };
    if (order.type !== 'segment' && run !== undefined && order.run !== run)
      return { code: 'OTHER_RUN', message: `this machine works on run ${run}, not on ${order.run}` };
    fence = order.fence;
    return undefined;
  }

  const record = (step: SegmentStep, entry: Omit<StepRecord, 'step' | 'attempt'>): void => {
    const full = { step: step.id, attempt: step.attempt, ...entry };
    segment!.records.set(step.id, full);
    attempts.set(step.attempt, full);
  };

  function start(): void {
    const current = segment!;
    state = 'running';
    const abort = new AbortController();
    cancelling = abort;
    working = work(current, abort.signal).then(() => {
      working = undefined;
      cancelling = undefined;
    });
  }

  async function work(current: Segment, signal: AbortSignal): Promise<void> {
    // `steps` may get new attempts for steps that are ahead, so it is read anew each time.
    for (let i = 0; i < current.steps.length; i++) {
      const step = current.steps[i]!;
      if (current.records.get(step.id)?.state === 'done') continue;
      if (signal.aborted) return endCancelled(current);
      if (holding) {
        state = 'held';
        return;
      }
      const ended = await attempt(current, step, signal);
      if (signal.aborted && ended.state !== 'done') return endCancelled(current);
      if (ended.state === 'failed') {
        state = 'failed';
        return;
      }
    }
    if (signal.aborted) return endCancelled(current);
    state = 'done';
    outbox.keep({ type: 'segmentDone', run: run!, segment: current.id, outcome: 'done' });
  }

  function endCancelled(current: Segment): void {
    state = 'cancelled';
    outbox.keep({ type: 'segmentDone', run: run!, segment: current.id, outcome: 'cancelled' });
  }

  async function attempt(current: Segment, step: SegmentStep, signal: AbortSignal): Promise<StepRecord> {
    const at: AttemptRef = { run: run!, segment: current.id, step: step.id, attempt: step.attempt };
    const known = attempts.get(step.attempt);
    if (known) {
      const answered = { ...known, step: step.id };
      current.records.set(step.id, answered);
      tellEnd(at, answered);
      return answered;
    }
    record(step, { state: 'running' });
    outbox.keep({ type: 'event', ...at, kind: 'started', data: { name: step.name } });
    log.info(`step ${step.name} started`, { ...at });
    try {
      const result = await runStep(step, contextOf(at, signal));
      record(step, { state: 'done', result });
      log.info(`step ${step.name} done`, { ...at });
    } catch (error) {
      const failure = { ...errorOf(error, signal), ...(memory.disk ? { disk: memory.disk } : {}) };
      record(step, { state: 'failed', error: failure });
      log.error(`step ${step.name} failed: ${failure.message}`, { ...at, code: failure.code });
    }
    const ended = current.records.get(step.id)!;
    tellEnd(at, ended);
    return ended;
  }

  function tellEnd(at: AttemptRef, ended: StepRecord): void {
    if (ended.state === 'done') outbox.keep({ type: 'event', ...at, kind: 'done', data: ended.result ?? {} });
    else if (ended.error) outbox.keep({ type: 'event', ...at, kind: 'failed', data: ended.error });
  }

  function contextOf(at: AttemptRef, signal: AbortSignal): StepContext {
    const rate = createRateMeter(() => clock.monotonicMs());
    const note = (level: LogLine['level'], message: string): void => {
      log[level](message, { ...at });
      outbox.log(at, { atMs: clock.nowMs(), level, message });
    };
    return {
      clock,
      random: deps.random,
      hardware: deps.hardware,
      disks: deps.disks,
      http: deps.http,
      ...(deps.sha256 ? { sha256: deps.sha256 } : {}),
      run: at.run,
      signal,
      memory,
      choseDisk: (disk) => outbox.keep({ type: 'event', ...at, kind: 'started', data: { disk } }),
      note,
      progress: (progress) =>
        outbox.progress(at, { ...progress, ratePerSecond: rate(progress), rssBytes: deps.hardware.rssBytes() }),
    };
  }

  /** Takes over what a repeated segment says of steps that have not been begun, or have failed. */
  function adopt(current: Segment, steps: readonly SegmentStep[]): void {
    const byId = new Map(steps.map((step) => [step.id, step]));
    current.steps = current.steps.map((step) => {
      const begun = current.records.get(step.id)?.state;
      return begun === 'done' || begun === 'running' ? step : (byId.get(step.id) ?? step);
    });
  }

  return {
    segment(order) {
      const refusal = authorise(order);
      if (refusal) return refusal;
      if (segment && run === order.run && segment.id === order.segment) {
        const failed = segment.steps.find((step) => segment!.records.get(step.id)?.state === 'failed');
        adopt(segment, order.steps);
        const again = failed && segment.steps.find((step) => step.id === failed.id);
        if (state === 'failed' && again && !attempts.has(again.attempt)) start();
        return undefined;
      }
      if (working)
        return { code: 'BUSY', message: `segment ${segment?.id} of run ${run} is being worked on: cancel it first` };
      if (run !== order.run) memory = {};
      run = order.run;
      segment = { id: order.segment, steps: [...order.steps], records: new Map() };
      holding = false;
      start();
      return undefined;
    },
    hold(order) {
      const refusal = authorise(order) ?? requireSegment();
      if (!refusal) holding = true;
      return refusal;
    },
    continue(order) {
      const refusal = authorise(order) ?? requireSegment();
      if (refusal) return refusal;
      holding = false;
      if (state === 'held' && !working) start();
      return undefined;
    },
    retry(order) {
      const refusal = authorise(order) ?? requireSegment();
      if (refusal) return refusal;
      const step = segment!.steps.find((candidate) => candidate.id === order.step);
      if (!step) return { code: 'NO_SUCH_STEP', message: `segment ${segment!.id} has no step ${order.step}` };
      // Asked before: the answer is the state of that attempt.
      if (attempts.has(order.attempt)) return undefined;
      if (state !== 'failed' || working || segment!.records.get(step.id)?.state !== 'failed')
        return {
          code: 'BAD_ORDER',
          message: `step ${order.step} has not failed (segment is ${state}): nothing to retry`,
        };
      adopt(segment!, [{ ...step, attempt: order.attempt }]);
      holding = false;
      start();
      return undefined;
    },
    cancel(order) {
      const refusal = authorise(order) ?? requireSegment();
      if (refusal) return refusal;
      if (working) cancelling?.abort(CANCELLED);
      else if (state === 'held' || state === 'failed') endCancelled(segment!);
      return undefined;
    },
    mayPower(order) {
      const refusal = authorise(order);
      if (refusal) return refusal;
      return working ? { code: 'BUSY', message: 'a step is running: cancel it first' } : undefined;
    },
    journal() {
      const steps = segment?.steps.map(
        (step) => segment!.records.get(step.id) ?? { step: step.id, attempt: step.attempt, state: 'pending' as const },
      );
      return {
        state,
        ...(run === undefined ? {} : { run }),
        ...(fence < 0 ? {} : { fence }),
        ...(segment ? { segment: segment.id } : {}),
        steps: steps ?? [],
      };
    },
    giveUp: () => cancelling?.abort(CANCELLED),
    async stop() {
      cancelling?.abort(CANCELLED);
      await working;
    },
  };

  function requireSegment(): Refusal {
    return segment ? undefined : { code: 'NO_SUCH_SEGMENT', message: 'this machine has no segment' };
  }
}

function errorOf(error: unknown, signal: AbortSignal): StepError {
  if (signal.aborted && !(error instanceof StepFailure && error !== CANCELLED))
    return { code: CANCELLED.code, message: CANCELLED.message };
  if (error instanceof StepFailure) return { code: error.code, message: error.message.slice(0, 8000) };
  return { code: 'INTERNAL', message: `the agent has a defect: ${reasonOf(error)}`.slice(0, 8000) };
}

/** Bytes per second over the last second or so of the phase at hand. */
function createRateMeter(nowMs: () => number): (progress: Pick<Progress, 'phase' | 'bytes'>) => number {
  let phase = '';
  let from = { atMs: 0, bytes: 0 };
  let rate = 0;
  return (progress) => {
    const atMs = nowMs();
    if (progress.phase !== phase) {
      phase = progress.phase;
      from = { atMs, bytes: progress.bytes };
      rate = 0;
    } else if (atMs - from.atMs >= PROGRESS_RATE_WINDOW_MS) {
      rate = Math.round(((progress.bytes - from.bytes) * 1000) / (atMs - from.atMs));
      from = { atMs, bytes: progress.bytes };
    }
    return rate;
  };
}
