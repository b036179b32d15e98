import type { Clock, Log, Random } from '@bessemer/ports';
import type { SecretKeys } from '../secrets.ts';

export interface OpenOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Closes and opens what is encrypted at rest. */
  readonly secrets: SecretKeys;
  /** Brings the schema up to date first. Default true. */
  readonly migrate?: boolean;
  /** False only in the simulator's proof that it would notice a missing fence check. Default true. */
  readonly fenceCheck?: boolean;
}
