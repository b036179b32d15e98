/** One run of a compiled play over a link: frames of the runtime become events, and the end a result. */
import {
  ExecutorError,
  type ExecutorErrorCode,
  EXECUTOR_ERRORS,
  type JsonObject,
  type PlayEvent,
  type PlayRequest,
  type PlayResult,
  type Recap,
  type TaskStatus,
  type TaskSummary,
} from '@bessemer/executor-protocol';
import type { Clock } from '@bessemer/ports';
import type { ChannelFrame } from '../connections/channel-frames.ts';
import type { Link } from '../connections/link.ts';
import type { ModuleSet } from '../modules/module-set.ts';
import type { CompiledPlay } from './program.ts';

/** After a cancel the runtime has this long to end the task; then the connection is given up. */
const CANCEL_GRACE_MS = 10_000;

export interface PlayOverLink {
  readonly clock: Clock;
  readonly link: Link;
  readonly request: PlayRequest;
  readonly compiled: CompiledPlay;
  readonly modules: ModuleSet;
  readonly ansibleVersion: string;
  readonly startedMs: number;
  readonly emit: (event: PlayEvent) => void;
  /** Aborted with an ExecutorError: CANCELLED, or TIMEOUT of the play. */
  readonly signal: AbortSignal;
}

interface RuntimeCounts {
  readonly ok: number;
  readonly changed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly ignored: number;
}

/** Resolves with the result whatever happens to the play; `discard` tells that the link must not be used again. */
export function runOverLink(run: PlayOverLink): Promise<{ readonly result: PlayResult; readonly discard: boolean }> {
  const { link, request, compiled, emit } = run;
  const { promise, resolve } = Promise.withResolvers<{ result: PlayResult; discard: boolean }>();
  const before = { sent: link.bytesSent, received: link.bytesReceived };
  const counts = { ok: 0, changed: 0, failed: 0, skipped: 0, ignored: 0 };
  let current: TaskSummary | undefined;
  let failure: ExecutorError | undefined;
  let settled = false;
  let grace: { cancel(): void } | undefined;

  const summary = (frame: ChannelFrame): TaskSummary | undefined => compiled.summaries[Number(frame.task)];
  const recapOf = (from: RuntimeCounts, unreachable: number): Recap => ({
    ok: from.ok,
    changed: from.changed,
    failed: from.failed,
    skipped: from.skipped,
    ignored: from.ignored,
    unreachable,
    durationMs: Math.round(run.clock.monotonicMs() - run.startedMs),
    bytesSent: link.bytesSent - before.sent,
    bytesReceived: link.bytesReceived - before.received,
  });
  function settle(result: PlayResult, discard: boolean): void {
    if (settled) return;
    settled = true;
    grace?.cancel();
    run.signal.removeEventListener('abort', onAbort);
    emit({ type: 'recap', recap: result.recap });
    resolve({ result, discard });
  }
  function onEnd(frame: ChannelFrame): void {
    const recap = recapOf(frame.counts as RuntimeCounts, 0);
    if (frame.status === 'ok') return settle({ status: 'ok', recap }, false);
    const failedTask = summary(frame);
    const error =
      frame.status === 'cancelled' && run.signal.aborted
        ? (run.signal.reason as ExecutorError)
        : (failure ?? new ExecutorError('CANCELLED'));
    settle(
      {
        status: 'failed',
        recap,
        error: error.toBody(),
        ...(failedTask ? { failedTask } : {}),
        resume: { startAt: Number(frame.task), registered: frame.registered as JsonObject },
      },
      false,
    );
  }
  function onFrame(frame: ChannelFrame): void {
    if (frame.run !== request.requestId || settled) return;
    const task = summary(frame);
    if (frame.event === 'play-end') return onEnd(frame);
    if (!task) return;
    const result = (frame.result ?? {}) as JsonObject;
    const status = frame.status as TaskStatus;
    const elapsedMs = Number(frame.elapsedMs);
    if (frame.event === 'task-start') {
      current = task;
      emit({ type: 'task-started', task, total: compiled.tasks.length });
    } else if (frame.event === 'item-result')
      emit({
        type: 'item',
        task,
        item: frame.item as JsonObject,
        position: Number(frame.position),
        status,
        result,
        elapsedMs,
      });
    else if (frame.event === 'task-result') {
      current = undefined;
      const ignored = frame.ignored === true;
      counts[ignored ? 'ignored' : status]++;
      if (status === 'changed') counts.ok++;
      if (status === 'failed' && !ignored) failure = taskError(task, result, frame.code);
      emit({ type: 'task', task, status, ignored, result, elapsedMs });
    }
  }
  function onBroken(error: ExecutorError): void {
    if (settled) return;
    const task = current;
    const why = run.signal.aborted ? (run.signal.reason as ExecutorError) : error;
    if (task)
      emit({ type: 'task', task, status: 'unreachable', ignored: false, result: { msg: why.message }, elapsedMs: 0 });
    settle(
      { status: 'failed', recap: recapOf(counts, 1), error: why.toBody(), ...(task ? { failedTask: task } : {}) },
      true,
    );
  }
  function onAbort(): void {
    // The executor itself ends: the task is left to finish on the target, as when the connection breaks.
    if ((run.signal.reason as ExecutorError).code === 'MANAGER_LOST')
      return onBroken(run.signal.reason as ExecutorError);
    link.cancelPlay();
    grace = run.clock.setTimer(CANCEL_GRACE_MS, () =>
      onBroken(new ExecutorError('UNREACHABLE', 'The runtime did not end the task in time.')),
    );
  }

  link.onBroken(onBroken);
  if (settled) return promise;
  link.startPlay(run.modules, programOf(run), compiled.payload, onFrame);
  if (run.signal.aborted) onAbort();
  else run.signal.addEventListener('abort', onAbort, { once: true });
  return promise;
}

function programOf(run: PlayOverLink): ChannelFrame {
  const { request, compiled, modules } = run;
  return {
    run: request.requestId,
    tasks: compiled.tasks,
    plays: compiled.plays,
    vars: request.vars ?? {},
    registered: request.resume?.registered ?? {},
    start: request.resume?.startAt ?? 0,
    check: request.check ?? false,
    taskTimeoutS: request.taskTimeoutMs === undefined ? null : request.taskTimeoutMs / 1000,
    ansibleVersion: run.ansibleVersion,
    modules: Object.fromEntries(modules.modules),
    becomePassword: request.target.become?.password ?? null,
  };
}

function taskError(task: TaskSummary, result: JsonObject, code: unknown): ExecutorError {
  const known =
    typeof code === 'string' && Object.hasOwn(EXECUTOR_ERRORS, code) ? (code as ExecutorErrorCode) : 'TASK_FAILED';
  const text = (value: unknown) => (typeof value === 'string' ? value.trim() : '');
  // A module that broke says why in the last line of its traceback.
  const trace = text(result.module_stderr).split('\n').at(-1) ?? '';
  const said = [trace, text(result.msg), text(result.stderr).slice(-500)].filter((part) => part !== '');
  const detail = said.length > 0 ? said.join(' / ').slice(0, 2000) : 'no message';
  return new ExecutorError(
    known,
    `Task ${task.index + 1} '${task.name}' (${task.module}, line ${task.line}) failed: ${detail}`,
  );
}
