import type { JsonObject } from '@bessemer/core';

/** A key belongs to the user who sent it. */
export interface IdempotencyScope {
  readonly user: string;
  readonly key: string;
}

export interface IdempotencyRecord {
  readonly requestHash: string;
  /** Somebody is at work on the first answer. */
  readonly isClaimed: boolean;
  /** The first answer, when there is one. */
  readonly answer: JsonObject | null;
}

export interface IdempotencyClaim {
  readonly requestHash: string;
  /** Id under which conductors are asked; every attempt has that of the first. */
  readonly requestId: string;
  readonly claim: string;
  readonly claimMs: number;
  /** Records older than this are forgotten. */
  readonly keptMs: number;
}

/** The first answer to each Idempotency-Key. Answers are encrypted at rest: they may show a secret for the only time. */
export interface IdempotencyRepository {
  find(scope: IdempotencyScope, keptMs: number): Promise<IdempotencyRecord | undefined>;
  /**
   * Takes the key for `claimMs`: a free or forgotten one, and one whose claim for the same request is over without an answer.
   * On PostgreSQL it waits for a transaction that is taking the same key.
   */
  claim(
    scope: IdempotencyScope,
    claim: IdempotencyClaim,
  ): Promise<
    | { readonly isOurs: true; readonly requestId: string }
    | { readonly isOurs: false; readonly record: IdempotencyRecord }
  >;
  /** False when the claim was lost. */
  renew(scope: IdempotencyScope, claim: string, claimMs: number): Promise<boolean>;
  finish(scope: IdempotencyScope, claim: string, answer: JsonObject): Promise<boolean>;
  /** Lets go: the key is free again, or, with `keep`, waits for the next attempt at the same request. */
  release(scope: IdempotencyScope, claim: string, options?: { readonly keep?: boolean }): Promise<void>;
  /** Frees every claim: for who knows that the processes that held them are gone. */
  endClaims(): Promise<number>;
  purge(keptMs: number): Promise<number>;
}
