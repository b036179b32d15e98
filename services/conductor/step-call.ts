/** One call of a step: what it is given, who does it, and what becomes of what it throws. */
import type { Config, Json, NewEvent, Node, Port, Progress, Run, Step } from '@bessemer/core';
import { coerceError, isServiceError, ServiceError } from '@bessemer/core';
import type { Db, NodePatch } from '@bessemer/db';
import type { Clock, Log } from '@bessemer/ports';
import { isDatabaseAway } from './drivers/errors.ts';
import type { DriverRegistry } from './drivers/registry.ts';
import type { Jobs } from './jobs.ts';
import type { Configurer, SshProbe } from './ports.ts';
import type { Session } from './session.ts';
import { isConductorStep, type ConductorStepName } from './steps/catalogue.ts';
import type { StepHandler, StepOutcome, StepTask } from './steps/step.ts';
import { withArguments } from './step-arguments.ts';
import { idOf } from './task.ts';
import { type Effects, Gone, type TaskWriter } from './task-writer.ts';

export interface StepCallOptions {
  readonly db: Db;
  readonly clock: Clock;
  readonly log: Log;
  readonly config: Config;
  readonly session: Session;
  readonly writer: TaskWriter;
  readonly drivers: DriverRegistry;
  readonly handlers: Readonly<Record<ConductorStepName, StepHandler>>;
  readonly ssh: SshProbe;
  readonly configurer: Configurer;
  /** Does a step on the child nodes of the task's node. */
  readonly onChildren: (task: StepTask) => Promise<StepOutcome>;
}

export interface Call {
  readonly task: StepTask;
  effects(): Effects;
  /** Adds to what is written with the outcome. */
  note(patch: Effects['notes']): void;
}

type RunStep = (task: StepTask) => Promise<StepOutcome>;
type LookAtWorld = StepHandler['lookAtWorld'];

export interface StepCalls {
  /** @param flush stores what came of the steps before this one. */
  prepare(run: Run, node: Node, ports: readonly Port[], step: Step, flush: () => Promise<void>): Call;
  /** Calls a step and turns what it throws into an outcome. @throws Gone, STALE_FENCE. */
  make<O extends StepOutcome | null>(
    call: Call,
    invoke: (run: RunStep, look: LookAtWorld) => Promise<O>,
  ): Promise<O | StepOutcome>;
}

/** How often a step that met a passing trouble is tried again, and when. */
const TRANSIENT_DELAYS_MS: readonly number[] = [1_000, 2_000, 5_000];

export function createStepCalls(options: StepCallOptions, jobs: Jobs): StepCalls {
  const { db, clock, log, session, writer } = options;

  /** Another conductor may have taken the run over since this one has read it: then the machine is the other's. */
  async function mayOrder(run: Run): Promise<number> {
    const now = await db.read.runs.get(run.id);
    if (!now || now.finishedAt !== null || now.owner !== session.id || now.fence !== run.fence)
      throw new ServiceError('STALE_FENCE', `Run ${run.id} is not this conductor's any more: it gives no orders.`);
    return session.checkMayOrder();
  }

  function prepare(
    run: Run,
    node: Node,
    ports: readonly Port[],
    step: Step,
    /** Stores what came of the steps before this one. */
    flush: () => Promise<void>,
  ): Call {
    const attempt = run.cursor.attempt!;
    const scope = log.child({ node: node.uuid, run: run.id, step: step.step });
    let scratch = (run.notes['scratch'] ?? {}) as Effects['notes'];
    const notes: Record<string, Json> = {};
    const events: Array<Effects['events'][number]> = [];
    let nodePatch: NodePatch = {};
    let inventory: Effects['inventory'];
    let configDrive: Effects['configDrive'];
    const documents: Array<NonNullable<Effects['documents']>[number]> = [];
    let seen = node;
    const task: StepTask = {
      /** With what this call has changed of it. */
      get node() {
        return seen;
      },
      ports,
      log: scope,
      checkMayOrder: () => mayOrder(run),
      run,
      step: withArguments(run, step),
      attempt,
      waitingFor: run.waitingFor,
      nowMs: clock.nowMs(),
      deadlineMs: run.deadline,
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
        await flush();
        await writer.record(run, { notes: { scratch }, ...(waitingFor ? { waitingFor } : {}) });
      },
      async record(more: readonly Omit<NewEvent, 'nodeUuid' | 'runId'>[], progress?: Progress) {
        await flush();
        await writer.record(run, { events: more, ...(progress ? { progress } : {}) });
      },
      note: (patch) => void Object.assign(notes, patch),
      emit: (type, data, severity) => void events.push({ type, data, ...(severity ? { severity } : {}) }),
      patchNode: (patch) => {
        nodePatch = { ...nodePatch, ...patch };
        seen = { ...seen, ...patch };
      },
      storeInventory: (found) => {
        inventory = found;
      },
      storeConfigDrive: (drive) => {
        configDrive = drive;
      },
      changeDocument: (kind, change) => void documents.push({ kind, change }),
      job: (start) => jobs.ensure(run.id, attempt.id, start),
      async seenSince(types, sinceMs) {
        const [last] = await db.read.events.listLast({ nodeUuid: node.uuid, types }, 1);
        return last && last.at >= sinceMs ? last : undefined;
      },
    };
    return {
      task,
      effects: () => ({
        notes,
        events,
        nodePatch,
        documents,
        ...(inventory ? { inventory } : {}),
        ...(configDrive === undefined ? {} : { configDrive }),
      }),
      note: (patch) => void Object.assign(notes, patch),
    };
  }

  /** Who does a step: the conductor itself, or the node's implementation of the step's interface. */
  function doerOf({ node, step }: StepTask): { readonly run: RunStep; readonly look?: LookAtWorld } {
    if (step.source === 'driver') {
      const implementation = options.drivers.get(node, step.interface);
      if (implementation.runStep) return { run: (task) => implementation.runStep!(task) };
    } else if (step.source === 'children') {
      return { run: options.onChildren };
    } else if (isConductorStep(step.step)) {
      const handler = options.handlers[step.step];
      return { run: (task) => handler.run(task), look: handler.lookAtWorld?.bind(handler) };
    }
    throw new ServiceError(
      'INVALID_STATE',
      `Step ${idOf(step)} is not known to this release or to the node's driver: it was planned by another one.`,
    );
  }
  async function make<O extends StepOutcome | null>(
    call: Call,
    invoke: (run: RunStep, look: LookAtWorld) => Promise<O>,
  ): Promise<O | StepOutcome> {
    const { run, step, attempt } = call.task;
    try {
      const doer = doerOf(call.task);
      return await invoke(doer.run, doer.look);
    } catch (error) {
      if (error instanceof Gone || isServiceError(error, 'STALE_FENCE') || isDatabaseAway(error)) throw error;
      if (!isServiceError(error)) {
        call.task.log.error('a step threw', { error: coerceError(error).stack });
        return { kind: 'failed', error: `Step ${step.step} failed: ${coerceError(error).message}` };
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

  return { prepare, make };
}
