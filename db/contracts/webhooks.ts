import type { JsonObject } from '@bessemer/core';
import type { Page } from '../repositories.ts';

/** Where events are sent. Times are ms since the epoch. */
export interface Webhook {
  readonly uuid: string;
  readonly name: string | null;
  readonly url: string;
  /** Patterns of event types, such as `node.*`; none: all. */
  readonly events: readonly string[];
  /** A node range; null: all nodes, and what belongs to none. */
  readonly nodes: string | null;
  /** Least severity. */
  readonly severity: 'info' | 'warning' | 'error' | null;
  /** Signs what is sent; ciphertext in the database. */
  readonly secret: string | null;
  readonly enabled: boolean;
  /** Why the service switched it off. */
  readonly disabledReason: string | null;
  readonly createdAt: number;
  readonly updatedAt: number | null;
}

/** How far a webhook is. */
export interface WebhookDelivery {
  /** Cursor of the last event that is dealt with. */
  readonly cursor: string;
  /** Failed attempts at the next event. */
  readonly attempts: number;
  /** Events given up in a row. */
  readonly failures: number;
  readonly nextAttemptAt: number | null;
  readonly lastStatus: number | null;
  readonly lastError: string | null;
  readonly deliveredAt: number | null;
  readonly delivered: number;
  /** Who delivers, and until when nobody else does. */
  readonly lease: string | null;
  readonly leasedUntil: number | null;
}

export interface DeadLetter {
  readonly id: number;
  /** As it was sent. */
  readonly event: JsonObject;
  readonly attempts: number;
  readonly status: number | null;
  readonly error: string;
  readonly at: number;
  /** It is to be sent again. */
  readonly isDue: boolean;
}

export type WebhookPatch = Partial<
  Pick<Webhook, 'name' | 'url' | 'events' | 'nodes' | 'severity' | 'secret' | 'enabled'>
>;

/** Why an attempt failed; `status` is the answer's, when there was one. */
export interface WebhookFailure {
  readonly status: number | null;
  readonly error: string;
}

export interface WebhookRepository {
  /** It begins behind `cursor`. @throws WEBHOOK_ALREADY_EXISTS for a taken uuid or name. */
  create(
    webhook: { readonly uuid: string; readonly url: string; readonly cursor: string } & WebhookPatch,
  ): Promise<Webhook>;
  /** By uuid or by name. */
  find(ident: string): Promise<Webhook | undefined>;
  list(page: Page): Promise<Webhook[]>;
  /** A change is a new beginning for the event that is at hand: it is tried at once. @throws WEBHOOK_NOT_FOUND, WEBHOOK_ALREADY_EXISTS. */
  update(uuid: string, patch: WebhookPatch): Promise<Webhook>;
  remove(uuid: string): Promise<void>;
  delivery(uuid: string): Promise<(WebhookDelivery & { readonly deadLetters: number }) | undefined>;

  /** Oldest first, after the id `after`. */
  listDeadLetters(uuid: string, after: number, limit: number): Promise<DeadLetter[]>;
  /** Orders that they are sent again; without ids, all. How many. */
  redeliver(uuid: string, ids?: readonly number[]): Promise<number>;
  dropDeadLetters(uuid: string, ids?: readonly number[]): Promise<number>;

  /** Those that are switched on. */
  listEnabled(): Promise<Array<Webhook & WebhookDelivery>>;
  get(uuid: string): Promise<(Webhook & WebhookDelivery) | undefined>;
  /** The oldest dead letter that is to be sent again. */
  nextDue(uuid: string): Promise<DeadLetter | undefined>;
  /** Takes or renews the lease for `ttlMs` of database time; false when another holds it. */
  lease(uuid: string, holder: string, ttlMs: number): Promise<boolean>;
  /** Gives up all leases of a holder; without one, of all: for who knows that they are gone. */
  endLeases(holder?: string): Promise<void>;
  // The four ways on; each only under the lease: false when it was lost, and nothing is written then.
  delivered(uuid: string, holder: string, cursor: string, status: number): Promise<boolean>;
  failed(uuid: string, holder: string, failure: WebhookFailure & { readonly retryInMs: number }): Promise<boolean>;
  /** Lays the event among the dead letters (the newest `kept` stay) and goes on behind it. */
  giveUp(
    uuid: string,
    holder: string,
    failure: WebhookFailure & { readonly event: JsonObject; readonly cursor: string; readonly kept: number },
  ): Promise<boolean>;
  disable(uuid: string, holder: string, reason: string): Promise<boolean>;
  /** A dead letter was taken after all, or once more not. */
  deadLetterDelivered(uuid: string, holder: string, id: number, status: number): Promise<boolean>;
  deadLetterFailed(uuid: string, holder: string, id: number, failure: WebhookFailure): Promise<boolean>;
}
