/** What the writes of a run are given and give. */
import type { AttemptRecord, Cursor, JsonObject, NewEvent, Progress, Run, Step } from '@bessemer/core';
import type { NodeDocumentKind, NodePatch, Repositories } from '@bessemer/db';
import type { StoredDrive } from './config-drive.ts';
import type { DocumentChange } from './drivers/interfaces.ts';
import type { Awaited, StepOutcome } from './steps/step.ts';

/** The run has ended: whoever worked on it stops. */
export class Gone extends Error {}

/** What a call of a step leaves to be written with its outcome. */
export interface Effects {
  readonly notes: JsonObject;
  readonly events: readonly Omit<NewEvent, 'nodeUuid' | 'runId'>[];
  readonly nodePatch: NodePatch;
  readonly inventory?: { readonly inventory: JsonObject; readonly pluginData: JsonObject };
  readonly configDrive?: StoredDrive;
  readonly documents?: ReadonlyArray<{ readonly kind: NodeDocumentKind; readonly change: DocumentChange }>;
}

/** One attempt of a step and what came of it. */
export interface StepResult {
  readonly step: Step;
  readonly attempt: AttemptRecord;
  readonly outcome: StepOutcome;
  readonly effects: Effects;
}
export type Settled = { readonly what: 'next' | 'waiting' | 'ended'; readonly run: Run };

export interface TaskWriter {
  /**
   * Enters the first segment of a run that was created in this very transaction: stores the first attempt, or, when the plan is
   * empty, ends the run.
   */
  enterFirst(tx: Repositories, run: Run): Promise<void>;
  /** Likewise for a run that begins again in this very transaction, at a step of its own. */
  enterAt(tx: Repositories, run: Run, at: Pick<Cursor, 'segment' | 'step'>): Promise<void>;
  /** An attempt that is made and not stored yet: `settle` takes it. */
  nextAttempt(number: number): AttemptRecord;
  /** Another attempt of the step at the cursor; gives the run as stored. */
  beginAttempt(run: Run): Promise<Run>;
  /**
   * Stores what came of the step at the cursor and of those after it, in one transaction: all but the last are done. `under` is the
   * attempt of the step after them that is under way already. `next`: there is more to do at once.
   */
  settle(run: Run, results: readonly StepResult[], under?: AttemptRecord): Promise<Settled>;
  /** Stores a wait outside a step: for an agent's segment. The node rests in its wait state. */
  rest(run: Run, waitingFor: Awaited, notes?: JsonObject): Promise<Run>;
  /** The agent's segment is done. */
  endSegment(run: Run): Promise<Settled>;
  /** Goes back to the step at `cursor`, with a fact for the operator. */
  goBack(run: Run, cursor: Cursor, notes: JsonObject, event: Effects['events'][number]): Promise<void>;
  fail(run: Run, error: string): Promise<Run>;
  /** Writes facts in the middle of a step. */
  record(
    run: Run,
    change: { notes?: JsonObject; waitingFor?: Awaited; progress?: Progress | null; events?: Effects['events'] },
  ): Promise<Run>;
}
