/** What a conductor's step is given and what it answers. A step looks at the world each time it is called; it holds nothing in memory. */
import type { Config, EventType, Json, JsonObject, NewEvent, Progress, Run, StoredEvent } from '@bessemer/core';
import type { Repositories } from '@bessemer/db';
import type {
  BootInterface,
  DeployInterface,
  DriverStepTask,
  ManagementInterface,
  PowerInterface,
} from '../drivers/interfaces.ts';
import type { StoredDrive } from '../config-drive.ts';
import type { JobState } from '../jobs.ts';
import type { Configurer, SshProbe } from '../ports.ts';
import type { Awaited, StepOutcome } from './outcome.ts';

export { done, failed, type Awaited, type StepOutcome } from './outcome.ts';

export interface StepTask extends DriverStepTask {
  readonly run: Run;
  /** What this and earlier steps have left in the run. */
  readonly notes: JsonObject;
  readonly config: Config;
  readonly read: Repositories;
  readonly power: PowerInterface;
  readonly management: ManagementInterface;
  readonly boot: BootInterface;
  readonly deploy: DeployInterface;
  readonly ssh: SshProbe;
  readonly configurer: Configurer;
  /** Makes events (and progress) durable at once. */
  record(events: readonly Omit<NewEvent, 'nodeUuid' | 'runId'>[], progress?: Progress): Promise<void>;
  /** Merged into the run's notes together with the outcome. */
  note(patch: JsonObject): void;
  /** Written together with the outcome. */
  storeConfigDrive(drive: StoredDrive): void;
  /** Work that takes longer than one bounded call: starts it once per attempt, and says how far it is. Its end rings the run's bell. */
  job(start: (signal: AbortSignal) => Promise<Json>): JobState;
  /** The newest event of these types about this node at or after `sinceMs`. */
  seenSince(types: readonly EventType[], sinceMs: number): Promise<StoredEvent | undefined>;
}

export interface StepHandler {
  /** Begins the step, or goes on with it. @throws ServiceError: `context.isTransient` is tried again a few times, others fail the step. */
  run(task: StepTask): Promise<StepOutcome>;
  /** For a step that may not simply be repeated: finds out what became of the attempt of a conductor that died. Null: nobody can tell. */
  lookAtWorld?(task: StepTask): Promise<StepOutcome | null>;
}

/** The end of a wait: a hand-over may have put it off, since nobody looked in between, and that stands. */
export const untilAtLeast = (task: StepTask, what: Awaited['what'], until: number): number =>
  task.waitingFor?.what === what ? Math.max(task.waitingFor.until, until) : until;
