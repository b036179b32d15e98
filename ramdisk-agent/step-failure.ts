import type { StepErrorCode } from '@bessemer/agent-protocol';

/** A step ends with this: the code is for programs, the message for the operator (what was wrong, where, what to do). */
export class StepFailure extends Error {
  readonly code: StepErrorCode;
  constructor(code: StepErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** The text of anything that was thrown. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
