import type { ExecutorError, Target } from '@bessemer/executor-protocol';

/** How a runtime is started for a target, whatever carries the channel. */
export interface Opening {
  readonly command: readonly string[];
  /** SHA256:... of the host key that the transport verifies. */
  readonly hostKeyFingerprint?: string;
  /** Takes away what only the start needed (key files). Called once, when the channel stands or failed. */
  cleanUp(): Promise<void>;
}

export interface Transport<T extends Target = Target> {
  /** What makes a connection unique: another value of any of these is another connection. Holds no secret in the clear. */
  keyVariables(target: T): Record<string, string>;
  /** `user@address:port`, for people. */
  describe(target: T): string;
  /** What per-target limits count by. */
  limitKey(target: T): string;
  open(target: T, shellCommand: string, connectTimeoutMs: number): Promise<Opening>;
  /** Why the channel ended before the runtime answered. */
  explain(target: T, end: { code: number | null; errorText: string; problem?: string }): ExecutorError;
}
