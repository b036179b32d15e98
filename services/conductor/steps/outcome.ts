/** What a step answers when it is called. */
import type { Outcome, WaitingFor } from '@bessemer/core';

export type Awaited = Pick<WaitingFor, 'what' | 'from' | 'until' | 'hint'>;

/** An Outcome; a wait may ask to be looked at again before its deadline. */
export type StepOutcome =
  | Exclude<Outcome, { kind: 'wait' }>
  | {
      readonly kind: 'wait';
      readonly for: Awaited;
      /** The step is called again after this long, or when a bell rings, whichever comes first. */
      readonly checkAfterMs?: number;
      /** The node goes to the hold state of its verb, until somebody says `unhold`. */
      readonly isHold?: true;
    };

export const done: StepOutcome = { kind: 'done' };
export const failed = (error: string): StepOutcome => ({ kind: 'failed', error });
